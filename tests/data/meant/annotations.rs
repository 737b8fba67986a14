//! Annotation files that were misread: YOLO's data files, COCO's ids, LabelMe's and Label Studio's exports.

use std::fs;
use std::path::Path;

use serde_json::{Value, json};
use shadegrad::data::{DataError, IGNORED, SegmentationSplits, Why};
use tempfile::TempDir;

use super::{HEIGHT, WIDTH, segmentation, write};
use crate::sets::{self, POLYGON, lens};
use crate::{picture, refused, save, slashed, temp};

/// Images and labels of YOLO in each of `folders`, four each, with classes 0 and 1.
fn yolo(folders: &[&str], files: &[(&str, &str)]) -> TempDir {
    let of_folder = |(place, folder): (usize, &&str)| {
        (0..4).map(move |number| (format!("{folder}/{number}"), Some(place as u8 % 2))).collect::<Vec<_>>()
    };
    sets::yolo(folders.iter().enumerate().flat_map(of_folder), files)
}

/// Pixels of `id` in the images of the training and the validation part.
fn pixels(splits: &SegmentationSplits, id: u8) -> usize {
    let count = |mask: image::GrayImage| mask.pixels().filter(|pixel| pixel[0] == id).count();
    let sets = [&splits.train, &splits.val];
    sets.iter().flat_map(|set| (0..set.len()).map(move |at| count(set.mask(at).unwrap()))).sum()
}

fn noted(splits: &SegmentationSplits, words: &str) -> bool {
    splits.decisions.notes.iter().any(|note| note.contains(words))
}

/// `train` and `val` of data.yaml count, wherever they lead.
#[test]
fn a_data_file_divides_its_set() {
    let names = "names: [cat, dog]\n";
    refused(
        segmentation(yolo(&["a", "b"], &[("data.yaml", names), ("data.yml", names)]).path()),
        &["data.yaml and data.yml"],
    );
    let exchanged = [("data.yaml", names), ("custom.YAML", "nc: 2\nnames: [dog, cat]\n")];
    refused(segmentation(yolo(&["a", "b"], &exchanged).path()), &["custom.YAML", "names other classes than data.yaml"]);
    let alike = [("data.yaml", names), ("custom.yaml", "names: {0: cat, 1: dog}\n"), ("hyp.yaml", "lr0: 0.01\n")];
    segmentation(yolo(&["a", "b"], &alike).path()).unwrap();
    // The same names in several folders: each image keeps the labels at its own path.
    let dir =
        yolo(&["a", "b", "c"], &[("data.yaml", "train: [images/a, images/b]\nval: images/c\nnames: [cat, dog]\n")]);
    let splits = segmentation(dir.path()).unwrap();
    assert_eq!((lens(&splits), splits.by_seed, splits.decisions.split.as_str()), ((8, 4), false, "by data.yaml"));
    for at in 0..8 {
        let id = if slashed(splits.train.name(at)).contains("/a/") { 1 } else { 2 };
        assert_eq!(splits.train.mask(at).unwrap().pixels().filter(|pixel| pixel[0] == id).count(), 200);
    }
    let dir = yolo(
        &["train", "val"],
        &[("data.yaml", "train: images/val\nval: /home/a/x/images/train\nnames: [cat, dog]\n")],
    );
    let splits = segmentation(dir.path()).unwrap();
    assert!(slashed(splits.train.name(0)).contains("images/val"));
    assert!(slashed(splits.val.name(0)).contains("images/train"));
    assert!(noted(&splits, "otherwise than its folders"));
    // Lists with other names, and lists that contradict them.
    let lists = [
        ("data.yaml", "path: .\ntrain: autosplit_train.txt\nval: autosplit_val.txt\nnames: [cat, dog]\n"),
        ("autosplit_train.txt", "./images/x/0.jpg\n./images/x/1.jpg\n./images/x/2.jpg\n"),
        ("autosplit_val.txt", "./images/x/3.jpg\n"),
    ];
    let dir = yolo(&["x", "y"], &lists);
    let splits = segmentation(dir.path()).unwrap();
    assert_eq!((lens(&splits), splits.decisions.lists.len()), ((3, 1), 2));
    assert_eq!(splits.decisions.left_out.len(), 4, "no entry names y/: {:?}", splits.decisions.left_out);
    write(&dir.path().join("train.txt"), "images/x/3.jpg\n");
    refused(
        segmentation(dir.path()),
        &["train.txt, line 1", "images/x/3.jpg into train, which is in val by data.yaml"],
    );
    // The same images for both, as in Ultralytics' examples; an entry that leads nowhere; a test part that is not
    // there.
    let dir = yolo(&["x"], &[("data.yaml", "train: images/x\nval: images/x\ntest: images/t\nnames: [cat, dog]\n")]);
    let splits = segmentation(dir.path()).unwrap();
    assert_eq!((lens(&splits), splits.by_seed), ((3, 1), true));
    assert!(noted(&splits, "same images for train and val") && noted(&splits, "images/t"));
    assert!(noted(&splits, "val is held out of them"));
    let file = "train: images/x\nval: images/x\ntest: images/y\nnames: [cat, dog]\n";
    let splits = segmentation(yolo(&["x", "y"], &[("data.yaml", file)]).path()).unwrap();
    assert_eq!((lens(&splits), splits.by_seed), ((4, 4), false));
    assert!(noted(&splits, "the test part validates") && splits.val.name(0).contains("images/y"));
    write(&dir.path().join("data.yaml"), "train: images/x\nval: images/none\nnames: [cat, dog]\n");
    refused(segmentation(dir.path()), &["'images/none' for val", "correct the entry"]);
    write(&dir.path().join("data.yaml"), "train: images/x\nval: autosplit_val.txt\nnames: [cat, dog]\n");
    write(&dir.path().join("autosplit_val.txt"), "images/x/3.jpg\n");
    refused(segmentation(dir.path()), &["images/x/3.jpg into train and into val"]);
}

