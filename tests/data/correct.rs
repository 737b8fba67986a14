//! A check's JSON has the same keys whatever was found. A corrected copy holds what training is given, without faults,
//! and is never made in place.

use std::collections::BTreeMap;
use std::fs;
use std::path::Path;

use image::{DynamicImage, GrayImage, ImageBuffer, Luma, Rgba, RgbaImage};
use serde_json::Value;
use shadegrad::data::check::{CheckOptions, check_classification, check_images, check_multi_label, check_segmentation};
use shadegrad::data::correct::{correct_classification, correct_images, correct_multi_label, correct_segmentation};
use shadegrad::data::{
    ClassificationDataset, DataError, Hints, OpenOptions, SegmentationDataset, SetOptions, open_classification,
    open_multi_label, open_segmentation,
};

use crate::{class_folders, picture, refused, save, temp};

fn keys(value: &Value) -> Vec<&str> {
    value.as_object().unwrap().keys().map(String::as_str).collect()
}

#[test]
fn the_json_of_a_check_has_fixed_keys() {
    let (good, bad) = (temp(), temp());
    class_folders(good.path(), &["a", "b"], 5);
    fs::write(bad.path().join("t.csv"), "x,y,z\na.png,1,2\n").unwrap();
    for (root, is_good) in [(good.path(), true), (bad.path(), false)] {
        let json = check_classification(root, &CheckOptions::default()).unwrap().json();
        // serde_json sorts the keys of an object.
        assert_eq!(
            keys(&json),
            [
                "classes",
                "columns",
                "faults",
                "format",
                "ignored",
                "is_good",
                "left_out",
                "lists",
                "notes",
                "orientation",
                "parts",
                "path",
                "recognized_by",
                "split",
                "task",
                "unit"
            ]
        );
        assert_eq!(json["is_good"], is_good);
        assert_eq!(keys(&json["parts"][0]), ["good", "grey", "images", "largest_size", "name", "smallest_size"]);
    }
    let json = check_classification(good.path(), &CheckOptions::default()).unwrap().json();
    assert_eq!(json["classes"][1]["name"], "b");
    assert_eq!(json["classes"][1]["counts"], serde_json::json!({ "train": 4, "val": 1 }));
    assert_eq!(json["parts"][0]["largest_size"], serde_json::json!([9, 7]));
    let json = check_classification(bad.path(), &CheckOptions::default()).unwrap().json();
    assert_eq!(json["faults"][0]["hint"], serde_json::json!({ "path_column": null, "label_column": null }));
    assert_eq!(json["faults"][0]["file"], Value::Null);
    let docs = include_str!("../../docs/data.md");
    keys(&json).into_iter().for_each(|key| assert!(docs.contains(&format!("`{key}`")), "docs/data.md lacks `{key}`"));
}

/// Pixels and class of each image by part, in any order.
fn content(root: &Path) -> BTreeMap<String, Vec<(Vec<u8>, String)>> {
    let splits = open_classification(root, &OpenOptions::default()).unwrap();
    let of = |set: &dyn ClassificationDataset| {
        let one = |i: usize| (set.image(i).unwrap().into_raw(), set.class_names()[set.label(i) as usize].clone());
        let mut all: Vec<_> = (0..set.len()).map(one).collect();
        all.sort();
        all
    };
    [("train".to_string(), of(&*splits.train)), ("val".to_string(), of(&*splits.val))].into()
}

