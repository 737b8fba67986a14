//! A classifier on an engine: its session, the plans for full and last batches, evaluation and prediction. What training,
//! `eval` and `predict` share.

use std::collections::BTreeMap;
use std::path::Path;

use super::TrainError;
use super::config::MAX_IMAGE_SIZE;
use super::metrics::ConfusionMatrix;
use super::step::{IGNORED, Network, StepOptions, evaluation_graph, port, training_graph};
use crate::data::{Batch, Loader, Normalization};
use crate::exec::{AnyEngine, PlanId, Session, Ticket};
use crate::fuse::FuseOptions;
use crate::graph::{Group, StateTable};
use crate::interop::safetensors::TensorFile;
use crate::interop::torchvision;
use crate::nn::{ResNet18, Stem};
use crate::plan::PlanOptions;

/// What a checkpoint says of its model, so that it can be used without anything else.
#[derive(Clone, Debug, PartialEq)]
pub struct ModelCard {
    /// Names of the classes in the order of the logits.
    pub classes: Vec<String>,
    /// First layers.
    pub stem: Stem,
    /// Height and width of the images.
    pub image_size: usize,
    /// How pixels are normalized.
    pub normalization: Normalization,
}

impl ModelCard {
    /// Values of one image: height x width x 3.
    pub fn pixels(&self) -> usize {
        3 * self.image_size * self.image_size
    }

    /// The network.
    pub fn network(&self) -> ResNet18 {
        ResNet18 { classes: self.classes.len(), stem: self.stem }
    }

    /// As the metadata of a checkpoint.
    pub fn to_metadata(&self) -> BTreeMap<String, String> {
        let stem = if self.stem == Stem::Cifar { "cifar" } else { "imagenet" };
        let json = |v: serde_json::Value| v.to_string();
        [
            ("format", "pt".to_owned()),
            ("model", "resnet18".to_owned()),
            ("stem", stem.to_owned()),
            ("image_size", self.image_size.to_string()),
            ("classes", json(self.classes.clone().into())),
            ("mean", json(serde_json::json!(self.normalization.mean))),
            ("std", json(serde_json::json!(self.normalization.std))),
        ]
        .into_iter()
        .map(|(k, v)| (k.to_owned(), v))
        .collect()
    }

    /// From the metadata of a checkpoint.
    ///
    /// # Errors
    /// When the file was not written by shadegrad's classification.
    pub fn from_metadata(file: &TensorFile, path: &Path) -> Result<ModelCard, TrainError> {
        let bad = |key: &str| TrainError::NotAClassifier { path: path.to_owned(), key: key.to_owned() };
        let text = |key: &str| file.metadata.get(key).ok_or_else(|| bad(key));
        if text("model")? != "resnet18" {
            return Err(bad("model"));
        }
        fn parse<T: serde::de::DeserializeOwned>(s: &str) -> Option<T> {
            serde_json::from_str(s).ok()
        }
        // The head bounds the names: memory is taken for as many classes as there are names.
        let head = file.tensors.get("fc.bias").map_or(0, |t| t.data.len());
        let fits = |names: &Vec<String>| names.len() > 1 && names.len() == head;
        let classes: Vec<String> = parse(text("classes")?).filter(fits).ok_or_else(|| bad("classes"))?;
        let sizes = ResNet18::MIN_IMAGE_SIZE..=MAX_IMAGE_SIZE;
        let image_size = parse(text("image_size")?).filter(|s| sizes.contains(s)).ok_or_else(|| bad("image_size"))?;
        let finite = |values: &[f32; 3]| values.iter().all(|v| v.is_finite());
        let mean = parse(text("mean")?).filter(finite).ok_or_else(|| bad("mean"))?;
        let positive = |values: &[f32; 3]| finite(values) && values.iter().all(|&v| v > 0.0);
        let std = parse(text("std")?).filter(positive).ok_or_else(|| bad("std"))?;
        let stem = match text("stem")?.as_str() {
            "imagenet" => Stem::ImageNet,
            "cifar" => Stem::Cifar,
            _ => return Err(bad("stem")),
        };
        Ok(ModelCard { classes, stem, image_size, normalization: Normalization { mean, std } })
    }
}

