//! Ops added directly, with too few or too many inputs.

use shadegrad::graph::{Graph, Group, Init, Op, Value};
use shadegrad::internals::ops::{
    Accumulate, Assign, ClipScale, Conv2d, Conv2dInputGrad, Fill, MovingAverage, Reshape, SoftmaxCrossEntropy,
};
use shadegrad::ops::{self, ConvSpec};
use shadegrad::shape::{TensorType, Window};

use super::{refused, session};

fn refuses(op: impl Op + Clone, counts: &[usize], words: &str) {
    let mut g = Graph::new();
    let values: Vec<Value> = (0..9).map(|_| g.input("v", TensorType::kernel([4, 4]))).collect();
    for &count in counts {
        refused(g.add(op.clone(), &values[..count]), &[op.name(), words]);
    }
}

#[test]
fn a_wrong_number_of_inputs_is_refused() {
    let spec = ConvSpec::from(Window::square(1));
    refuses(Conv2d::from(spec), &[0, 1, 3], "inputs");
    refuses(Conv2dInputGrad::new(spec, TensorType::channels([4, 4])), &[0, 1, 3], "inputs");
    refuses(SoftmaxCrossEntropy { options: Default::default(), weighted: false }, &[0, 1, 3], "inputs");
    refuses(Accumulate { mean: true }, &[0, 1, 4, 6], "inputs");
    refuses(MovingAverage, &[0, 1, 2, 4], "inputs");
    refuses(ClipScale { max_norm: 1.0 }, &[0], "inputs");
    refuses(ClipScale { max_norm: 1.0 }, &[3], "the loss scale");
    refuses(Fill { ty: TensorType::flat(4), value: 0.0 }, &[1], "inputs");
}

#[test]
fn an_op_without_results_is_refused_as_a_value() {
    let mut g = Graph::new();
    let ty = TensorType::channels([4]);
    let state = g.state("s", ty.clone(), Group::Frozen, Init::Constant(0.0), false).expect("a new state");
    let x = g.input("x", ty);
    refused(g.add1(Assign, &[state, x]), &["`assign` has no result"]);
}

#[test]
fn a_reshape_of_another_type_is_refused() {
    let mut g = Graph::new();
    let x = g.input("x", TensorType::channels([2, 3]));
    let reshape = Reshape { from: TensorType::channels([1, 6]), to: TensorType::flat(6) };
    refused(g.add(reshape, &[x]), &["reshape", "made for [1×6]"]);
}

/// `a = b` and `a = a` of states in one buffer, which no kernel may read and write at once.
#[test]
fn a_state_is_assigned_the_value_of_another_of_its_group() {
    let mut g = Graph::new();
    let [a, b] = [("a", 1.0), ("b", 2.0)].map(|(name, value)| {
        g.state(name, TensorType::channels([3]), Group::Frozen, Init::Constant(value), false).expect("a new state")
    });
    ops::assign(&mut g, a, a).expect("equal shapes");
    let reshaped = ops::reshape(&mut g, b, [3]).expect("as many");
    ops::assign(&mut g, a, reshaped).expect("equal shapes");
    let mut session = session(&g);
    let plan = session.load(&g, Default::default()).expect("a plan");
    session.run_now(plan).expect("a run");
    assert_eq!(["a", "b"].map(|name| session.read_state(name).expect("a state")), [[2.0; 3]; 2]);
}

/// A tensor updated in place must differ from those that are read.
#[test]
fn states_that_a_norm_would_update_twice_are_refused() {
    let mut g = Graph::new();
    let x = g.input("x", TensorType::channels([2, 3]));
    let vector = TensorType::channels([3]);
    let mean = g.state("mean", vector.clone(), Group::Statistics, Init::Constant(0.0), false).expect("a new state");
    let [gamma, beta] = ["gamma", "beta"].map(|name| g.input(name, vector.clone()));
    let y = ops::batch_norm(&mut g, [x, gamma, beta, mean, mean], 1e-5, Some(Default::default()));
    g.output("y", y.expect("3 channels"));
    refused(session(&g).load(&g, Default::default()), &["batch_norm", "share memory"]);
}
