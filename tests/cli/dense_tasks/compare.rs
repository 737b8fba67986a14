//! `compare`: the choice of the images that models are compared on.

use super::scenes::{TINY, write_photos};
use crate::support::Place;

/// With different splits, one run would be scored on images that it was trained on.
#[test]
fn runs_with_different_splits_are_not_compared_on_their_splits() {
    let place = Place::new();
    write_photos(&place, "parts", [6, 2]);
    let photos = "parts/train"; // a folder without parts
    let train = |flags: &str| place.run(&format!("train colorize --data {photos} {TINY} --epochs 1 {flags}")).fine();
    train("--seed 1 --out one");
    train("--seed 2 --val-split 0.5 --out two");
    train("--seed 1 --lr 0.01 --out three");
    let both = ["seed 1, val_split 0.2", "seed 2, val_split 0.5", "val/"];
    for runs in ["one two", "two one"] {
        place.run(&format!("compare {runs} --data {photos} --device cpu")).refused(&both);
        place.run(&format!("compare {runs} --device cpu")).refused(&both);
    }
    assert!(!place.has("runs"), "nothing is written for a comparison that is refused");
    // Both runs hold out one of the six images.
    let said = "1 images of the val part of parts/train";
    place.run("compare one three --device cpu --out same").fine().printed(&[said]);
    assert!(String::from_utf8_lossy(&place.bytes("same/comparison.md")).starts_with(said));
    // A named part is the same for all runs.
    let told = place.run("compare one two --data parts --device cpu --out own").fine();
    told.printed(&["2 images of the val part of parts\n"]);

    place.run(&format!("train colorize --data parts {TINY} --epochs 1 --out four")).fine();
    place.run("compare one four --device cpu").refused(&["parts/train", "trained on parts", "--data"]);
}
