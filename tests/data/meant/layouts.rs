//! Layouts of classification sets as archives and tools make them.

use std::fs;
use std::path::Path;

use image::{ImageBuffer, Luma};
use shadegrad::data::{
    ClassificationDataset, MultiLabelSplits, OpenOptions, SetOptions, Splits, open_images, open_multi_label,
};

use super::{pairs, segmentation, stripes, write};
use crate::{class_folders, open, picture, refused, save, slashed, temp};

/// `count` pictures `0.png`, `1.png`, …, of a size that depends on the folder.
fn pictures(folder: &Path, count: usize) {
    let width = folder.display().to_string().bytes().map(u32::from).sum::<u32>() % 29;
    (0..count).for_each(|i| save(&folder.join(format!("{i}.png")), &picture(9 + width, 7, i as u8)));
}

fn left_out(splits: &Splits) -> String {
    slashed(splits.decisions.left_out_lines().join("; "))
}

fn notes(splits: &Splits) -> String {
    splits.decisions.notes.join("; ")
}

fn multi_label(path: &Path) -> MultiLabelSplits {
    open_multi_label(path, &OpenOptions { val_split: 0.25, seed: 5, ..OpenOptions::default() }).unwrap()
}

fn labels_of(set: &dyn ClassificationDataset) -> Vec<(String, String)> {
    (0..set.len())
        .map(|index| {
            let name = set.path(index).unwrap().file_name().unwrap().to_string_lossy().into_owned();
            (name, set.class_names()[set.label(index) as usize].clone())
        })
        .collect()
}

#[test]
fn folders_named_as_parts_with_other_words_are_the_parts() {
    let dir = temp();
    for part in ["seg_train/seg_train", "seg_test/seg_test"] {
        class_folders(&dir.path().join(part), &["sea", "street"], 2);
    }
    pictures(&dir.path().join("seg_pred/seg_pred"), 3);
    let splits = open(dir.path()).unwrap();
    assert_eq!(splits.train.class_names(), ["sea", "street"]);
    assert_eq!((splits.train.len(), splits.val.len()), (4, 4));
    assert!(left_out(&splits).contains("seg_pred"), "{}", left_out(&splits));
    assert_eq!(multi_label(dir.path()).train.class_names(), ["sea", "street"]);
    let images = open_images(dir.path(), &SetOptions::default()).unwrap();
    assert_eq!((images.train.len(), images.val.len()), (4, 4));
    // Without classes in them they cannot be the parts, and are no classes.
    let flat = temp();
    ["X_train", "X_val2", "more"].iter().for_each(|name| pictures(&flat.path().join(name), 2));
    refused(open(flat.path()), &["'X_train' and 'X_val2'", "named as parts"]);
}

#[test]
fn a_table_of_the_part_beside_folders_of_parts_is_read() {
    let dir = temp();
    pictures(&dir.path().join("train-jpg"), 6);
    save(&dir.path().join("test-jpg/t.png"), &picture(9, 7, 99));
    let rows: String = (0..6).map(|i| format!("{i},{}\n", ["haze;road", "road", "clear"][i % 3])).collect();
    write(&dir.path().join("train_v2.csv"), format!("image_name,tags\n{rows}"));
    write(&dir.path().join("sample_submission_v2.csv"), "image_name,tags\nt,clear\n");
    let splits = multi_label(dir.path());
    assert_eq!(splits.train.class_names(), ["clear", "haze", "road"]);
    assert!(splits.decisions.left_out_lines().join(";").contains("sample_submission_v2.csv"));
    write(&dir.path().join("train_v2.csv"), format!("image_name,label\n{}", rows.replace("haze;road", "haze")));
    let splits = open(dir.path()).unwrap();
    assert_eq!(splits.train.class_names(), ["clear", "haze", "road"]);
    assert!(left_out(&splits).contains("samples of a submission: "), "{}", left_out(&splits));
}

