//! Regions, names and joined masks that repeat or contradict each other, or have no meaning.

use std::fs;

use image::Luma;
use serde_json::{Value, json};
use shadegrad::data::SegmentationSplits;
use tempfile::TempDir;

use super::{HEIGHT, NAMES, WIDTH, pairs, save_grey, segmentation, stripes, write};
use crate::sets::{self, lens, yolo};
use crate::{picture, refused, save, temp};

/// A missing `train/images` is not the folder `images` of all parts.
#[test]
fn entries_of_other_folders_leave_the_division_to_the_folders() {
    let names = ["train/0", "train/1", "train/2", "train/3", "val/4", "val/5"];
    let text = "train: ../train/images\nval: ../valid/images\nnames: [cat, dog]\n";
    let dir =
        yolo(names.iter().zip([0, 1, 0, 1, 0, 1]).map(|(name, class)| (name, Some(class))), &[("data.yaml", text)]);
    let splits = segmentation(dir.path()).unwrap();
    assert_eq!((lens(&splits), splits.by_seed), ((4, 2), false));
    let text = text.replace("../train/images", "/content/set/images/train").replace("../valid/images", "images/val");
    write(&dir.path().join("data.yaml"), text);
    assert_eq!(lens(&segmentation(dir.path()).unwrap()), (4, 2));
}

#[test]
fn names_of_one_class_are_one_class() {
    let ids = |names: &str| {
        let dir = yolo((0..5).map(|k| (format!("{k}"), Some(k % 2))), &[("data.yaml", &format!("names: [{names}]\n"))]);
        let splits = segmentation(dir.path()).unwrap();
        let of = |splits: &SegmentationSplits, k: usize| splits.train.mask(k).unwrap().iter().max().copied();
        let mut found: Vec<_> = (0..splits.train.len()).map(|k| of(&splits, k).unwrap()).collect();
        found.sort_unstable();
        found.dedup();
        (splits.train.classes().names.clone(), found)
    };
    assert_eq!(ids("cat, dog"), (["background", "cat", "dog"].map(String::from).to_vec(), vec![1, 2]));
    assert_eq!(ids("cat, cat"), (["background", "cat"].map(String::from).to_vec(), vec![1]));
    assert_eq!(ids("Background, dog"), (["background", "dog"].map(String::from).to_vec(), vec![0, 1]));
}

/// Objects drawn as lines would be background.
#[test]
fn regions_without_area_are_refused() {
    let labelme = |kind: &str, points: Value| {
        let dir = temp();
        for k in 0..4 {
            save(&dir.path().join(format!("{k}.png")), &picture(WIDTH, HEIGHT, k));
            let polygon = json!({"label": "cat", "points": [[5, 5], [25, 5], [25, 15]], "shape_type": "polygon"});
            let other = json!({"label": "crack", "points": points, "shape_type": kind});
            write(&dir.path().join(format!("{k}.json")), json!({"shapes": [polygon, other]}).to_string());
        }
        segmentation(dir.path())
    };
    for kind in ["line", "linestrip", "ellipse"] {
        refused(
            labelme(kind, json!([[1, 1], [9, 9]])),
            &["0.json", &format!("type '{kind}'"), "background", "polygon"],
        );
    }
    refused(labelme("polygon", json!([[1, 1], [9, 9]])), &["fewer than three corners"]);
    let notes = labelme("point", json!([[1, 1]])).unwrap().decisions.notes.join("\n");
    assert!(notes.contains("4 points or lines have no area"), "{notes}");
    let dir = temp();
    for k in 0..4 {
        save(&dir.path().join(format!("set/img/{k}.png")), &picture(WIDTH, HEIGHT, k));
        let object = |kind: &str| json!({"classTitle": "cat", "geometryType": kind, "points": {"exterior": [[5, 5], [9, 5], [9, 9]], "interior": []}});
        let text =
            json!({"size": {"width": WIDTH, "height": HEIGHT}, "objects": [object("polygon"), object("cuboid")]});
        write(&dir.path().join(format!("set/ann/{k}.png.json")), text.to_string());
    }
    refused(segmentation(dir.path()), &["0.png.json", "type 'cuboid'"]);
}

/// A pair of pictures in one task, such as before and after.
#[test]
fn regions_on_a_second_picture_of_a_task_are_refused() {
    let set = |data: fn(u8) -> Value, to: &str| {
        let dir = temp();
        let tasks: Vec<Value> = (0..4u8)
            .map(|k| {
                save(&dir.path().join(format!("{k}.png")), &picture(WIDTH, HEIGHT, k));
                save(&dir.path().join(format!("{k}_after.png")), &picture(WIDTH, HEIGHT, k + 9));
                let value = json!({"points": [[10, 10], [60, 10], [60, 60]], "polygonlabels": ["cat"]});
                let region = json!({"type": "polygonlabels", "to_name": to, "original_width": WIDTH, "original_height": HEIGHT,
                    "value": value});
                json!({"id": k, "data": data(k), "annotations": [{"result": [region]}]})
            })
            .collect();
        write(&dir.path().join("export.json"), json!(tasks).to_string());
        segmentation(dir.path())
    };
    let two = |k: u8| json!({"image": format!("/x/{k}.png"), "image2": format!("/x/{k}_after.png")});
    refused(set(two, "image2"), &["export.json, task 0", "'image2'", "export a task for each picture"]);
    assert_eq!(lens(&set(two, "image").unwrap()), (3, 1));
    assert_eq!(lens(&set(|k| json!({"image": format!("/x/{k}.png")}), "img").unwrap()), (3, 1));
}