/// Class names that would break folders and lists, images of kinds that are converted, and faults that are left out.
#[test]
fn a_classification_set_is_corrected() {
    let (dir, out) = (temp(), temp());
    // No name on Windows holds double quotes.
    let odd = if cfg!(windows) { "=cmd, 'x'" } else { "=cmd, \"x\"" };
    let counts = [("train", odd, 4), ("train", "train", 4), ("val", "train", 2), ("val", odd, 2)];
    for (class, count) in counts.map(|(part, class, count)| (format!("{part}/{class}"), count)) {
        for i in 0..count {
            let tone = (class.len() * 10 + i) as u8;
            save(&dir.path().join(format!("{class}/{i}.png")), &picture(9, 7, tone));
        }
    }
    RgbaImage::from_fn(9, 7, |x, _| Rgba([9, 200, 30, (x * 30) as u8]))
        .save(dir.path().join("train/train/alpha.png"))
        .unwrap();
    picture(16, 16, 3).save(dir.path().join("train/train/photo.jpg")).unwrap();
    let expected = content(dir.path());
    fs::write(dir.path().join("train/train/broken.png"), "no image").unwrap();
    // The same picture in training and validation.
    fs::copy(dir.path().join("train/train/0.png"), dir.path().join("val/train/copy.jpg")).unwrap();
    let options = CheckOptions::default();
    let to = out.path().join("new/copy");
    let corrected = correct_classification(dir.path(), &options, &to).unwrap();
    assert_eq!(corrected.parts, [("train", 10), ("val", 4)]);
    let left_out: Vec<String> = corrected.left_out.iter().map(ToString::to_string).collect();
    assert_eq!(left_out.len(), 2, "{left_out:?}");
    assert!(left_out[0].contains("broken.png") && left_out[1].contains("copy.jpg"), "{left_out:?}");
    assert!(left_out[1].contains("same picture as") && left_out[1].contains("of the train part"));
    assert!(check_classification(&to, &options).unwrap().is_good());
    assert_eq!(content(&to), expected);
    assert!(
        to.join("images").read_dir().unwrap().any(|e| e.unwrap().path().extension().unwrap() == "jpg"),
        "kept as it is"
    );
    // Never in place, never over something else, nothing half made.
    refused(correct_classification(dir.path(), &options, &to), &["exists already and is not empty"]);
    let inside = dir.path().join("copy");
    assert!(matches!(correct_classification(dir.path(), &options, &inside), Err(DataError::InsideData { .. })));
    assert!(!inside.exists());
    let empty = temp();
    fs::write(empty.path().join("t.csv"), "path,label\nx.png,a\ny.png,b\n").unwrap();
    let never = out.path().join("never");
    assert!(correct_classification(empty.path(), &options, &never).is_err());
    assert!(!never.exists() && out.path().read_dir().unwrap().count() == 1, "nothing is left behind");
}

fn halves(low: u8, high: u8) -> GrayImage {
    GrayImage::from_fn(16, 8, |x, _| Luma([if x < 8 { low } else { high }]))
}

/// Colors, thresholds, joined masks, EXIF: the copy has class numbers and needs no hint.
#[test]
fn a_segmentation_set_is_corrected() {
    let (dir, out) = (temp(), temp());
    fs::create_dir_all(dir.path().join("masks")).unwrap();
    for k in 0..6 {
        save(&dir.path().join(format!("images/{k}.png")), &picture(16, 8, k));
        halves(0, if k % 2 == 0 { 1 } else { 255 }).save(dir.path().join(format!("masks/{k}.png"))).unwrap();
    }
    fs::write(dir.path().join("train.txt"), "0\n1\n2\n3\n").unwrap();
    fs::write(dir.path().join("val.txt"), "4\n5\n").unwrap();
    let hints = Hints { mask_threshold: Some(1), ..Hints::default() };
    let options = CheckOptions { hints: hints.clone(), ..CheckOptions::default() };
    let before = open_segmentation(dir.path(), &SetOptions { hints, ..SetOptions::default() }).unwrap();
    fs::write(dir.path().join("masks/3.png"), "damaged").unwrap();
    let to = out.path().join("copy");
    assert!(
        correct_segmentation(dir.path(), &CheckOptions::default(), &to).is_err(),
        "two habits are refused without a hint"
    );
    let corrected = correct_segmentation(dir.path(), &options, &to).unwrap();
    assert_eq!(corrected.parts, [("train", 3), ("val", 2)]);
    assert!(corrected.left_out[0].image.contains("3.png"), "{:?}", corrected.left_out);
    let report = check_segmentation(&to, &CheckOptions::default()).unwrap();
    assert!(report.is_good(), "{report}");
    let after = open_segmentation(&to, &SetOptions::default()).unwrap();
    assert_eq!(after.train.classes().names, before.train.classes().names);
    assert_eq!(after.train.classes().palette, before.train.classes().palette);
    let same = |a: &dyn SegmentationDataset, b: &dyn SegmentationDataset, count: usize| {
        (0..count).for_each(|i| {
            assert_eq!((a.image(i).unwrap(), a.mask(i).unwrap()), (b.image(i).unwrap(), b.mask(i).unwrap()));
        });
    };
    same(&*before.train, &*after.train, 3);
    same(&*before.val, &*after.val, 2);
    let stored = image::open(fs::read_dir(to.join("masks")).unwrap().next().unwrap().unwrap().path()).unwrap();
    assert!(matches!(&stored, DynamicImage::ImageLuma8(mask) if mask.iter().all(|&id| id < 2)));
}