/// A network with its states on an engine.
pub struct Classifier {
    /// What it is.
    pub card: ModelCard,
    /// Its states and plans.
    pub session: Session<AnyEngine>,
    training: Option<StepOptions>,
    plans: Vec<(usize, PlanId)>,
    evaluation: Option<(usize, PlanId)>,
}

/// Result of an evaluation.
#[derive(Clone, Debug)]
pub struct Evaluation {
    /// Mean loss over the images.
    pub loss: f64,
    /// Truth against prediction.
    pub confusion: ConfusionMatrix,
    /// Prediction and its probability for each image of the set, in the order of the set.
    pub predictions: Vec<(usize, f32)>,
}

impl Evaluation {
    /// Share of images predicted rightly.
    pub fn accuracy(&self) -> f64 {
        self.confusion.accuracy().unwrap_or(0.0)
    }
}

impl Classifier {
    /// A classifier with start values for `seed`; with `training` it can be trained.
    ///
    /// # Errors
    /// When the images are too small for the network or memory runs out.
    pub fn new(
        card: ModelCard,
        engine: Box<AnyEngine>,
        training: Option<StepOptions>,
        seed: u64,
    ) -> Result<Self, TrainError> {
        let network = card.network();
        let apply: Network<'_> = &|g, x, mode| network.apply(g, x, mode);
        let side = card.image_size;
        let graph = match training {
            Some(options) => training_graph(StateTable::default(), apply, options)?,
            None => evaluation_graph(StateTable::default(), apply, [1, side, side, 3], FuseOptions::default())?,
        };
        let session = Session::new(engine, &graph, seed)?;
        Ok(Classifier { card, session, training, plans: vec![], evaluation: None })
    }

    /// Starts from a checkpoint.
    ///
    /// # Errors
    /// When the file cannot be read or does not fit.
    pub fn restore(&mut self, file: &TensorFile, path: &Path) -> Result<(), TrainError> {
        Ok(torchvision::restore(&mut self.session, file, path)?)
    }

    /// Prepares the training plan for a batch of `n` images (kept for later calls).
    ///
    /// # Errors
    /// When memory runs out or a kernel is refused.
    pub fn training_plan(&mut self, n: usize, options: PlanOptions) -> Result<PlanId, TrainError> {
        if let Some((_, id)) = self.plans.iter().find(|(batch, _)| *batch == n && options.reuse) {
            return Ok(*id);
        }
        let Some(mut step) = self.training else { return Err(TrainError::EvaluationOnly) };
        step.images[0] = n;
        let network = self.card.network();
        let graph = training_graph(self.session.states().clone(), &|g, x, mode| network.apply(g, x, mode), step)?;
        let id = self.session.load(&graph, options)?;
        if options.reuse {
            self.plans.push((n, id));
        }
        Ok(id)
    }

    /// Starts a training step; its loss and totals come with the ticket.
    ///
    /// # Errors
    /// When the device is lost.
    pub fn start_step(&mut self, plan: PlanId, batch: &Batch, hyper: &[f32]) -> Result<Ticket, TrainError> {
        self.session.write(plan, port::IMAGES, &batch.images)?;
        self.session.write(plan, port::LABELS, &batch.labels.iter().map(|&l| l as f32).collect::<Vec<_>>())?;
        self.session.write(plan, port::HYPER, hyper)?;
        Ok(self.session.run(plan)?)
    }

    /// Prepares the evaluation plan for a batch of `n` images (kept for later calls) and gives the size of its batch.
    ///
    /// # Errors
    /// When memory runs out or a kernel is refused.
    pub fn evaluation_plan(&mut self, n: usize, options: PlanOptions) -> Result<(usize, PlanId), TrainError> {
        if let Some(found) = self.evaluation
            && options.reuse
        {
            return Ok(found);
        }
        let (network, side) = (self.card.network(), self.card.image_size);
        let apply: Network<'_> = &|g, x, mode| network.apply(g, x, mode);
        let states = self.session.states().clone();
        let graph = evaluation_graph(states, apply, [n, side, side, 3], FuseOptions::default())?;
        let id = self.session.load(&graph, options)?;
        if options.reuse {
            self.evaluation = Some((n, id));
        }
        Ok((n, id))
    }

