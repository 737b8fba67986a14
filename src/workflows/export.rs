//! A trained run as an ONNX model. The model contains normalization and post-processing, so it maps pixels to predictions.
//!
//! | port | type |
//! |---|---|
//! | input `images` | `[N,C,H,W]`, red, green and blue, or the channels of the model, from 0 to 1; H and W are those of training |
//! | output | named and described by the task |

#[cfg(feature = "cli")]
use std::path::{Path, PathBuf};

use super::WorkflowError;
use super::evaluation::task_of;
use crate::exec::{self, Session};
use crate::fuse::{FuseOptions, fuse};
use crate::graph::{Graph, GraphError};
use crate::interop::onnx::{Dim, OnnxBuilder, OnnxModel};
use crate::interop::torchvision;
use crate::nn::Mode;
use crate::run::card::ModelCard;
use crate::run::{Checkpoint, RunError};
use crate::shape::TensorType;
use crate::tasks::export::OnnxNetwork;
use crate::train::step::port;

/// A model with a description of its input and output.
#[derive(Clone, Debug)]
pub struct Exported {
    /// The model.
    pub model: OnnxModel,
    /// Two lines: input and output.
    pub about: String,
}

/// The model of a checkpoint.
///
/// # Errors
/// When the checkpoint does not fit its own description, or the task does not export.
pub fn export(from: &Checkpoint) -> Result<Exported, WorkflowError> {
    let (card, task) = (&from.card, task_of(from)?);
    let channels = card.channels();
    let graph = network(card, if channels == 3 { task.input_channels() } else { channels })?;
    // The session only provides the weights, so any engine serves.
    let mut session = Session::new(exec::open("cpu")?, &graph, 0)?;
    torchvision::restore(&mut session, &from.file, &from.path).map_err(RunError::from)?;
    let [h, w] = card.image_size;
    let takes = format!(
        "[N,{channels},{h},{w}]: {} from 0 to 1 (bytes divided by 255), {} scaled to the size",
        match channels {
            1 => "lightness",
            4 => "the four channels",
            _ => "red, green and blue",
        },
        task.view()
    );
    let mut builder = OnnxBuilder::new();
    let dims = [Dim::Named("N"), Dim::Fixed(channels), Dim::Fixed(h), Dim::Fixed(w)];
    let images = builder.input("images", &dims, &takes)?;
    let mut onnx = OnnxNetwork { card, builder, images, graph: &graph, session: &mut session };
    let output = task.export(&mut onnx)?;
    let mut builder = onnx.builder;
    builder.output(output.name, &output.value, &output.dims(), &output.about)?;
    let about = format!("input:   images {takes}\noutput:  {} {}", output.name, output.about);
    let title = format!("{}-{}", card.task, card.network.name());
    let metadata = metadata(card).chain(output.metadata);
    Ok(Exported { model: builder.finish(&title, &about, metadata), about })
}

/// Default path of the model of a run: `model.onnx` in its folder.
#[cfg(feature = "cli")]
pub fn default_path(run: &Path) -> PathBuf {
    let folder = if run.is_file() { run.parent().unwrap_or(Path::new("")) } else { run };
    folder.join("model.onnx")
}

/// The network for one image. The exported model takes any batch size.
fn network(card: &ModelCard, channels: usize) -> Result<Graph, GraphError> {
    let ([h, w], mut g) = (card.image_size, Graph::new());
    let images = g.input(port::IMAGES, TensorType::channels([1, h, w, channels]));
    let predictions = card.network.apply(&mut g, images, Mode::Eval)?;
    g.output(port::PREDICTIONS, predictions);
    // An ONNX convolution takes a bias, and no other fused op.
    fuse(&mut g, FuseOptions { conv_bias: true, ..FuseOptions::NONE });
    Ok(g)
}

/// Metadata of the model, as in a checkpoint.
fn metadata(card: &ModelCard) -> impl Iterator<Item = (String, String)> {
    let mut entries = card.to_metadata();
    // The entry describes the layout of tensors in safetensors.
    entries.remove("format");
    entries.into_iter()
}
