//! `compare`: the choice of the images that models are compared on.

use super::scenes::{TINY, VOID, write, write_photos};
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
    // The validation part of named data is the same for all runs.
    let outcome = place.run("compare one two --data parts --device cpu --out own").fine();
    outcome.printed(&["2 images of the val part of parts\n"]);

    place.run(&format!("train colorize --data parts {TINY} --epochs 1 --out four")).fine();
    place.run("compare one four --device cpu").refused(&["parts/train", "trained on parts", "--data"]);
}

/// Each network takes the images at its own size; all are scored at the largest.
#[test]
fn networks_of_other_image_sizes_are_scored_at_one_size() {
    let place = Place::new();
    write(&place, "set", [4, 2]);
    let train = |size: &str| {
        let flags = TINY.replace("32x32", size);
        place.run(&format!("train segment --data set {flags} --epochs 1 --lr 0.01 --out s{size}")).fine();
    };
    train("32x32");
    train("16x16");
    train("16x24");
    let outcome = place.run("compare s16x16 s32x32 s16x24 --data set --device cpu --out side").fine();
    outcome.printed(&[
        "each network at its own image size (s16x16 at 16x16, s32x32 at 32x32, s16x24 at 16x24), scored at 32x32",
    ]);
    let table = String::from_utf8(place.bytes("side/comparison.csv")).expect("text");
    let cell = |run: &str, column: usize| {
        let row = table.lines().find(|line| line.starts_with(&format!("{run},"))).expect("a row");
        row.split(',').nth(column).expect("a cell").to_owned()
    };
    // `eval` scores a network at its own size.
    let own = place.run("eval s32x32 --data set --device cpu").fine();
    let scored = own.stdout.split("mean IoU ").nth(1).and_then(|rest| rest.split(',').next()).expect("a score");
    let scored: f64 = scored.parse().expect("a number");
    assert_eq!(format!("{scored:.3}"), cell("s32x32", 1), "{table}\n{}", own.stdout);
    // The masks of `predict` come from logits at the size of the images, here 32x32, as the scores at the masks' own size do.
    place.run("predict s16x16 set/val/images --device cpu --out masks").fine();
    let [mut right, mut counted] = [0, 0];
    for index in 100..102 {
        let predicted = image::open(place.path(&format!("masks/{index:03}-mask.png"))).expect("a mask").into_rgb8();
        let truth = image::open(place.path(&format!("set/val/masks/{index:03}.png"))).expect("a mask").into_luma8();
        let palette = palette(&place.path(&format!("masks/{index:03}-mask.png")));
        for (predicted, truth) in predicted.pixels().zip(truth.pixels()).filter(|(_, truth)| truth.0[0] != VOID) {
            counted += 1;
            right += usize::from(palette[usize::from(truth.0[0])] == predicted.0);
        }
    }
    let accuracy = format!("{:.1} %", 100.0 * right as f64 / counted as f64);
    assert_eq!(cell("s16x16", 6), accuracy, "{table}");

    write_photos(&place, "photos", [4, 2]);
    for size in ["32x32", "16x16", "16x32"] {
        let flags = TINY.replace("32x32", size);
        place.run(&format!("train colorize --data photos {flags} --epochs 1 --out c{size}")).fine();
    }
    place.run("compare c16x16 c32x32 --data photos --device cpu --out colors").fine().printed(&["scored at 32x32"]);
    place
        .run("compare c16x32 c32x32 --data photos --device cpu")
        .refused(&["[16, 32] and [32, 32] differ in proportions"]);
}

/// Red, green and blue of each class of a mask that `predict` wrote.
fn palette(mask: &std::path::Path) -> Vec<[u8; 3]> {
    let bytes = std::fs::read(mask).expect("reads");
    let at = bytes.windows(4).position(|name| name == b"PLTE").expect("a palette") + 4;
    let length = u32::from_be_bytes(bytes[at - 8..at - 4].try_into().expect("4 bytes")) as usize;
    bytes[at..at + length].as_chunks::<3>().0.to_vec()
}
