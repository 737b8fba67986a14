//! A convolution is linear in each operand, so its three directions are adjoint: ⟨conv(x, w), y⟩ = ⟨x, dgrad(y, w)⟩ =
//! ⟨w, wgrad(x, y)⟩. The same holds for the transposed convolution. The test needs no reference values, so its table
//! has arbitrary sizes.

use shadegrad::ops;
use shadegrad::shape::TensorType;

use crate::common::case::{Builder, Case, Context};
use crate::common::compare::Failures;
use crate::common::dense::{TransposedCase, transposed_cases};
use crate::common::geometry::{ConvCase, conv_cases};
use crate::common::{Runner, cpu, twin};

/// x, w and an upstream y; conv, dgrad and wgrad of them.
fn build(c: &ConvCase) -> Case {
    let mut b = Builder::new(c.name, Context::Alone);
    let [kh, kw] = c.spec.window.kernel_size;
    let x = b.random("x", c.x);
    let w = b.random_of("w", TensorType::kernel([kh, kw, c.x[3] / c.spec.groups, c.outputs]));
    let y = ops::conv2d(&mut b.graph, x, w, c.spec).unwrap_or_else(|e| panic!("{}: {e}", c.name));
    b.finish_op(y).unwrap_or_else(|e| panic!("{}: {e}", c.name))
}

/// x, w and an upstream y; transposed conv and both gradients of it.
fn build_transposed(c: &TransposedCase) -> Case {
    let mut b = Builder::new(c.name, Context::Alone);
    let [kh, kw] = c.spec.window.kernel_size;
    let x = b.random("x", c.x);
    let w = b.random_of("w", TensorType::kernel([kh, kw, c.outputs / c.spec.groups, c.x[3]]));
    let y = ops::conv_transpose2d(&mut b.graph, x, w, c.spec, c.output_padding);
    b.finish_op(y.unwrap_or_else(|e| panic!("{}: {e}", c.name))).unwrap_or_else(|e| panic!("{}: {e}", c.name))
}

/// Inner product, and the sum of the magnitudes of its terms.
fn inner(a: &[f64], b: &[f64]) -> (f64, f64) {
    assert_eq!(a.len(), b.len());
    a.iter().zip(b).fold((0.0, 0.0), |(sum, all), (a, b)| (sum + a * b, all + (a * b).abs()))
}

/// `tolerance` bounds the rounding of the sums, relative to the magnitudes of the terms.
fn check(engine: &dyn Runner, tolerance: f64) {
    let mut failures = Failures::default();
    let transposed = transposed_cases();
    for case in conv_cases().iter().map(build).chain(transposed.iter().map(build_transposed)) {
        let out = engine.run(&case).unwrap_or_else(|e| panic!("{}: {e}", case.name));
        let (forward, magnitude) = inner(&out["y"], &case.inputs["upstream.y"]);
        for (direction, operand) in [("dgrad", "x"), ("wgrad", "w")] {
            let (adjoint, _) = inner(&case.inputs[operand], &out[&format!("grad.{operand}")]);
            let what = format!("{} on {}: {direction}", case.name, engine.name());
            failures.close_to_scale(&what, &[adjoint], &[forward], tolerance, magnitude);
        }
    }
    failures.none();
}

#[test]
fn directions_are_adjoint_on_the_twin() {
    check(twin().as_ref(), 1e-12);
}

/// In f32 each of the up to 2,000 terms of a sum rounds by ε/2 of a partial sum, which is smaller than the magnitudes.
/// The error is a random walk of sqrt(2000)·ε/2. A tolerance of 22 ε excludes a wrong tap, whose error is a whole term.
/// The GPU engine is compared with the twin on the same convolutions (`ops_match_twin`).
#[test]
fn directions_are_adjoint_on_the_cpu_engine() {
    let engine = cpu();
    check(&engine, 22.0 * engine.accuracy().epsilon());
}
