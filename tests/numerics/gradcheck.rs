//! Gradients against central differences of the loss, in f64, with the op in the midst of a graph.

use shadegrad::exec::CpuEngine;

use crate::common::case::{Case, Context, Values, normal};
use crate::common::compare::{Failures, scale};
use crate::common::table::{OpCase, op_cases};
use crate::common::{Loaded, twin};

/// Step of the differences. Their error is h²/6·f''' + ε/h·f. It is smallest, about 1e-10, near the cube root of ε.
const STEP: f64 = 1e-5;

/// Relative to the largest element of a gradient; a hundred times the error of the differences.
const TOLERANCE: f64 = 1e-7;

/// Number of elements of a parameter that are differentiated one by one, apart from the one with the largest gradient.
const ELEMENTS: usize = 8;

/// Number of random directions of norm 1 over all elements of a parameter.
const DIRECTIONS: usize = 2;

/// The loss `Σ y · upstream`.
fn loss(y: &Values, case: &Case) -> f64 {
    y["y"].iter().zip(&case.inputs["upstream.y"]).map(|(y, u)| y * u).sum()
}

/// The forward pass of a case, run at changed parameters.
struct Forward<'c> {
    case: &'c Case,
    loaded: Loaded<'c, CpuEngine<f64>>,
}

impl<'c> Forward<'c> {
    fn new(engine: &'c mut CpuEngine<f64>, case: &'c Case) -> Self {
        let mut loaded = Loaded::new(engine, &case.graph).expect("a graph that runs");
        loaded.write(&case.inputs).expect("inputs that fit");
        Forward { case, loaded }
    }

    /// The loss at `parameter + step · direction`.
    fn loss(&mut self, parameter: &str, direction: &[f64], step: f64) -> f64 {
        // A run changes running statistics, so they are written before each run.
        for (name, values) in &self.case.states {
            self.loaded.write_state(name, values).expect("states that fit");
        }
        let moved = self.case.inputs[parameter].iter().zip(direction).map(|(v, d)| v + step * d);
        self.loaded.write(&Values::from([(parameter.to_owned(), moved.collect())])).expect("inputs that fit");
        loss(&self.loaded.step().expect("a graph that runs"), self.case)
    }

    /// The central difference of the loss along a direction.
    fn slope(&mut self, parameter: &str, direction: &[f64]) -> f64 {
        let [above, below] = [STEP, -STEP].map(|step| self.loss(parameter, direction, step));
        let back = Values::from([(parameter.to_owned(), self.case.inputs[parameter].clone())]);
        self.loaded.write(&back).expect("inputs that fit");
        (above - below) / (2.0 * STEP)
    }
}

/// The axes of some elements and of the one with the largest gradient, then random directions. An error in any element
/// changes the slope along each random direction.
fn directions(case: &Case, parameter: &str, grad: &[f64]) -> Vec<Vec<f64>> {
    let n = grad.len();
    let largest = (0..n).max_by(|&a, &b| grad[a].abs().total_cmp(&grad[b].abs()));
    // The stride is prime, so the elements belong to several channels.
    let elements = (0..ELEMENTS.min(n)).map(|k| k * 7919 % n).chain(largest);
    let axis = |element: usize| (0..n).map(|i| f64::from(u8::from(i == element))).collect();
    let random = |k: usize| {
        let signs = normal(&format!("{}/{parameter}/direction{k}", case.name), n);
        signs.into_iter().map(|v| v.signum() / (n as f64).sqrt()).collect()
    };
    elements.map(axis).chain((0..DIRECTIONS).map(random)).collect()
}

/// Checks the gradients of the op and, if the rewrites change its graph, those of the rewritten graph.
fn check(op: &OpCase, failures: &mut Failures) {
    let case = op.case(Context::Midst);
    if !case.is_picked() {
        return;
    }
    let fused = Some(case.fused()).filter(|fused| fused.links() != case.links());
    let forward = op.forward(Context::Midst);
    let mut engine = CpuEngine::new();
    let mut differences = Forward::new(&mut engine, &forward);
    let all: Vec<(&Case, Values)> =
        std::iter::once(&case).chain(&fused).map(|c| (c, twin().run(c).expect("a graph that runs"))).collect();
    assert!(!case.parameters.is_empty(), "{}: nothing to differentiate", case.name);
    for name in &case.parameters {
        let gradient = |results: &Values| results[&format!("grad.{name}")].clone();
        let directions = directions(&case, name, &gradient(&all[0].1));
        let numeric: Vec<f64> = directions.iter().map(|d| differences.slope(name, d)).collect();
        for (case, results) in &all {
            let grad = gradient(results);
            if scale(&grad) == 0.0 {
                failures.add(format!("{}: the gradient of {name} is 0", case.name));
            }
            let along = |d: &Vec<f64>| d.iter().zip(&grad).map(|(d, g)| d * g).sum();
            let analytic: Vec<f64> = directions.iter().map(along).collect();
            // A gradient that is small by cancellation has the absolute accuracy of the loss.
            let scale = scale(&grad).max(1e-3 * loss(results, case).abs());
            failures.close_to_scale(&format!("{}: {name}", case.name), &analytic, &numeric, TOLERANCE, scale);
        }
    }
}

#[test]
fn every_gradient_is_the_slope_of_its_op() {
    let mut failures = Failures::default();
    for op in op_cases() {
        check(&op, &mut failures);
    }
    failures.none();
}