/// A class without training pixels is left out, and its pixels are ignored.
#[test]
fn a_class_that_nothing_teaches_is_left_out() {
    let (dir, out) = (temp(), temp());
    fs::create_dir_all(dir.path().join("masks")).unwrap();
    for k in 0..5u8 {
        save(&dir.path().join(format!("images/{k}.png")), &picture(16, 8, k));
        halves(0, if k < 4 { 2 } else { 1 }).save(dir.path().join(format!("masks/{k}.png"))).unwrap();
    }
    fs::write(dir.path().join("codes.txt"), "sky\nsea\nland\n").unwrap();
    fs::write(dir.path().join("train.txt"), "0\n1\n2\n").unwrap();
    fs::write(dir.path().join("val.txt"), "3\n4\n").unwrap();
    let report = check_segmentation(dir.path(), &CheckOptions::default()).unwrap();
    assert!(report.notes.iter().any(|note| note.contains("sea")), "{:?} {:?}", report.notes, report.faults);
    let to = out.path().join("copy");
    let corrected = correct_segmentation(dir.path(), &CheckOptions::default(), &to).unwrap();
    assert_eq!(corrected.lost_classes, ["sea"]);
    assert!(check_segmentation(&to, &CheckOptions::default()).unwrap().is_good());
    let val = open_segmentation(&to, &SetOptions::default()).unwrap().val;
    assert_eq!(val.classes().names, ["sky", "land"]);
    assert_eq!(val.mask(1).unwrap().as_raw()[..16], [[0; 8], [255; 8]].concat()[..]);
}

#[test]
fn sets_of_images_and_of_several_labels_are_corrected() {
    let (dir, out) = (temp(), temp());
    for k in 0..6u8 {
        save(&dir.path().join(format!("{k}.png")), &picture(16, 8, k * 20));
    }
    fs::write(dir.path().join("broken.png"), "").unwrap();
    let (images, labels) = (out.path().join("images"), out.path().join("labels"));
    let options = CheckOptions::default();
    assert_eq!(correct_images(dir.path(), &options, &images).unwrap().parts, [("train", 5), ("val", 1)]);
    assert!(check_images(&images, &options).unwrap().is_good());
    let table = "path,split,labels\n0.png,train,\"a;b\"\n1.png,train,b\n2.png,train,\n3.png,train,a\n4.png,val,a;b\n5.png,val,\n";
    fs::write(dir.path().join("t.csv"), table).unwrap();
    let before = open_multi_label(&dir.path().join("t.csv"), &OpenOptions::default()).unwrap();
    assert_eq!(
        correct_multi_label(&dir.path().join("t.csv"), &options, &labels).unwrap().parts,
        [("train", 4), ("val", 2)]
    );
    assert!(check_multi_label(&labels, &options).unwrap().is_good());
    let after = open_multi_label(&labels, &OpenOptions::default()).unwrap();
    assert_eq!(after.train.class_names(), before.train.class_names());
    (0..4).for_each(|i| assert_eq!(after.train.labels(i), before.train.labels(i)));
    (0..2).for_each(|i| assert_eq!(after.val.labels(i), before.val.labels(i)));
}

/// Samples of 12 bits in files of 16 are scaled by the 12 bits of their set, whatever its task.
#[test]
fn copies_of_pictures_with_12_bits_are_not_dark() {
    let (dir, out) = (temp(), temp());
    for k in 0..6u32 {
        let picture = ImageBuffer::from_fn(16, 8, |x, y| Luma([((x * 270 + y + 7 * k) as u16).min(4095)]));
        picture.save(dir.path().join(format!("{k}.png"))).unwrap();
    }
    let table =
        "path,split,labels\n0.png,train,a;b\n1.png,train,b\n2.png,train,a\n3.png,train,a\n4.png,val,a;b\n5.png,val,b\n";
    fs::write(dir.path().join("t.csv"), table).unwrap();
    let (images, labels) = (out.path().join("images"), out.path().join("labels"));
    correct_images(dir.path(), &CheckOptions::default(), &images).unwrap();
    correct_multi_label(&dir.path().join("t.csv"), &CheckOptions::default(), &labels).unwrap();
    for copy in [images, labels] {
        for file in copy.join("images").read_dir().unwrap() {
            let path = file.unwrap().path();
            let brightest = image::open(&path).unwrap().into_rgb8().into_raw().into_iter().max();
            assert!(brightest > Some(250), "{}: {brightest:?} of 255", path.display());
        }
    }
}
