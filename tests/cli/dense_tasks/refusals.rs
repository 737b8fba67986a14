//! Errors are reported before anything is trained or written, with exit code 2.

use image::{Luma, Rgb, RgbImage};

use super::scenes::{TINY, mask, scene, write, write_photos};
use crate::support::{Outcome, Place};

fn train(place: &Place, flags: &str) -> Outcome {
    let outcome = place.run(&format!("train segment --data set {TINY} --epochs 1 --out run {flags}"));
    assert!(!place.has("run"), "nothing is written");
    outcome
}

#[test]
fn masks_that_do_not_fit_are_named() {
    let place = Place::new();
    write(&place, "set", [4, 2]);
    let mut wrong = mask(1, (32, 32));
    (3..8).for_each(|x| wrong.put_pixel(x, 9, Luma([7])));
    wrong.save(place.path("set/train/masks/001.png")).expect("writes a mask");
    mask(2, (30, 32)).save(place.path("set/train/masks/002.png")).expect("writes a mask");
    train(&place, "").refused(&["masks/001.png", "value 7 (5 pixels)", "masks/002.png", "30x32", "32x32"]);

    write(&place, "set", [4, 2]);
    std::fs::remove_file(place.path("set/val/masks/101.png")).expect("removes");
    train(&place, "").refused(&["val/images/101.png", "mask"]);

    write(&place, "set", [4, 2]);
    place.write("set/train/images/003.png", "no picture");
    train(&place, "").refused(&["train/images/003.png", "not an image"]);
}

#[test]
fn settings_out_of_range_are_named() {
    let place = Place::new();
    write(&place, "set", [4, 2]);
    let segment = |flags: &str| {
        let outcome = place.run(&format!("train segment --data set --epochs 1 --device cpu --out run {flags}"));
        assert!(!place.has("run"), "nothing is written");
        outcome
    };
    segment("--image-size 0x10").refused(&["--image-size 0x10", "sides of 5 to 8192 pixels"]);
    segment("--base 0").refused(&["--base 0", "1 to 1024"]);
    segment("--depth 0").refused(&["--depth 0", "1 to 8"]);
    segment("--depth 9").refused(&["--depth 9", "1 to 8"]);
    segment("--batch-size 0").refused(&["--batch-size 0"]);
    for (flag, said) in [("--image-size 12by9", "12by9"), ("--decoder fcn16s", "fcn16s"), ("--loss l1", "l1")] {
        let outcome = segment(flag);
        assert_eq!(outcome.code, Some(2), "{flag}");
        assert!(outcome.stderr.contains(said), "{flag}: {}", outcome.stderr);
    }
    let colorize = |flags: &str| place.run(&format!("train colorize --epochs 1 --device cpu {flags}"));
    colorize("--data set --image-size 10x32").refused(&["--image-size 10x32", "sides of 11 to 8192 pixels"]);
    colorize("--data gone").refused(&["gone", "no such file or folder"]);
    colorize("--data set --base 0").refused(&["--base 0", "1 to 1024"]);
}

#[test]
fn colors_are_not_learned_from_grey() {
    let place = Place::new();
    write_photos(&place, "set", [3, 1]);
    for index in 0..3 {
        let grey = RgbImage::from_fn(32, 32, |x, y| Rgb([scene(index, (32, 32)).get_pixel(x, y).0[1]; 3]));
        grey.save(place.path(&format!("set/train/{index:03}.png"))).expect("writes an image");
    }
    let line = format!("train colorize --data set {TINY} --epochs 1 --out run");
    place.run(&line).refused(&["all 3 training images are grey", "give others"]);
    assert!(!place.has("run"));
}
