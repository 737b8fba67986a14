//! Whether a device can train in 16 bits: it has f16, and a small step gives the same result as in 32 bits.

use super::TrainError;
use super::step::{Optimizer, Update};
use super::step_spec::{Ready, StepSpec};
use crate::exec::{self, AnyEngine, Session};
use crate::graph::Graph;
use crate::ops::{self, SgdOptions};
use crate::plan::PlanOptions;
use crate::precision::{self, Precision};
use crate::shape::TensorType;

/// A step with convolutions of all kinds, norms, pooling and concatenation, in channels that matrix units can take.
pub const STEP: &str = "unet:2x16x16:base=32:depth=1";
/// Largest relative difference of the gradients, by their norms. 16 bits give 4 % (llvmpipe). Rounding the weights of
/// the 32-bit step to 11 bits gives 3 %, since ReLUs open and close. A broken kernel gives about 100 %.
const TOLERANCE: f64 = 0.15;

/// The precision of a run, and a line about it if 16 bits are requested.
pub(crate) fn choose(asked: Precision, device: &str, engine: &AnyEngine) -> (Precision, Option<String>) {
    if asked == Precision::F32 {
        return (asked, None);
    }
    let fallback = |reason: String| (Precision::F32, Some(format!("precision: f32, since {reason}")));
    if !engine.has_half() {
        return fallback(format!("{} has no 16-bit floats", engine.name()));
    }
    match overflows(device) {
        Ok(true) => {}
        Ok(false) => return fallback(format!("{} stores a finite number where f16 overflows", engine.name())),
        Err(error) => return fallback(format!("a test of 16 bits on {} failed: {error}", engine.name())),
    }
    match difference(device) {
        Ok(error) if error < TOLERANCE => {
            (asked, Some("precision: f16 for activations and their gradients, f32 for all else".into()))
        }
        Ok(error) => {
            fallback(format!("16-bit gradients are {:.1} % off in a test of {}", 100.0 * error, engine.name()))
        }
        Err(error) => fallback(format!("a test of 16 bits on {} failed: {error}", engine.name())),
    }
}

/// Whether a number above the range of f16 becomes infinite. A step recognizes overflowing gradients by that. Vulkan does not
/// specify how a conversion rounds; towards zero, 10⁶ would become 65,504.
///
/// # Errors
/// When the device refuses to compute it.
pub fn overflows(device: &str) -> Result<bool, TrainError> {
    let mut g = Graph::new();
    let x = g.input("x", TensorType::channels([1, 4]));
    let half = ops::scale(&mut g, x, 1e3)?;
    let y = ops::scale(&mut g, half, 1.0)?;
    g.output("y", y);
    precision::halve(&mut g);
    let mut session = Session::new(exec::open(device)?, &g, 0)?;
    let plan = session.load(&g, PlanOptions::default())?;
    session.write(plan, "x", &[1e3, -1e3, 1.0, 0.0])?;
    Ok(session.run_now(plan)?[0] == [f32::INFINITY, f32::NEG_INFINITY, 1e3, 0.0])
}

/// Relative error of the gradients of a small step in 16 bits: the norm of their difference from those in 32 bits, divided by
/// the norm of those in 32 bits.
///
/// # Errors
/// When the device refuses the step.
#[expect(clippy::missing_panics_doc, reason = "the step is a constant that parses")]
pub fn difference(device: &str) -> Result<f64, TrainError> {
    let spec: StepSpec = STEP.parse().expect("a step as users write it");
    let gradients = |precision| -> Result<Vec<f32>, TrainError> {
        let optimizer = Optimizer::Sgd(SgdOptions { momentum: 0.0, ..SgdOptions::default() });
        Ready::new(&spec, device, &Update { precision, ..Update::plain(optimizer, None) })?.parameter_changes()
    };
    Ok(distance(&gradients(Precision::F32)?, &gradients(Precision::F16)?))
}

/// Norm of the difference of two vectors, relative to that of the first.
pub fn distance(exact: &[f32], other: &[f32]) -> f64 {
    let norm = |values: &mut dyn Iterator<Item = f32>| values.map(|v| f64::from(v).powi(2)).sum::<f64>().sqrt();
    let error = norm(&mut exact.iter().zip(other).map(|(a, b)| a - b)) / norm(&mut exact.iter().copied());
    // A difference of NaN must not pass for a small one.
    if error.is_finite() { error } else { f64::INFINITY }
}
