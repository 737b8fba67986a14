//! Numbers and files that were taken for names: numbers of lines beside names of files, titles above classes, and files that name
//! classes but are not read.

use std::fs;

use serde_json::json;
use shadegrad::data::check::{CheckOptions, check_segmentation};
use shadegrad::data::{DataError, OpenOptions, SegmentationSplits, SetOptions, Why, open_images, open_multi_label};
use tempfile::TempDir;

use super::{NAMES, pairs, segmentation, stripes, write};
use crate::sets::save_grey;
use crate::{class_folders, open, picture, refused, save, temp};

/// `images/0.png` to `images/5.png`, each with a mask whose number of stripes tells it.
fn numbered() -> TempDir {
    let dir = temp();
    pairs(dir.path(), ["0", "1", "2", "3", "4", "5"], |number| {
        stripes(if number % 2 == 0 { &[0, 1, 2] } else { &[0, 1] })
    });
    dir
}

/// Image `k` has mask `k`.
fn are_own(splits: &SegmentationSplits) {
    for set in [&splits.train, &splits.val] {
        for at in 0..set.len() {
            assert_eq!(set.name(at).replace("images", "masks"), set.mask_name(at));
        }
    }
}

/// A number before or after a name counts the line, or is a label: no mask.
#[test]
fn numbers_beside_names_are_no_masks() {
    for form in ["{}.png {s}", "{}.png,{s}", "{}.png\t{s}", "{} {s}"] {
        let dir = numbered();
        let line = |k: usize| form.replace("{}", &k.to_string()).replace("{s}", &(k % 2).to_string()) + "\n";
        write(&dir.path().join("train.txt"), (0..4).map(line).collect::<String>());
        write(&dir.path().join("val.txt"), (4..6).map(line).collect::<String>());
        let splits = segmentation(dir.path()).unwrap_or_else(|error| panic!("{form}: {error}"));
        assert_eq!((splits.train.len(), splits.val.len()), (4, 2), "{form}");
        are_own(&splits);
    }
    // The number of the line, from 1.
    let dir = numbered();
    write(&dir.path().join("train.txt"), "1 0.png\n2 1.png\n3 2.png\n4 3.png\n");
    write(&dir.path().join("val.txt"), "5 4.png\n");
    refused(segmentation(dir.path()), &["train.txt, line 1", "'1 0.png' names no image"]);
    // The number of a class in a table, where a picture has that number as its name.
    let dir = numbered();
    write(&dir.path().join("train.csv"), "path,kind\n0.png,4\n1.png,5\n2.png,4\n3.png,5\n");
    write(&dir.path().join("val.csv"), "path,kind\n4.png,4\n5.png,5\n");
    are_own(&segmentation(dir.path()).unwrap());
    // A number that is the name of the file.
    let dir = numbered();
    write(&dir.path().join("train.txt"), "0 masks/0.png\n1 masks/1.png\n2 masks/2.png\n3 masks/3.png\n");
    write(&dir.path().join("val.txt"), "4 masks/4.png\n5 masks/5.png\n");
    let splits = segmentation(dir.path()).unwrap();
    assert!(splits.format.starts_with("lists of image and mask paths"), "{}", splits.format);
    are_own(&splits);
}

#[test]
fn the_columns_of_pairs_are_named() {
    let row = |k: usize| format!("{k},images/{k}.png,masks/{k}.png\n");
    let rows = |from: usize, to: usize| (from..to).map(row).collect::<String>();
    let words = "images in column 'file', masks in column 'mask'";
    for files in [&[("train.csv", 0, 4), ("val.csv", 4, 6)][..], &[("data.csv", 0, 6)]] {
        let dir = numbered();
        for &(file, from, to) in files {
            write(&dir.path().join(file), format!("id,file,mask\n{}", rows(from, to)));
        }
        let report = check_segmentation(dir.path(), &CheckOptions::default()).unwrap();
        let text = report.to_string();
        for (file, ..) in files {
            assert!(text.contains(&format!("note: {file}: {words}")), "{text}");
        }
        assert_eq!(report.json()["columns"], json!({ "path": "file", "label": "mask" }));
    }
    // By their places, where no line names them.
    let dir = numbered();
    write(&dir.path().join("data.csv"), rows(0, 6));
    let report = check_segmentation(dir.path(), &CheckOptions::default()).unwrap();
    assert!(report.to_string().contains("images in column number 2, masks in column number 3"), "{report}");
    assert!(report.json()["columns"].is_null());
}

