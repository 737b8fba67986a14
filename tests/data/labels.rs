//! Annotations that can be read in two ways are read as their tools read them, or refused with both readings.

use std::fs;
use std::path::Path;

use image::{GrayImage, Luma};
use serde_json::{Value, json};
use shadegrad::data::{DataError, SegmentationSplits, SetOptions, open_segmentation};

use crate::{open as open_classes, picture, refused, save, temp};

const SIZE: (u32, u32) = (40, 32);

fn open(root: &Path) -> Result<SegmentationSplits, DataError> {
    open_segmentation(root, &SetOptions { val_split: 0.25, seed: 3, ..SetOptions::default() })
}

fn write(path: &Path, text: &str) {
    fs::create_dir_all(path.parent().unwrap()).unwrap();
    fs::write(path, text).unwrap();
}

fn image(path: &Path, tone: usize) {
    save(path, &picture(SIZE.0, SIZE.1, tone as u8));
}

/// The names of the images, and the classes of their masks without background.
fn content(set: &dyn shadegrad::data::SegmentationDataset) -> Vec<(String, Vec<u8>)> {
    let classes = |index: usize| {
        let mut ids = set.mask(index).unwrap().into_raw();
        ids.retain(|&id| id != 0);
        ids.sort_unstable();
        ids.dedup();
        ids
    };
    let name = |index: usize| Path::new(&set.name(index)).file_stem().unwrap().to_str().unwrap().to_owned();
    (0..set.len()).map(|index| (name(index), classes(index))).collect()
}

/// Images and YOLO labels in the folders `a`, `b` and `c`, each with images 0 and 1. The class of an image is the number of
/// its folder.
fn yolo(yaml: &str) -> tempfile::TempDir {
    let dir = temp();
    for (class, folder) in ["a", "b", "c"].into_iter().enumerate() {
        for number in 0..2 {
            image(&dir.path().join(format!("images/{folder}/{number}.jpg")), 10 * class + number);
            let line = format!("{class} 0.1 0.1 0.9 0.1 0.9 0.9\n");
            write(&dir.path().join(format!("labels/{folder}/{number}.txt")), &line);
        }
    }
    if !yaml.is_empty() {
        write(&dir.path().join("data.yaml"), yaml);
    }
    dir
}

#[test]
fn yolo_parts_are_those_of_its_data_file() {
    let names = "names: {0: cat, 1: \"dog, big\", 2: bird}\n";
    let pairs = |ids: [(usize, u8); 2]| ids.map(|(number, id)| (number.to_string(), vec![id])).to_vec();
    let dir = yolo(&format!("path: ../set\ntrain: [images/a, images/b]\nval: images/c\n{names}"));
    let splits = open(dir.path()).unwrap();
    assert_eq!(splits.train.classes().names, ["background", "cat", "dog, big", "bird"]);
    // Images of the same name in two folders have the labels of their own folder.
    assert_eq!(content(&*splits.train), [pairs([(0, 1), (1, 1)]), pairs([(0, 2), (1, 2)])].concat());
    assert_eq!(content(&*splits.val), pairs([(0, 3), (1, 3)]));
    assert_eq!(splits.decisions.split, "by data.yaml");
    // Lists with names of their own, and a folder that no entry names.
    let dir = yolo(&format!("train: autosplit_train.txt\nval: autosplit_val.txt\n{names}"));
    write(&dir.path().join("autosplit_train.txt"), "./images/a/0.jpg\n./images/b/1.jpg\n");
    write(&dir.path().join("autosplit_val.txt"), "./images/c/1.jpg\n");
    let splits = open(dir.path()).unwrap();
    assert_eq!(content(&*splits.train), pairs([(0, 1), (1, 2)]));
    assert_eq!(content(&*splits.val), vec![("1".to_string(), vec![3])]);
    assert_eq!(splits.decisions.left_out.len(), 3);
    // The data file decides against the names of folders.
    let dir = temp();
    for (number, part) in ["train", "train", "val"].into_iter().enumerate() {
        image(&dir.path().join(format!("images/{part}/{number}.jpg")), number);
        write(&dir.path().join(format!("labels/{part}/{number}.txt")), "0 0.1 0.1 0.9 0.1 0.9 0.9\n");
    }
    write(&dir.path().join("data.yaml"), "train: images/val\nval: images/train\nnames: [cat]\n");
    let splits = open(dir.path()).unwrap();
    assert_eq!([splits.train.len(), splits.val.len()], [1, 2]);
}