#[test]
fn folders_of_the_system_are_no_classes_and_hold_no_pictures() {
    let dir = temp();
    class_folders(dir.path(), &["a", "b"], 3);
    for folder in ["@eaDir", "$RECYCLE.BIN", "lost+found", "a/@eaDir/0.png"] {
        save(&dir.path().join(folder).join("THUMB.jpg"), &picture(5, 5, 7));
    }
    let splits = open(dir.path()).unwrap();
    assert_eq!(splits.train.class_names(), ["a", "b"]);
    assert_eq!(splits.train.len() + splits.val.len(), 6);
    let left_out = left_out(&splits);
    assert!(left_out.contains("$RECYCLE.BIN") && left_out.contains("a/@eaDir"), "{left_out}");
}

#[test]
fn images_and_masks_and_own_output_are_no_classes() {
    let dir = temp();
    pairs(dir.path(), super::NAMES, |_| stripes(&[0, 255]));
    refused(open(dir.path()), &["images/ and masks/", "segmentation"]);
    let dir = temp();
    class_folders(dir.path(), &["a", "b"], 4);
    save(&dir.path().join("predictions/0-color.png"), &picture(9, 7, 1));
    write(&dir.path().join("predictions/.shadegrad"), "");
    let splits = open(dir.path()).unwrap();
    assert_eq!(splits.train.class_names(), ["a", "b"]);
    assert!(left_out(&splits).contains("predictions"), "{}", left_out(&splits));
}

#[cfg(unix)]
#[test]
fn a_link_back_to_a_folder_around_it_is_left_out() {
    let dir = temp();
    class_folders(dir.path(), &["a", "b"], 3);
    std::os::unix::fs::symlink("..", dir.path().join("a/loop")).unwrap();
    let splits = open(dir.path()).unwrap();
    assert_eq!(splits.train.len() + splits.val.len(), 6);
    assert!(left_out(&splits).contains("a/loop"), "{}", left_out(&splits));
}

#[test]
fn folders_inside_class_folders_are_noted() {
    let dir = temp();
    for folder in ["cat/persian", "cat/siam"] {
        pictures(&dir.path().join(folder), 2);
    }
    pictures(&dir.path().join("dog"), 2);
    let splits = open(dir.path()).unwrap();
    assert_eq!(splits.train.class_names(), ["cat", "dog"]);
    assert!(notes(&splits).contains("such as cat/persian/"), "{}", notes(&splits));
}

#[test]
fn lists_that_divide_otherwise_than_the_folders_are_refused() {
    let dir = temp();
    for part in ["train", "val"] {
        for class in ["a", "b"] {
            pictures(&dir.path().join(part).join(class), 2);
        }
    }
    write(&dir.path().join("val.txt"), "val/a/0.png\n");
    write(&dir.path().join("train.txt"), "train/a/0.png\ntrain/b/0.png\n");
    let splits = open(dir.path()).unwrap();
    assert!(left_out(&splits).contains("val.txt"), "{}", left_out(&splits));
    write(&dir.path().join("val.txt"), "val/a/0.png\ntrain/a/1.png\n");
    refused(open(dir.path()), &["val.txt, line 2", "puts train/a/1.png into val, which is in train"]);
    refused(open_multi_label(dir.path(), &OpenOptions::default()), &["val.txt, line 2"]);
}

/// A flat test part beside class folders has no labels, with or without a part for validation.
#[test]
fn a_flat_test_part_is_left_out() {
    let dir = temp();
    class_folders(&dir.path().join("train"), &["a", "b"], 4);
    pictures(&dir.path().join("test"), 2);
    let splits = open(dir.path()).unwrap();
    assert_eq!((splits.train.class_names().len(), splits.by_seed), (2, true));
    assert!(left_out(&splits).contains("test images without known classes"), "{}", left_out(&splits));
    assert_eq!(multi_label(dir.path()).train.class_names(), ["a", "b"]);
}

/// A folder of images is a class, whatever its name, also with a table in it.
#[test]
fn a_class_may_have_the_name_of_a_folder_of_lists() {
    let dir = temp();
    class_folders(dir.path(), &["apple", "meta", "pear"], 3);
    write(&dir.path().join("meta/split.csv"), "a,b\n");
    assert_eq!(open(dir.path()).unwrap().train.class_names(), ["apple", "meta", "pear"]);
}