/// Without a data.yaml, `classes.txt` names the classes. It is not a label file.
#[test]
fn yolos_classes_come_from_each_of_its_lists() {
    for name in ["classes.txt", "labels/train/classes.txt", "obj.names"] {
        let dir = yolo(&["train", "val"], &[(name, "cat\nbig dog\n")]);
        let splits = segmentation(dir.path()).unwrap();
        assert_eq!(splits.train.classes().names, ["background", "cat", "big dog"], "{name}");
        write(&dir.path().join("data.yaml"), "names: [cat, dog]\n");
        refused(segmentation(dir.path()), &[name, "other classes than"]);
    }
    let dir = yolo(&["train", "val"], &[("data.yaml", "names: {0: cat, 1: \"dog, big\"}\n")]);
    assert_eq!(segmentation(dir.path()).unwrap().train.classes().names, ["background", "cat", "dog, big"]);
    write(&dir.path().join("data.yaml"), "nc: 3\nnames: [cat, dog]\n");
    refused(segmentation(dir.path()), &["nc: 3", "2 classes"]);
    write(&dir.path().join("data.yaml"), "kpt_shape: [3, 2]\nnames: [cat, dog]\n");
    refused(segmentation(dir.path()), &["kpt_shape", "keypoints"]);
    write(&dir.path().join("data.yaml"), "names: [cat, dog]\n");
    write(&dir.path().join("labels/train/0.txt"), format!("0 {POLYGON} 0.87\n"));
    refused(segmentation(dir.path()), &["0.txt, line 1", "9 coordinates", "save_conf"]);
}

const JPEGS: [&str; 4] = ["0.jpg", "1.jpg", "2.jpg", "3.jpg"];

fn coco(edit: impl FnOnce(&mut Value)) -> Result<SegmentationSplits, DataError> {
    let dir = sets::coco(&JPEGS, edit);
    // The masks are drawn from memory.
    segmentation(dir.path())
}

