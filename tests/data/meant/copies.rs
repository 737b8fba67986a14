//! Copies of one original: a division by seed keeps them in one part, and a check finds them in two parts.

use std::collections::BTreeMap;
use std::path::Path;

use image::imageops::{flip_horizontal, rotate90};
use image::{Rgb, RgbImage};
use shadegrad::data::check::{CheckOptions, check_classification};
use shadegrad::data::{
    ClassificationDataset, OpenOptions, SetOptions, open_classification, open_images, open_multi_label,
    open_segmentation,
};

use super::{pairs, stripes, write};
use crate::{open, picture, save, slashed, temp};

const ENDINGS: [&str; 3] = ["", "_flip", "_rot90"];

/// The name of an image without the ending of a copy.
fn original(name: &str) -> String {
    let stem = Path::new(name).file_stem().unwrap().to_string_lossy();
    let stem = stem.split(".rf.").next().unwrap();
    ENDINGS[1..].iter().fold(stem.to_owned(), |stem, ending| stem.trim_end_matches(ending).to_owned())
}

/// Requires that each original of two parts is in one of them alone, with all its copies.
fn require_whole(parts: [Vec<String>; 2], copies: usize) {
    let mut counts: BTreeMap<String, [usize; 2]> = BTreeMap::new();
    for (part, names) in parts.iter().enumerate() {
        names.iter().for_each(|name| counts.entry(original(name)).or_default()[part] += 1);
    }
    assert!(parts.iter().all(|names| !names.is_empty()));
    for (name, [train, val]) in counts {
        assert!((train, val) == (copies, 0) || (train, val) == (0, copies), "{name}: {train} and {val}");
    }
}

fn names(set: &dyn ClassificationDataset) -> Vec<String> {
    (0..set.len()).map(|index| set.describe(index)).collect()
}

/// The seed put a picture into training and its mirror image into validation.
#[test]
fn copies_of_one_original_stay_in_one_part() {
    let dir = temp();
    for (c, class) in ["cat", "dog"].into_iter().enumerate() {
        for i in 0..10 {
            for (k, ending) in ENDINGS.into_iter().enumerate() {
                save(
                    &dir.path().join(format!("{class}/{c}{i}{ending}.png")),
                    &picture(9, 7, (c * 99 + i * 3 + k) as u8),
                );
            }
        }
    }
    let words =
        "copies of one original stay in one part: 60 images of 20 originals, by '_flip' and '_rot90' in their names";
    for seed in 0..3 {
        let options = OpenOptions { seed, ..OpenOptions::default() };
        let splits = open_classification(dir.path(), &options).unwrap();
        require_whole([names(&*splits.train), names(&*splits.val)], 3);
        assert_eq!((splits.train.len(), splits.val.len()), (48, 12));
        assert_eq!(splits.decisions.split, format!("20 % held out for validation by seed {seed}; {words}"));
        let images = open_images(dir.path(), &SetOptions { seed, ..SetOptions::default() }).unwrap();
        let named = |set: &dyn shadegrad::data::ImageDataset| (0..set.len()).map(|index| set.name(index)).collect();
        require_whole([named(&*images.train), named(&*images.val)], 3);
        assert!(images.decisions.split.ends_with(words), "{}", images.decisions.split);
    }
    // As runs of before divided.
    let splits =
        open_classification(dir.path(), &OpenOptions { keep_copies: false, ..OpenOptions::default() }).unwrap();
    let of_val: Vec<String> = names(&*splits.val).iter().map(|name| original(name)).collect();
    assert!(names(&*splits.train).iter().any(|name| of_val.contains(&original(name))));
    assert_eq!(splits.decisions.split, "20 % held out for validation by seed 0");
}

#[test]
fn copies_in_tables_and_pairs_stay_in_one_part() {
    let dir = temp();
    let hash = |i: usize, k: usize| format!("{:032x}", i * 31 + k);
    let file = |i: usize, k: usize| format!("p{i}_jpg.rf.{}.jpg", hash(i, k));
    let mut table = "path,labels\n".to_owned();
    for i in 0..12 {
        for k in 0..2 {
            save(&dir.path().join(file(i, k)), &picture(9, 7, (i * 9 + k) as u8));
            table += &format!("{},{}\n", file(i, k), ["a;b", "b", "c;a"][i % 3]);
        }
    }
    write(&dir.path().join("labels.csv"), &table);
    let splits = open_multi_label(dir.path(), &OpenOptions::default()).unwrap();
    let named = |set: &shadegrad::data::MultiLabelSet| (0..set.len()).map(|index| set.name(index)).collect();
    require_whole([named(&splits.train), named(&splits.val)], 2);
    assert!(splits.decisions.split.ends_with("24 images of 12 originals, by '.rf.' in their names"));

    let dir = temp();
    let all: Vec<String> = (0..8).flat_map(|i| ENDINGS.map(|ending| format!("{i}{ending}"))).collect();
    pairs(dir.path(), all.iter().map(String::as_str), |_| stripes(&[0, 1]));
    let splits = open_segmentation(dir.path(), &SetOptions::default()).unwrap();
    let named = |set: &dyn shadegrad::data::SegmentationDataset| (0..set.len()).map(|index| set.name(index)).collect();
    require_whole([named(&*splits.train), named(&*splits.val)], 3);
    assert!(splits.decisions.split.contains("24 images of 8 originals"), "{}", splits.decisions.split);
}

/// A picture with areas of different brightness.
fn scene(seed: u32) -> RgbImage {
    let tone = |x: u32, y: u32| ((x / 3 + y / 3 * 8 + seed * 64 + 1).wrapping_mul(2_654_435_769) >> 24) as u8;
    RgbImage::from_fn(24, 24, |x, y| Rgb([tone(x, y), tone(x, y), 90]))
}

/// Only equal pixels were found.
#[test]
fn a_check_names_near_copies_in_two_parts() {
    let dir = temp();
    for i in 0..4 {
        for (class, seed) in [("cat", i), ("dog", 20 + i)] {
            save(&dir.path().join(format!("train/{class}/{i}.png")), &scene(seed));
            save(&dir.path().join(format!("val/{class}/{i}.png")), &scene(40 + seed));
        }
    }
    let report = || check_classification(dir.path(), &CheckOptions::default()).unwrap();
    let notes = || report().notes.iter().filter(|note| note.contains("look like")).map(slashed).collect::<Vec<_>>();
    assert!(notes().is_empty());
    for (file, image, words) in [
        ("m.png", flip_horizontal(&scene(1)), "1 of 9 val images look like a training image"),
        ("m.png", flip_horizontal(&scene(1)), "train/cat/1.png mirrored or turned"),
        ("m.png", rotate90(&scene(21)), "train/dog/1.png mirrored or turned"),
        ("m.jpg", scene(2), "train/cat/2.png: if they are copies"),
    ] {
        let path = dir.path().join("val/cat").join(file);
        save(&path, &image);
        assert!(notes().len() == 1 && notes()[0].contains(words), "{words}: {:?}", notes());
        std::fs::remove_file(path).unwrap();
    }
    assert!(open(dir.path()).is_ok());
}
