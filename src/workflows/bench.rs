//! Timing of whole training steps, on data in memory.

use std::time::Instant;

use crate::exec::Ticket;
use crate::precision::Precision;
use crate::train::TrainError;
use crate::train::step_spec::{Ready, StepSpec, adam};

/// Seconds of untimed steps. A GPU that waited for a compiler has a slow clock: an H200 ran at 345 of 1,980 MHz, and its
/// first ten steps of 4 ms took twice their time.
const WARM: f64 = 1.0;

/// Time and memory of a step.
#[derive(Clone, Debug, PartialEq)]
pub struct StepTiming {
    /// Device.
    pub device: String,
    /// Median of the timed steps, in milliseconds.
    pub ms_median: f64,
    /// Fastest of the timed steps, in milliseconds.
    pub ms_min: f64,
    /// Median time of the processor to copy a step's data to the device, in milliseconds.
    pub ms_data: f64,
    /// Median time of the processor to submit the step, in milliseconds. The CPU engine computes the step in this time.
    pub ms_submit: f64,
    /// Images per second at the median.
    pub images_per_s: f64,
    /// Floating-point operations of a step.
    pub flops: u64,
    /// Device memory that the engine holds, in bytes.
    pub peak_bytes: u64,
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

/// Milliseconds of a step, of copying its data, of its submission.
type Times = [f64; 3];

/// A step that is timed.
struct Timed(Ready);

impl Timed {
    /// Runs at least `steps` steps, for at least [`WARM`] seconds.
    fn warm_up(&mut self, steps: usize) -> Result<(), TrainError> {
        let start = Instant::now();
        let mut done = 0;
        while done < steps || start.elapsed().as_secs_f64() < WARM {
            let (ticket, _) = self.start(done)?;
            self.0.session.take(self.0.plan, ticket)?;
            done += 1;
        }
        Ok(())
    }

    /// Copies a step's data and submits the step. Returns the milliseconds of both.
    fn start(&mut self, step: usize) -> Result<(Ticket, [f64; 2]), TrainError> {
        let start = Instant::now();
        self.0.write(1e-4, step)?;
        let written = start.elapsed();
        let ticket = self.0.session.run(self.0.plan)?;
        Ok((ticket, [written, start.elapsed() - written].map(|time| time.as_secs_f64() * 1e3)))
    }

    /// Runs steps as training does: while one step runs, the results of the previous one are awaited.
    fn run(&mut self, steps: usize) -> Result<Vec<Times>, TrainError> {
        let mut times = Vec::with_capacity(steps);
        let (mut awaited, _) = self.start(0)?;
        for step in 0..steps {
            let start = Instant::now();
            let (next, [written, submitted]) = self.start(step + 1)?;
            self.0.session.take(self.0.plan, std::mem::replace(&mut awaited, next))?;
            times.push([start.elapsed().as_secs_f64() * 1e3, written, submitted]);
        }
        self.0.session.take(self.0.plan, awaited)?;
        Ok(times)
    }
}

/// Mean time of every kernel over `steps` steps, the slowest first. `None` for a device without timestamps.
///
/// # Errors
/// When the network does not fit or the device fails.
pub fn time_kernels(
    spec: &StepSpec,
    device: &str,
    precision: Precision,
    steps: usize,
) -> Result<Option<Vec<KernelTime>>, TrainError> {
    let mut timed = Timed(Ready::new(spec, device, &adam(precision))?);
    timed.warm_up(1)?;
    let calls = timed.0.session.plan(timed.0.plan).calls.clone();
    let mut seconds = vec![0.0; calls.len()];
    for _ in 0..steps.max(1) {
        let Some(times) = timed.0.session.profile(timed.0.plan)? else { return Ok(None) };
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

/// Times `steps` steps, run as in training: while one step runs, the results of the previous one are awaited. `warmup`
/// steps run before, and more until a second has passed.
///
/// # Errors
/// When the network does not fit, the device fails or cannot compute in that precision.
pub fn time_step(
    spec: &StepSpec,
    device: &str,
    precision: Precision,
    [warmup, steps]: [usize; 2],
) -> Result<StepTiming, TrainError> {
    let mut timed = Timed(Ready::new(spec, device, &adam(precision))?);
    timed.warm_up(warmup)?;
    let times = timed.run(steps.max(1))?;
    let sorted = |part: usize| {
        let mut sorted: Vec<f64> = times.iter().map(|times| times[part]).collect();
        sorted.sort_by(f64::total_cmp);
        sorted
    };
    let median = |part| sorted(part)[times.len() / 2];
    let ms_median = median(0);
    Ok(StepTiming {
        device: timed.0.session.engine().name(),
        ms_median,
        ms_min: sorted(0)[0],
        ms_data: median(1),
        ms_submit: median(2),
        images_per_s: spec.size[0] as f64 * 1e3 / ms_median,
        flops: timed.0.session.plan(timed.0.plan).flops(),
        peak_bytes: timed.0.session.engine().memory(),
    })
}