#[test]
fn yolo_names_come_from_each_tool_and_other_labels_are_refused() {
    let dir = yolo("");
    write(&dir.path().join("classes.txt"), "cat\ndog\nbird\n");
    assert_eq!(open(dir.path()).unwrap().train.classes().names, ["background", "cat", "dog", "bird"]);
    refused(open(yolo("nc: 4\nnames: [cat, dog, bird]\n").path()), &["nc: 4", "3 classes"]);
    refused(open(yolo("kpt_shape: [3, 2]\nnames: [cat, dog, bird]\n").path()), &["keypoints"]);
    let dir = yolo("names: [cat, dog, bird]\n");
    let mask = GrayImage::from_fn(SIZE.0, SIZE.1, |x, _| Luma([u8::from(x > 9)]));
    for number in 0..2 {
        fs::create_dir_all(dir.path().join("masks/a")).unwrap();
        mask.save(dir.path().join(format!("masks/a/{number}.png"))).unwrap();
    }
    refused(open(dir.path()), &["YOLO polygons", "masks/a/0.png"]);
}

fn coco(categories: &Value, class: impl Fn(usize) -> i64) -> Value {
    let numbers = || 0..4usize;
    json!({
        "images": numbers().map(|k| json!({
            "id": k, "file_name": format!("/label-studio/data/upload/1/{k}.jpg"), "width": 40, "height": 32,
        })).collect::<Vec<_>>(),
        "annotations": numbers().map(|k| json!({
            "id": k, "image_id": k, "category_id": class(k), "iscrowd": usize::from(k == 3),
            "segmentation": [[5, 5, 25, 5, 25, 15]],
        })).collect::<Vec<_>>(),
        "categories": categories,
    })
}

#[test]
fn coco_names_decide_and_other_annotations_are_left_out() {
    let dir = temp();
    (0..4).for_each(|k| image(&dir.path().join(format!("images/{k}.jpg")), k));
    let cats = json!([{"id": 3, "name": "cat"}, {"id": 7, "name": "cat"}, {"id": 9, "name": "dog"}]);
    write(&dir.path().join("annotations.json"), &coco(&cats, |k| [3, 7, 9, 9][k]).to_string());
    let splits = open(dir.path()).unwrap();
    assert_eq!(splits.train.classes().names, ["background", "cat", "dog"]);
    let notes = splits.decisions.notes.join("; ");
    assert!(notes.contains("category 7") && notes.contains("1 crowd regions"), "{notes}");
    // Two files that number their categories differently.
    let dir = temp();
    for part in ["train", "val"] {
        (0..4).for_each(|k| image(&dir.path().join(format!("{part}/{k}.jpg")), k));
        let ids = if part == "train" { [1, 2] } else { [2, 1] };
        let cats = json!([{"id": ids[0], "name": "cat"}, {"id": ids[1], "name": "dog"}]);
        let mut written = coco(&cats, |k| ids[k % 2]);
        (0..4).for_each(|k| written["images"][k]["file_name"] = json!(format!("{k}.jpg")));
        write(&dir.path().join(format!("annotations/instances_{part}.json")), &written.to_string());
        let captions = json!({
            "images": written["images"].clone(), "annotations": [{"id": 1, "image_id": 1, "caption": "a cat"}],
        });
        write(&dir.path().join(format!("annotations/captions_{part}.json")), &captions.to_string());
    }
    let splits = open(dir.path()).unwrap();
    let expected: Vec<_> = (0..4usize).map(|k| (k.to_string(), vec![k as u8 % 2 + 1])).collect();
    assert_eq!([content(&*splits.train), content(&*splits.val)], [expected.clone(), expected]);
    assert!(splits.decisions.notes.iter().any(|note| note.contains("names decide")), "{:?}", splits.decisions.notes);
    assert_eq!(splits.decisions.left_out.len(), 2);
}

