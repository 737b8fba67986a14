//! Labels: their layout in memory, and the values that are classes.

use shadegrad::exec::PlanOptions;
use shadegrad::graph::Graph;
use shadegrad::ops::{self, CrossEntropyOptions, DiceOptions};
use shadegrad::shape::TensorType;

use super::{refused, session};

/// A channel axis of one is padded to four numbers. Three of them would be read as labels of other pixels.
#[test]
fn labels_that_are_padded_in_memory_are_refused() {
    let mut g = Graph::new();
    let logits = g.input("logits", TensorType::channels([1, 2, 2, 3]));
    let padded = g.input("padded", TensorType::channels([1, 2, 2, 1]));
    let [flat, vector] = [TensorType::flat(4), TensorType::channels([4])].map(|ty| g.input("dense", ty));
    let words = ["padded", "TensorType::flat(4)"];
    refused(ops::softmax_cross_entropy(&mut g, logits, padded, None, CrossEntropyOptions::default()), &words);
    refused(ops::dice_loss(&mut g, logits, padded, DiceOptions::default()), &words);
    refused(ops::confusion(&mut g, padded, flat, 3), &["the labels", words[1]]);
    refused(ops::confusion(&mut g, flat, padded, 3), &["the predictions", words[1]]);
    for dense in [flat, vector] {
        ops::softmax_cross_entropy(&mut g, logits, dense, None, CrossEntropyOptions::default()).expect("dense labels");
        ops::dice_loss(&mut g, logits, dense, DiceOptions::default()).expect("dense labels");
        ops::confusion(&mut g, dense, flat, 3).expect("dense labels");
    }
}

/// Logits [3, 3] of three pixels, and the input of their labels.
fn pixels() -> (Graph, [shadegrad::graph::Value; 2]) {
    let mut g = Graph::new();
    let logits = g.input("logits", TensorType::channels([3, 3]));
    let labels = g.input("labels", TensorType::flat(3));
    (g, [logits, labels])
}

#[test]
fn a_label_that_is_no_class_is_refused_when_it_is_written() {
    let (mut g, [logits, labels]) = pixels();
    let options = CrossEntropyOptions { ignore_index: Some(-1), ..CrossEntropyOptions::default() };
    // A reshaped tensor of labels holds labels.
    let lists = ops::reshape(&mut g, labels, [1, 3]).and_then(|v| ops::reshape(&mut g, v, [3])).expect("as many");
    let [loss, _] = ops::softmax_cross_entropy(&mut g, logits, lists, None, options).expect("labels");
    g.output("loss", loss);
    let mut session = session(&g);
    let plan = session.load(&g, PlanOptions::default()).expect("a plan");
    session.write(plan, "logits", &[0.0; 9]).expect("it fits");
    for (wrong, words) in [(3.0, "is 3"), (-2.0, "is -2"), (1.9, "is 1.9"), (f32::NAN, "is NaN")] {
        let words = ["labels: number 1 ", words, "a class from 0 to 2, or -1 to be ignored"];
        refused(session.write(plan, "labels", &[0.0, wrong, 1.0]), &words);
    }
    refused(session.run_now(plan), &["`labels` was never written"]);
    session.write(plan, "labels", &[0.0, -1.0, 2.0]).expect("classes, and one that is ignored");
    session.run_now(plan).expect("a run");
    // Dice has no ignored label here, so -1 is invalid for both ops.
    let dice = ops::dice_loss(&mut g, logits, labels, DiceOptions::default()).expect("labels");
    g.output("dice", dice);
    let plan = session.load(&g, PlanOptions::default()).expect("a plan");
    refused(session.write(plan, "labels", &[0.0, -1.0, 2.0]), &["a class from 0 to 2"]);
}

#[test]
fn a_target_that_is_no_probability_is_refused_when_it_is_written() {
    let mut g = Graph::new();
    let [logits, targets] = ["logits", "targets"].map(|name| g.input(name, TensorType::channels([2, 3])));
    let options = ops::BinaryCrossEntropyOptions { ignore_target: Some(-1), ..Default::default() };
    let [loss, _] = ops::binary_cross_entropy(&mut g, logits, targets, None, options).expect("equal shapes");
    g.output("loss", loss);
    let mut session = session(&g);
    let plan = session.load(&g, PlanOptions::default()).expect("a plan");
    session.write(plan, "targets", &[0.0, 1.0, 0.25, -1.0, 0.0, 1.0]).expect("probabilities, and one ignored");
    let words = ["targets: number 5 is 2", "a number from 0 to 1, or -1 to be ignored"];
    refused(session.write(plan, "targets", &[0.0, 1.0, 0.25, -1.0, 0.0, 2.0]), &words);
}

/// With equal logits the probabilities of a row are 1/3 each. Only row 1 has a class. Dice counts the pixels of all
/// rows, but classes only of rows that have one. The labels are computed, so the host does not check them.
#[test]
fn a_label_between_two_classes_is_no_class() {
    let (mut g, [logits, labels]) = pixels();
    let labels = ops::scale(&mut g, labels, 1.0).expect("a value");
    let [loss, totals] =
        ops::softmax_cross_entropy(&mut g, logits, labels, None, CrossEntropyOptions::default()).expect("labels");
    let dice = ops::dice_loss(&mut g, logits, labels, DiceOptions::default()).expect("labels");
    for (name, value) in [("loss", loss), ("totals", totals), ("dice", dice)] {
        g.output(name, value);
    }
    let mut session = session(&g);
    let plan = session.load(&g, PlanOptions::default()).expect("a plan");
    session.write(plan, "logits", &[0.0; 9]).expect("it fits");
    session.write(plan, "labels", &[1.9, 1.0, -0.5]).expect("it fits");
    let got = session.run_now(plan).expect("a run");
    let near = |got: f32, expected: f32| assert!((got - expected).abs() < 1e-6, "{got}, expected {expected}");
    near(got[0][0], 3f32.ln());
    near(got[1][1], 1.0);
    // Of class 1: (2/3 + 1) / (1 + 1 + 1); of the others: 1 / (1 + 0 + 1).
    near(got[2][0], 1.0 - (5.0 / 9.0 + 0.5 + 0.5) / 3.0);
}
