//! Ops that are added by hand, with too few inputs or too many.

use shadegrad::graph::{Graph, Group, Init};
use shadegrad::ops::{self};
use shadegrad::shape::TensorType;

use crate::{refused, session};

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
