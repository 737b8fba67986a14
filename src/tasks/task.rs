//! The trait of a task. Verbs and workflows use a task of the [list](super::list) only through this trait.

use std::path::Path;

use super::TaskError;
use super::data::{Chosen, DataSource, Part};
use super::export::{OnnxNetwork, OnnxOutput};
use super::hub::HubTask;
use super::predict::Predictor;
use super::samples::Samples;
use crate::data::check::{CheckOptions, CheckReport};
use crate::data::correct::Corrected;
use crate::exec::AnyEngine;
use crate::nn::Averaged;
use crate::run::Checkpoint;
use crate::run::card::ModelCard;
use crate::run::task_card::TaskCard;
use crate::setting::Setting;
use crate::train::open::{TrainingData, open};
use crate::train::settings::{ConfigError, Given, Resolved};
use crate::train::{Observer, TrainError, Trainer};

/// A training to start with.
#[derive(Debug, Clone, Copy)]
pub struct Example {
    /// Settings that differ from their defaults: keys and values.
    pub settings: &'static [(&'static str, &'static str)],
    /// A remark on the data or the network, or nothing.
    pub about: &'static str,
}

/// A task.
pub trait Task: Send + Sync {
    /// Name in config files, in checkpoints and on the command line, such as `classify`.
    fn name(&self) -> &'static str;

    /// One line of help.
    fn help(&self) -> &'static str {
        ""
    }

    /// Trainings to start with, for the help.
    fn examples(&self) -> &'static [Example] {
        &[]
    }

    /// The description of its runs.
    fn card(&self) -> TaskCard;

    /// Its settings, including those of all tasks.
    fn settings(&self) -> &'static [Setting];

    /// Resolves and validates its settings from given values, a config file or a table.
    ///
    /// # Errors
    /// An unreadable file, an unknown key, a wrong type, or a value out of range.
    fn resolve(&self, given: &Given) -> Result<Resolved, ConfigError>;

    /// Reads the data of a run, and returns what training needs.
    ///
    /// # Errors
    /// When the data cannot be read, or its images do not fit the network.
    fn read(&self, settings: &Resolved, observer: &dyn Observer) -> Result<TrainingData, TrainError>;

    /// The images of a part of a data set, to evaluate and compare models with the classes and the image size of `card`.
    ///
    /// # Errors
    /// When the data cannot be read or has other classes than the model.
    fn image_set(&self, card: &ModelCard, from: &DataSource, part: Option<Part>) -> Result<Chosen, TaskError> {
        let _ = (card, from, part);
        Err(self.unsupported("evaluate models"))
    }

    /// Whether [`ImageSet::compare`](super::data::ImageSet::compare) is supported.
    fn compares(&self) -> bool {
        false
    }

    /// Whether models with image sizes of different proportions can be compared: each sees the whole picture, or scores
    /// are of whole images.
    fn compares_proportions(&self) -> bool {
        false
    }

    /// A trained model that predicts for single images.
    ///
    /// # Errors
    /// When the checkpoint does not fit its own description.
    fn predictor(&self, checkpoint: &Checkpoint, engine: Box<AnyEngine>) -> Result<Box<dyn Predictor>, TaskError> {
        let _ = (checkpoint, engine);
        Err(self.unsupported("predict"))
    }

    /// The values that flips at test time average over an image and its mirror image; `None` if mirroring changes the
    /// meaning of an image.
    fn averaged(&self, card: &ModelCard) -> Option<Averaged> {
        let _ = card;
        None
    }

    /// The training samples that settings name, for a preview.
    ///
    /// # Errors
    /// When the data cannot be read.
    fn samples(&self, settings: &Resolved) -> Result<Samples, TaskError> {
        let _ = settings;
        Err(self.unsupported("preview samples"))
    }

    /// Whether images must be square.
    fn takes_squares(&self) -> bool {
        false
    }

    /// Reads a whole data set and lists every fault.
    ///
    /// # Errors
    /// When the folder cannot be listed or is in no known format.
    fn check_data(&self, data: &Path, options: &CheckOptions<'_>) -> Result<CheckReport, TaskError> {
        let _ = (data, options);
        Err(self.unsupported("check data"))
    }

    /// Writes a corrected copy of a data set into a new folder.
    ///
    /// # Errors
    /// When the set cannot be opened, the folder is not free, or a part has no good image.
    fn correct_data(&self, data: &Path, options: &CheckOptions<'_>, to: &Path) -> Result<Corrected, TaskError> {
        let _ = (data, options, to);
        Err(self.unsupported("correct data"))
    }

    /// Whether the outputs of a model are classes of its data. Models with different classes are not compared.
    fn has_classes(&self) -> bool {
        true
    }

    /// Color channels that the network takes.
    fn input_channels(&self) -> usize {
        3
    }

    /// The part of a picture that [`Predictor::predict`] resizes, in words.
    fn view(&self) -> &'static str {
        "a whole picture"
    }

    /// How a hub of models files its models.
    fn hub(&self) -> HubTask {
        HubTask { pipeline: "other", center_crop: false }
    }

    /// Builds an ONNX model around the network, from pixels to predictions.
    ///
    /// # Errors
    /// When an op has no ONNX form.
    fn export(&self, onnx: &mut OnnxNetwork<'_>) -> Result<OnnxOutput, TaskError> {
        let _ = onnx;
        Err(self.unsupported("export"))
    }

    /// The error for a verb that the task does not support.
    fn unsupported(&self, verb: &'static str) -> TaskError {
        TaskError::Unsupported { task: self.name().to_owned(), verb }
    }

    /// Opens a run: reads its data, builds the model and creates the run folder.
    ///
    /// # Errors
    /// When the device, the data or the folder of the run is refused, or the model does not fit.
    fn open(&self, settings: &Resolved, observer: &dyn Observer) -> Result<Trainer, TrainError> {
        open(settings, || self.read(settings, observer), observer)
    }
}

/// The methods of a [`Task`] that follow from its settings: name, settings and their resolution. For use in an `impl Task`.
#[macro_export]
macro_rules! settings_of_task {
    ($Config:ty) => {
        fn name(&self) -> &'static str {
            <$Config as $crate::train::settings::TaskSettings>::TASK
        }

        fn settings(&self) -> &'static [$crate::internals::setting::Setting] {
            <$Config as $crate::train::settings::TaskSettings>::SETTINGS
        }

        fn resolve(
            &self,
            given: &$crate::train::settings::Given,
        ) -> Result<$crate::train::settings::Resolved, $crate::train::settings::ConfigError> {
            let config = <$Config as $crate::train::settings::TaskSettings>::resolve(given)?;
            $crate::train::settings::Resolved::of(&config)
        }
    };
}