/// Arrays of objects are lists, as arrays of names are.
#[test]
fn json_objects_divide_a_set() {
    let of = |from: usize, to: usize, key: &str| {
        let object = |k: usize| json!({ "image": format!("./images/{k}.png"), key: format!("./masks/{k}.png") });
        json!((from..to).map(object).collect::<Vec<_>>())
    };
    let dir = numbered();
    write(&dir.path().join("train.json"), of(0, 4, "mask").to_string());
    write(&dir.path().join("val.json"), of(4, 6, "mask").to_string());
    let monai = numbered();
    let file = json!({ "name": "set", "training": of(0, 4, "label"), "validation": of(4, 6, "label") });
    write(&monai.path().join("dataset.json"), file.to_string());
    for dir in [dir, monai] {
        let splits = segmentation(dir.path()).unwrap();
        assert_eq!((splits.train.len(), splits.val.len(), splits.by_seed), (4, 2, false));
        are_own(&splits);
    }
    let dir = temp();
    class_folders(dir.path(), &["a", "b"], 4);
    let of = |numbers: &[u32]| {
        let object = |class: &str, k: u32| json!({ "path": format!("{class}/{k}.png"), "label": class });
        let all = ["a", "b"].iter().flat_map(|class| numbers.iter().map(|&k| object(class, k)));
        json!(all.collect::<Vec<_>>())
    };
    write(&dir.path().join("train.json"), of(&[0, 1, 2]).to_string());
    write(&dir.path().join("val.json"), of(&[3]).to_string());
    let splits = open(dir.path()).unwrap();
    assert_eq!((splits.train.len(), splits.val.len(), splits.by_seed), (6, 2, false));
    let images = open_images(dir.path(), &SetOptions::default()).unwrap();
    assert_eq!((images.train.len(), images.val.len()), (6, 2));
}

#[test]
fn a_title_above_the_classes_is_none_of_them() {
    let classes = |text: &str| {
        let dir = temp();
        pairs(dir.path(), NAMES, |_| stripes(&[0, 1, 2]));
        write(&dir.path().join("codes.txt"), text);
        segmentation(dir.path()).map(|splits| (splits, dir))
    };
    for text in ["id,name\n0,bg\n2,cat\n1,dog\n", "name;value\nbg;0\ndog;1\ncat;2\n", "0,bg\n1,dog\n2,cat\n"] {
        let (splits, _dir) = classes(text).unwrap_or_else(|error| panic!("{text}: {error}"));
        let of_value = |value: u32| {
            let mask = splits.train.mask(0).unwrap();
            let id = mask.get_pixel(crate::sets::WIDTH * (2 * value + 1) / 6, 0)[0];
            splits.train.classes().names[usize::from(id)].clone()
        };
        assert_eq!([0, 1, 2].map(of_value), ["bg", "dog", "cat"], "{text}");
    }
    refused(classes("sky\n1 road\n2 car\n"), &["codes.txt", "apart from 'sky'", "classes.toml"]);
}

