//! Targets: the inputs of a graph that a loss compares with the network's output. A batch fills them.

use super::error::{IGNORED, TrainingError};
use super::port::{self, input};
use crate::batch::Batch;
use crate::graph::{Graph, GraphError, Value};
use crate::label;
use crate::nn::Mode;
use crate::shape::{Shape, TensorType};

/// The inputs that a [`Loss`](super::Loss) can request. Each is made once, at its first request.
#[derive(Debug)]
pub struct Targets {
    images: Value,
    samples: usize,
    mode: Mode,
    pub(super) taken: Taken,
}

/// The inputs that a graph takes from a batch besides the images.
#[derive(Clone, Debug, Default, PartialEq)]
pub(super) struct Taken {
    /// Labels of a sample, and the classes that they name.
    labels: Option<(Shape, usize)>,
    /// Shape of the target of a sample.
    targets: Option<Shape>,
    /// Inputs that never change.
    pub constants: Vec<(String, Vec<f32>)>,
}

impl Targets {
    pub(super) fn new(images: Value, samples: usize, mode: Mode) -> Self {
        Targets { images, samples, mode, taken: Taken::default() }
    }

    /// Whether the loss is for a training step or for an evaluation.
    pub fn mode(&self) -> Mode {
        self.mode
    }

    /// Samples of the batch.
    pub fn samples(&self) -> usize {
        self.samples
    }

    /// The images, `[N,H,W,C]`: for networks that learn to restore them.
    pub fn images(&self) -> Value {
        self.images
    }

    /// The labels of [`Batch::labels`]: one class number for each row of `logits`, `[N,C]` or `[N,H,W,C]`, as the losses of
    /// [`crate::ops`] take them. Their `ignore_index` is −1.
    ///
    /// # Errors
    /// When labels were requested with another shape before.
    pub fn labels(&mut self, g: &mut Graph, logits: Value) -> Result<Value, GraphError> {
        let shape = g.known("labels", logits)?.shape.clone();
        let (rows, classes) = (shape.rows(), shape.channels());
        let label = Shape(shape.0[1..shape.rank() - 1].to_vec());
        if let Some((known, fewest)) = &mut self.taken.labels {
            *fewest = classes.min(*fewest);
            if *known != label {
                return Err(other_shape("labels", known, &label));
            }
        } else {
            self.taken.labels = Some((label, classes));
        }
        Ok(input(g, port::LABELS, TensorType::flat(rows)))
    }

    /// The targets of [`Batch::targets`] with the shape of `output`: colors or other numbers to predict, or the probabilities
    /// of classes.
    ///
    /// # Errors
    /// When targets were requested with another shape before.
    pub fn targets(&mut self, g: &mut Graph, output: Value) -> Result<Value, GraphError> {
        let shape = g.known("targets", output)?.shape.clone();
        let target = Shape(shape.0[1..].to_vec());
        match &self.taken.targets {
            Some(known) if *known != target => return Err(other_shape("targets", known, &target)),
            _ => self.taken.targets = Some(target),
        }
        Ok(input(g, port::TARGETS, TensorType::channels(shape)))
    }

    /// Numbers that do not change from step to step, such as weights of classes `[C]`. The name must not be that of another
    /// input.
    pub fn constant(&mut self, g: &mut Graph, name: &str, shape: impl Into<Shape>, values: &[f32]) -> Value {
        if self.taken.constants.iter().all(|(known, _)| known != name) {
            self.taken.constants.push((name.into(), values.to_vec()));
        }
        input(g, name, TensorType::channels(shape))
    }
}

fn other_shape(what: &'static str, known: &Shape, asked: &Shape) -> GraphError {
    GraphError::Shape {
        op: what,
        at: " of a loss".into(),
        shapes: format!("{known}, {asked}"),
        rule: format!("two losses take the same {what} of a batch, so they must have the same shape per sample"),
    }
}

impl Taken {
    /// The inputs that a batch fills, with their names.
    ///
    /// # Errors
    /// When the batch has too few or too many labels or targets, or a label names no class.
    pub fn inputs(&self, batch: &Batch) -> Result<Vec<(&'static str, Vec<f32>)>, TrainingError> {
        let mut inputs = vec![];
        if let Some((shape, classes)) = &self.labels {
            check("labels", batch.labels.len(), batch.len(), shape)?;
            let each = shape.elements().max(1);
            let labels = batch.labels.iter().enumerate().map(|(i, &label)| class(label, *classes, i / each));
            inputs.push((port::LABELS, labels.collect::<Result<_, _>>()?));
        }
        if let Some(shape) = &self.targets {
            check("targets", batch.targets.len(), batch.len(), shape)?;
            inputs.push((port::TARGETS, batch.targets.clone()));
        }
        Ok(inputs)
    }
}

/// A part of a batch must have the numbers of its shape for each sample.
pub(super) fn check(what: &'static str, given: usize, samples: usize, shape: &Shape) -> Result<(), TrainingError> {
    let expected = samples * shape.elements();
    match given == expected {
        true => Ok(()),
        false => Err(TrainingError::Length { what, given, samples, expected, shape: shape.to_string() }),
    }
}

fn class(label: u32, classes: usize, sample: usize) -> Result<f32, TrainingError> {
    match label {
        _ if (label as usize) < classes => Ok(label as f32),
        IGNORED => Ok(label::IGNORED as f32),
        _ => Err(TrainingError::Label { sample, label, classes }),
    }
}
