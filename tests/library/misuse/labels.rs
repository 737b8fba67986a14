//! Labels: how they lie, and which are classes.

use shadegrad::graph::Graph;
use shadegrad::ops::{self, CrossEntropyOptions, DiceOptions};
use shadegrad::plan::PlanOptions;
use shadegrad::shape::TensorType;

use super::{refused, session};

/// A channel axis of one is padded to four numbers, of which three would be read as labels of other pixels.
#[test]
fn labels_that_are_padded_in_memory_are_refused() {
    let mut g = Graph::new();
    let logits = g.input("logits", TensorType::channels([1, 2, 2, 3]));
    let padded = g.input("padded", TensorType::channels([1, 2, 2, 1]));
    let [flat, vector] = [TensorType::flat(4), TensorType::channels([4])].map(|ty| g.input("dense", ty));
    let told = ["padded", "TensorType::flat(4)"];
    refused(ops::softmax_cross_entropy(&mut g, logits, padded, None, CrossEntropyOptions::default()), &told);
    refused(ops::dice_loss(&mut g, logits, padded, DiceOptions::default()), &told);
    refused(ops::confusion(&mut g, padded, flat, 3), &["the labels", told[1]]);
    refused(ops::confusion(&mut g, flat, padded, 3), &["the predictions", told[1]]);
    for dense in [flat, vector] {
        ops::softmax_cross_entropy(&mut g, logits, dense, None, CrossEntropyOptions::default()).expect("dense labels");
        ops::dice_loss(&mut g, logits, dense, DiceOptions::default()).expect("dense labels");
        ops::confusion(&mut g, dense, flat, 3).expect("dense labels");
    }
}

/// With equal logits a row's probabilities are 1/3 each: row 1 alone has a class. Dice counts the pixels of all rows, but
/// their classes where they have one.
#[test]
fn a_label_between_two_classes_is_none() {
    let mut g = Graph::new();
    let logits = g.input("logits", TensorType::channels([3, 3]));
    let labels = g.input("labels", TensorType::flat(3));
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
