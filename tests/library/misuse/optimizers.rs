//! Inputs of an update besides gradients.

use shadegrad::graph::{Graph, Group, Init};
use shadegrad::ops::{self, AdamOptions, SgdOptions};
use shadegrad::shape::TensorType;

use super::refused;

#[test]
fn updates_need_all_of_hyper_and_a_guard() {
    let mut g = Graph::new();
    g.state("w", TensorType::channels([4]), Group::Parameters, Init::Constant(0.5), true).expect("a new state");
    let grads = g.group(Group::Parameters);
    let [none, one, hyper] = [0, 1, ops::Hyper::LEN].map(|len| g.input("vector", TensorType::flat(len)));
    let words = ["hyper must have 8 numbers, got 1"];
    refused(ops::sgd_step(&mut g, grads, one, None, one, None, SgdOptions::default()), &words);
    refused(ops::adam_step(&mut g, grads, one, None, one, None, AdamOptions::default()), &words);
    refused(ops::moving_average(&mut g, one), &words);
    refused(ops::accumulate(&mut g, grads, hyper, one, true), &["4"]);
    refused(ops::sgd_step(&mut g, grads, hyper, Some(one), one, None, SgdOptions::default()), &["clip_scale"]);
    refused(ops::adam_step(&mut g, grads, hyper, None, none, None, AdamOptions::default()), &["guard"]);
    ops::adam_step(&mut g, grads, hyper, None, one, None, AdamOptions::default()).expect("all that it needs");
}
