//! Batches without a sample.

use shadegrad::autodiff::gradients;
use shadegrad::exec::PlanOptions;
use shadegrad::graph::{Graph, GraphError, Value};
use shadegrad::nn::{BatchNorm2d, Conv2d, Linear, Mode};
use shadegrad::ops::{self, CrossEntropyOptions, Regression};
use shadegrad::shape::TensorType;

use super::session;

/// A loss of the network's output for an empty batch, and all gradients.
fn train(network: impl Fn(&mut Graph, Value) -> Result<Value, GraphError>, regression: bool) -> Vec<Vec<f32>> {
    let mut g = Graph::new();
    let x = g.input("x", TensorType::channels([0, 4, 4, 3]));
    let y = network(&mut g, x).expect("it fits");
    let y = ops::global_avg_pool(&mut g, y).expect("it has an area");
    let y = ops::flatten(&mut g, y).expect("it has rows");
    let y = Linear::new(2).apply(&mut g, "head", y).expect("it fits");
    let [loss, _] = if regression {
        ops::regression_loss(&mut g, y, y, Regression::Mse).expect("equal shapes")
    } else {
        let labels = g.input("labels", TensorType::flat(0));
        ops::softmax_cross_entropy(&mut g, y, labels, None, CrossEntropyOptions::default()).expect("as many labels")
    };
    let parameters = g.parameters();
    g.output("loss", loss);
    for gradient in gradients(&mut g, loss, &parameters).expect("it depends on all") {
        g.output("gradient", gradient);
    }
    let mut session = session(&g);
    let plan = session.load(&g, PlanOptions::default()).expect("a plan");
    for (name, v) in g.inputs() {
        session.write(plan, name, &vec![0.0; g.ty(v).shape.elements()]).expect("it fits");
    }
    session.run_now(plan).expect("a run")
}

#[test]
fn losses_and_gradients_of_no_samples_are_0() {
    let conv = |g: &mut Graph, x| Conv2d::new(4, 3).padding(1).apply(g, "conv", x);
    let group = |g: &mut Graph, x| {
        let vector = |g: &mut Graph, name| g.input(name, TensorType::channels([3]));
        let (gamma, beta) = (vector(g, "gamma"), vector(g, "beta"));
        ops::group_norm(g, [x, gamma, beta], ops::GroupNormOptions::new(1))
    };
    let eval = |g: &mut Graph, x| BatchNorm2d::default().apply(g, "norm", x, Mode::Eval);
    for regression in [false, true] {
        for got in [train(conv, regression), train(group, regression), train(eval, regression)] {
            assert!(got.iter().flatten().all(|&v| v == 0.0), "{got:?}");
        }
    }
}

/// The batch has no statistics, so only the run is checked.
#[test]
fn batch_norm_of_no_samples_runs() {
    let norm = |g: &mut Graph, x| BatchNorm2d::default().apply(g, "norm", x, Mode::Train);
    assert_eq!(train(norm, false).len(), 1 + 4);
}