    /// The first parameter that holds a value that is not finite. Running statistics are left out: training does not
    /// depend on them, and layers show where they went wrong.
    ///
    /// # Errors
    /// When the device is lost.
    pub fn parameter_not_finite(&mut self) -> Result<Option<String>, TrainError> {
        let parameters: Vec<_> = self.session.states().of(Group::Parameters).map(|(_, s)| s.name.clone()).collect();
        for name in parameters {
            if self.session.read_state(&name)?.iter().any(|v| !v.is_finite()) {
                return Ok(Some(format!("the parameter `{name}`")));
            }
        }
        Ok(None)
    }

    /// The first parameter, else the first layer of `plan` as it last ran, that holds a value that is not finite.
    /// `plan` must keep all values (`reuse: false`).
    ///
    /// # Errors
    /// When the device is lost.
    pub fn first_not_finite(&mut self, plan: PlanId) -> Result<Option<String>, TrainError> {
        if let Some(parameter) = self.parameter_not_finite()? {
            return Ok(Some(parameter));
        }
        for port in self.session.plan(plan).values.clone() {
            if self.session.read(plan, &port)?.iter().any(|v| !v.is_finite()) {
                return Ok(Some(format!("the layer `{}`", port.name)));
            }
        }
        Ok(None)
    }

    /// Logits (row by row) and the totals of up to one batch of images; `labels` may be [`IGNORED`].
    fn forward(
        &mut self,
        batch_size: usize,
        images: &[f32],
        labels: &[f32],
    ) -> Result<(Vec<f32>, Vec<f32>), TrainError> {
        let (n, plan) = self.evaluation_plan(batch_size, PlanOptions::default())?;
        let pixels = self.card.pixels();
        let (mut padded, mut padded_labels) = (images.to_vec(), labels.to_vec());
        padded.resize(n * pixels, 0.0);
        padded_labels.resize(n, IGNORED as f32);
        self.session.write(plan, port::IMAGES, &padded)?;
        self.session.write(plan, port::LABELS, &padded_labels)?;
        let mut results = self.session.run_now(plan)?;
        let totals = results.pop().unwrap_or_default();
        let mut logits = results.pop().unwrap_or_default();
        logits.truncate(labels.len() * self.card.classes.len());
        Ok((logits, totals))
    }

    /// Probabilities of all classes for images that are normalized and of the card's size, `[N,H,W,3]`.
    ///
    /// # Errors
    /// When the device is lost.
    pub fn predict(&mut self, batch_size: usize, images: &[f32]) -> Result<Vec<Vec<f32>>, TrainError> {
        let pixels = self.card.pixels();
        let labels = vec![IGNORED as f32; images.len() / pixels];
        let (logits, _) = self.forward(batch_size, images, &labels)?;
        Ok(logits.chunks_exact(self.card.classes.len()).map(softmax).collect())
    }

    /// Evaluates the whole set of a loader, each image exactly once.
    ///
    /// # Errors
    /// When an image cannot be read or the device is lost.
    pub fn evaluate(&mut self, loader: &Loader, batch_size: usize) -> Result<Evaluation, TrainError> {
        let classes = self.card.classes.len();
        let mut result = Evaluation {
            loss: 0.0,
            confusion: ConfusionMatrix::new(classes),
            predictions: vec![(0, 0.0); loader.source().len()],
        };
        let mut counted = 0.0;
        for batch in loader.epoch(0)? {
            let batch = batch?;
            let labels: Vec<f32> = batch.labels.iter().map(|&l| l as f32).collect();
            let (logits, totals) = self.forward(batch_size, &batch.images, &labels)?;
            result.loss += f64::from(totals[0]);
            counted += f64::from(totals[3]);
            for ((row, &truth), &index) in logits.chunks_exact(classes).zip(&batch.labels).zip(&batch.indices) {
                let p = softmax(row);
                let best = (0..classes).fold(0, |best, k| if p[k] > p[best] { k } else { best });
                result.predictions[index] = (best, p[best]);
                // Both are below `classes`: labels are checked when the data is opened.
                let _ = result.confusion.add(truth as usize, best);
            }
            loader.recycle(batch);
        }
        result.loss /= f64::max(counted, 1.0);
        Ok(result)
    }
}

fn softmax(logits: &[f32]) -> Vec<f32> {
    let top = logits.iter().copied().fold(f32::NEG_INFINITY, f32::max);
    let e: Vec<f32> = logits.iter().map(|&v| (v - top).exp()).collect();
    let sum: f32 = e.iter().sum();
    e.into_iter().map(|v| v / sum).collect()
}
