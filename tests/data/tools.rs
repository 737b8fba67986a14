//! Exports of Supervisely and Label Studio, and annotation files with boxes.

use image::{GrayImage, Luma};
use serde_json::json;
use shadegrad::data::SegmentationDataset;

use crate::sets::{HEIGHT, WIDTH, segmentation, write};
use crate::{picture, refused, save, temp};

/// Requires the rectangle of columns 5 to 24 and rows 5 to 14 as `id`, optionally with a hole at columns 10 to 14 and
/// rows 7 to 9.
#[track_caller]
fn rectangle(set: &dyn SegmentationDataset, index: usize, id: u8, has_hole: bool) {
    let is_in = |x: u32, y: u32| (5..25).contains(&x) && (5..15).contains(&y);
    let is_hole = |x: u32, y: u32| has_hole && (10..15).contains(&x) && (7..10).contains(&y);
    let expected = GrayImage::from_fn(WIDTH, HEIGHT, |x, y| Luma([if is_in(x, y) && !is_hole(x, y) { id } else { 0 }]));
    assert_eq!(set.mask(index).unwrap(), expected, "{}", set.mask_name(index));
}

#[test]
fn supervisely_objects_become_masks() {
    // zlib.compress of Pillow's PNG of a 1-bit image of 20x10 white pixels, in base64.
    let bitmap =
        "eJzrDPBz5+WS4mJgYOD19HAJAtIiQMzFCCQY5ug5ewMpIU8Xx5CKOcl/zn+Y2NnY2CjAxuCdxsSiwC+wFaTK09XPZZ1TQhMAIh8RCw==";
    let polygon = json!({
        "classTitle": "cat",
        "geometryType": "polygon",
        "points": {
            "exterior": [[5, 5], [25, 5], [25, 15], [5, 15]],
            "interior": [[[10, 7], [15, 7], [15, 10], [10, 10]]],
        },
    });
    let stamp = json!({
        "classTitle": "dog", "geometryType": "bitmap", "bitmap": {"data": bitmap, "origin": [5, 5]},
    });
    let boxed = json!({
        "classTitle": "cat", "geometryType": "rectangle", "points": {"exterior": [[1, 1], [3, 3]], "interior": []},
    });
    let project = |objects: &dyn Fn(usize) -> Vec<serde_json::Value>| {
        let dir = temp();
        for (number, part) in ["train", "train", "val"].into_iter().enumerate() {
            let root = dir.path().join(part);
            save(&root.join(format!("img/{number}.jpg")), &picture(WIDTH, HEIGHT, number as u8));
            let ann = json!({"size": {"height": HEIGHT, "width": WIDTH}, "objects": objects(number)});
            write(&root.join(format!("ann/{number}.jpg.json")), ann.to_string());
        }
        let classes = ["dog", "cat", "unused"].map(|title| json!({"title": title, "shape": "any"}));
        write(&dir.path().join("meta.json"), json!({"classes": classes}).to_string());
        dir
    };
    let dir = project(&|number| if number == 1 { vec![stamp.clone()] } else { vec![polygon.clone()] });
    let splits = segmentation(dir.path()).unwrap();
    assert_eq!((splits.format, splits.train.len(), splits.val.len()), ("Supervisely project", 2, 1));
    assert_eq!(splits.train.classes().names, ["background", "dog", "cat"]);
    rectangle(&*splits.train, 0, 2, true);
    rectangle(&*splits.train, 1, 1, false);
    rectangle(&*splits.val, 0, 2, true);

    // An object with a box alone would be background.
    let dir = project(&|number| if number == 1 { vec![stamp.clone(), boxed.clone()] } else { vec![polygon.clone()] });
    refused(segmentation(dir.path()), &["1 of its 4 objects are boxes", "would be background"]);
    let dir = project(&|_| vec![boxed.clone()]);
    refused(segmentation(dir.path()), &["3 objects are boxes", "polygons"]);
    let damaged = json!({"classTitle": "dog", "geometryType": "bitmap", "bitmap": {"data": "eJzr", "origin": [0, 0]}});
    let dir = project(&|number| vec![if number == 1 { damaged.clone() } else { polygon.clone() }]);
    refused(segmentation(dir.path()), &["1.jpg.json", "bitmap is damaged"]);
}

