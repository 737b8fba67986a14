//! Labels: how they lie, and which are classes.

use shadegrad::graph::Graph;
use shadegrad::ops::{self, CrossEntropyOptions, DiceOptions};
use shadegrad::shape::TensorType;

use crate::refused;

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