#[test]
fn cocos_ids_and_categories_mean_one_thing() {
    let splits = coco(|file| file["categories"][1]["name"] = json!("cat")).unwrap();
    assert_eq!((splits.train.classes().names.len(), pixels(&splits, 1)), (2, 800));
    assert!(noted(&splits, "category 7 has the name 'cat' of category 3"));
    refused(coco(|file| file["categories"][1]["id"] = json!(3)), &["category 3 is 'cat' and 'dog'"]);
    refused(coco(|file| file["images"][1]["id"] = json!(0)), &["several images have the id 0"]);
    refused(
        coco(|file| file["images"][1]["file_name"] = json!("0.jpg")),
        &["image 0 of annotations.json is the same file"],
    );
    let splits = coco(|file| file["annotations"][1]["image_id"] = json!(99)).unwrap();
    assert!(noted(&splits, "1 annotations belong to images that are not listed, such as image 99"));
    // A crowd lies below the objects.
    let whole = json!({"counts": [0, WIDTH * HEIGHT], "size": [HEIGHT, WIDTH]});
    let crowd = json!({"id": 9, "image_id": 1, "category_id": 3, "iscrowd": 1, "segmentation": whole});
    let splits = coco(|file| file["annotations"].as_array_mut().unwrap().push(crowd.clone())).unwrap();
    assert_eq!(pixels(&splits, 2), 400);
    assert_eq!(pixels(&splits, 1), 400 + (WIDTH * HEIGHT) as usize - 200);
    assert!(noted(&splits, "1 crowd regions"));
    let message =
        refused(coco(|file| file["annotations"][1]["category_id"] = json!(9)), &["add category 9 to categories"]);
    assert!(!message.contains("add the file"));
    refused(
        coco(|file| file["annotations"][1]["segmentation"] = json!({"counts": [1e12], "size": [HEIGHT, WIDTH]})),
        &["annotations.json", "expected polygons"],
    );
}

/// Paths of another machine, another encoding, files of other tasks, and other ids for the same classes.
#[test]
fn cocos_files_are_found() {
    for front in ["/label-studio/data/upload/1/", "s3://bucket/x/", "C:\\sets\\x\\"] {
        let names: Vec<String> = (0..4).map(|id| format!("{front}{id}.jpg")).collect();
        let names: Vec<&str> = names.iter().map(String::as_str).collect();
        let dir = sets::coco(&names, |_| ());
        assert_eq!(pixels(&segmentation(dir.path()).unwrap(), 1), 400, "{front}");
    }
    let dir = sets::coco(&JPEGS, |_| ());
    let text = fs::read_to_string(dir.path().join("annotations.json")).unwrap();
    let units: Vec<u8> = text.encode_utf16().flat_map(u16::to_le_bytes).collect();
    write(&dir.path().join("annotations.json"), [b"\xff\xfe".as_slice(), &units].concat());
    assert_eq!(segmentation(dir.path()).unwrap().format, "COCO JSON");
    // COCO 2017 has the same images in several files.
    fs::remove_file(dir.path().join("annotations.json")).unwrap();
    let at = |name: &str| dir.path().join("annotations").join(name);
    write(&at("instances_train2017.json"), &text);
    write(&at("person_keypoints_train2017.json"), &text);
    write(&at("captions_train2017.json"), text.replace("category_id", "caption"));
    let splits = segmentation(dir.path()).unwrap();
    assert_eq!((lens(&splits), pixels(&splits, 1)), ((3, 1), 400));
    assert_eq!(splits.decisions.left_out.iter().filter(|one| one.why == Why::OtherAnnotations).count(), 2);
    // The same classes have other ids in the files of the parts.
    let dir = temp();
    for (part, ids) in [("train", [1, 2]), ("val", [2, 1])] {
        let names = ["cat", "dog"].iter().zip(ids).map(|(name, id)| json!({"id": id, "name": name}));
        let polygon = json!([[5, 5, 25, 5, 25, 15, 5, 15]]);
        let file = json!({
            "images": [{"id": 5, "file_name": format!("{part}.jpg"), "width": WIDTH, "height": HEIGHT}],
            "annotations": ids.map(|id| json!({"image_id": 5, "category_id": id, "segmentation": polygon})),
            "categories": names.collect::<Vec<_>>(),
        });
        save(&dir.path().join(format!("{part}/{part}.jpg")), &picture(WIDTH, HEIGHT, ids[0]));
        write(&dir.path().join(format!("annotations/{part}.json")), file.to_string());
    }
    // In both files the cat is drawn first, below the dog.
    let splits = segmentation(dir.path()).unwrap();
    assert_eq!((pixels(&splits, 1), pixels(&splits, 2)), (0, 400));
    assert!(noted(&splits, "names decide"));
}

