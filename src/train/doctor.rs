//! Whether a device computes training steps rightly: every kernel of a step against its twin in f64, and the whole step again and
//! again, to the same bits.

use std::collections::BTreeMap;
use std::path::Path;

use super::TrainError;
use super::bench::{MadeUp, StepSpec, adam};
use super::card::TaskKind;
use super::config::{ClassifyConfig, ColorizeConfig, SegmentConfig};
use super::evaluation::config_beside;
use super::half;
use super::model::Checkpoint;
use super::run_dir::RunDirError;
use super::step::{Phase, port};
use super::task::Task;
use super::trainer::{Observer, Trainer};
use super::{classify, colorize, segment};
use crate::exec::{self, AnyEngine, PlanId, Session, Verified, Wrong};
use crate::graph::Graph;
use crate::interop::files::FileError;
use crate::plan::{PlanOptions, PlannedCall};
use crate::precision::{self, Precision};

/// Steps that have all kernels of the models: maps large and small, transposed convolutions with kernels of 2 and of 64.
pub const STEPS: [&str; 3] = ["resnet18:4x64x64", "resnet18-seg:2x64x96", "unet:2x128x128:base=16"];

/// Times that a step is run from the same start: what two invocations write without waiting for each other differs now and then.
const RUNS: usize = 5;

/// What was found of a step.
#[derive(Clone, Debug)]
pub struct Examined {
    /// Where it ran.
    pub device: String,
    /// Width of activations and their gradients.
    pub precision: Precision,
    /// Each kernel call of the step, in order, and how it came out.
    pub calls: Vec<(PlannedCall, Verified)>,
    /// The first result that was not the same to the bit whenever the step ran, and in which run.
    pub unsteady: Option<(String, usize)>,
}

/// All calls of a kernel.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct OfKernel {
    /// How many there are.
    pub calls: usize,
    /// Those with wrong results.
    pub wrong: usize,
    /// Largest difference of all, in terms of what is allowed.
    pub error: f64,
}

impl Examined {
    /// Nothing was wrong.
    pub fn is_right(&self) -> bool {
        self.unsteady.is_none() && self.wrong().next().is_none()
    }

    /// The calls with wrong results.
    pub fn wrong(&self) -> impl Iterator<Item = (&PlannedCall, &Wrong)> {
        self.calls.iter().filter_map(|(planned, verified)| Some((planned, verified.wrong.as_ref()?)))
    }

    /// By kernel.
    pub fn kernels(&self) -> BTreeMap<&'static str, OfKernel> {
        let mut kernels: BTreeMap<_, OfKernel> = BTreeMap::new();
        for (planned, verified) in &self.calls {
            let of = kernels.entry(planned.call.kernel).or_default();
            of.calls += 1;
            of.wrong += usize::from(verified.wrong.is_some());
            of.error = of.error.max(verified.error);
        }
        kernels
    }
}

/// Why a run with `--precision f16` would be one in f32 on this device, if it would.
///
/// # Errors
/// When the device cannot be opened.
pub fn refuses_half(device: &str) -> Result<Option<String>, TrainError> {
    let (precision, line) = half::choose(Precision::F16, device, exec::open(device)?.as_ref());
    Ok(line.filter(|_| precision == Precision::F32))
}

/// Examines a training step (Adam) on made-up images.
///
/// # Errors
/// When the network does not fit the images, or the device fails or cannot compute in that precision.
pub fn step(spec: &StepSpec, device: &str, precision: Precision) -> Result<Examined, TrainError> {
    let graph = spec.graph(&adam(precision))?;
    let data = MadeUp::new(spec, &graph);
    let mut session = Session::new(exec::open(device)?, &graph, 1)?;
    examine(&mut session, &graph, precision, &|session, plan| data.write(session, plan, 1e-3, 0))
}