#[test]
fn labelme_shapes_are_read_as_labelme_reads_them() {
    let set = |path: &dyn Fn(usize) -> String, shapes: &dyn Fn(usize) -> Value| {
        let dir = temp();
        for k in 0..4 {
            image(&dir.path().join(format!("{k}.jpg")), k);
            let file = json!({"shapes": shapes(k), "imagePath": path(k), "imageWidth": 40, "imageHeight": 32});
            write(&dir.path().join(format!("{k}.json")), &file.to_string());
        }
        dir
    };
    let own = |k: usize| format!("..\\imgs\\{k}.jpg");
    // Pillow's PNG of a 1-bit image of 20x10 white pixels, in base64.
    let png = "iVBORw0KGgoAAAANSUhEUgAAABQAAAAKAQAAAACcLkNLAAAAEklEQVR4nGP8z/CRiYGBgRAGAEtmAgQgDxC1AAAAAElFTkSuQmCC";
    let shapes = |_: usize| {
        json!([
            {"label": "cat", "shape_type": "mask", "points": [[5, 5], [24, 14]], "mask": png},
            {"label": "__ignore__", "shape_type": "rectangle", "points": [[30, 0], [40, 32]]},
            {"label": "dog", "shape_type": "polygon", "points": [[0, 20], [10, 20], [10, 32], [0, 32]]},
        ])
    };
    let splits = open(set(&own, &shapes).path()).unwrap();
    assert_eq!(splits.train.classes().names, ["background", "cat", "dog"]);
    let ids = splits.train.mask(0).unwrap().into_raw();
    let count = |id: u8| ids.iter().filter(|&&one| one == id).count();
    assert_eq!([count(1), count(2), count(255)], [200, 120, 320]);
    assert_eq!(ids[5 * 40 + 5], 1);
    let swapped = |k: usize| format!("{}.jpg", [1, 0, 2, 3][k]);
    refused(open(set(&swapped, &shapes).path()), &["2 of 4", "imagePath names 1.jpg, but 0.jpg has the name"]);
}

#[test]
fn label_studio_tasks_without_one_reading_are_named() {
    let polygon = |labels: &[&str], turned: i64| {
        json!({
            "type": "polygonlabels", "original_width": 40, "original_height": 32, "image_rotation": turned,
            "from_name": "label", "value": {"points": [[10, 10], [60, 10], [60, 50]], "polygonlabels": labels},
        })
    };
    let export = |annotations: &dyn Fn(usize) -> Value| {
        let dir = temp();
        let task = |k: usize| {
            image(&dir.path().join(format!("images/{k}.jpg")), k);
            json!({"id": k, "data": {"image": format!("s3://bucket/a/{k}.jpg?sig=1")}, "annotations": annotations(k)})
        };
        let tasks: Vec<Value> = (0..6).map(task).collect();
        write(&dir.path().join("export.json"), &json!(tasks).to_string());
        dir
    };
    let cat = || json!({"result": [polygon(&["cat"], 0)]});
    let dog = json!({"ground_truth": true, "result": [polygon(&["dog"], 0)]});
    let dir = export(&|k| match k {
        0 => json!([]),
        1 => json!([{"was_cancelled": true, "result": []}]),
        2 => json!([cat(), dog.clone()]),
        _ => json!([cat()]),
    });
    let splits = open(dir.path()).unwrap();
    let mut all = [content(&*splits.train), content(&*splits.val)].concat();
    all.sort();
    let expected = [("2", 2), ("3", 1), ("4", 1), ("5", 1)].map(|(name, id)| (name.to_string(), vec![id]));
    assert_eq!(all, expected);
    assert_eq!(splits.decisions.left_out.len(), 2);
    assert!(splits.decisions.notes.iter().any(|note| note.starts_with("1 tasks")), "{:?}", splits.decisions.notes);
    let with = |region: Value| export(&move |k| if k == 3 { json!([{"result": [region]}]) } else { json!([cat()]) });
    refused(open(with(polygon(&["cat", "dog"], 0)).path()), &["task 3", "two labels, 'cat' and 'dog'"]);
    refused(open(with(polygon(&["cat"], 90)).path()), &["task 3", "turned by 90 degrees"]);
}

