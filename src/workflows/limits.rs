//! Measured peak rates of a device. They give a lower bound on a kernel's time.

use std::time::Instant;

use crate::exec::{self, Session};
use crate::graph::{Graph, GraphError, StateTable, Value};
use crate::ops;
use crate::plan::PlanOptions;
use crate::random;
use crate::shape::TensorType;
use crate::train::TrainError;

/// Number of runs. The fastest counts.
const RUNS: usize = 5;
/// Minimum seconds of a run. A measurement grows until its runs take this long.
const LONG_ENOUGH: f64 = 0.01;
/// Shape of the values in the multiply-add test: a vec4 for each of 262,144 invocations, more than any GPU runs at once.
const PROBED: [usize; 4] = [1, 1024, 16, 64];
/// Number of copied values: 100 MB, twice the largest cache of a GPU and below the 128 MiB that every device can bind.
const COPIED: usize = 25_000_000;
/// A copy below this time, in seconds, is repeated with [`TIMES`] as many values, if the device can bind them.
const AT_ONCE: f64 = 1e-3;
/// See [`AT_ONCE`].
const TIMES: usize = 8;

/// The limits of a device.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Limits {
    /// Multiply-adds in f32, two operations each, in 10⁹ operations a second.
    pub gflops: f64,
    /// Reading and writing of memory, in 10⁹ bytes a second.
    pub gbytes: f64,
}

impl Limits {
    /// Lower bound on the time of the work in milliseconds, and whether memory bandwidth sets it.
    pub fn floor(&self, flops: u64, bytes: u64) -> (f64, bool) {
        let (compute, memory) = (flops as f64 / self.gflops / 1e6, bytes as f64 / self.gbytes / 1e6);
        (compute.max(memory), memory > compute)
    }
}

/// Measures the limits of a device.
///
/// # Errors
/// When the device does not exist or fails.
pub fn limits(device: &str) -> Result<Limits, TrainError> {
    let mut gflops = 0.0;
    for rounds in [64, 1024, 16_384] {
        let (seconds, flops, _) = fastest(device, PROBED, &|g, x| ops::fma_peak(g, x, rounds))?;
        gflops = flops as f64 / seconds / 1e9;
        if seconds > LONG_ENOUGH {
            break;
        }
    }
    let copy = |values| fastest(device, [1, 1, values / 1000, 1000], &|g, x| ops::scale(g, x, 0.5));
    let (mut seconds, _, mut bytes) = copy(COPIED)?;
    // Start and end dominate a short copy: an H200 shows 3.1 instead of 4.3 TB/s.
    if seconds < AT_ONCE
        && let Ok((longer, _, more)) = copy(TIMES * COPIED)
    {
        (seconds, bytes) = (longer, more);
    }
    Ok(Limits { gflops, gbytes: bytes as f64 / seconds / 1e9 })
}

/// Seconds of the fastest run, operations and bytes of the first kernel that `append` appends to a tensor.
fn fastest(
    device: &str,
    shape: [usize; 4],
    append: &dyn Fn(&mut Graph, Value) -> Result<Value, GraphError>,
) -> Result<(f64, u64, u64), TrainError> {
    let mut g = Graph::with_states(StateTable::default());
    let x = g.input("x", TensorType::channels(shape));
    let y = append(&mut g, x)?;
    // Only a corner is read back.
    let corner = ops::crop_pad(&mut g, y, ops::Region::of_size([1, 1, 4]))?;
    g.output("corner", corner);
    let mut session = Session::new(exec::open(device)?, &g, 0)?;
    let plan = session.load(&g, PlanOptions::default())?;
    let values: Vec<f32> = (0..shape.iter().product::<usize>() as u64).map(|i| random::unit(1, 2, i, 3)).collect();
    session.write(plan, "x", &values)?;
    session.run_now(plan)?;
    let mut best = f64::INFINITY;
    for _ in 0..RUNS {
        let start = Instant::now();
        let seconds = match session.profile(plan)? {
            Some(times) => times[0],
            // Without timestamps, the whole run is timed.
            None => {
                session.run_now(plan)?;
                start.elapsed().as_secs_f64()
            }
        };
        best = best.min(seconds);
    }
    let call = &session.plan(plan).calls[0].call;
    let bytes = call.bytes();
    Ok((best, call.flops, bytes))
}
