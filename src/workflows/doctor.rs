//! Check of a device: every kernel of a training step against its twin in f64, and repeated steps for the same bits.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use super::WorkflowError;
use super::evaluation::{data_of, task_of};
use crate::exec::{self, AnyEngine, PlanId, Session, Verdict, Verified, Wrong};
use crate::graph::{Graph, Group, Init};
use crate::interop::files::FileError;
use crate::ops::{self, LOSS_SCALE};
use crate::plan::{PlanOptions, PlannedCall};
use crate::precision::{self, Precision};
use crate::random;
use crate::run::{Checkpoint, RunError};
use crate::train::first_step::FirstStep;
use crate::train::settings::Given;
use crate::train::step::Phase;
use crate::train::step_spec::{MadeUp, StepSpec, adam};
use crate::train::{TrainError, half};

/// Steps with all kernels of the models: large and small maps, transposed convolutions with kernels of 2×2 and 64×64.
pub const STEPS: [&str; 5] =
    ["resnet18:4x64x64", "resnet18-seg:2x64x96", "unet:2x128x128:base=16", "resnet50:2x64x64", "unet-resnet34:1x64x64"];

/// Number of runs of a step from the same start. A race between invocations shows only in some of them.
const RUNS: usize = 5;
/// Largest relative distance between the results of two plans with different kernels, in the Euclidean norm.
const OTHER_KERNELS: f64 = 1e-2;

/// Findings of a step.
#[derive(Clone, Debug)]
pub struct Examined {
    /// Device.
    pub device: String,
    /// Width of activations and their gradients.
    pub precision: Precision,
    /// Each kernel call of the step, in order, and its verdict.
    pub calls: Vec<(PlannedCall, Verified)>,
    /// Name of the first result with other bits in a repeated run, and the number of that run.
    pub unsteady: Option<(String, usize)>,
}

/// All calls of a kernel.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct OfKernel {
    /// Number of calls.
    pub calls: usize,
    /// Number of calls with wrong results.
    pub wrong: usize,
    /// Largest error of all calls, as a share of the allowed error.
    pub error: f64,
}

impl Examined {
    /// Whether all calls are known to be right, and repeated steps gave the same bits.
    pub fn is_right(&self) -> bool {
        self.unsteady.is_none() && self.calls.iter().all(|(_, verified)| verified.verdict == Verdict::Right)
    }

    /// The calls with wrong results.
    pub fn wrong(&self) -> impl Iterator<Item = (&PlannedCall, &Wrong)> {
        self.calls.iter().filter_map(|(planned, verified)| match &verified.verdict {
            Verdict::Wrong(wrong) => Some((planned, wrong)),
            _ => None,
        })
    }

    /// Number of calls that cannot be judged, because an input is not finite.
    pub fn unknown(&self) -> usize {
        self.calls.iter().filter(|(_, verified)| verified.verdict == Verdict::Unknown).count()
    }

    /// The calls, summed by kernel.
    pub fn kernels(&self) -> BTreeMap<&'static str, OfKernel> {
        let mut kernels: BTreeMap<_, OfKernel> = BTreeMap::new();
        for (planned, verified) in &self.calls {
            let of = kernels.entry(planned.call.kernel).or_default();
            of.calls += 1;
            of.wrong += usize::from(matches!(verified.verdict, Verdict::Wrong(_)));
            of.error = of.error.max(verified.error);
        }
        kernels
    }
}

/// Why a run in f16 falls back to f32 on this device, if it does.
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
    stir(&mut session, &Group::ALL)?;
    examine(&mut session, &graph, precision, |session, plan| data.write(session, plan, 1e-3, 0))
}