/// A size of terapixels takes no memory.
#[test]
fn annotations_of_another_size_are_a_fault_before_anything_is_drawn() {
    for size in [1_000_000_000u64, 80] {
        let names = ["0.png", "1.png", "2.png", "3.png"];
        let dir = sets::coco(&names, |file| {
            for image in file["images"].as_array_mut().unwrap() {
                (image["width"], image["height"]) = (size.into(), size.into());
            }
        });
        let splits = segmentation(dir.path()).unwrap();
        let words = format!("is for a picture of {size}x{size} pixels, but its image");
        refused(splits.train.mask(0).map(|_| ()), &[&words, "is 40x32", "annotate this picture"]);
    }
}

/// Masks of one picture by two annotators are not two objects.
#[test]
fn masks_of_one_image_that_contradict_each_other_are_refused() {
    let set = |second: &[u8]| -> TempDir {
        let dir = temp();
        for k in 0..4 {
            save(&dir.path().join(format!("{k}.jpg")), &picture(WIDTH, HEIGHT, k));
            save_grey(&dir.path().join(format!("{k}_mask.png")), &stripes(&[1, 2, 0, 0]));
            save_grey(&dir.path().join(format!("{k}_mask_1.png")), &stripes(second));
        }
        dir
    };
    refused(segmentation(set(&[0, 1, 2, 2]).path()), &["_mask_1.png gives 320 pixels another class", "keep one"]);
    let dir = set(&[0, 2, 2, 1]);
    assert_eq!(segmentation(dir.path()).unwrap().train.mask(0).unwrap(), stripes(&[0, 1, 1, 0]));
}

#[test]
fn a_number_behind_each_name_is_its_value() {
    let names = |file: &str, text: &str| {
        let dir = temp();
        pairs(dir.path(), NAMES, |_| stripes(&[0, 1, 2]));
        write(&dir.path().join(file), text);
        let splits = segmentation(dir.path()).unwrap();
        let mask = splits.train.mask(0).unwrap();
        let name = |x: u32| splits.train.classes().names[usize::from(mask.get_pixel(x, 0).0[0])].clone();
        [0, 15, 35].map(name)
    };
    for file in ["codes.txt", "class_names.txt", "classes.txt"] {
        for form in ["{} #", "{}=#", "{} (#)", "{}: #", "[#] {}", "#. {}", "#) {}", "#={}"] {
            let line = |name: &str, value: &str| form.replace("{}", name).replace('#', value);
            let text = [line("soil", "0"), line("cat", "2"), line("dog", "1")].join("\n");
            assert_eq!(names(file, &text), ["soil", "dog", "cat"], "{file} {form}");
        }
        // A value, or a part of the name.
        for text in ["soil0\ncat2\ndog1\n", "soil-0\ncat-2\ndog-1\n"] {
            let dir = temp();
            pairs(dir.path(), NAMES, |_| stripes(&[0, 1, 2]));
            write(&dir.path().join(file), text);
            refused(
                segmentation(dir.path()),
                &[file, "count them in another order", "cat", "a value, a blank and a name"],
            );
        }
    }
    let dir = temp();
    pairs(dir.path(), NAMES, |_| stripes(&[0, 1, 2]));
    write(&dir.path().join("codes.txt"), "soil 0 0 0\ncat 128 0 0\ndog 0 128 0\n");
    refused(segmentation(dir.path()), &["codes.txt", "three numbers", "label_colors.txt"]);
    // Names that differ in their numbers alone.
    assert_eq!(names("codes.txt", "grade 1\ngrade 2\ngrade 3\n"), ["grade 1", "grade 2", "grade 3"]);
    let dir = temp();
    for k in 0..4 {
        save(&dir.path().join(format!("train/{k}.jpg")), &picture(WIDTH, HEIGHT, k));
        save_grey(&dir.path().join(format!("train/{k}_mask.png")), &stripes(&[0, 2, 1]));
    }
    write(&dir.path().join("train/_classes.csv"), "Class, Pixel Value\nsoil, 0\ndog, 2\n\"cat, small\", 1\n");
    let splits = segmentation(dir.path()).unwrap();
    assert_eq!(splits.train.classes().names, ["soil", "cat, small", "dog"]);
    assert_eq!(splits.train.mask(0).unwrap(), stripes(&[0, 2, 1]));
}

/// A slip of the pen would be a class.
#[test]
fn a_value_of_a_few_pixels_in_one_file_is_a_fault_or_a_class() {
    for (values, stray) in [(&[0, 1][..], 2), (&[0, 1, 2], 7), (&[1, 2, 3], 0)] {
        let dir = temp();
        pairs(dir.path(), NAMES, |k| {
            let mut mask = stripes(values);
            if k == 3 {
                mask.put_pixel(20, 20, Luma([stray]));
            }
            mask
        });
        let words = format!("value {stray} in 1 pixels of one file alone");
        refused(segmentation(dir.path()), &[&words, "im 3.png", &format!("ignore_index = {stray}")]);
        write(&dir.path().join("classes.toml"), format!("ignore_index = {stray}\n"));
        assert_eq!(segmentation(dir.path()).unwrap().train.classes().len(), values.len());
        fs::remove_file(dir.path().join("classes.toml")).unwrap();
    }
}
