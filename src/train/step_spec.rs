//! A training step of a model on made-up images, for benchmarks, plans and trials before a run.

use std::str::FromStr;

use super::TrainError;
use super::step::{Optimizer, Phase, Update, append_training, port};
use crate::exec::{self, AnyEngine, PlanId, Session};
use crate::fuse::{FuseOptions, fuse};
use crate::graph::{Graph, GraphError, Group, StateTable};
use crate::nn::{Architecture, Mode, Network, Settings, list};
use crate::ops::{self, AdamOptions};
use crate::plan::PlanOptions;
use crate::precision::{self, Precision};
use crate::random;
use crate::shape::TensorType;

/// A training step: `MODEL:NxHxW` with `:classes=…` and settings of the model, such as `:base=…`; or `MODEL` alone,
/// with its size in the list of models.
#[derive(Clone, Debug, PartialEq)]
pub struct StepSpec {
    /// The text that described it, with its size.
    pub text: String,
    /// The network.
    pub network: Network,
    /// Images, height, width.
    pub size: [usize; 3],
    /// Channels of the images.
    pub channels: usize,
}

impl FromStr for StepSpec {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        const EXPECTED: &str = "expected MODEL or MODEL:NxHxW, such as resnet18:16x64x64 or unet:4x128x128:base=16";
        let name = text.split(':').next().unwrap_or_default();
        let model = list::architecture(name);
        let model = model.ok_or_else(|| format!("unknown model `{name}`: there are {}", list::names()))?;
        let text = if text == name { format!("{name}:{}", model.step) } else { text.to_owned() };
        let mut parts = text.split(':').skip(1);
        let size = parts.next().unwrap_or_default();
        let numbers: Option<Vec<usize>> = size.split('x').map(|n| n.parse().ok().filter(|&n| n > 0)).collect();
        let Some(&[n, h, w]) = numbers.as_deref() else { return Err(format!("`{text}`: {EXPECTED}")) };
        let (mut classes, mut settings) = (model.step_outputs, Settings::new());
        for part in parts {
            let (key, value) = part.split_once('=').ok_or_else(|| format!("`{part}` is not KEY=VALUE; {EXPECTED}"))?;
            if key != "classes" && !model.has(key) {
                let known: Vec<_> = ["classes"].into_iter().chain(model.settings.iter().map(|s| s.key)).collect();
                return Err(format!("unknown setting `{key}` in `{text}`: there are {}", known.join(", ")));
            }
            let parsed = Architecture::value(value);
            if parsed.as_i64().is_some_and(|v| v < 1) || (key == "classes" && parsed.as_u64().is_none()) {
                return Err(format!("{key}={value}: expected a number above 0"));
            }
            match parsed.as_u64().filter(|_| key == "classes") {
                Some(number) => classes = number as usize,
                None => drop(settings.insert(key.to_owned(), parsed)),
            }
        }
        let network = (model.build)(classes, &settings).map_err(|problem| format!("`{text}`: {problem}"))?;
        Ok(StepSpec { network, size: [n, h, w], channels: 3, text })
    }
}

impl StepSpec {
    /// The graph of a training step with cross entropy.
    ///
    /// # Errors
    /// When the network does not fit the images.
    pub fn graph(&self, update: &Update) -> Result<Graph, GraphError> {
        self.graph_rewritten(Some(update), FuseOptions::default())
    }

    /// The graph of a step with these rewrites; without an update, the graph of an evaluation in 32 bits.
    ///
    /// # Errors
    /// When the network does not fit the images.
    pub fn graph_rewritten(&self, update: Option<&Update>, rewrites: FuseOptions) -> Result<Graph, GraphError> {
        let [n, h, w] = self.size;
        let mut g = Graph::with_states(StateTable::default());
        let images = g.input(port::IMAGES, TensorType::channels([n, h, w, self.channels]));
        let logits = self.network.apply(&mut g, images, if update.is_some() { Mode::Train } else { Mode::Eval })?;
        let rows = g.ty(logits).shape.rows();
        let labels = g.input(port::LABELS, TensorType::flat(rows));
        let [loss, totals] = ops::softmax_cross_entropy(&mut g, logits, labels, None, Default::default())?;
        g.output(port::LOSS, loss);
        g.output(port::TOTALS, totals);
        match update {
            Some(update) => append_training(&mut g, [loss, totals], update, Phase::Update)?,
            None => g.output(port::LOGITS, logits),
        }
        fuse(&mut g, rewrites);
        if update.is_some_and(|update| update.precision == Precision::F16) {
            precision::halve(&mut g);
        }
        Ok(g)
    }
}

/// Adam with its usual settings.
pub fn adam(precision: Precision) -> Update {
    Update { precision, ..Update::plain(Optimizer::Adam(AdamOptions::default()), None) }
}

/// Made-up images and labels.
pub struct MadeUp {
    images: Vec<f32>,
    labels: Vec<f32>,
}

impl MadeUp {
    /// Made-up images and labels of a step.
    pub fn new(spec: &StepSpec, graph: &Graph) -> Self {
        let [n, h, w] = spec.size;
        let images = (0..(n * h * w * spec.channels) as u64).map(|i| random::unit(1, 2, i, 3) * 2.0 - 1.0).collect();
        let labels = graph.inputs().find(|(name, _)| *name == port::LABELS);
        let rows = labels.map_or(0, |(_, value)| graph.ty(value).shape.elements());
        let labels = (0..rows).map(|i| (i * 7 % spec.network.outputs()) as f32).collect();
        MadeUp { images, labels }
    }

    /// Writes all inputs of a step; `step` counts from 0.
    ///
    /// # Errors
    /// When the device is lost.
    pub fn write(
        &self,
        session: &mut Session<AnyEngine>,
        plan: PlanId,
        lr: f64,
        step: usize,
    ) -> Result<(), TrainError> {
        session.write(plan, port::IMAGES, &self.images)?;
        session.write(plan, port::LABELS, &self.labels)?;
        Ok(session.write(plan, port::HYPER, &ops::Hyper::new(lr, [0.9, 0.999], step as u64 + 1).values())?)
    }
}

/// A step on a device, ready to run.
pub struct Ready {
    /// States and plan.
    pub session: Session<AnyEngine>,
    /// The plan.
    pub plan: PlanId,
    data: MadeUp,
}

impl Ready {
    /// Prepares a step on a device.
    ///
    /// # Errors
    /// When the network does not fit, or the device refuses the step.
    pub fn new(spec: &StepSpec, device: &str, update: &Update) -> Result<Self, TrainError> {
        let graph = spec.graph(update)?;
        let mut session = Session::new(exec::open(device)?, &graph, 1)?;
        let plan = session.load(&graph, PlanOptions::default())?;
        Ok(Ready { session, plan, data: MadeUp::new(spec, &graph) })
    }

    /// The change of all parameters by one step of rate 1.
    ///
    /// # Errors
    /// When the device is lost.
    pub fn parameter_changes(mut self) -> Result<Vec<f32>, TrainError> {
        let before = self.session.read_group(Group::Parameters)?;
        self.write(1.0, 0)?;
        self.session.run_now(self.plan)?;
        let after = self.session.read_group(Group::Parameters)?;
        Ok(after.iter().zip(before).map(|(after, before)| after - before).collect())
    }

    /// Writes all inputs of a step; `step` counts from 0.
    ///
    /// # Errors
    /// When the device is lost.
    pub fn write(&mut self, lr: f64, step: usize) -> Result<(), TrainError> {
        self.data.write(&mut self.session, self.plan, lr, step)
    }
}