/// LabelMe's file of image `number`.
fn labelme(root: &Path, number: usize, image_path: &str, shapes: &Value) {
    save(&root.join(format!("{number}.jpg")), &picture(WIDTH, HEIGHT, number as u8));
    let file = json!({"shapes": shapes, "imagePath": image_path, "imageHeight": HEIGHT, "imageWidth": WIDTH});
    write(&root.join(format!("{number}.json")), file.to_string());
}

#[test]
fn labelmes_masks_and_ignored_shapes() {
    // Pillow's PNG of 20x10 pixels `True`, in base64.
    let png = "iVBORw0KGgoAAAANSUhEUgAAABQAAAAKAQAAAACcLkNLAAAAEklEQVR4nGP8z/CRiYGBgRAGAEtmAgQgDxC1AAAAAElFTkSuQmCC";
    let mask = json!({"label": "cat", "points": [[5, 5], [24, 14]], "shape_type": "mask", "mask": png});
    let rest = json!({"label": "__ignore__", "points": [[0, 20], [40, 20], [40, 32], [0, 32]]});
    let dir = temp();
    (0..4).for_each(|k| labelme(dir.path(), k, &format!("{k}.jpg"), &json!([rest, mask])));
    for list in [None, Some("__ignore__\n_background_\ncat\n")] {
        list.iter().for_each(|list| write(&dir.path().join("labels.txt"), list));
        let splits = segmentation(dir.path()).unwrap();
        assert_eq!(splits.train.classes().names, ["background", "cat"]);
        assert_eq!((pixels(&splits, 1), pixels(&splits, IGNORED)), (4 * 200, 4 * 12 * 40));
        assert_eq!(splits.decisions.ignored.as_deref(), Some("4 shapes labeled __ignore__"));
        let expected = |x: u32, y: u32| u8::from((5..25).contains(&x) && (5..15).contains(&y));
        assert!(splits.val.mask(0).unwrap().enumerate_pixels().all(|(x, y, p)| y >= 20 || p[0] == expected(x, y)));
    }
    let damaged = json!({"label": "cat", "points": [[5, 5], [24, 14]], "shape_type": "mask", "mask": "iVBO"});
    labelme(dir.path(), 0, "0.jpg", &json!([damaged]));
    refused(segmentation(dir.path()), &["0.json", "bitmap is damaged"]);
    // Names that differ in case or blanks alone.
    let dir = temp();
    let shape = |label: &str| json!([{"label": label, "points": [[5, 5], [25, 5], [25, 15], [5, 15]]}]);
    (0..4).for_each(|k| labelme(dir.path(), k, "", &shape(if k % 2 == 0 { "Cat " } else { "cat" })));
    assert!(noted(&segmentation(dir.path()).unwrap(), "'Cat' and 'cat' differ in case"));
    labelme(dir.path(), 3, "", &shape(" "));
    refused(segmentation(dir.path()), &["3.json", "a label is empty"]);
    (0..4).for_each(|k| labelme(dir.path(), k, "", &json!([])));
    refused(segmentation(dir.path()), &["4 JSON files hold no shape"]);
    write(&dir.path().join("2.json"), "{\"shapes\": [{\"label\": \"a\", \"points\": [[NaN, 1]]}]}");
    refused(segmentation(dir.path()), &["2.json", "holds NaN"]);
}

