//! `export`: a trained run as an ONNX model that takes pixels and gives what `predict` computes from them, so that a user
//! need not know how images were normalized.
//!
//! All models take `images`, `[N,3,H,W]`: red, green and blue from 0 to 1, of the height and width that the run was trained at.
//!
//! | task | output | holds |
//! |---|---|---|
//! | classify | `probabilities` `[N,classes]` | each class's |
//! | segment | `logits` `[N,classes,H,W]` | scores; the largest of a pixel is its class |
//! | colorize | `rgb` `[N,3,H,W]` | the image in the predicted colours, from 0 to 1, with its own lightness |

use std::path::{Path, PathBuf};

use crate::data::{ColorSpace, Normalization};
use crate::exec::{self, AnyEngine, Session};
use crate::fuse::{FuseOptions, fuse};
use crate::graph::{Graph, GraphError, OnnxInput, OnnxNode};
use crate::interop::onnx::{Dim, OnnxBuilder, OnnxError, OnnxModel};
use crate::interop::torchvision;
use crate::nn::Mode;
use crate::run::card::{ModelCard, TaskKind};
use crate::shape::TensorType;
use crate::train::TrainError;
use crate::train::model::Checkpoint;
use crate::train::step::port;

/// A model, and what it takes and gives in words.
#[derive(Clone, Debug)]
pub struct Exported {
    /// The model.
    pub model: OnnxModel,
    /// Two lines for people.
    pub about: String,
}

/// The model of a checkpoint.
///
/// # Errors
/// When the checkpoint does not fit its own description.
pub fn export(from: &Checkpoint) -> Result<Exported, TrainError> {
    let card = &from.card;
    let graph = network(card)?;
    // The weights alone are wanted of it, so any engine will do.
    let mut session = Session::new(exec::open("cpu")?, &graph, 0)?;
    torchvision::restore(&mut session, &from.file, &from.path)?;
    Ok(model(card, &graph, &mut session)?)
}

/// Where the model of a run goes: `model.onnx` in its folder.
pub fn default_path(run: &Path) -> PathBuf {
    let folder = if run.is_file() { run.parent().unwrap_or(Path::new("")) } else { run };
    folder.join("model.onnx")
}

/// The network for one image: the batch is of any size in the model.
fn network(card: &ModelCard) -> Result<Graph, GraphError> {
    let ([h, w], mut g) = (card.image_size, Graph::new());
    let channels = if card.task == TaskKind::Colorize { 1 } else { 3 };
    let images = g.input(port::IMAGES, TensorType::channels([1, h, w, channels]));
    let predictions = card.network.apply(&mut g, images, Mode::Eval)?;
    g.output(port::PREDICTIONS, predictions);
    // A bias is part of a convolution there, and nothing else is.
    fuse(&mut g, FuseOptions { conv_bias: true, ..FuseOptions::NONE });
    Ok(g)
}

fn model(card: &ModelCard, graph: &Graph, session: &mut Session<AnyEngine>) -> Result<Exported, OnnxError> {
    let [h, w] = card.image_size;
    let (task, size) = (Task { card, graph, session }, [Dim::Fixed(h), Dim::Fixed(w)]);
    let batch = Dim::Named("N");
    let image = |channels| [batch, Dim::Fixed(channels), size[0], size[1]];
    let mut b = OnnxBuilder::new();
    // As `predict` scales pictures, before the model.
    let part = if card.task == TaskKind::Classify { "the middle square of a picture" } else { "a whole picture" };
    let takes =
        format!("[N,3,{h},{w}]: red, green and blue from 0 to 1 (bytes divided by 255), {part} scaled to the size");
    let images = b.input("images", &image(3), &takes)?;
    let classes = card.classes.len();
    let (name, gives) = match card.task {
        TaskKind::Classify => {
            let gives = format!("[N,{classes}]: the probability of each class");
            let p = task.probabilities(&mut b, &images)?;
            b.output("probabilities", &p, &[batch, Dim::Fixed(classes)], &gives)?;
            ("probabilities", gives)
        }
        TaskKind::Segment => {
            let gives = format!("[N,{classes},{h},{w}]: scores; the largest of a pixel is its class");
            let logits = task.logits(&mut b, &images)?;
            b.output("logits", &logits, &image(classes), &gives)?;
            ("logits", gives)
        }
        TaskKind::Colorize => {
            let gives = format!(
                "[N,3,{h},{w}]: red, green and blue from 0 to 1, of the predicted colours and the image's own lightness"
            );
            let rgb = task.colours(&mut b, &images)?;
            b.output("rgb", &rgb, &image(3), &gives)?;
            ("rgb", gives)
        }
    };
    let about = format!("input:   images {takes}\noutput:  {name} {gives}");
    let title = format!("{}-{}", card.task.name(), card.network.name());
    Ok(Exported { model: b.finish(&title, &about, metadata(card)), about })
}

/// The description of the model for programs: as in a checkpoint.
fn metadata(card: &ModelCard) -> impl Iterator<Item = (String, String)> {
    let mut entries = card.to_metadata();
    // What it says of the tensors' layout is of safetensors.
    entries.remove("format");
    if card.task == TaskKind::Colorize {
        entries.insert("color_space".into(), ColorSpace::of_channels(card.classes.len()).name().into());
    }
    entries.into_iter()
}

/// What a task puts around its network.
struct Task<'a> {
    card: &'a ModelCard,
    graph: &'a Graph,
    session: &'a mut Session<AnyEngine>,
}

impl Task<'_> {
    fn network(self, b: &mut OnnxBuilder, input: &str) -> Result<String, OnnxError> {
        let values = b.graph(self.graph, self.session, &[(port::IMAGES, input)], &[port::PREDICTIONS])?;
        values.into_iter().next().ok_or_else(|| OnnxError::Value {
            name: port::PREDICTIONS.into(),
            reason: "the network gives nothing".into(),
        })
    }

    fn logits(self, b: &mut OnnxBuilder, images: &str) -> Result<String, OnnxError> {
        let normalized = b.nodes("normalize", &normalize(&self.card.normalization), &[images])?;
        self.network(b, &normalized)
    }

    fn probabilities(self, b: &mut OnnxBuilder, images: &str) -> Result<String, OnnxError> {
        let logits = self.logits(b, images)?;
        b.nodes("", &[OnnxNode::new("Softmax", [OnnxInput::Value(0)]).int("axis", 1)], &[&logits])
    }

    fn colours(self, b: &mut OnnxBuilder, images: &str) -> Result<String, OnnxError> {
        let space = ColorSpace::of_channels(self.card.classes.len());
        let own = crate::tasks::colorize::onnx::own_lightness(b, images)?;
        let lightness = crate::tasks::colorize::onnx::network_input(b, &own)?;
        let predicted = self.network(b, &lightness)?;
        crate::tasks::colorize::onnx::recoloured(b, space, &own, &predicted)
    }
}

/// `(x − mean) / std`.
fn normalize(of: &Normalization) -> [OnnxNode; 2] {
    let [mean, std] = [of.mean, of.std].map(|v| OnnxInput::Floats(v.to_vec(), vec![3, 1, 1]));
    [OnnxNode::new("Sub", [OnnxInput::Value(0), mean]), OnnxNode::new("Div", [OnnxInput::Node(0), std])]
}
