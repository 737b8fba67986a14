//! What is known of a run besides its settings and its epochs: `run.json`.

use serde::{Deserialize, Serialize};

use crate::data::Loader;
use crate::graph::Group;
use crate::run::card::ModelCard;
use crate::train::model::Model;

/// Contents of `run.json`.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct RunFacts {
    /// Version of shadegrad that trained.
    pub version: String,
    /// `classify`, `segment` or `colorize`.
    pub task: String,
    /// Where it was computed.
    pub device: String,
    /// Trained values of the network.
    pub parameters: usize,
    /// Names of the outputs: classes, or colour channels.
    pub outputs: Vec<String>,
    /// Height and width of the images.
    pub image_size: [usize; 2],
    /// Images to learn from.
    pub training_images: usize,
    /// Images to measure on.
    pub validation_images: usize,
}

impl RunFacts {
    /// Those of a run that begins.
    pub fn of(card: &ModelCard, model: &Model, [training, validation]: [&Loader; 2]) -> Self {
        let parameters = model.session.states().of(Group::Parameters).map(|(_, state)| state.ty.shape.elements()).sum();
        RunFacts {
            version: env!("CARGO_PKG_VERSION").into(),
            task: card.task.name().into(),
            device: model.session.engine().name().to_string(),
            parameters,
            outputs: card.classes.clone(),
            image_size: card.image_size,
            training_images: training.source().len(),
            validation_images: validation.source().len(),
        }
    }
}
