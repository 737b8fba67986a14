//! Trained models on other sets than their own: masks of some of the classes, and images of other bit depths.

use image::{GrayImage, ImageBuffer, Luma, RgbImage};

use super::scenes::TINY;
use crate::support::Place;

/// Six images, and masks of stripes of these values.
fn write_masks(place: &Place, set: &str, values: &[u8]) {
    for folder in ["images", "masks"] {
        place.folder(&format!("{set}/{folder}"));
    }
    for k in 0..6u8 {
        let value = |x: u32| values[x as usize * values.len() / 32];
        let image = RgbImage::from_fn(32, 32, |x, y| image::Rgb([value(x), k, (x * y) as u8]));
        image.save(place.path(&format!("{set}/images/{k}.png"))).unwrap();
        let mask = GrayImage::from_fn(32, 32, |x, _| Luma([value(x)]));
        mask.save(place.path(&format!("{set}/masks/{k}.png"))).unwrap();
    }
}

/// The classes of a run give the values of masks their meaning. Masks of a test set may lack classes, because nothing
/// is learned from them.
#[test]
fn masks_are_read_by_the_classes_of_the_run() {
    let place = Place::new();
    write_masks(&place, "own", &[0, 85, 170, 255]);
    place.run(&format!("train segment --data own {TINY} --auto false --epochs 1 --out run")).fine();
    for (set, values) in [("three", &[0, 85, 255][..]), ("two", &[0, 255]), ("dark", &[0]), ("white", &[255])] {
        write_masks(&place, set, values);
        place.run(&format!("eval run --data {set} --device cpu")).fine().printed(&["6 images", "pixel accuracy"]);
    }
    write_masks(&place, "other", &[0, 1]);
    place.run("eval run --data other --device cpu").refused(&["class 1", "value 85"]);
    let outcome = place.run("data check --task segment dark").printed(&["value 0 alone"]);
    assert_eq!(outcome.code, Some(2), "no set to train on");
    // Listed classes.
    let list = "[[classes]]\nname = \"value 0\"\nvalue = 0\n[[classes]]\nname = \"value 85\"\nvalue = 85\n";
    place.write("dark/classes.toml", list);
    place.run("eval run --data dark --device cpu").fine();
    place.run("compare run run/last.safetensors --data dark --device cpu").fine();
}

/// Two classes of 16-bit images, dark and bright, with values below `white`.
fn write_bits(place: &Place, set: &str, white: u16) {
    for (class, from) in [("a", 0), ("b", white / 2)] {
        place.folder(&format!("{set}/{class}"));
        for k in 0..6u16 {
            let value = |x: u32, y: u32| Luma([from + (x * 32 + y) as u16 % (white / 2) + k % 2]);
            let image = ImageBuffer::<Luma<u16>, Vec<u16>>::from_fn(32, 32, value);
            image.save(place.path(&format!("{set}/{class}/{k}.png"))).unwrap();
        }
    }
}

/// A model reads 16-bit images at the bit depth of its training images: at another depth, an image would look white or
/// dark.
#[test]
fn images_of_other_bits_than_those_of_the_run_are_refused_or_noted() {
    let place = Place::new();
    for (set, white) in [("ten", 1000), ("twelve", 4000), ("eight", 250)] {
        write_bits(&place, set, white);
    }
    place
        .run("train classify --data ten --model cnn --image-size 32 --device cpu --epochs 1 --batch-size 4 --out run")
        .fine();
    let parts = ["takes 12 bits", "reads 16-bit images as 10 bits"];
    place.run("eval run --data twelve --device cpu").refused(&parts);
    place.run("compare run run/last.safetensors --data twelve --device cpu").refused(&parts);
    let outcome = place.run("predict run twelve/b --device cpu");
    assert!(outcome.code == Some(2) && parts.iter().all(|part| outcome.stderr.contains(part)), "{}", outcome.stderr);
    let parts = ["take 8 bits", "as 10 bits", "dark"];
    place.run("eval run --data eight --device cpu").fine().printed(&parts);
    place.run("compare run run/last.safetensors --data eight --device cpu").fine().printed(&parts);
    let outcome = place.run("predict run eight/a --device cpu").fine();
    assert!(parts.iter().all(|part| outcome.stderr.contains(part)), "{}", outcome.stderr);
    place.run("predict run ten/b --device cpu").fine();
}

/// A column number refers to the run's table: another table may have its columns in another order.
#[test]
fn a_column_that_a_run_knows_by_number_is_found_by_name() {
    let place = Place::new();
    write_bits(&place, "set", 250);
    let rows = |form: &dyn Fn(&str, &str, &str) -> String| -> String {
        let of =
            |class: &'static str, other: &'static str| (0..4).map(move |k| (format!("{class}/{k}.png"), class, other));
        of("a", "b").chain(of("b", "a")).map(|(path, label, other)| form(&path, label, other)).collect()
    };
    let own = rows(&|path, label, other| format!("{path},{label},{other}\n"));
    place.write("set/own.csv", format!("path,label,other\n{own}"));
    let turned = rows(&|path, label, other| format!("{path},{other},{label}\n"));
    place.write("set/turned.csv", format!("path,other,label\n{turned}"));
    place.write("set/renamed.csv", format!("path,label,kind\n{turned}").replace("label,kind", "x,kind"));
    let line = "train classify --data set/own.csv --label-column 2 --model cnn --image-size 32 --device cpu --epochs 1";
    place.run(&format!("{line} --batch-size 4 --out run")).fine();
    let scores = |data: &str| {
        let outcome = place.run(&format!("eval run --data {data} --device cpu")).fine();
        outcome
            .stdout
            .lines()
            .filter(|line| line.contains("loss") || line.contains("accuracy"))
            .collect::<Vec<_>>()
            .join("\n")
            .replace(data, "")
    };
    let own = scores("set/own.csv");
    assert!(!own.is_empty());
    assert_eq!(own, scores("set/turned.csv"));
    place
        .run("eval run --data set/renamed.csv --device cpu")
        .refused(&["there is no column 'label'", "--label-column"]);
}