/// A file beside a set that names classes is read or named.
#[test]
fn files_of_class_names_that_are_not_read_are_noted() {
    for (file, text) in [
        ("label_map.txt", "bg:0\ncat:2\n"),
        ("data.yaml", "names: [bg, dog, cat]\n"),
        ("dataset.json", "{\"labels\": {\"bg\": 0, \"cat\": 2}}"),
    ] {
        let dir = temp();
        pairs(dir.path(), NAMES, |_| stripes(&[0, 1, 2]));
        write(&dir.path().join(file), text);
        let notes = segmentation(dir.path()).unwrap().decisions.notes.join("; ");
        assert!(notes.contains(&format!("{file} is not read; list the classes")), "{notes}");
    }
    let dir = temp();
    class_folders(dir.path(), &["0", "1"], 4);
    let noted = |file: &str, text: &str| {
        write(&dir.path().join(file), text);
        let several = open_multi_label(dir.path(), &OpenOptions::default()).unwrap();
        let notes = [open(dir.path()).unwrap().decisions.notes, several.decisions.notes];
        fs::remove_file(dir.path().join(file)).unwrap();
        notes.map(|notes| notes.join("; ").contains(&format!("{file} is not read: the folders name the classes")))
    };
    for (file, text) in [
        ("classes.txt", "cat\ndog\n"),
        ("class_indices.json", "{\"0\": \"cat\"}"),
        ("classes.toml", "classes = [\"b\"]"),
    ] {
        assert_eq!(noted(file, text), [true; 2], "{file}");
    }
    assert_eq!(noted("classes.txt", "0\n1\n"), [false; 2]);
    // Labels of a table that are numbers.
    let dir = temp();
    (0..6).for_each(|k| save(&dir.path().join(format!("{k}.png")), &picture(9, 7, k)));
    write(
        &dir.path().join("t.csv"),
        (0..6).fold("path,label\n".to_owned(), |text, k| format!("{text}{k}.png,{}\n", k % 2)),
    );
    write(&dir.path().join("synset.txt"), "n1 cat\nn2 dog\n");
    let notes = open(dir.path()).unwrap().decisions.notes.join("; ");
    assert!(notes.contains("synset.txt is not read: the labels of the table name the classes"), "{notes}");
}

/// A table that lies above class folders does not name their images.
#[test]
fn folders_of_images_that_no_row_names_are_left_out() {
    let dir = temp();
    class_folders(&dir.path().join("set/train"), &["n1", "n2"], 3);
    (0..4).for_each(|k| save(&dir.path().join(format!("set/val/v{k}.png")), &picture(9, 7, k)));
    write(&dir.path().join("t.csv"), "path,label\nv0,n1\nv1,n2\nv2,n1\nv3,n2\n");
    let options = OpenOptions { val_split: 0.5, ..OpenOptions::default() };
    let several = open_multi_label(dir.path(), &options).unwrap();
    for decisions in [open(dir.path()).unwrap().decisions, several.decisions] {
        let named = decisions.left_out.iter().any(|one| one.why == Why::InNoList && one.path.ends_with("set/train"));
        assert!(named, "{:?}", decisions.left_out);
    }
}

/// Halves of a set whose masks have other values for the same classes.
#[test]
fn values_of_two_scales_are_refused() {
    let halves = |some: &[u8], others: &[u8]| -> Result<SegmentationSplits, DataError> {
        let dir = temp();
        pairs(dir.path(), NAMES, |number| stripes(if number % 2 == 0 { some } else { others }));
        segmentation(dir.path())
    };
    refused(
        halves(&[0, 1, 2], &[0, 10, 20]),
        &["two notations", "1 to 2 in some files", "10, 20 in others", "classes.toml"],
    );
    refused(halves(&[0, 1, 2, 3], &[0, 85, 170, 255]), &["two notations", "85, 170, 255 in others"]);
    refused(halves(&[0, 127], &[0, 128]), &["127 in some files", "128 in others", "nearest = true"]);
    // Classes that never meet.
    assert_eq!(halves(&[0, 1, 2], &[0, 3, 4]).unwrap().train.classes().names.len(), 5);
    assert_eq!(halves(&[0, 1, 2], &[0, 7, 20]).unwrap().train.classes().names.len(), 5);
    assert_eq!(halves(&[0, 100], &[0, 200]).unwrap().train.classes().names.len(), 3);
}

