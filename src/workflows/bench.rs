//! Timing of whole training steps, on data that is already there.

use std::str::FromStr;
use std::time::Instant;

use crate::exec::{self, Session, Ticket};
use crate::fuse::{FuseOptions, fuse};
use crate::graph::{Graph, GraphError, Group, StateTable};
use crate::nn::{Decoder, Mode, Network, Stem, UNet};
use crate::ops::{self, AdamOptions};
use crate::plan::PlanOptions;
use crate::precision::{self, Precision};
use crate::random;
use crate::shape::TensorType;
use crate::train::TrainError;
use crate::train::step::{Optimizer, Phase, Update, append_training, port};

/// The step that a model's name alone stands for.
const STEPS: [(&str, &str); 3] =
    [("resnet18", "resnet18:16x64x64"), ("resnet18-seg", "resnet18-seg:4x128x128"), ("unet", "unet:4x128x128:base=16")];

/// Seconds of steps before any is timed: a GPU that waited for a compiler has a slow clock (345 of 1,980 MHz on an H200) and
/// ran its first ten steps of 4 ms at half its speed.
const WARM: f64 = 1.0;

/// A training step: `MODEL:NxHxW`, with `:classes=…`, and `:base=…:depth=…` for unet; or `MODEL` at a size of its own.
#[derive(Clone, Debug, PartialEq)]
pub struct StepSpec {
    /// As it was written, with its size.
    pub text: String,
    /// The network.
    pub network: Network,
    /// Images, height, width.
    pub size: [usize; 3],
}

/// What a step takes.
#[derive(Clone, Debug, PartialEq)]
pub struct StepTiming {
    /// Where it ran.
    pub device: String,
    /// Median of the timed steps, in milliseconds.
    pub ms_median: f64,
    /// The fastest, in milliseconds.
    pub ms_min: f64,
    /// Median of what the processor spends on handing a step's data over, in milliseconds.
    pub ms_data: f64,
    /// Median of what it spends on submitting the step (the CPU engine computes it then).
    pub ms_submit: f64,
    /// Images per second at the median.
    pub images_per_s: f64,
    /// Floating-point operations of a step.
    pub flops: u64,
    /// Memory of the device that the engine holds.
    pub peak_bytes: u64,
}

impl FromStr for StepSpec {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        const EXPECTED: &str = "expected MODEL or MODEL:NxHxW, such as resnet18:16x64x64 or unet:4x128x128:base=16";
        let text = STEPS.iter().find(|(model, _)| *model == text).map_or(text, |(_, step)| *step);
        let mut parts = text.split(':');
        let (model, size) = (parts.next().unwrap_or_default(), parts.next().unwrap_or_default());
        let unknown = || format!("unknown model `{model}`: there are {}", STEPS.map(|(model, _)| model).join(", "));
        if !STEPS.iter().any(|(known, _)| *known == model) {
            return Err(unknown());
        }
        let numbers: Option<Vec<usize>> = size.split('x').map(|n| n.parse().ok().filter(|&n| n > 0)).collect();
        let Some(&[n, h, w]) = numbers.as_deref() else { return Err(format!("`{text}`: {EXPECTED}")) };
        let (mut classes, mut unet) = (if model == "unet" { 12 } else { 10 }, UNet::new(1));
        for part in parts {
            let (key, value) = part.split_once('=').ok_or_else(|| format!("`{part}` is not KEY=VALUE; {EXPECTED}"))?;
            let number = value.parse().ok().filter(|&v: &usize| v > 0);
            let number = number.ok_or_else(|| format!("{key}={value}: expected a number above 0"))?;
            match key {
                "classes" => classes = number,
                "base" => unet.base = number,
                "depth" => unet.depth = number,
                _ => return Err(format!("unknown setting `{key}` in `{text}`: there are classes, base, depth")),
            }
        }
        let network = match model {
            "resnet18" => Network::ResNet18 { classes, stem: Stem::ImageNet },
            "resnet18-seg" => Network::ResNet18Seg { classes, decoder: Decoder::Fcn32s },
            "unet" => Network::UNet(UNet { outputs: classes, ..unet }),
            _ => return Err(unknown()),
        };
        Ok(StepSpec { text: text.to_owned(), network, size: [n, h, w] })
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