/// Pictures in another folder with the names of images are not images without masks.
#[test]
fn a_folder_of_overlays_is_left_out() {
    let dir = temp();
    pairs(dir.path(), super::NAMES, |_| stripes(&[0, 1]));
    for (at, name) in super::NAMES.iter().enumerate() {
        save(&dir.path().join(format!("overlays/{name}.png")), &picture(40, 32, at as u8));
    }
    let splits = segmentation(dir.path()).unwrap();
    assert_eq!(splits.train.len() + splits.val.len(), 6);
    assert!(slashed(splits.decisions.left_out_lines().join(";")).contains("overlays/im 0.png"));
    save(&dir.path().join("overlays/more.png"), &picture(40, 32, 9));
    refused(segmentation(dir.path()), &["overlays/more.png", "no mask"]);
}

#[test]
fn lists_with_labels_must_agree_with_the_class_folders() {
    let dir = temp();
    class_folders(dir.path(), &["a", "b"], 3);
    write(&dir.path().join("val.txt"), "a/2.png 0\nb/2.png 1\n");
    write(&dir.path().join("train.txt"), "a/0.png 0\na/1.png 0\nb/0.png 1\nb/1.png 1\n");
    assert!(notes(&open(dir.path()).unwrap()).contains("agree"));
    write(&dir.path().join("train.txt"), "a/0.png 1\na/1.png 0\nb/0.png 1\nb/1.png 1\n");
    refused(open(dir.path()), &["contradicts the class folders", "a/0.png", "a/1.png"]);
    // More values than classes are no labels.
    write(&dir.path().join("train.txt"), "a/0.png 0.1\na/1.png 0.2\nb/0.png 0.3\nb/1.png 0.4\n");
    let notes = notes(&open(dir.path()).unwrap());
    assert!(notes.contains("is not read, such as '0.1'"), "{notes}");
}

#[test]
fn without_a_list_of_training_images_the_rest_trains() {
    let dir = temp();
    class_folders(dir.path(), &["a", "b"], 3);
    write(&dir.path().join("valid.txt"), "a/2.png\nb/2.png\n");
    let splits = open(dir.path()).unwrap();
    assert_eq!((splits.train.len(), splits.val.len(), splits.by_seed), (4, 2, false));
    assert!(notes(&splits).contains("4 images that valid.txt does not name"), "{}", notes(&splits));
    for list in ["valid.txt", "test.txt"] {
        let dir = temp();
        pairs(dir.path(), super::NAMES, |_| stripes(&[0, 1]));
        write(&dir.path().join(list), "im 4\nim 5\n");
        let splits = segmentation(dir.path()).unwrap();
        assert_eq!((splits.train.len(), splits.val.len(), splits.by_seed), (4, 2, false), "{list}");
    }
}

#[test]
fn lists_beside_the_folder_of_images_divide_it() {
    let dir = temp();
    class_folders(&dir.path().join("images"), &["a", "b"], 3);
    write(&dir.path().join("meta/train.txt"), "a/0\na/1\nb/0\nb/1\n");
    write(&dir.path().join("meta/test.txt"), "a/2\nb/2\n");
    let splits = open(dir.path()).unwrap();
    assert_eq!(splits.train.class_names(), ["a", "b"]);
    assert_eq!((splits.train.len(), splits.val.len(), splits.by_seed), (4, 2, false));
    fs::remove_dir_all(dir.path().join("meta")).unwrap();
    // The form of the CUB birds.
    let names = ["a/0.png", "a/1.png", "a/2.png", "b/0.png", "b/1.png", "b/2.png"];
    let numbered =
        |value: &dyn Fn(usize) -> String| (0..6).map(|i| format!("{} {}\n", i + 1, value(i))).collect::<String>();
    write(&dir.path().join("images.txt"), numbered(&|i| names[i].into()));
    write(&dir.path().join("train_test_split.txt"), numbered(&|i| u8::from(i % 3 != 2).to_string()));
    let splits = open(dir.path()).unwrap();
    assert_eq!((splits.train.len(), splits.val.len(), splits.by_seed), (4, 2, false));
    assert_eq!(splits.decisions.lists, ["train_test_split.txt"]);
}