/// Masks that have their mark in front of the name, or a mark of other programs.
#[test]
fn marks_of_masks_may_stand_in_front() {
    for (image, mask) in [("img_{}", "mask_{}"), ("{}", "GT_{}"), ("{}_img", "{}_ann"), ("image-{}", "label-{}")] {
        let dir = temp();
        for k in 0..6 {
            let at = |form: &str| dir.path().join(form.replace("{}", &k.to_string()) + ".png");
            save(&at(image), &picture(40, 32, k));
            save_grey(&at(mask), &stripes(&[0, 1, 2]));
        }
        let splits = segmentation(dir.path()).unwrap_or_else(|error| panic!("{mask}: {error}"));
        assert_eq!(splits.train.len() + splits.val.len(), 6, "{mask}");
    }
}

/// A mark before a label may say that the label is absent.
#[test]
fn denied_labels_are_refused() {
    let dir = temp();
    (0..6).for_each(|k| save(&dir.path().join(format!("{k}.png")), &picture(9, 7, k)));
    write(
        &dir.path().join("t.csv"),
        "path,labels\n0.png,cat;-dog\n1.png,dog\n2.png,-cat\n3.png,cat;dog\n4.png,dog\n5.png,cat\n",
    );
    refused(open_multi_label(dir.path(), &OpenOptions::default()), &["'-dog' can say that 'dog' is absent"]);
}

/// Folders as MMSegmentation and nnU-Net name them.
#[test]
fn folders_of_other_tools_are_images_and_masks() {
    for (images, masks, end) in
        [("img_dir/train", "ann_dir/train", ""), ("imagesTr", "labelsTr", "_0000"), ("img", "ann", "")]
    {
        let dir = temp();
        for k in 0..6 {
            save(&dir.path().join(format!("{images}/{k:03}{end}.png")), &picture(40, 32, k));
            save_grey(&dir.path().join(format!("{masks}/{k:03}.png")), &stripes(&[0, 1, 2]));
        }
        let splits = segmentation(dir.path()).unwrap_or_else(|error| panic!("{images}: {error}"));
        assert_eq!(splits.train.len() + splits.val.len(), 6, "{images}");
    }
}

/// Files with the names of lists are used or named.
#[test]
fn files_named_as_lists_that_are_not_read_are_left_out() {
    let unread = |files: &[(&str, &str)]| {
        let dir = numbered();
        files.iter().for_each(|(file, text)| write(&dir.path().join(file), text));
        let left_out = segmentation(dir.path()).unwrap().decisions.left_out;
        let named = left_out.iter().filter(|one| one.why == Why::UnreadList);
        named.map(|one| one.path.file_name().unwrap().to_string_lossy().into_owned()).collect::<Vec<_>>()
    };
    let lists = [("train.txt", "0\n1\n2\n3\n"), ("val.txt", "4\n5\n")];
    assert_eq!(unread(&lists), [""; 0]);
    assert_eq!(unread(&[lists[0], lists[1], ("train_small.txt", "0\n1\n")]), ["train_small.txt"]);
    assert_eq!(unread(&[("train_a.txt", "0\n1\n"), lists[1]]), ["train_a.txt"]);
    assert_eq!(unread(&[("split.txt", "train: 0-3\nval: 4-5\n"), ("splits.pkl", "x")]), ["split.txt", "splits.pkl"]);
}

/// Tiny ImageNet has classes for training, and one folder for validation.
#[test]
fn a_folder_of_images_of_all_classes_is_none() {
    let dir = temp();
    class_folders(&dir.path().join("train"), &["n1", "n2"], 3);
    class_folders(&dir.path().join("val"), &["images"], 3);
    refused(open(dir.path()), &["class 'images' is in", "holds images of all classes", "a folder for each class"]);
}