/// The names of a file and in its `imagePath` agree, or the sizes decide.
#[test]
fn labelmes_image_is_certain() {
    let dir = temp();
    let shapes = json!([{"label": "cat", "points": [[5, 5], [25, 5], [25, 15], [5, 15]]}]);
    (0..6).for_each(|k| labelme(dir.path(), k, &format!("{}.jpg", (k + 1) % 6), &shapes));
    refused(segmentation(dir.path()), &["0.json: imagePath names 1.jpg, but 0.jpg has the name of the file"]);
    // 0.json names 9.jpg, which has another size than the file says. So 0.json belongs to 0.jpg.
    let dir = temp();
    (0..3).for_each(|k| labelme(dir.path(), k, &format!("{k}.jpg"), &shapes));
    labelme(dir.path(), 0, "..\\p\\9.jpg", &shapes);
    save(&dir.path().join("9.jpg"), &picture(20, 16, 9));
    let splits = segmentation(dir.path()).unwrap();
    assert_eq!((lens(&splits), pixels(&splits, 1)), ((2, 1), 600));
    assert!(noted(&splits, "0.jpg has the size in the file"));
}

/// Label Studio's tasks, each with its annotations.
fn label_studio(address: &str, annotations: &[Value]) -> TempDir {
    let dir = temp();
    let task = |(id, annotations): (usize, &Value)| {
        save(&dir.path().join(format!("images/{id}.jpg")), &picture(WIDTH, HEIGHT, id as u8));
        json!({"id": id, "data": {"image": address.replace("{}", &id.to_string())}, "annotations": annotations})
    };
    let tasks: Vec<Value> = annotations.iter().enumerate().map(task).collect();
    write(&dir.path().join("result.json"), json!(tasks).to_string());
    dir
}

#[test]
fn label_studios_annotations_are_one_a_picture() {
    let corners = json!([[12.5, 15.625], [62.5, 15.625], [62.5, 46.875], [12.5, 46.875]]);
    let region = |labels: Value, rotation: u32| {
        let value = json!({"points": corners, "polygonlabels": labels});
        json!([{"type": "polygonlabels", "from_name": "label", "original_width": WIDTH, "original_height": HEIGHT,
               "image_rotation": rotation, "value": value}])
    };
    let cat = json!({"result": region(json!(["cat"]), 0)});
    let dog = json!({"result": region(json!(["dog"]), 0)});
    let truth = json!({"result": region(json!(["dog"]), 0), "ground_truth": true});
    let cancelled = json!({"was_cancelled": true, "result": []});
    let of_cat = json!([cat]);
    // Skipped and unlabeled tasks are left out, not read as background.
    for address in ["/data/upload/1/{}.jpg", "s3://bucket/a/{}.jpg?sig=1/2", "https://a.b/c/{}.jpg?token=x#y"] {
        let tasks =
            [of_cat.clone(), of_cat.clone(), json!([cancelled]), json!([]), json!([cat, cat]), json!([cat, truth])];
        let splits = segmentation(label_studio(address, &tasks).path()).unwrap();
        assert_eq!((splits.train.len() + splits.val.len(), pixels(&splits, 1), pixels(&splits, 2)), (4, 600, 200));
        let unannotated = splits.decisions.left_out.iter().filter(|one| one.why == Why::Unannotated);
        assert_eq!(unannotated.count(), 2, "{:?}", splits.decisions.left_out);
    }
    let dir = |task: Value| label_studio("{}.jpg", &[of_cat.clone(), of_cat.clone(), task]);
    refused(segmentation(dir(json!([cat, dog])).path()), &["task 2", "2 annotations that differ", "ground truth"]);
    let two = json!([{"result": region(json!(["cat", "dog"]), 0)}]);
    refused(segmentation(dir(two).path()), &["task 2", "two labels, 'cat' and 'dog'"]);
    let turned = json!([{"result": region(json!(["cat"]), 90)}]);
    refused(segmentation(dir(turned).path()), &["task 2", "turned by 90 degrees"]);
    let choice = json!([{"result": [{"type": "choices", "from_name": "c", "value": {"choices": ["cat"]}}]}]);
    refused(segmentation(label_studio("{}.jpg", &[choice.clone(), choice]).path()), &["result.json", "holds choices"]);
}