#[test]
fn two_sets_in_one_folder_are_refused_and_folders_of_systems_left_out() {
    let dir = temp();
    for year in ["VOC2007", "VOC2012"] {
        let home = dir.path().join("VOCdevkit").join(year);
        image(&home.join("JPEGImages/0.jpg"), 1);
        fs::create_dir_all(home.join("SegmentationClass")).unwrap();
        GrayImage::new(SIZE.0, SIZE.1).save(home.join("SegmentationClass/0.png")).unwrap();
    }
    refused(open(dir.path()), &["VOC2007", "VOC2012"]);
    let dir = temp();
    for set in ["letters", "digits"] {
        for part in ["train-images-idx3", "train-labels-idx1", "test-images-idx3", "test-labels-idx1"] {
            write(&dir.path().join(format!("emnist-{set}-{part}-ubyte")), "");
        }
    }
    refused(open_classes(dir.path()), &["emnist-digits", "emnist-letters"]);
    let dir = temp();
    crate::class_folders(dir.path(), &["a", "b"], 4);
    image(&dir.path().join("@eaDir/x.jpg"), 1);
    image(&dir.path().join("a/@eaDir/0.jpg/SYNOPHOTO_THUMB.jpg"), 1);
    image(&dir.path().join("$RECYCLE.BIN/y.jpg"), 1);
    let splits = open_classes(dir.path()).unwrap();
    assert_eq!((splits.train.class_names(), splits.train.len() + splits.val.len()), (&["a".into(), "b".into()][..], 8));
}

/// Four pairs with masks of these values in vertical stripes of equal width.
fn striped(values: &[u8]) -> tempfile::TempDir {
    let dir = temp();
    fs::create_dir_all(dir.path().join("masks")).unwrap();
    for number in 0..4 {
        image(&dir.path().join(format!("images/{number}.jpg")), number);
        let stripe = |x: u32| values[x as usize * values.len() / SIZE.0 as usize];
        let mask = GrayImage::from_fn(SIZE.0, SIZE.1, |x, _| Luma([stripe(x)]));
        mask.save(dir.path().join(format!("masks/{number}.png"))).unwrap();
    }
    dir
}

#[test]
fn areas_of_255_beside_listed_classes_are_a_class_or_refused() {
    // (file, its text, values, train ids of the stripes or the words of the refusal)
    let two = [0, 255];
    for (file, text, values, expected) in [
        ("codes.txt", "bg\nfg\n", &two[..], Ok(vec![0, 1])),
        ("class_names.txt", "bg\nfg\n", &two, Ok(vec![0, 1])),
        ("classes.toml", "classes = [\"bg\", \"fg\"]", &two, Ok(vec![0, 1])),
        (
            "classes.toml",
            "classes = [\"bg\", \"fg\"]\nignore_index = 255",
            &two,
            Err("the class 'bg' alone in its training part"),
        ),
        ("codes.txt", "bg\ncat\ndog\n", &two, Err("only class 'bg' of the 3 classes from codes.txt")),
        // Two listed classes have pixels, so 255 is ignored.
        ("codes.txt", "bg\nfg\n", &[0, 1, 255], Ok(vec![0, 1, 255])),
    ] {
        let dir = striped(values);
        write(&dir.path().join(file), text);
        match expected {
            Err(told) => drop(refused(open(dir.path()), &[told, "classes.toml"])),
            Ok(ids) => {
                let mask = open(dir.path()).unwrap().train.mask(0).unwrap();
                let width = SIZE.0 as usize / ids.len();
                let found: Vec<u8> = (0..ids.len()).map(|at| mask.as_raw()[at * width + width / 2]).collect();
                assert_eq!(found, ids, "{file} {text}");
            }
        }
    }
}

#[test]
fn folders_of_other_sets_are_no_classes() {
    let dir = striped(&[0, 255]);
    refused(open_classes(dir.path()), &["images/ and masks/", "segmentation"]);
    // Pictures that shadegrad wrote.
    let dir = temp();
    crate::class_folders(dir.path(), &["a", "b"], 4);
    image(&dir.path().join("predictions/0-color.png"), 1);
    write(&dir.path().join("predictions/.shadegrad"), "");
    let splits = open_classes(dir.path()).unwrap();
    assert_eq!(splits.train.class_names(), ["a", "b"]);
    assert!(splits.decisions.left_out.iter().any(|one| one.path.ends_with("predictions")));
}
