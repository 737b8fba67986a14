//! Data sets without parts that stay whole, for the evaluation of a model that they did not train.

use std::fs;

use image::{GrayImage, Luma};
use shadegrad::data::{OpenOptions, SetOptions, open_classification, open_images, open_multi_label, open_segmentation};

use crate::{class_folders, picture, save, temp};

#[test]
fn all_images_are_in_both_parts() {
    let options = || OpenOptions { undivided: true, for_model: true, ..OpenOptions::default() };
    let of_pictures = || SetOptions { undivided: true, ..SetOptions::default() };
    let folders = temp();
    class_folders(folders.path(), &["cat", "dog"], 3);
    let classified = open_classification(folders.path(), &options()).unwrap();
    assert_eq!((classified.train.len(), classified.val.len(), classified.by_seed), (6, 6, true));
    assert_eq!(classified.decisions.split, "none: all images");
    let colored = open_images(folders.path(), &of_pictures()).unwrap();
    assert_eq!((colored.train.len(), colored.val.len(), colored.by_seed), (6, 6, true));
    assert_eq!(colored.decisions.split, "none: all images");
    let table = folders.path().join("labels.csv");
    fs::write(&table, "path,labels\ncat/0.png,cat\ndog/0.png,\"cat;dog\"\n").unwrap();
    let labeled = open_multi_label(&table, &options()).unwrap();
    assert_eq!((labeled.train.len(), labeled.val.len(), labeled.by_seed), (2, 2, true));
    assert_eq!(labeled.decisions.split, "none: all images");
    let masked = temp();
    save(&masked.path().join("images/a.png"), &picture(4, 4, 9));
    fs::create_dir_all(masked.path().join("masks")).unwrap();
    GrayImage::from_fn(4, 4, |x, _| Luma([u8::from(x > 1)])).save(masked.path().join("masks/a.png")).unwrap();
    let segmented = open_segmentation(masked.path(), &of_pictures()).unwrap();
    assert_eq!((segmented.train.len(), segmented.val.len(), segmented.by_seed), (1, 1, true));
    assert_eq!(segmented.decisions.split, "none: all images");
    let single = temp();
    class_folders(single.path(), &["cat"], 1);
    assert_eq!(open_classification(single.path(), &options()).unwrap().val.len(), 1);
    assert_eq!(open_images(single.path(), &of_pictures()).unwrap().val.len(), 1);
}

#[test]
fn a_data_set_with_parts_keeps_them() {
    let dir = temp();
    class_folders(&dir.path().join("train"), &["cat", "dog"], 3);
    class_folders(&dir.path().join("val"), &["cat", "dog"], 1);
    let options = OpenOptions { undivided: true, ..OpenOptions::default() };
    let splits = open_classification(dir.path(), &options).unwrap();
    assert_eq!((splits.train.len(), splits.val.len(), splits.by_seed), (6, 2, false));
}
