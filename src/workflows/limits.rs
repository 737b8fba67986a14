//! What a device can do at most, measured with our own kernels: the floor that a kernel's time is compared with.

use std::time::Instant;

use crate::exec::{self, Session};
use crate::graph::{Graph, GraphError, StateTable, Value};
use crate::ops;
use crate::plan::PlanOptions;
use crate::random;
use crate::shape::TensorType;
use crate::train::TrainError;

/// Number of runs, of which the best counts.
const RUNS: usize = 5;
/// Shortest run: a measurement grows until its runs take this long.
const LONG_ENOUGH: f64 = 0.01;
/// Values that multiply-adds are done on: a vector each for 262,144 invocations, more than any GPU has at once.
const PROBED: [usize; 4] = [1, 1024, 16, 64];
/// Values that are copied: 100 MB, twice the largest cache of a GPU, and below the 128 MiB that a binding always may
/// have.
const COPIED: usize = 25_000_000;
/// Seconds that are too short to copy in, and how much more is copied then, if the device lets a kernel have so much.
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
/// When there is no such device or it fails.
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
    // Where that is done at once, its beginning and end are much of it: 3.1 of the 4.3 TB/s of an H200.
    if seconds < AT_ONCE
        && let Ok((longer, _, more)) = copy(TIMES * COPIED)
    {
        (seconds, bytes) = (longer, more);
    }
    Ok(Limits { gflops, gbytes: bytes as f64 / seconds / 1e9 })
}

/// The first kernel of what `append` appends to a tensor, alone: seconds of the fastest run, operations, bytes.
fn fastest(
    device: &str,
    shape: [usize; 4],
    append: &dyn Fn(&mut Graph, Value) -> Result<Value, GraphError>,
) -> Result<(f64, u64, u64), TrainError> {
    let mut g = Graph::with_states(StateTable::default());
    let x = g.input("x", TensorType::channels(shape));
    let y = append(&mut g, x)?;
    // Not all of it has to travel back.
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
            // Without timestamps the whole run has to do.
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