    /// The same with rewrites of a choice; without an update, the graph of an evaluation in 32 bits.
    ///
    /// # Errors
    /// When the network does not fit the images.
    pub fn graph_rewritten(&self, update: Option<&Update>, rewrites: FuseOptions) -> Result<Graph, GraphError> {
        let [n, h, w] = self.size;
        let mut g = Graph::with_states(StateTable::default());
        let images = g.input(port::IMAGES, TensorType::channels([n, h, w, 3]));
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

/// All calls of a step with the same kernel and shapes.
#[derive(Clone, Debug, PartialEq)]
pub struct KernelTime {
    /// Kernel.
    pub kernel: &'static str,
    /// Shapes of its op.
    pub shapes: String,
    /// Number of calls.
    pub calls: usize,
    /// Milliseconds of all of them.
    pub ms: f64,
    /// Floating-point operations of all of them.
    pub flops: u64,
    /// Bytes read and written by all of them, each buffer once.
    pub bytes: u64,
}

/// Made-up images and labels.
pub(crate) struct MadeUp {
    images: Vec<f32>,
    labels: Vec<f32>,
}

impl MadeUp {
    /// For a step.
    pub fn new(spec: &StepSpec, graph: &Graph) -> Self {
        let [n, h, w] = spec.size;
        let images = (0..(n * h * w * 3) as u64).map(|i| random::unit(1, 2, i, 3) * 2.0 - 1.0).collect();
        let labels = graph.inputs().find(|(name, _)| *name == port::LABELS);
        let rows = labels.map_or(0, |(_, value)| graph.ty(value).shape.elements());
        let labels = (0..rows).map(|i| (i * 7 % spec.network.outputs()) as f32).collect();
        MadeUp { images, labels }
    }

    /// Hands over all that a step of this number takes.
    pub fn write(
        &self,
        session: &mut Session<exec::AnyEngine>,
        plan: exec::PlanId,
        lr: f64,
        step: usize,
    ) -> Result<(), TrainError> {
        session.write(plan, port::IMAGES, &self.images)?;
        session.write(plan, port::LABELS, &self.labels)?;
        Ok(session.write(plan, port::HYPER, &ops::Hyper::new(lr, [0.9, 0.999], step as u64 + 1).values())?)
    }
}

/// A step on a device, ready to run.
pub(crate) struct Ready {
    session: Session<exec::AnyEngine>,
    plan: exec::PlanId,
    data: MadeUp,
}

/// Milliseconds of a step, of handing over its data, of its submission.
type Times = [f64; 3];

impl Ready {
    /// Prepares a step on a device.
    pub fn new(spec: &StepSpec, device: &str, update: &Update) -> Result<Self, TrainError> {
        let graph = spec.graph(update)?;
        let mut session = Session::new(exec::open(device)?, &graph, 1)?;
        let plan = session.load(&graph, PlanOptions::default())?;
        Ok(Ready { session, plan, data: MadeUp::new(spec, &graph) })
    }

    /// What one step of rate 1 changes all parameters by.
    pub fn parameter_changes(mut self) -> Result<Vec<f32>, TrainError> {
        let before = self.session.read_group(Group::Parameters)?;
        self.write(1.0, 0)?;
        self.session.run_now(self.plan)?;
        let after = self.session.read_group(Group::Parameters)?;
        Ok(after.iter().zip(before).map(|(after, before)| after - before).collect())
    }

    fn write(&mut self, lr: f64, step: usize) -> Result<(), TrainError> {
        self.data.write(&mut self.session, self.plan, lr, step)
    }

    /// Runs so many steps, and as many more as it takes for the device to be at its speed.
    fn warm_up(&mut self, steps: usize) -> Result<(), TrainError> {
        let start = Instant::now();
        let mut done = 0;
        while done < steps || start.elapsed().as_secs_f64() < WARM {
            let (ticket, _) = self.start(done)?;
            self.session.take(self.plan, ticket)?;
            done += 1;
        }
        Ok(())
    }

    /// Hands over a step's data and submits it, and gives the milliseconds of both.
    fn start(&mut self, step: usize) -> Result<(Ticket, [f64; 2]), TrainError> {
        let start = Instant::now();
        self.write(1e-4, step)?;
        let written = start.elapsed();
        let ticket = self.session.run(self.plan)?;
        Ok((ticket, [written, start.elapsed() - written].map(|time| time.as_secs_f64() * 1e3)))
    }

    /// Runs steps as training does: the results of each are awaited while the next one runs.
    fn run(&mut self, steps: usize) -> Result<Vec<Times>, TrainError> {
        let mut times = Vec::with_capacity(steps);
        let (mut awaited, _) = self.start(0)?;
        for step in 0..steps {
            let start = Instant::now();
            let (next, [written, submitted]) = self.start(step + 1)?;
            self.session.take(self.plan, std::mem::replace(&mut awaited, next))?;
            times.push([start.elapsed().as_secs_f64() * 1e3, written, submitted]);
        }
        self.session.take(self.plan, awaited)?;
        Ok(times)
    }
}

/// Times every kernel of a step, over `steps` of them, after one; the slowest come first. `None` where the device has no
/// clock that could tell.
///
/// # Errors
/// When the network does not fit or the device fails.
pub fn time_kernels(
    spec: &StepSpec,
    device: &str,
    precision: Precision,
    steps: usize,
) -> Result<Option<Vec<KernelTime>>, TrainError> {
    let mut ready = Ready::new(spec, device, &adam(precision))?;
    ready.warm_up(1)?;
    let calls = ready.session.plan(ready.plan).calls.clone();
    let mut seconds = vec![0.0; calls.len()];
    for _ in 0..steps.max(1) {
        let Some(times) = ready.session.profile(ready.plan)? else { return Ok(None) };
        seconds.iter_mut().zip(times).for_each(|(sum, time)| *sum += time / steps.max(1) as f64);
    }
    let mut kernels: Vec<KernelTime> = vec![];
    for (planned, seconds) in calls.into_iter().zip(seconds) {
        let bytes = planned.call.bytes();
        let (kernel, shapes) = (planned.call.kernel, planned.shapes);
        let at = kernels.iter().position(|k| k.kernel == kernel && k.shapes == shapes).unwrap_or_else(|| {
            kernels.push(KernelTime { kernel, shapes, calls: 0, ms: 0.0, flops: 0, bytes: 0 });
            kernels.len() - 1
        });
        let found = &mut kernels[at];
        found.calls += 1;
        found.ms += 1e3 * seconds;
        found.flops += planned.call.flops;
        found.bytes += bytes;
    }
    kernels.sort_by(|a, b| b.ms.total_cmp(&a.ms));
    Ok(Some(kernels))
}

/// What the timed steps do with the gradients.
pub(crate) fn adam(precision: Precision) -> Update {
    Update { precision, ..Update::plain(Optimizer::Adam(AdamOptions::default()), None) }
}

/// Runs `warmup` steps, more where those take less than a second, and then `steps` steps, as training does: the results of each
/// are awaited while the next one runs.
///
/// # Errors
/// When the network does not fit, the device fails or cannot compute in that precision.
pub fn time_step(
    spec: &StepSpec,
    device: &str,
    precision: Precision,
    [warmup, steps]: [usize; 2],
) -> Result<StepTiming, TrainError> {
    let mut ready = Ready::new(spec, device, &adam(precision))?;
    ready.warm_up(warmup)?;
    let times = ready.run(steps.max(1))?;
    let sorted = |part: usize| {
        let mut sorted: Vec<f64> = times.iter().map(|times| times[part]).collect();
        sorted.sort_by(f64::total_cmp);
        sorted
    };
    let median = |part| sorted(part)[times.len() / 2];
    let ms_median = median(0);
    Ok(StepTiming {
        device: ready.session.engine().name(),
        ms_median,
        ms_min: sorted(0)[0],
        ms_data: median(1),
        ms_submit: median(2),
        images_per_s: spec.size[0] as f64 * 1e3 / ms_median,
        flops: ready.session.plan(ready.plan).flops(),
        peak_bytes: ready.session.engine().memory(),
    })
}
