//! Files of annotation tools are read as the masks that were drawn.

use std::fs;

use image::{GrayImage, Luma, Rgb, RgbImage};
use serde_json::json;
use shadegrad::data::SegmentationDataset;

use crate::sets::{self, HEIGHT, POLYGON, WIDTH, lens, polygon, save_grey, segmentation, stripes, write};
use crate::{picture, refused, save, temp};

/// Requires the rectangle of columns 5 to 24 and rows 5 to 14 as `id`.
#[track_caller]
fn rectangle(set: &dyn SegmentationDataset, index: usize, id: u8) {
    let expected =
        GrayImage::from_fn(WIDTH, HEIGHT, |x, y| Luma([id * u8::from((5..25).contains(&x) && (5..15).contains(&y))]));
    assert_eq!(set.mask(index).unwrap(), expected, "{}", set.mask_name(index));
}

#[test]
fn vocs_layout_as_cvat_and_labelme_write_it() {
    // CVAT: colors, a list of classes, and `default.txt` for a set without parts.
    let colors = [[0, 0, 0], [250, 50, 83], [9, 9, 200]];
    for lists in [&["default"][..], &["train", "val"], &[]] {
        let dir = temp();
        let at = |name: String| dir.path().join(name);
        for number in 0..4 {
            save(&at(format!("JPEGImages/f{number}.jpg")), &picture(WIDTH, HEIGHT, number));
            let mask = RgbImage::from_fn(WIDTH, HEIGHT, |x, _| Rgb(colors[(x * 3 / WIDTH) as usize]));
            save(&at(format!("SegmentationClass/f{number}.png")), &mask);
        }
        write(
            &at("labelmap.txt".into()),
            "# label:color_rgb:parts:actions\nbackground:0,0,0::\ncat:250,50,83::\ncar:9,9,200::\n",
        );
        for list in lists {
            let names = match *list {
                "default" => "f0\nf1\nf2\nf3\n",
                "train" => "f0\nf1\nf2\n",
                _ => "f3\n",
            };
            write(&at(format!("ImageSets/Segmentation/{list}.txt")), names);
        }
        let splits = segmentation(dir.path()).unwrap();
        assert_eq!((splits.format, lens(&splits)), ("CVAT segmentation masks", (3, 1)));
        assert_eq!(splits.train.classes().names, ["background", "cat", "car"]);
        assert_eq!(splits.train.mask(0).unwrap(), stripes(&[0, 1, 2]));
    }
    // labelme2voc: arrays in SegmentationClass, masks in SegmentationClassPNG.
    let dir = temp();
    let at = |name: String| dir.path().join(name);
    for number in 0..4 {
        save(&at(format!("JPEGImages/f{number}.jpg")), &picture(WIDTH, HEIGHT, number));
        save_grey(&at(format!("SegmentationClassPNG/f{number}.png")), &stripes(&[0, 2, 255]));
        write(&at(format!("SegmentationClass/f{number}.npy")), b"\x93NUMPY");
    }
    write(&at("class_names.txt".into()), "__ignore__\n_background_\ncat\ndog\n");
    let splits = segmentation(dir.path()).unwrap();
    assert_eq!((splits.format, lens(&splits)), ("labelme2voc", (3, 1)));
    assert_eq!(splits.train.classes().names, ["_background_", "cat", "dog"]);
    assert_eq!(splits.train.mask(0).unwrap(), stripes(&[0, 2, 255]));
}

