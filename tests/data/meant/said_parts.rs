//! Parts that the data itself says: a field of COCO's images, numbers of a partition, lists inside the folder of images, the
//! annotations of Tiny ImageNet.

use std::fs;
use std::path::Path;

use serde_json::{Value, json};
use shadegrad::data::{OpenOptions, SetOptions, open_images, open_multi_label};

use super::{HEIGHT, NAMES, WIDTH, pairs, segmentation, stripes, write};
use crate::{class_folders, open, picture, refused, save, sets, slashed, temp};

const JPEGS: [&str; 4] = ["0.jpg", "1.jpg", "2.jpg", "3.jpg"];

fn rows(names: impl IntoIterator<Item = String>) -> String {
    names.into_iter().map(|name| name + "\n").collect()
}

/// The field `split` of COCO's images divides the set; it was ignored, and the seed divided.
#[test]
fn the_split_of_images_in_coco_divides_the_set() {
    let split = |parts: [Value; 4]| {
        sets::coco(&JPEGS, |file| {
            parts.into_iter().enumerate().for_each(|(at, part)| file["images"][at]["split"] = part);
        })
    };
    let dir = split([json!("val"), json!("train"), json!("train"), json!("Test")]);
    let splits = segmentation(dir.path()).unwrap();
    assert!(splits.train.name(0).ends_with("1.jpg") && splits.train.len() == 2, "{}", splits.train.name(0));
    assert!(splits.val.name(0).ends_with("0.jpg") && splits.val.len() == 1 && !splits.by_seed);
    assert_eq!(splits.test.as_ref().map(|test| test.len()), Some(1));
    assert_eq!(splits.decisions.split, "by the field 'split' of the images in annotations.json");
    // A training part alone is divided by seed.
    let splits = segmentation(split([json!("train"), json!("train"), json!("train"), json!("train")]).path()).unwrap();
    assert!(splits.by_seed && splits.train.len() == 3);
    for (parts, words) in [
        ([json!("train"), json!("val"), json!(null), json!("train")], "image 2 (2.jpg) has no 'split'"),
        ([json!("train"), json!("holdout"), json!("val"), json!("val")], "image 1 (1.jpg) is \"holdout\", expected"),
        ([json!(0), json!(0), json!(0), json!(1)], "image 0 (0.jpg) is 0, expected train, val or test"),
    ] {
        refused(segmentation(split(parts).path()), &["annotations.json", words]);
    }
    // The name of a file contradicts the field.
    let dir = temp();
    for (part, names) in [("train", ["0.jpg", "1.jpg"]), ("val", ["2.jpg", "3.jpg"])] {
        names.iter().for_each(|name| save(&dir.path().join("images").join(name), &picture(WIDTH, HEIGHT, 7)));
        let mut file = sets::coco_file(&names);
        (0..2).for_each(|at| file["images"][at]["split"] = json!(part));
        write(&dir.path().join(format!("instances_{part}.json")), file.to_string());
    }
    assert_eq!(sets::lens(&segmentation(dir.path()).unwrap()), (2, 2));
    let path = dir.path().join("instances_val.json");
    let text = fs::read_to_string(&path).unwrap();
    write(&path, text.replace(r#""split":"val""#, r#""split":"train""#));
    refused(segmentation(dir.path()), &["image 0 (2.jpg) is train", "named as that of val"]);
}

/// The partition 0, 1, 2 of CelebA and WILDS is train, val, test; it was refused.
#[test]
fn numbers_of_a_partition_are_parts() {
    let part = |at: usize| [0, 0, 0, 0, 1, 1, 2, 2][at];
    let partition =
        |head: &str, between: &str| head.to_owned() + &rows((0..8).map(|i| format!("{i}.jpg{between}{}", part(i))));
    let images = |dir: &Path| (0..8).for_each(|i| save(&dir.join(format!("img/{i}.jpg")), &picture(9, 7, i * 9)));
    let lens = |dir: &Path| {
        let splits = open(dir).unwrap();
        let sizes = (splits.train.len(), splits.val.len(), splits.test.as_ref().map_or(0, |test| test.len()));
        assert_eq!((sizes, splits.by_seed), ((4, 2, 2), false));
        splits.decisions.notes.join("; ")
    };
    let numbers = "0 is train, 1 is val, 2 is test";
    // Beside a table of labels, as a table and as a list.
    for (name, text) in [
        ("list_eval_partition.csv", partition("image_id,partition\n", ",")),
        ("list_eval_partition.txt", partition("", " ")),
    ] {
        let dir = temp();
        images(dir.path());
        write(
            &dir.path().join("labels.csv"),
            "path,label\n".to_owned() + &rows((0..8).map(|i| format!("img/{i}.jpg,{}", i % 2))),
        );
        write(&dir.path().join(name), &text);
        let notes = lens(dir.path());
        assert!(notes.contains(&format!("the numbers in {name} are parts: {numbers}")), "{notes}");
        // Two numbers of three can be parts or truth values.
        write(&dir.path().join(name), text.replace(" 2\n", " 1\n").replace(",2\n", ",1\n"));
        refused(open(dir.path()), &[name]);
    }
    // In a column of the table of labels.
    for column in ["split", "eval_partition"] {
        let dir = temp();
        images(dir.path());
        let table = |last: usize| {
            let row = |i: usize| format!("img/{i}.jpg,{},{}", ["a", "b"][i % 2], part(i).min(last));
            format!("path,label,{column}\n") + &rows((0..8).map(row))
        };
        write(&dir.path().join("labels.csv"), table(2));
        let notes = lens(dir.path());
        assert!(notes.contains(&format!("parts in column '{column}' ({numbers})")), "{notes}");
        let splits = open_multi_label(dir.path(), &OpenOptions::default()).unwrap();
        assert_eq!((splits.train.len(), splits.val.len()), (4, 2));
        assert!(splits.decisions.split.contains(numbers), "{}", splits.decisions.split);
        if column == "split" {
            write(&dir.path().join("labels.csv"), table(1));
            refused(open(dir.path()), &["'split' is '0', expected train, val or test", "holds 0, 1 and 2"]);
        }
    }
}

/// Lists inside the folder of images divide the set; they were named as unused, and the seed divided.
#[test]
fn lists_beside_the_images_divide_the_set() {
    let dir = temp();
    pairs(dir.path(), NAMES, |k| stripes(&[0, 1, k as u8 % 2]));
    let list = |range: std::ops::Range<usize>| rows(NAMES[range].iter().map(|name| format!("{name}.png")));
    write(&dir.path().join("images/train.txt"), list(0..2));
    write(&dir.path().join("images/val.txt"), list(2..6));
    let splits = segmentation(dir.path()).unwrap();
    assert_eq!((sets::lens(&splits), splits.by_seed), ((2, 4), false));
    assert_eq!(slashed(splits.decisions.split), "by the lists images/train.txt, images/val.txt");
    // In another folder they are refused.
    fs::create_dir(dir.path().join("info")).unwrap();
    for name in ["train.txt", "val.txt"] {
        fs::rename(dir.path().join("images").join(name), dir.path().join("info").join(name)).unwrap();
    }
    refused(segmentation(dir.path()), &["info/train.txt", "named as the list of a part", "in the folder of the set"]);
    // The text of an image named `train` is no list.
    let dir = temp();
    ["train", "val", "c", "d"]
        .iter()
        .for_each(|name| save(&dir.path().join(format!("images/{name}.jpg")), &picture(9, 7, 3)));
    write(&dir.path().join("images/train.txt"), "c.jpg\nd.jpg\n");
    assert!(open_images(dir.path(), &SetOptions::default()).unwrap().by_seed);
    // Class folders.
    let dir = temp();
    class_folders(&dir.path().join("images"), &["cat", "dog"], 4);
    write(&dir.path().join("images/train.txt"), "cat/0.png\ndog/0.png\n");
    write(&dir.path().join("images/val.txt"), "cat/1.png\ndog/1.png\ndog/2.png\n");
    for root in [dir.path().to_owned(), dir.path().join("images")] {
        let splits = open(&root).unwrap();
        assert_eq!((splits.train.len(), splits.val.len(), splits.by_seed), (2, 3, false));
    }
}

/// Tiny ImageNet: the validation images lie in one folder, and `val_annotations.txt` has their classes. It was refused.
#[test]
fn tiny_imagenet_is_read_as_it_is_published() {
    let dir = temp();
    let root = dir.path();
    for (tone, class) in ["n02", "n01"].iter().enumerate() {
        for i in 0..3 {
            save(&root.join(format!("train/{class}/images/{class}_{i}.JPEG")), &picture(9, 7, (40 * tone + i) as u8));
        }
        write(&root.join(format!("train/{class}/{class}_boxes.txt")), format!("{class}_0.JPEG\t0\t0\t5\t5\n"));
    }
    for i in 0..4 {
        save(&root.join(format!("val/images/val_{i}.JPEG")), &picture(9, 7, 100 + i));
        save(&root.join(format!("test/images/test_{i}.JPEG")), &picture(9, 7, 200 + i));
    }
    let annotations = "val_0.JPEG\tn02\t0\t0\t5\t5\nval_1.JPEG\tn01\t0\t0\t5\t5\nval_2.JPEG\tn02\t1\t1\t5\t5\n";
    write(&root.join("val/val_annotations.txt"), annotations);
    write(&root.join("wnids.txt"), "n02\nn01\n");
    write(&root.join("words.txt"), "n01\ttench\nn02\tshark\n");
    let splits = open(root).unwrap();
    assert_eq!((splits.train.len(), splits.val.class_names()), (6, &["n01".to_owned(), "n02".into()][..]));
    let labels: Vec<u32> = (0..splits.val.len()).map(|index| splits.val.label(index)).collect();
    assert_eq!(labels, [1, 0, 1]);
    let notes = splits.decisions.notes.join("; ");
    assert!(notes.contains("the classes of the images in val/ are those in val/val_annotations.txt"), "{notes}");
    let left_out = splits.decisions.left_out_lines().join("; ");
    assert!(left_out.contains("val_3.JPEG") && left_out.contains("test"), "{left_out}");
    for (from, to, words) in [
        ("val_1.JPEG\tn01", "val_1.JPEG\tn03", "'n03' is no class folder"),
        ("val_1.JPEG", "val_9.JPEG", "'val_9.JPEG' names no image"),
        ("val_1.JPEG", "val_0.JPEG", "'n01' is here and 'n02' on line 1"),
    ] {
        write(&root.join("val/val_annotations.txt"), annotations.replace(from, to));
        refused(open(root), &["val_annotations.txt, line 2", words]);
    }
}

/// `train_0.png` and `test_0.png` in one folder: the seed divided the set across these names.
#[test]
fn names_that_begin_with_parts_are_not_divided_by_seed() {
    let set = |names: [&str; 4]| {
        let dir = temp();
        for class in ["a", "b"] {
            let folder = dir.path().join(class);
            names
                .iter()
                .enumerate()
                .for_each(|(k, name)| save(&folder.join(format!("{name}.png")), &picture(9, 7, k as u8)));
        }
        dir
    };
    let dir = set(["train_0", "train_1", "testA_0", "testB_1"]);
    let words = ["begin with those of parts", "a/testA_0.png and a/train_0.png", "train.txt"];
    refused(open(dir.path()), &words);
    refused(open_images(dir.path(), &SetOptions::default()), &words);
    refused(open_multi_label(dir.path(), &OpenOptions::default()), &words);
    // Lists decide.
    let names = |part: &str| rows(["a", "b"].into_iter().flat_map(|c| [0, 1].map(|k| format!("{c}/{part}{k}.png"))));
    write(&dir.path().join("train.txt"), names("train_"));
    write(&dir.path().join("test.txt"), "a/testA_0.png\nb/testA_0.png\n");
    assert_eq!(open(dir.path()).unwrap().train.len(), 4);
    // One part, or other names among them, say nothing.
    for names in [["train_0", "train_1", "train_2", "train_3"], ["train_0", "test_1", "val_2", "bus_3"]] {
        assert!(open(set(names).path()).unwrap().by_seed);
    }
}
