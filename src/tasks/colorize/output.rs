//! The outputs of a network that colorizes: color values, or a probability per class of colors.

use crate::data::ColorSpace;
use crate::data::color::AB_SCALE;
use crate::data::color_bins::{COLOR_BINS, TEMPERATURE, centers};
use crate::graph::{Graph, GraphError, Value};
use crate::ops;
use crate::run::card::ModelCard;
use crate::shape::{TensorType, Window};

/// The outputs of the network per pixel.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ColorOutput {
    /// The values of a color space.
    Values(ColorSpace),
    /// A logit per square of the plane of a and b.
    Bins,
}

impl ColorOutput {
    /// The outputs of a model, by their number.
    pub fn of(card: &ModelCard) -> Self {
        match card.classes.len() {
            COLOR_BINS => ColorOutput::Bins,
            channels => ColorOutput::Values(ColorSpace::of_channels(channels)),
        }
    }

    /// Number of outputs.
    pub fn channels(self) -> usize {
        match self {
            ColorOutput::Values(space) => space.channels(),
            ColorOutput::Bins => COLOR_BINS,
        }
    }

    /// Color space of predictions and targets.
    pub fn space(self) -> ColorSpace {
        match self {
            ColorOutput::Values(space) => space,
            ColorOutput::Bins => ColorSpace::Lab,
        }
    }

    /// Names of the outputs.
    pub fn names(self) -> Vec<String> {
        match self {
            ColorOutput::Values(ColorSpace::Lab) => ["a", "b"].map(String::from).to_vec(),
            ColorOutput::Values(ColorSpace::Rgb) => ["red", "green", "blue"].map(String::from).to_vec(),
            ColorOutput::Bins => centers().map(|[a, b]| format!("a {a} b {b}")).collect(),
        }
    }

    /// Appends the prediction `[N,H,W,channels of the space]`: the outputs, or the annealed mean of the classes. `bins` is the
    /// input that holds the colors of the classes.
    ///
    /// # Errors
    /// When the outputs have another number of channels.
    pub fn prediction(
        self,
        g: &mut Graph,
        outputs: Value,
        bins: impl FnOnce(&mut Graph) -> Value,
    ) -> Result<Value, GraphError> {
        let ColorOutput::Bins = self else { return Ok(outputs) };
        let annealed = ops::scale(g, outputs, 1.0 / TEMPERATURE)?;
        let shares = ops::softmax(g, annealed)?;
        let bins = bins(g);
        ops::conv2d(g, shares, bins, Window::square(1))
    }
}

/// Type of the input with the colors of the classes: the weight of a 1×1 convolution.
pub fn bins_type() -> TensorType {
    TensorType::kernel([1, 1, COLOR_BINS, ColorSpace::Lab.channels()])
}

/// Values of that input: the centers, scaled like predictions.
pub fn bin_values() -> Vec<f32> {
    centers().flatten().map(|v| v / AB_SCALE).collect()
}
