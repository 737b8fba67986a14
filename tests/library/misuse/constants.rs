//! Numbers in ops that no shader can represent.

use shadegrad::exec::PlanOptions;
use shadegrad::graph::{Graph, GraphError, Value};
use shadegrad::nn::{BatchNorm2d, Mode};
use shadegrad::ops::{self, UnaryOp};
use shadegrad::shape::TensorType;

use super::{refused, session};

fn refused_at_load(words: &[&str], build: impl Fn(&mut Graph, Value) -> Result<Value, GraphError>) {
    let mut g = Graph::new();
    let x = g.input("x", TensorType::channels([2, 4]));
    let y = build(&mut g, x).expect("the shapes fit");
    g.output("y", y);
    refused(session(&g).load(&g, PlanOptions::default()), words);
}

#[test]
fn numbers_that_are_not_finite_are_refused() {
    refused_at_load(&["scale: ", "ALPHA is NaN"], |g, x| ops::scale(g, x, f32::NAN));
    refused_at_load(&["leaky_relu", "inf"], |g, x| ops::unary(g, x, UnaryOp::LeakyRelu(f32::INFINITY)));
    refused_at_load(&["fill", "VALUE is -inf"], |g, x| ops::fill(g, g.ty(x).clone(), f32::NEG_INFINITY));
    let norm = BatchNorm2d { eps: f32::NAN, ..BatchNorm2d::default() };
    refused_at_load(&["batch_norm in n", "EPS is NaN"], |g, x| norm.apply(g, "n", x, Mode::Eval));
}

#[test]
fn an_infinite_norm_clips_nothing() {
    let mut g = Graph::new();
    let grads = g.input("grads", TensorType::flat(2));
    let factor = ops::clip_scale(&mut g, grads, None, f32::INFINITY).expect("it is a norm");
    g.output("factor", factor);
    for wrong in [f32::NAN, -1.0] {
        refused(ops::clip_scale(&mut g, grads, None, wrong), &["max_norm", "0 or more"]);
    }
    let mut session = session(&g);
    let plan = session.load(&g, PlanOptions::default()).expect("a plan");
    session.write(plan, "grads", &[3.0, 4.0]).expect("it fits");
    assert_eq!(session.run_now(plan).expect("a run")[0][..2], [5.0, 1.0]);
}