#[test]
fn roboflow_pets_and_several_masks_per_image_open() {
    let dir = temp();
    for (part, first) in [("train", 0), ("valid", 5)] {
        for number in first..first + 2 {
            let stem = dir.path().join(format!("{part}/im_{number}_jpg.rf.ab"));
            save(&stem.with_extension("ab.jpg"), &picture(WIDTH, HEIGHT, number));
            save_grey(&stem.with_extension("ab_mask.png"), &stripes(&[0, 7, 2]));
        }
        write(&dir.path().join(format!("{part}/_classes.csv")), "Pixel Value, Class\n0, background\n2, dog\n7, cat\n");
    }
    let splits = segmentation(dir.path()).unwrap();
    assert_eq!((splits.format, lens(&splits)), ("Roboflow masks", (2, 2)));
    assert_eq!(splits.train.classes().names, ["background", "dog", "cat"]);
    assert_eq!(splits.train.mask(0).unwrap(), stripes(&[0, 2, 1]));

    let dir = temp();
    for name in ["Abyssinian_1", "Abyssinian_2", "beagle_1"] {
        save(&dir.path().join(format!("images/{name}.jpg")), &picture(WIDTH, HEIGHT, 3));
        save_grey(&dir.path().join(format!("annotations/trimaps/{name}.png")), &stripes(&[1, 2, 3]));
    }
    write(&dir.path().join("annotations/trainval.txt"), "Abyssinian_1 1 1 1\nbeagle_1 5 2 1\n");
    write(&dir.path().join("annotations/test.txt"), "Abyssinian_2 1 1 1\n");
    let splits = segmentation(dir.path()).unwrap();
    assert_eq!((splits.format, lens(&splits)), ("Oxford-IIIT Pet", (2, 1)));
    assert_eq!(splits.train.classes().names, ["pet", "background", "border"]);
    assert_eq!(splits.train.mask(0).unwrap(), stripes(&[0, 1, 2]));

    let dir = temp();
    for number in 1..5 {
        let at = |end: &str| dir.path().join(format!("benign/benign ({number}){end}.png"));
        save(&at(""), &picture(WIDTH, HEIGHT, number));
        save_grey(&at("_mask"), &stripes(&[0, 0, 255]));
        if number == 2 {
            save_grey(&at("_mask_1"), &stripes(&[255, 0, 0]));
        }
    }
    let splits = segmentation(dir.path()).unwrap();
    assert_eq!(lens(&splits), (3, 1));
    let sets = [&splits.train, &splits.val];
    let find = |name: &str| {
        let mut all = sets.iter().flat_map(|set| (0..set.len()).map(move |i| (set.name(i), set.mask(i).unwrap())));
        all.find(|(image, _)| image.contains(name)).unwrap().1
    };
    assert_eq!((find("(1)"), find("(2)")), (stripes(&[0, 0, 1]), stripes(&[1, 0, 1])));
    assert!(splits.decisions.notes.iter().any(|note| note.contains("1 images have several masks")));
}

#[test]
fn cocos_shapes_become_masks() {
    let names = ["0.jpg", "1.jpg", "2.jpg"];
    let dir = sets::coco(&names, |_| ());
    let at = |name: &str| dir.path().join(name);
    // The same rectangle as run lengths, plain and packed by pycocotools.
    let mut runs = vec![165, 10];
    (0..19).for_each(|_| runs.extend([22, 10]));
    runs.push(WIDTH * HEIGHT - runs.iter().sum::<u32>());
    let packed = "U5:f00000000000000000000000000000000000000k>";
    let size = [HEIGHT, WIDTH];
    let annotations = json!([
        {"id": 1, "image_id": 0, "category_id": 3, "iscrowd": 0, "segmentation": polygon(), "bbox": [5, 5, 20, 10]},
        {"id": 2, "image_id": 1, "category_id": 7, "iscrowd": 1, "segmentation": {"size": size, "counts": runs}},
        {"id": 3, "image_id": 2, "category_id": 3, "iscrowd": 0, "segmentation": {"size": size, "counts": packed}},
    ]);
    let file = |annotations: &serde_json::Value| {
        let mut file = sets::coco_file(&names);
        file["annotations"] = annotations.clone();
        file["categories"].as_array_mut().unwrap().insert(0, json!({"id": 0, "name": "animals"}));
        file
    };
    let set = |annotations: &serde_json::Value| write(&at("annotations.json"), file(annotations).to_string());
    set(&annotations);
    let splits = segmentation(dir.path()).unwrap();
    assert_eq!((splits.format, splits.train.classes().names.join(" ").as_str()), ("COCO JSON", "background cat dog"));
    for set in [&splits.train, &splits.val] {
        for index in 0..set.len() {
            rectangle(&**set, index, if set.name(index).ends_with("1.jpg") { 2 } else { 1 });
        }
    }
    // Boxes are no masks.
    let boxes = json!([{"id": 1, "image_id": 0, "category_id": 3, "bbox": [5, 5, 20, 10]}]);
    set(&boxes);
    refused(segmentation(dir.path()).map(|_| ()), &["annotations.json", "annotations are boxes", "polygons"]);
    let mut short = annotations.clone();
    short[1]["segmentation"]["size"] = json!([9, 9]);
    set(&short);
    refused(segmentation(dir.path()).map(|_| ()), &["image 1 (1.jpg)", "run lengths of 9x9 on an image of 40x32"]);
    // Parts from the names of files.
    fs::remove_file(at("annotations.json")).unwrap();
    for (part, ids) in [("train2017", 0..2), ("val2017", 2..3)] {
        let own = |list: &serde_json::Value, key: &str| -> Vec<serde_json::Value> {
            let in_part = |one: &&serde_json::Value| ids.contains(&one[key].as_i64().unwrap());
            list.as_array().unwrap().iter().filter(in_part).cloned().collect()
        };
        let mut all = file(&annotations);
        (all["images"], all["annotations"]) = (own(&all["images"], "id").into(), own(&annotations, "image_id").into());
        write(&at(&format!("annotations/instances_{part}.json")), all.to_string());
    }
    let splits = segmentation(dir.path()).unwrap();
    assert_eq!((lens(&splits), splits.by_seed), ((2, 1), false));
    rectangle(&*splits.val, 0, 1);
}

