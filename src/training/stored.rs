//! Trainings on disk.

use std::path::Path;

use super::{Training, TrainingError};
use crate::interop::weights::{self, Metadata};
use crate::nn::Outputs;

/// Key of the number of steps in a file's metadata.
const STEPS: &str = "steps";

impl<O: Outputs> Training<O> {
    /// Writes the state that continues the training to the same bits: parameters, running statistics, moments, moving average,
    /// number of steps. The caller keeps the learning rate. The file is replaced atomically, so a crash keeps the old file.
    ///
    /// # Errors
    /// When the file cannot be written or the device is lost.
    pub fn save(&mut self, path: impl AsRef<Path>) -> Result<(), TrainingError> {
        let metadata = Metadata::from([(STEPS.into(), self.steps.to_string())]);
        Ok(weights::save_all(&mut self.session, self.steps, metadata, path.as_ref())?)
    }

    /// Restores the state of [`Training::save`]. Nothing changes unless the whole file fits.
    ///
    /// # Errors
    /// When the file cannot be read, or is not of a training with this network, optimizer and frozen layers.
    pub fn load(&mut self, path: impl AsRef<Path>) -> Result<(), TrainingError> {
        let metadata = weights::load_all(&mut self.session, path.as_ref())?;
        self.steps = metadata.get(STEPS).and_then(|steps| steps.parse().ok()).unwrap_or(0);
        Ok(())
    }

    /// Writes only parameters and running statistics: for [`Predictor`](super::Predictor), and for PyTorch, whose order
    /// of axes the file has.
    ///
    /// # Errors
    /// When the file cannot be written or the device is lost.
    pub fn save_weights(&mut self, path: impl AsRef<Path>) -> Result<(), TrainingError> {
        Ok(weights::save(&mut self.session, self.steps, path.as_ref())?)
    }

    /// Starts from the weights of a file: of [`Training::save_weights`], of a run, or of a PyTorch model with the same names. The
    /// moving average starts at them; moments and the number of steps stay.
    ///
    /// # Errors
    /// When the file cannot be read, or is not of this network.
    pub fn load_weights(&mut self, path: impl AsRef<Path>) -> Result<(), TrainingError> {
        self.session.load_weights(path.as_ref())?;
        self.restart_average()
    }
}