/// Gives varying values to states that start from a constant. A result does not show whether a bias of 0 was added or a
/// moment of 0 was dropped.
fn stir(session: &mut Session<AnyEngine>, groups: &[Group]) -> Result<(), TrainError> {
    let specs = session.states().iter().map(|(_, spec)| spec.clone());
    let specs: Vec<_> = specs.filter(|spec| groups.contains(&spec.group) && spec.name != LOSS_SCALE).collect();
    for (stream, spec) in specs.iter().enumerate() {
        let Init::Constant(start) = spec.init else { continue };
        let unit = |i| random::unit(2, stream as u64, i, 4);
        // Second moments are squares, and variances stay above 0.
        let value = |i| if spec.group == Group::Moments { 1e-3 * unit(i) } else { start + 0.5 * (unit(i) - 0.25) };
        let values: Vec<f32> = (0..spec.ty.shape.elements() as u64).map(value).collect();
        session.write_state(&spec.name, &values)?;
    }
    Ok(())
}

/// Data and batch size of an examination; by default those of the run.
#[derive(Clone, Debug, Default)]
pub struct RunOptions {
    /// Data set.
    pub data: Option<PathBuf>,
    /// Images per step.
    pub batch_size: Option<usize>,
}

/// Examines a training step of a run, with its weights, settings and first batch.
///
/// # Errors
/// When the run's settings or images cannot be read, or the device fails.
pub fn run(path: &Path, device: &str, options: &RunOptions) -> Result<Examined, WorkflowError> {
    let checkpoint = Checkpoint::open(path)?;
    let missing =
        || RunError::NotARun { path: path.to_owned(), reason: "it has no config.toml beside its weights".into() };
    let config = checkpoint.config_path().ok_or_else(missing)?;
    let task = task_of(&checkpoint)?;
    let settings = task.resolve(&Given::of_file(&config))?;
    let data = data_of(&checkpoint, settings.common.data.clone(), options.data.as_deref())?;
    // Opening a run creates a run folder.
    let scratch = tempfile::tempdir().map_err(|e| FileError::writing(&std::env::temp_dir(), e))?;
    let mut table = settings.table;
    table.remove("resume");
    let text = |path: &Path| toml::Value::from(path.to_string_lossy().into_owned());
    table.insert("out".into(), text(&scratch.path().join("run")));
    table.insert("init".into(), text(&checkpoint.path));
    table.insert("device".into(), device.into());
    if let Some(data) = data {
        table.insert("data".into(), text(&data));
    }
    if let Some(batch_size) = options.batch_size {
        table.insert("batch_size".into(), (batch_size as i64).into());
    }
    let settings = task.resolve(&Given::of_table(table, &config))?;
    Ok(examine_first_step(FirstStep::of(task.open(&settings, &())?)?)?)
}

fn examine_first_step(step: FirstStep) -> Result<Examined, TrainError> {
    let FirstStep { objective, mut model, batch, inputs, precision } = step;
    // With gradient accumulation this is the last batch of a step. The sum before it is part of the moments.
    stir(&mut model.session, &[Group::Moments])?;
    let mut graph = objective.training_graph(model.session.states().clone(), batch.len(), Phase::Update)?;
    if precision == Precision::F16 {
        precision::halve(&mut graph);
    }
    let feed = |session: &mut Session<AnyEngine>, plan| {
        objective.feed(session, plan, &batch, batch.len())?;
        Ok(inputs.write(session, plan)?)
    };
    examine(&mut model.session, &graph, precision, feed)
}

