//! Every gradient against central differences, in f64, with the op in the midst of a graph.

use shadegrad::exec::cpu::CpuEngine;

use crate::common::Loaded;
use crate::common::case::{Case, Place, Values};
use crate::common::compare::{Failures, scale};
use crate::common::table::op_cases;

/// Step of the differences. Their error is h²/6·f''' + ε/h·f: smallest, about 1e-10, near the cube root of ε.
const STEP: f64 = 1e-5;

/// Relative to the largest element of a gradient: a hundred times the error of the differences themselves.
const TOLERANCE: f64 = 1e-7;

/// Elements of a parameter that are tried, besides the largest.
const TRIED: usize = 24;

/// The loss `Σ y · upstream`.
fn loss(y: &Values, case: &Case) -> f64 {
    y["y"].iter().zip(&case.inputs["upstream.y"]).map(|(y, u)| y * u).sum()
}

fn check(case: &Case, failures: &mut Failures) {
    let mut engine = CpuEngine::<f64>::new();
    let mut loaded = Loaded::new(&mut engine, &case.graph).expect("a graph that runs");
    loaded.write(&case.inputs).expect("inputs that fit");
    let mut run = |change: Option<(&str, usize, f64)>| {
        // Running statistics move with every run.
        for (name, values) in &case.states {
            loaded.write_state(name, values).expect("states that fit");
        }
        if let Some((name, i, by)) = change {
            let mut values = case.inputs[name].clone();
            values[i] += by;
            loaded.write(&Values::from([(name.to_owned(), values)])).expect("inputs that fit");
        }
        let outputs = loaded.step().expect("a graph that runs");
        if let Some((name, ..)) = change {
            let back = Values::from([(name.to_owned(), case.inputs[name].clone())]);
            loaded.write(&back).expect("inputs that fit");
        }
        outputs
    };
    let at = run(None);
    assert!(!case.parameters.is_empty(), "{}: nothing to differentiate", case.name);
    for name in &case.parameters {
        let grad = &at[&format!("grad.{name}")];
        let largest = (0..grad.len()).max_by(|&a, &b| grad[a].abs().total_cmp(&grad[b].abs()));
        // The stride is prime, so that the choice is not all of one channel.
        let choice = (0..TRIED.min(grad.len())).map(|k| k * 7919 % grad.len());
        let tried: Vec<usize> = choice.chain(largest).collect();
        let mut difference = |i: usize| {
            let [above, below] = [STEP, -STEP].map(|by| loss(&run(Some((name, i, by))), case));
            (above - below) / (2.0 * STEP)
        };
        let numeric: Vec<f64> = tried.iter().map(|&i| difference(i)).collect();
        let analytic: Vec<f64> = tried.iter().map(|&i| grad[i]).collect();
        if scale(grad) == 0.0 {
            failures.add(format!("{}: the gradient of {name} is 0", case.name));
        }
        // A gradient that is small by cancellation is as exact as the loss that the differences are of.
        let scale = scale(grad).max(1e-3 * loss(&at, case).abs());
        failures.close_to_scale(&format!("{}: {name}", case.name), &analytic, &numeric, TOLERANCE, scale);
    }
}

#[test]
fn every_gradient_is_the_slope_of_its_op() {
    let mut failures = Failures::default();
    for op in op_cases() {
        let case = op.case(Place::Midst);
        check(&case, &mut failures);
        let fused = case.fused();
        if fused.links() != case.links() {
            check(&fused, &mut failures);
        }
    }
    failures.none();
}
