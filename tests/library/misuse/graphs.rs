//! Values of one graph in another, such as those of training in the evaluation graph of the same network.

use shadegrad::autodiff;
use shadegrad::graph::Graph;
use shadegrad::nn::{BatchNorm2d, Conv2d, Linear, Mode, Network, UNet};
use shadegrad::ops;
use shadegrad::shape::TensorType;

use super::refused;

#[test]
fn values_of_another_graph_are_refused() {
    let ty = || TensorType::channels([1, 4, 4, 4]);
    let (mut training, mut evaluation) = (Graph::new(), Graph::new());
    let (theirs, ours) = (training.input("x", ty()), evaluation.input("x", ty()));
    assert_eq!(theirs.index(), ours.index(), "equal indices, different graphs");
    let words = ["another graph"];
    refused(ops::add(&mut evaluation, ours, theirs), &["add", "another graph"]);
    refused(ops::relu(&mut evaluation, theirs), &words);
    let network: Network = UNet { base: 4, depth: 1, ..UNet::new(2) }.into();
    refused(network.apply(&mut evaluation, theirs, Mode::Eval), &words);
    refused(ops::reshape(&mut evaluation, theirs, [1, 64]), &words);
    refused(ops::flatten(&mut evaluation, theirs), &words);
    refused(Conv2d::new(4, 3).padding(1).bias(false).apply(&mut evaluation, "conv", theirs), &words);
    refused(Linear::new(4).apply(&mut evaluation, "head", theirs), &words);
    refused(BatchNorm2d::default().apply(&mut evaluation, "norm", theirs, Mode::Train), &words);
    refused(autodiff::gradients(&mut evaluation, theirs, &[ours]), &words);
    refused(autodiff::gradients_from(&mut evaluation, &[(ours, ours)], &[theirs]), &words);
    assert!(evaluation.nodes().is_empty(), "nothing was appended");
    assert!(evaluation.has(ours) && !evaluation.has(theirs));
}

/// A clone accepts the values of the graph that it was made of.
#[test]
fn a_clone_accepts_values_of_its_original() {
    let mut g = Graph::new();
    let x = g.input("x", TensorType::channels([1, 2, 2, 4]));
    let mut clone = g.clone();
    ops::relu(&mut clone, x).expect("it has x");
    assert_eq!((g.nodes().len(), clone.nodes().len()), (0, 1));
}

#[test]
#[should_panic(expected = "another graph")]
fn the_type_of_a_value_of_another_graph_panics() {
    let mut other = Graph::new();
    let x = other.input("x", TensorType::channels([1, 2, 2, 4]));
    Graph::new().ty(x);
}
