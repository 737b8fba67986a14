//! Norms and dead units of a run's layers: `layers.csv`, a row for each layer after each epoch.

use serde::{Deserialize, Serialize};

use super::error::RunError;
use super::folder::{LAYERS, RunDir};

/// A layer after an epoch.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct LayerRow {
    /// Epoch, from 1.
    pub epoch: u32,
    /// The layer, such as `layer1.0.conv1`.
    pub layer: String,
    /// L2 norm of its weights.
    pub weight_norm: f64,
    /// L2 norm of their gradient for one batch in training mode.
    pub gradient_norm: f64,
    /// Share of its channels whose ReLU is 0 at every pixel of the batch; `None` if no ReLU follows.
    pub dead: Option<f64>,
}

impl RunDir {
    /// The rows of `layers.csv`; empty if it is missing or damaged.
    ///
    /// # Errors
    /// When it exists and cannot be read.
    pub fn read_layers(&self) -> Result<Vec<LayerRow>, RunError> {
        let text = self.read_file(LAYERS)?.unwrap_or_default();
        Ok(csv::Reader::from_reader(text.as_bytes()).deserialize().collect::<Result<_, _>>().unwrap_or_default())
    }
}