/// Examines a training step of a run: its weights, its settings, the first batch of its own images.
///
/// # Errors
/// When the run's settings or images cannot be read, or the device fails.
pub fn run(path: &Path, device: &str, observer: &dyn Observer) -> Result<Examined, TrainError> {
    let checkpoint = Checkpoint::open(path)?;
    let missing = || RunDirError::NotARun { path: path.to_owned(), reason: "it has no config.toml beside its weights".into() };
    let settings = config_beside(&checkpoint.path).ok_or_else(missing)?;
    // What opens a task makes a run directory.
    let scratch = tempfile::tempdir().map_err(|e| RunDirError::from(FileError::writing(&std::env::temp_dir(), e)))?;
    macro_rules! examine {
        ($task:ident, $Config:ident) => {{
            let (out, init) = (Some(scratch.path().join("run")), Some(checkpoint.path.clone()));
            let config = $Config { device: device.into(), out, init, resume: None, ..$Config::from_file(&settings)? };
            $task::open(&config, observer)?.examine()
        }};
    }
    match checkpoint.card.task {
        TaskKind::Classify => examine!(classify, ClassifyConfig),
        TaskKind::Segment => examine!(segment, SegmentConfig),
        TaskKind::Colorize => examine!(colorize, ColorizeConfig),
    }
}

impl<T: Task> Trainer<T> {
    /// Examines the first step.
    fn examine(mut self) -> Result<Examined, TrainError> {
        let batch = self.train_loader.epoch(1)?.next().transpose()?.unwrap_or_default();
        let (hyper, precision) = (self.hyper(1e-3, 1, false), self.settings.precision);
        let mut graph =
            self.task.training_graph(self.model.session.states().clone(), batch.len(), Phase::Update)?;
        if precision == Precision::F16 {
            precision::halve(&mut graph);
        }
        let Trainer { task, model, .. } = &mut self;
        let feed = |session: &mut Session<AnyEngine>, plan| {
            task.feed(session, plan, &batch, batch.len())?;
            Ok(session.write(plan, port::HYPER, &hyper)?)
        };
        examine(&mut model.session, &graph, precision, &feed)
    }
}

/// Examines a step that `feed` writes the inputs of.
fn examine(
    session: &mut Session<AnyEngine>,
    graph: &Graph,
    precision: Precision,
    feed: &dyn Fn(&mut Session<AnyEngine>, PlanId) -> Result<(), TrainError>,
) -> Result<Examined, TrainError> {
    let kept = session.load(graph, PlanOptions { reuse: false })?;
    let start = states(session)?;
    feed(session, kept)?;
    let verified = session.verify(kept)?;
    let calls = session.plan(kept).calls.clone().into_iter().zip(verified).collect();
    let expected = results(session, kept)?;
    // As training runs it: values share memory.
    let plan = session.load(graph, PlanOptions::default())?;
    let mut unsteady = None;
    for run in 1..=RUNS {
        for (name, values) in &start {
            session.write_state(name, values)?;
        }
        feed(session, plan)?;
        session.run_now(plan)?;
        let found = results(session, plan)?;
        let same = |(a, b): &(&(String, Vec<f32>), &(String, Vec<f32>))| {
            a.1.iter().map(|v| v.to_bits()).eq(b.1.iter().map(|v| v.to_bits()))
        };
        if let Some((_, (name, _))) = found.iter().zip(&expected).find(|pair| !same(pair)) {
            unsteady = Some((name.clone(), run));
            break;
        }
    }
    Ok(Examined { device: session.engine().name(), precision, calls, unsteady })
}

fn states(session: &mut Session<AnyEngine>) -> Result<Vec<(String, Vec<f32>)>, TrainError> {
    let names: Vec<String> = session.states().iter().map(|(_, spec)| spec.name.clone()).collect();
    names.into_iter().map(|name| Ok((name.clone(), session.read_state(&name)?))).collect()
}

/// Outputs and states after a run.
fn results(session: &mut Session<AnyEngine>, plan: PlanId) -> Result<Vec<(String, Vec<f32>)>, TrainError> {
    let outputs = session.outputs(plan)?;
    let names: Vec<String> = session.plan(plan).outputs.iter().map(|port| port.name.clone()).collect();
    Ok(names.into_iter().zip(outputs).chain(states(session)?).collect())
}