#[test]
fn lists_of_names_and_labels_are_tables() {
    let dir = temp();
    pictures(&dir.path().join("images"), 6);
    write(&dir.path().join("train.txt"), "0.png 0\n1.png 0\n2.png 1\n3.png 1\n");
    write(&dir.path().join("val.txt"), "# name label\n4.png 0\n5.png\t1\n");
    let splits = open(dir.path()).unwrap();
    assert_eq!(splits.train.class_names(), ["0", "1"]);
    assert_eq!(labels_of(&*splits.val), [("4.png".into(), "0".into()), ("5.png".into(), "1".into())]);
    ["train.txt", "val.txt"].iter().for_each(|name| fs::remove_file(dir.path().join(name)).unwrap());
    write(&dir.path().join("labels.txt"), "file\tlabel\n0.png\tcat\n1.png\tcat\n2.png\tdog\n3.png\tdog\n");
    assert_eq!(open(dir.path()).unwrap().train.class_names(), ["cat", "dog"]);
}

#[test]
fn lists_that_are_not_used_are_named() {
    let dir = temp();
    class_folders(dir.path(), &["a", "b"], 4);
    write(&dir.path().join("mine.json"), r#"[{"name": "a/0.png"}, {"name": "b/0.png"}]"#);
    write(&dir.path().join("classes.txt"), "a\nb\n");
    write(&dir.path().join("notes.txt"), "0 and 1 are mine\n");
    let splits = open(dir.path()).unwrap();
    assert!(left_out(&splits).contains("mine.json"), "{}", left_out(&splits));
    assert!(!left_out(&splits).contains("classes.txt") && !left_out(&splits).contains("notes.txt"));
    let dir = temp();
    pairs(dir.path(), super::NAMES, |_| stripes(&[0, 1]));
    write(&dir.path().join("metadata.csv"), "image,weather\nim 0.png,rain\nim 1.png,sun\n");
    let splits = segmentation(dir.path()).unwrap();
    assert!(splits.decisions.left_out_lines().join(";").contains("metadata.csv"));
    write(&dir.path().join("ImageSets/train.txt"), "im 0\nim 1\nim 2\nim 3\n");
    write(&dir.path().join("ImageSets/val.txt"), "im 4\nim 5\n");
    assert!(!segmentation(dir.path()).unwrap().by_seed, "lists in ImageSets/ are used");
}

#[test]
fn an_ambiguous_table_beside_class_folders_is_refused() {
    let dir = temp();
    class_folders(dir.path(), &["x", "y"], 3);
    write(&dir.path().join("labels.csv"), "id,label\n0,a\n1,b\n2,a\n");
    refused(open(dir.path()), &["labels.csv", "x/0.png", "y/0.png", "class folders"]);
}

#[test]
fn a_few_bright_images_among_dark_ones_are_noted() {
    let dir = temp();
    let save16 = |name: &str, highest: u16| {
        let path = dir.path().join(name);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        let image: ImageBuffer<Luma<u16>, Vec<u16>> =
            ImageBuffer::from_fn(8, 8, |x, _| Luma([highest / 8 * (x as u16 + 1)]));
        image.save(path).unwrap();
    };
    (0..4).for_each(|i| save16(&format!("a/{i}.png"), 4000));
    (0..3).for_each(|i| save16(&format!("b/{i}.png"), 3000));
    save16("b/3.png", 60_000);
    let check = |path: &Path| {
        shadegrad::data::check::check_classification(path, &shadegrad::data::check::CheckOptions::default()).unwrap()
    };
    let report = check(dir.path());
    let note = report.notes.join(";");
    assert!(note.contains("7 of 8 16-bit images hold at most 4095") && note.contains("16 bits"), "{note}");
    fs::remove_file(dir.path().join("b/3.png")).unwrap();
    assert!(check(dir.path()).notes.join(";").contains("read as 12 bits"));
}
