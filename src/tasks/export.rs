//! Tools for a task to add its pre- and post-processing to an ONNX model.

use crate::exec::{AnyEngine, Session};
use crate::graph::{Graph, OnnxInput, OnnxNode};
use crate::interop::onnx::{Dim, OnnxBuilder, OnnxError};
use crate::run::card::ModelCard;
use crate::train::step::port;

/// An ONNX model under construction, and the network to append.
pub struct OnnxNetwork<'a> {
    /// The description of the model.
    pub card: &'a ModelCard,
    /// The ONNX model.
    pub builder: OnnxBuilder,
    /// Name of the input `[N,C,H,W]`: the channels of the images from 0 to 1.
    pub images: String,
    /// The network for one image.
    pub graph: &'a Graph,
    /// Its weights.
    pub session: &'a mut Session<AnyEngine>,
}

/// The output of an ONNX model.
pub struct OnnxOutput {
    /// Name of the output.
    pub name: &'static str,
    /// Name of the value in the model.
    pub value: String,
    /// Axes after the batch.
    pub axes: Vec<usize>,
    /// Description of its values.
    pub about: String,
    /// Further entries of the model's metadata.
    pub metadata: Vec<(String, String)>,
}

impl OnnxNetwork<'_> {
    /// Appends the network to a value of the model.
    ///
    /// # Errors
    /// When an op has no ONNX form.
    pub fn network(&mut self, input: &str) -> Result<String, OnnxError> {
        let values = self.builder.graph(self.graph, self.session, &[(port::IMAGES, input)], &[port::PREDICTIONS])?;
        values.into_iter().next().ok_or_else(|| OnnxError::Value {
            name: port::PREDICTIONS.into(),
            reason: "the network gives nothing".into(),
        })
    }

    /// Appends the network to the normalized images.
    ///
    /// # Errors
    /// As [`OnnxNetwork::network`].
    pub fn of_normalized(&mut self) -> Result<String, OnnxError> {
        let images = self.images.clone();
        let normalized = self.builder.nodes("normalize", &normalize(self.card), &[&images])?;
        self.network(&normalized)
    }
}

impl OnnxOutput {
    /// The axes; the first is the batch, of any size.
    pub fn dims(&self) -> Vec<Dim> {
        std::iter::once(Dim::Named("N")).chain(self.axes.iter().map(|&n| Dim::Fixed(n))).collect()
    }
}

/// `(x − mean) / std`.
fn normalize(card: &ModelCard) -> [OnnxNode; 2] {
    let (of, channels, (mean, std)) = (&card.normalization, card.channels(), card.fourth());
    let all = |values: [f32; 3], fourth: f32| values.into_iter().chain([fourth]).take(channels).collect::<Vec<f32>>();
    let constant = |values| OnnxInput::Floats(values, vec![channels, 1, 1]);
    let [mean, std] = [all(of.mean, mean), all(of.std, std)].map(constant);
    [OnnxNode::new("Sub", [OnnxInput::Value(0), mean]), OnnxNode::new("Div", [OnnxInput::Node(0), std])]
}
