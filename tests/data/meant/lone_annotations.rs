//! Annotations whose images are missing, whose ids lead nowhere, or that are boxes in the form of polygons.

use std::fs;

use serde_json::{Value, json};
use shadegrad::data::check::{CheckOptions, check_segmentation};
use shadegrad::data::{DataError, SegmentationSplits};
use tempfile::TempDir;

use super::{segmentation, write};
use crate::refused;
use crate::sets;

const JPEGS: [&str; 4] = ["0.jpg", "1.jpg", "2.jpg", "3.jpg"];

fn noted(splits: &SegmentationSplits, words: &str) -> bool {
    splits.decisions.notes.iter().any(|note| note.contains(words))
}

fn coco(edit: impl FnOnce(&mut Value)) -> Result<SegmentationSplits, DataError> {
    let dir = sets::coco(&JPEGS, edit);
    // The masks are drawn from memory.
    segmentation(dir.path())
}

/// Annotations without the images that they are of: one fault, and not one for each.
#[test]
fn annotations_without_any_image_are_one_fault() {
    let without = |dir: &TempDir, packed: bool| {
        fs::remove_dir_all(dir.path().join("images")).unwrap();
        if packed {
            write(&dir.path().join("images.zip"), "PK\u{3}\u{4}");
        }
        let report = check_segmentation(dir.path(), &CheckOptions::default()).unwrap();
        assert_eq!(report.faults.len(), 1, "{report}");
        report.faults[0].what.clone()
    };
    let what = without(&sets::coco(&JPEGS, |_| {}), true);
    for words in ["COCO JSON without any image", "4 annotations", "0.jpg", "images.zip may hold them: unpack it"] {
        assert!(what.contains(words), "{what}");
    }
    let what = without(
        &sets::yolo((0..4).map(|k: u8| (k.to_string(), Some(k % 2))), &[("data.yaml", "names: [a, b]\n")]),
        false,
    );
    assert!(what.contains("YOLO polygons without any image") && !what.contains("unpack"), "{what}");
    // A file in place of its folder is not damaged.
    let dir = sets::coco(&JPEGS, |_| {});
    refused(
        segmentation(&dir.path().join("annotations.json")),
        &["COCO's JSON of objects", "give the folder that holds it"],
    );
}

/// Boxes written as polygons of four corners are noted; ids that lead nowhere are named.
#[test]
fn rectangles_alone_and_ids_of_nothing_are_named() {
    let words = "regions are rectangles";
    let corners = |file: &mut Value, corners: Value| {
        for one in file["annotations"].as_array_mut().unwrap() {
            one["segmentation"] = json!([corners]);
        }
    };
    assert!(noted(&coco(|file| corners(file, json!([2, 2, 20, 2, 20, 12, 2, 12]))).unwrap(), words));
    assert!(noted(&coco(|file| corners(file, json!([10, 2, 20, 12, 15, 17, 5, 7, 10, 2]))).unwrap(), words));
    assert!(!noted(&coco(|file| corners(file, json!([2, 2, 20, 2, 20, 12, 6, 12]))).unwrap(), words));
    let each = |file: &mut Value, key: &str| {
        for one in file["annotations"].as_array_mut().unwrap() {
            one[key] = json!(100);
        }
    };
    refused(
        coco(|file| each(file, "image_id")),
        &["no annotation belongs to a listed image", "the id 100", "image_id"],
    );
    refused(coco(|file| each(file, "category_id")), &["no annotation has a listed category", "has 100", "categories"]);
}