#[test]
fn label_studio_regions_become_masks() {
    // Run lengths in the layout of label_studio_converter.brush; its decode_rle gives the rectangle as alpha 255.
    let rle: &[u8] = &[
        0, 0, 20, 0, 57, 27, 255, 3, 51, 0, 15, 255, 255, 255, 255, 37, 255, 228, 240, 12, 159, 255, 147, 192, 50, 127,
        254, 79, 0, 201, 255, 249, 60, 3, 39, 255, 228, 240, 12, 159, 255, 147, 192, 50, 127, 254, 79, 0, 201, 255,
        249, 60, 3, 39, 255, 228, 240, 12, 159, 255, 194, 182, 192, 0,
    ];
    let region = |kind: &str, value: serde_json::Value| {
        json!({
            "type": kind, "from_name": "label", "original_width": WIDTH, "original_height": HEIGHT, "value": value,
        })
    };
    let polygon = region(
        "polygonlabels",
        json!({"points": [[12.5, 15.625], [62.5, 15.625], [62.5, 46.875], [12.5, 46.875]], "polygonlabels": ["dog"]}),
    );
    let brush = region("brushlabels", json!({"format": "rle", "rle": rle, "brushlabels": ["cat"]}));
    let boxed = region("rectanglelabels", json!({"x": 1, "y": 1, "width": 5, "height": 5, "rectanglelabels": ["cat"]}));
    let export = |regions: [&serde_json::Value; 3]| {
        let dir = temp();
        // Names of uploads have a prefix, which the image may lack. Files of a local storage have a query.
        let images =
            ["/data/upload/1/0a1b2c3d-x.jpg", "/data/upload/1/0a1b2c3e-y.jpg", "/data/local-files/?d=set/z%20z.jpg"];
        for (number, name) in ["images/x.jpg", "images/0a1b2c3e-y.jpg", "set/z z.jpg"].into_iter().enumerate() {
            save(&dir.path().join(name), &picture(WIDTH, HEIGHT, number as u8));
        }
        let task = |(image, region): (&str, &serde_json::Value)| {
            let cancelled = json!({"was_cancelled": true, "result": []});
            json!({"id": 1, "data": {"image": image}, "annotations": [cancelled, {"result": [region]}]})
        };
        let tasks: Vec<_> = images.into_iter().zip(regions).map(task).collect();
        write(&dir.path().join("project-1-at-2024.json"), json!(tasks).to_string());
        dir
    };
    let dir = export([&polygon, &brush, &polygon]);
    let splits = segmentation(dir.path()).unwrap();
    assert_eq!((splits.format, splits.train.len() + splits.val.len()), ("Label Studio JSON", 3));
    assert_eq!(splits.train.classes().names, ["background", "cat", "dog"]);
    for set in [&splits.train, &splits.val] {
        for index in 0..set.len() {
            rectangle(&**set, index, if set.name(index).contains("y.jpg") { 1 } else { 2 }, false);
        }
    }
    // JSON-MIN: the regions of a task stand under the name of their control.
    let min = |region: &serde_json::Value| {
        let mut region_min = region["value"].clone();
        for key in ["original_width", "original_height"] {
            region_min[key] = region[key].clone();
        }
        region_min
    };
    let dir = export([&polygon, &brush, &polygon]);
    let tasks: Vec<_> = ["0a1b2c3d-x.jpg", "0a1b2c3e-y.jpg", "z z.jpg"]
        .into_iter()
        .zip([&polygon, &brush, &polygon])
        .map(|(image, region)| json!({"id": 7, "image": format!("/data/upload/1/{image}"), "label": [min(region)], "annotator": 1}))
        .collect();
    write(&dir.path().join("project-1-at-2024.json"), json!(tasks).to_string());
    let from_min = segmentation(dir.path()).unwrap();
    assert_eq!(from_min.train.classes().names, ["background", "cat", "dog"]);
    (0..splits.train.len()).for_each(|i| assert_eq!(from_min.train.mask(i).unwrap(), splits.train.mask(i).unwrap()));
    let dir = export([&boxed; 3]);
    refused(segmentation(dir.path()), &["3 regions are boxes"]);
    refused(segmentation(export([&polygon, &boxed, &polygon]).path()), &["1 of its 3 regions are boxes"]);
    // A shape without label, or of a kind that is not read, does not become background.
    let bare = region("polygon", json!({"points": [[12.5, 15.6], [62.5, 15.6], [62.5, 46.8]]}));
    refused(
        segmentation(export([&polygon, &bare, &polygon]).path()),
        &["task 1", "a region of type polygon has no label"],
    );
    let ellipse =
        region("ellipselabels", json!({"x": 50, "y": 50, "radiusX": 9, "radiusY": 9, "ellipselabels": ["cat"]}));
    refused(segmentation(export([&polygon, &ellipse, &polygon]).path()), &["task 1", "a region is an ellipse"]);
    let damaged = region("brushlabels", json!({"format": "rle", "rle": &rle[..40], "brushlabels": ["cat"]}));
    let dir = export([&polygon, &damaged, &polygon]);
    refused(segmentation(dir.path()), &["task 1", "brush stroke are damaged"]);
}

#[test]
fn labelme_boxes_are_no_masks() {
    let dir = temp();
    for number in 0..3 {
        save(&dir.path().join(format!("{number}.jpg")), &picture(WIDTH, HEIGHT, number));
        let shape = json!({"label": "cat", "points": [[5, 5], [25, 15]], "shape_type": "rectangle"});
        let file =
            json!({"shapes": [shape], "imagePath": format!("{number}.jpg"), "imageHeight": 32, "imageWidth": 40});
        write(&dir.path().join(format!("{number}.json")), file.to_string());
    }
    refused(segmentation(dir.path()), &["3 shapes are boxes", "polygons"]);
    let polygon = json!({"label": "cat", "points": [[5, 5], [25, 5], [25, 15]]});
    let file = json!({"shapes": [polygon], "imagePath": "0.jpg", "imageHeight": 32, "imageWidth": 40});
    write(&dir.path().join("0.json"), file.to_string());
    refused(segmentation(dir.path()), &["2 of its 3 shapes are boxes"]);
}
