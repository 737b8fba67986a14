//! An architecture of the list with its settings and the number of its outputs: what a checkpoint describes.

use std::fmt;
use std::sync::Arc;

use serde::Serialize;
use serde::de::DeserializeOwned;
use serde_json::{Map, Value as Json};

use super::mirrored::{self, Averaged};
use super::{Mode, Model};
use crate::graph::{Graph, GraphError, Value};
use crate::setting::Setting;

/// Settings of an architecture by key, as in a config file or the metadata of a checkpoint.
pub type Settings = Map<String, Json>;

/// The stages of an encoder, from the stem on: patterns of the names of each stage's layers, as in `freeze`. Every other layer
/// belongs to the head.
pub type Stages = &'static [&'static [&'static str]];

/// An architecture: a line of the list of [`architectures`](super::architectures).
#[derive(Clone, Copy, Debug)]
pub struct Architecture {
    /// Name in config files, checkpoints and on the command line.
    pub name: &'static str,
    /// Its line in the help.
    pub help: &'static str,
    /// Its settings.
    pub settings: &'static [Setting],
    /// The tensor that has a value for each output, such as `fc.bias`.
    pub head: &'static str,
    /// Patterns of the names of the encoder's tensors, as in `freeze`.
    pub encoder: &'static [&'static str],
    /// The stages of the encoder; empty for a network that cannot be trained stage by stage.
    pub stages: Stages,
    /// Name of the encoder, such as `resnet18`, by which published weights are found; `None` if there are no published
    /// weights.
    pub encoder_name: Option<&'static str>,
    /// The training step that the architecture's name alone stands for: `NxHxW` and settings, such as
    /// `4x128x128:base=16`.
    pub step: &'static str,
    /// Outputs of that step.
    pub step_outputs: usize,
    /// Outputs of the published network.
    pub published_outputs: usize,
    /// Makes the network for a number of outputs. Absent settings have their defaults.
    pub build: fn(usize, &Settings) -> Result<Network, String>,
    /// Whether sizes among the settings agree with a checkpoint's tensors, given the first axis of each tensor by name.
    /// So no memory is taken for a size that only the description claims.
    pub fits: fn(&Settings, &dyn Fn(&str) -> Option<usize>) -> bool,
}

/// A network: an architecture, its settings, the number of its outputs.
#[derive(Clone)]
pub struct Network {
    architecture: Architecture,
    outputs: usize,
    settings: Settings,
    /// The values that are averaged with the prediction of the mirror image, in [`Mode::Eval`].
    mirrored: Option<Averaged>,
    layers: Arc<dyn Model<Output = Value> + Send + Sync>,
}

/// Keys of the number of outputs in a model's description. They are not settings.
const OUTPUTS: [&str; 2] = ["classes", "outputs"];

impl Network {
    /// A network of an architecture; `layers` are serialized to its settings, without `classes` and `outputs`.
    pub fn new<L>(architecture: Architecture, outputs: usize, layers: L) -> Self
    where
        L: Model<Output = Value> + Serialize + Send + Sync + 'static,
    {
        let mut settings = match serde_json::to_value(&layers) {
            Ok(Json::Object(settings)) => settings,
            _ => Settings::new(),
        };
        OUTPUTS.iter().for_each(|key| drop(settings.remove(*key)));
        Network { architecture, outputs, settings, mirrored: None, layers: Arc::new(layers) }
    }

    /// The layers that settings describe. Absent settings have their defaults.
    ///
    /// # Errors
    /// A setting of the wrong type, in words.
    pub fn read<L: DeserializeOwned>(outputs: usize, settings: &Settings) -> Result<L, String> {
        let mut object = settings.clone();
        OUTPUTS.iter().for_each(|key| drop(object.insert((*key).into(), outputs.into())));
        serde_json::from_value(Json::Object(object)).map_err(|e| e.to_string())
    }

    /// The architecture.
    pub fn architecture(&self) -> &Architecture {
        &self.architecture
    }

    /// Name of the architecture.
    pub fn name(&self) -> &'static str {
        self.architecture.name
    }

    /// Channels of the result: classes or colors.
    pub fn outputs(&self) -> usize {
        self.outputs
    }

    /// All settings, including defaults.
    pub fn settings(&self) -> &Settings {
        &self.settings
    }

    /// The same network whose predictions are averaged with those of the mirror images, in [`Mode::Eval`].
    pub fn mirrored(self, averaged: Averaged) -> Self {
        Network { mirrored: Some(averaged), ..self }
    }

    /// Whether predictions are averaged with those of the mirror images ([`Network::mirrored`]).
    pub fn is_mirrored(&self) -> bool {
        self.mirrored.is_some()
    }

    /// Appends the network: x `[N,H,W,C]` to logits `[N,outputs]` for classes of images, else to `[N,H,W,outputs]`.
    ///
    /// # Errors
    /// When x does not fit.
    pub fn apply(&self, g: &mut Graph, x: Value, mode: Mode) -> Result<Value, GraphError> {
        match self.mirrored.filter(|_| mode == Mode::Eval) {
            Some(averaged) => mirrored::append(g, x, averaged, |g, x| self.layers.apply(g, x, mode)),
            None => self.layers.apply(g, x, mode),
        }
    }
}

impl Model for Network {
    type Output = Value;

    fn apply(&self, g: &mut Graph, images: Value, mode: Mode) -> Result<Value, GraphError> {
        Network::apply(self, g, images, mode)
    }
}

impl fmt::Debug for Network {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct(self.name()).field("outputs", &self.outputs).field("settings", &self.settings).finish()
    }
}

impl PartialEq for Network {
    fn eq(&self, other: &Self) -> bool {
        let parts = |network: &Self| (network.name(), network.outputs, network.mirrored);
        parts(self) == parts(other) && self.settings == other.settings
    }
}

impl Architecture {
    /// An architecture without settings, given its name, the tensor of its outputs and how it is built.
    pub const fn new(
        name: &'static str,
        head: &'static str,
        build: fn(usize, &Settings) -> Result<Network, String>,
    ) -> Self {
        let (help, settings, encoder, encoder_name, step) = ("", &[], &[], None, "8x32x32");
        let stages: Stages = &[];
        let (step_outputs, published_outputs) = (10, 10);
        let fits: fn(&Settings, &dyn Fn(&str) -> Option<usize>) -> bool = |_, _| true;
        Architecture {
            name,
            help,
            settings,
            head,
            encoder,
            stages,
            encoder_name,
            step,
            step_outputs,
            published_outputs,
            build,
            fits,
        }
    }

    /// Parses a setting's value: a number, true or false, else text.
    pub fn value(text: &str) -> Json {
        match serde_json::from_str(text) {
            Ok(value @ (Json::Number(_) | Json::Bool(_))) => value,
            _ => Json::String(text.to_owned()),
        }
    }

    /// Whether the architecture has a setting of this key.
    pub fn has(&self, key: &str) -> bool {
        self.settings.iter().any(|setting| setting.key == key)
    }
}