/// Examines one run of a graph from the current states, such as a training step of any network. `feed` writes all
/// inputs of a plan. All values are kept, which takes several times the memory of training.
///
/// # Errors
/// When memory runs out, a kernel is refused, or the device is lost.
pub fn examine(
    session: &mut Session<AnyEngine>,
    graph: &Graph,
    precision: Precision,
    feed: impl Fn(&mut Session<AnyEngine>, PlanId) -> Result<(), TrainError>,
) -> Result<Examined, TrainError> {
    let kept = session.load(graph, PlanOptions { reuse: false })?;
    let mut start = Start::of(session)?;
    while start.overflows(session, kept, &feed)? {}
    start.restore(session)?;
    feed(session, kept)?;
    let verified = session.verify(kept)?;
    let calls = session.plan(kept).calls.clone().into_iter().zip(verified).collect();
    let alone = results(session, kept)?;
    // Values share memory, as in training.
    let plan = session.load(graph, PlanOptions::default())?;
    let mut first: Option<Named> = None;
    let mut unsteady = None;
    for run in 1..=RUNS {
        start.restore(session)?;
        feed(session, plan)?;
        session.run_now(plan)?;
        let found = results(session, plan)?;
        let differs = |a: &[f32], b: &[f32]| match first {
            // The plan that keeps all values may have other kernels, for lack of memory, and they round differently.
            None => !same_bits(a, b) && half::distance(b, a) > OTHER_KERNELS,
            Some(_) => !same_bits(a, b),
        };
        let of = first.as_ref().unwrap_or(&alone);
        let differs = found.iter().zip(of).find(|(a, b)| differs(&a.1, &b.1));
        if let Some(((name, _), _)) = differs {
            unsteady = Some((name.clone(), run));
            break;
        }
        first.get_or_insert(found);
    }
    Ok(Examined { device: session.engine().name(), precision, calls, unsteady })
}

fn same_bits(a: &[f32], b: &[f32]) -> bool {
    a.iter().map(|v| v.to_bits()).eq(b.iter().map(|v| v.to_bits()))
}

/// The states before a step, including the padding between them, which an optimizer changes too.
struct Start {
    groups: Vec<(Group, Vec<f32>)>,
    /// The loss scale, if there is one.
    scale: Option<Vec<f32>>,
}

impl Start {
    fn of(session: &mut Session<AnyEngine>) -> Result<Self, TrainError> {
        let lens = session.states().layout().group_len;
        let there = Group::ALL.into_iter().filter(|group| lens[*group as usize] > 0);
        let groups = there.map(|group| Ok((group, session.read_group(group)?))).collect::<Result<_, TrainError>>()?;
        let scale = session.states().find(LOSS_SCALE).map(|_| session.read_state(LOSS_SCALE)).transpose()?;
        Ok(Start { groups, scale })
    }

    fn restore(&self, session: &mut Session<AnyEngine>) -> Result<(), TrainError> {
        for (group, values) in &self.groups {
            session.write_group(*group, values)?;
        }
        Ok(self.scale.iter().try_for_each(|scale| session.write_state(LOSS_SCALE, scale))?)
    }

    /// Runs a step. If its gradients overflow, as they may in f16, lowers the loss scale and returns true.
    fn overflows(
        &mut self,
        session: &mut Session<AnyEngine>,
        plan: PlanId,
        feed: &impl Fn(&mut Session<AnyEngine>, PlanId) -> Result<(), TrainError>,
    ) -> Result<bool, TrainError> {
        if self.scale.is_none() {
            return Ok(false);
        }
        self.restore(session)?;
        feed(session, plan)?;
        session.run_now(plan)?;
        let (found, Some(scale)) = (session.read_state(LOSS_SCALE)?, &mut self.scale) else { return Ok(false) };
        let lowered = found[0] < scale[0] && !ops::loss_scale_is_lowest(&found);
        if lowered {
            scale[0] = found[0];
        }
        Ok(lowered)
    }
}

/// States and results by name.
type Named = Vec<(String, Vec<f32>)>;

fn states(session: &mut Session<AnyEngine>) -> Result<Named, TrainError> {
    let names: Vec<String> = session.states().iter().map(|(_, spec)| spec.name.clone()).collect();
    names.into_iter().map(|name| Ok((name.clone(), session.read_state(&name)?))).collect()
}

/// Outputs of a plan and states, after a run.
fn results(session: &mut Session<AnyEngine>, plan: PlanId) -> Result<Named, TrainError> {
    let outputs = session.outputs(plan)?;
    let names: Vec<String> = session.plan(plan).outputs.iter().map(|port| port.name.clone()).collect();
    Ok(names.into_iter().zip(outputs).chain(states(session)?).collect())
}