/// Areas outside of the picture are of another picture, not background.
#[test]
fn areas_outside_of_the_picture_are_refused() {
    let square = |from: i64, to: i64| json!([[from, from], [to, from], [to, to], [from, to]]);
    let flat = |from: i64, to: i64| json!([[from, from, to, from, to, to, from, to]]);
    let disc = json!([{"label": "cat", "points": [[60, 60], [70, 60]], "shape_type": "circle"}]);
    let labelme_of = |shapes: Value| {
        let dir = temp();
        let inside = json!([{"label": "cat", "points": square(5, 25)}]);
        (0..4).for_each(|k| labelme(dir.path(), k, "", if k == 0 { &shapes } else { &inside }));
        dir
    };
    let coco_of = |area: Value| {
        sets::coco(&["0.jpg", "1.jpg", "2.jpg", "3.jpg"], |file| file["annotations"][0]["segmentation"] = area.clone())
    };
    let refusal = |dir: &TempDir| -> Option<String> {
        let splits = match segmentation(dir.path()) {
            Ok(splits) => splits,
            Err(error) => return Some(error.to_string()),
        };
        let masks = [&splits.train, &splits.val].into_iter().flat_map(|set| (0..set.len()).map(|at| set.mask(at)));
        masks.filter_map(Result::err).map(|error| error.to_string()).next()
    };
    for (from, to) in [(50, 70), (-30, 4), (10, 70)] {
        for dir in [labelme_of(json!([{"label": "cat", "points": square(from, to)}])), coco_of(flat(from, to))] {
            let message = refusal(&dir).unwrap_or_else(|| panic!("{from} to {to} was read"));
            assert!(message.contains("lies mostly outside of the picture of 40x32 pixels"), "{message}");
        }
    }
    assert!(refusal(&labelme_of(disc)).is_some());
    // Shares of the size would cover one pixel.
    let shares = json!([[0.1, 0.1], [0.6, 0.1], [0.6, 0.7]]);
    for dir in
        [labelme_of(json!([{"label": "cat", "points": shares}])), coco_of(json!([[0.1, 0.1, 0.6, 0.1, 0.6, 0.7]]))]
    {
        let message = refusal(&dir).expect("an error");
        let words = ["coordinates from 0 to 1", "shares of the picture's size", "times 40 and 32"];
        assert!(words.iter().all(|part| message.contains(part)), "{message}");
    }
    // A corner beyond the edge is cut.
    for dir in [labelme_of(json!([{"label": "cat", "points": square(-4, 30)}])), coco_of(flat(5, 34))] {
        assert_eq!(refusal(&dir), None);
    }
}

/// The name of a lone annotation file does not give a part. A name that two files have is reported with both.
#[test]
fn cocos_only_file_is_that_of_the_whole_set() {
    let names = ["0.png", "1.png", "2.png", "3.png", "4.png"];
    let dir = sets::coco(&names, |_| ());
    fs::rename(dir.path().join("annotations.json"), dir.path().join("my_test_export.json")).unwrap();
    let splits = segmentation(dir.path()).unwrap();
    assert_eq!((splits.train.len() + splits.val.len(), splits.by_seed), (5, true));
    let dir = sets::coco(&names, |_| ());
    for folder in ["p", "q"] {
        save(&dir.path().join(format!("images/{folder}/0.png")), &picture(WIDTH, HEIGHT, 7));
    }
    fs::remove_file(dir.path().join("images/0.png")).unwrap();
    refused(segmentation(dir.path()), &["0.png may be images/p/0.png or images/q/0.png", "file_name"]);
}