#[test]
fn shapes_of_yolo_and_labelme_become_masks() {
    let images = [("train/0", Some(0)), ("train/1", Some(1)), ("val/2", Some(0)), ("train/empty", None)];
    let data = "train: images/train\nval: images/val\nnames:\n  0: cat\n  1: dog\n";
    let dir = sets::yolo(images, &[("data.yaml", data)]);
    let at = |name: &str| dir.path().join(name);
    let splits = segmentation(dir.path()).unwrap();
    assert_eq!((splits.format, lens(&splits)), ("YOLO polygons", (3, 1)));
    assert_eq!(splits.train.classes().names, ["background", "cat", "dog"]);
    rectangle(&*splits.train, 0, 1);
    rectangle(&*splits.train, 1, 2);
    rectangle(&*splits.train, 2, 0);
    write(&at("labels/train/0.txt"), "0 0.5 0.5 0.2 0.2\n");
    refused(segmentation(dir.path()).map(|_| ()), &["0.txt", "boxes among polygons"]);
    write(&at("labels/train/0.txt"), format!("5 {POLYGON}\n"));
    refused(segmentation(dir.path()).map(|_| ()), &["data.yaml", "names 2 classes", "class 5"]);
    write(&at("labels/train/0.txt"), format!("0 {POLYGON}\n1 0.1 0.2 x 0.4 0.3 0.3\n"));
    refused(segmentation(dir.path()).map(|_| ()), &["0.txt, line 2"]);

    let dir = temp();
    for number in 0..4 {
        let at = dir.path().join(format!("{number}.jpg"));
        save(&at, &picture(WIDTH, HEIGHT, number));
        // A cat covers a part of a dog: later shapes are on top.
        let dog = json!({"label": "dog", "points": [[0, 0], [40, 0], [40, 32], [0, 32]], "shape_type": "polygon"});
        let cat = json!({"label": "cat", "points": [[5, 5], [25, 5], [25, 15], [5, 15]]});
        let dot = json!({"label": "cat", "points": [[1, 1]], "shape_type": "point"});
        let shapes = if number == 0 { vec![dog, cat, dot] } else { vec![cat] };
        let all = json!({"version": "5.5.0", "shapes": shapes, "imagePath": format!("..\\pics\\{number}.jpg"),
                                     "imageHeight": HEIGHT, "imageWidth": WIDTH});
        write(&at.with_extension("json"), format!("\u{feff}{all}"));
    }
    let splits = segmentation(dir.path()).unwrap();
    assert_eq!((splits.format, lens(&splits)), ("LabelMe JSON", (3, 1)));
    assert_eq!(splits.train.classes().names, ["background", "cat", "dog"]);
    let sets = [&splits.train, &splits.val];
    for set in sets {
        for index in 0..set.len() {
            if set.name(index).ends_with("0.jpg") {
                let mask = set.mask(index).unwrap();
                assert_eq!(mask.pixels().filter(|p| p[0] == 1).count(), 200);
                assert_eq!(mask.pixels().filter(|p| p[0] == 2).count() as u32, WIDTH * HEIGHT - 200);
            } else {
                rectangle(&**set, index, 1);
            }
        }
    }
    assert!(splits.decisions.notes.iter().any(|note| note.contains("1 points or lines")));
}

#[test]
fn cityscapes_opens_beside_other_files() {
    let dir = temp();
    for (part, city) in [("train", "aachen"), ("val", "ulm")] {
        let name = format!("{part}/{city}/{city}_000000_000019");
        save(&dir.path().join(format!("leftImg8bit/{name}_leftImg8bit.jpg")), &picture(WIDTH, HEIGHT, 0));
        save_grey(&dir.path().join(format!("gtFine/{name}_gtFine_labelTrainIds.png")), &stripes(&[0, 18, 255]));
    }
    let splits = segmentation(dir.path()).unwrap();
    assert_eq!((splits.format, lens(&splits)), ("Cityscapes", (1, 1)));
    assert_eq!(splits.val.mask(0).unwrap(), stripes(&[0, 18, 255]));
}
