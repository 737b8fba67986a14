//! Ops that are added by hand, with too few inputs or too many.

use shadegrad::graph::{Graph, Group, Init};
use shadegrad::ops::{self};
use shadegrad::shape::TensorType;

use crate::{refused, session};

/// `a = b` and `a = a` of states that lie in one buffer, which no kernel may read and write at once.
#[test]
fn a_state_takes_the_value_of_another_of_its_group() {
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

/// What is updated in place must be another tensor than what is read.
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
