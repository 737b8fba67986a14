//! Sets as their archives have them: CelebA's attributes, pieces of ChestX-ray14, parts of Places365, letters of SUN397.

use std::path::Path;

use serde_json::json;
use shadegrad::data::{MissingHint, OpenOptions, open_classification, open_multi_label};

use super::{HEIGHT, NAMES, WIDTH, pairs, save_grey, segmentation, stripes, write};
use crate::{open, picture, refused, save, sets, temp};

/// The attributes of image `i`.
fn attributes(i: usize) -> [i32; 3] {
    [1, 2, 4].map(|bit| if i & bit > 0 { 1 } else { -1 })
}

fn joined(i: usize, between: &str) -> String {
    attributes(i).map(|value| value.to_string()).join(between)
}

/// CelebA's images and its file of parts.
fn celeba(root: &Path, folder: &str, partition: &str, between: &str) {
    let mut parts = if partition.ends_with(".csv") { "image_id,partition\n".to_owned() } else { String::new() };
    for i in 0..16 {
        save(&root.join(folder).join(format!("{:06}.jpg", i + 1)), &picture(9, 7, i as u8 * 9));
        parts += &format!("{:06}.jpg{between}{}\n", i + 1, [0, 0, 0, 0, 1, 2][i % 6]);
    }
    write(&root.join(partition), parts);
}

fn require_celeba(path: &Path) {
    let splits = open_multi_label(path, &OpenOptions::default()).unwrap();
    assert_eq!(splits.train.class_names(), ["Bald", "Male", "Young"]);
    assert_eq!(
        (splits.train.len(), splits.val.len(), splits.test.as_ref().map(shadegrad::data::MultiLabelSet::len)),
        (12, 2, Some(2))
    );
    // Image 1 is the seventh, since 4 and 5 are not for training.
    let at = (0..12).find(|&index| splits.train.name(index).ends_with("000007.jpg")).unwrap();
    assert_eq!(splits.train.labels(at), [1, 2]);
    let notes = splits.decisions.notes.join("; ");
    assert!(notes.contains("a class for each of 3 columns") && notes.contains("-1 is read as absent"), "{notes}");
}

/// A text of attributes was refused.
#[test]
fn celebas_attributes_are_labels() {
    let dir = temp();
    celeba(dir.path(), "img_align_celeba", "list_eval_partition.txt", " ");
    let rows: String = (0..16).map(|i| format!("{:06}.jpg  {}\n", i + 1, joined(i, "  "))).collect();
    let list = dir.path().join("list_attr_celeba.txt");
    write(&list, format!("16\nBald Male Young \n{rows}"));
    [dir.path(), &list].into_iter().for_each(require_celeba);
    for path in [dir.path(), &list] {
        let error = open_classification(path, &OpenOptions::default()).unwrap_err();
        assert_eq!(error.hint(), Some(MissingHint::SeveralLabels));
        refused::<()>(Err(error), &["list_attr_celeba.txt", "for each of 3 labels", "one class an image was expected"]);
    }
    // A count that is not that of the rows is an incomplete file; numbers other than 1, -1 and 0 are no attributes.
    write(&list, format!("17\nBald Male Young\n{rows}"));
    refused(open_multi_label(dir.path(), &OpenOptions::default()), &["list_attr_celeba.txt", "17", "16"]);
    write(&list, format!("16\nBald Male Young\n{}", rows.replace("-1", "95")));
    refused(open_multi_label(dir.path(), &OpenOptions::default()), &["list_attr_celeba.txt names images"]);
}

/// Kaggle's copy has tables of coordinates beside that of the labels.
#[test]
fn tables_of_coordinates_beside_labels_are_left_out() {
    let dir = temp();
    celeba(dir.path(), "img_align_celeba/img_align_celeba", "list_eval_partition.csv", ",");
    let table = |head: &str, row: &dyn Fn(usize) -> String| {
        head.to_owned() + &(0..16).map(|i| format!("{:06}.jpg,{}\n", i + 1, row(i))).collect::<String>()
    };
    write(&dir.path().join("list_attr_celeba.csv"), table("image_id,Bald,Male,Young\n", &|i| joined(i, ",")));
    write(
        &dir.path().join("list_bbox_celeba.csv"),
        table("image_id,x_1,y_1,width,height\n", &|i| format!("95,{i},226,313")),
    );
    require_celeba(dir.path());
    let splits = open_multi_label(dir.path(), &OpenOptions::default()).unwrap();
    let left_out = splits.decisions.left_out_lines().join("; ");
    assert!(left_out.contains("list_bbox_celeba.csv"), "{left_out}");
    let error = open_classification(dir.path(), &OpenOptions::default()).unwrap_err();
    assert_eq!(error.hint(), Some(MissingHint::SeveralLabels));
    // A table of other labels may be meant.
    write(&dir.path().join("kinds.csv"), table("image_id,kind\n", &|i| ["a", "b"][i % 2].to_owned()));
    refused(open_multi_label(dir.path(), &OpenOptions::default()), &["holds several tables", "kinds.csv"]);
}

/// Folders of a set in pieces, of a part, or of letters became the classes.
#[test]
fn pieces_parts_and_letters_are_no_classes() {
    let set = |folders: &[&str]| {
        let dir = temp();
        for (k, folder) in folders.iter().enumerate() {
            (0..4).for_each(|i| {
                save(&dir.path().join(folder).join(format!("{k}{i}.png")), &picture(9, 7, (k * 9 + i) as u8));
            });
        }
        dir
    };
    for (folders, words) in [
        (&["images_001/images", "images_002/images"][..], &["'images_001' and 'images_002'", "pieces of one set"][..]),
        (&["batch1", "batch2"], &["'batch1' and 'batch2'", "pieces of one set"]),
        (&["data_256/a/airfield", "data_256/a/bar", "val_256"], &["the folder 'val_256' is named as parts"]),
        (&["box_train", "box_test", "query"], &["'box_test' and 'box_train'", "named as parts"]),
        (&["daisy", "flowers/daisy", "flowers/rose", "rose"], &["'flowers' holds folders", "'daisy' and 'rose'"]),
        (&["a/abbey", "a/airport", "b/bakery"], &["'a' and 'b'", "'abbey', 'airport' and 'bakery'"]),
    ] {
        let dir = set(folders);
        refused(open(dir.path()), words);
        refused(open_multi_label(dir.path(), &OpenOptions::default()), words);
    }
    // Classes of such names.
    for folders in [&["class_1", "class_2"][..], &["a", "b"], &["1", "2"], &["default", "other"], &["a/one", "b/two"]] {
        assert_eq!(open(set(folders).path()).unwrap().train.class_names().len(), 2);
    }
}

/// `restval` of Karpathy's split was refused.
#[test]
fn restval_is_for_training() {
    let dir = sets::coco(&["0.jpg", "1.jpg", "2.jpg", "3.jpg"], |file| {
        ["train", "restval", "val", "test"]
            .iter()
            .enumerate()
            .for_each(|(at, part)| file["images"][at]["split"] = json!(part));
    });
    let splits = segmentation(dir.path()).unwrap();
    assert_eq!((sets::lens(&splits), splits.test.as_ref().map(|test| test.len())), ((2, 1), Some(1)));
    let words = "by the field 'split' of the images in annotations.json ('restval' is for training)";
    assert_eq!(splits.decisions.split, words);
}

/// DeepGlobe and the roads of Massachusetts: ids beside the files of pairs, and parts whose masks are not published.
#[test]
fn tables_of_pairs_may_have_ids_and_parts_without_masks() {
    let dir = temp();
    let mut table = "image_id,split,tiff_image_path,tif_label_path\n".to_owned();
    for part in ["train", "val"] {
        for i in 0..3 {
            let (image, mask) = (format!("tiff/{part}/{part}{i}.png"), format!("tiff/{part}_labels/{part}{i}.bmp"));
            save(&dir.path().join(&image), &picture(WIDTH, HEIGHT, i));
            save_grey(&dir.path().join(&mask), &stripes(&[0, 255]));
            table += &format!("{part}{i},{part},{image},{mask}\n");
        }
    }
    write(&dir.path().join("metadata.csv"), &table);
    let splits = segmentation(dir.path()).unwrap();
    assert_eq!((sets::lens(&splits), splits.by_seed), ((3, 3), false));
    let notes = splits.decisions.notes.join("; ");
    assert!(notes.contains("images in column 'tiff_image_path', masks in column 'tif_label_path'"), "{notes}");

    let dir = temp();
    let mut table = "image_id,split,sat_image_path,mask_path\n".to_owned();
    for i in 0..8u8 {
        let part = ["train", "train", "train", "train", "train", "train", "valid", "test"][usize::from(i)];
        save(&dir.path().join(format!("{part}/{i}_sat.jpg")), &picture(WIDTH, HEIGHT, i));
        let mask = if part == "train" { format!("train/{i}_mask.png") } else { String::new() };
        if part == "train" {
            save_grey(&dir.path().join(&mask), &stripes(&[0, 255]));
        }
        table += &format!("{i},{part},{part}/{i}_sat.jpg,{mask}\n");
    }
    write(&dir.path().join("metadata.csv"), &table);
    let splits = segmentation(dir.path()).unwrap();
    assert_eq!((sets::lens(&splits), splits.by_seed), ((4, 2), true));
    let left_out = splits.decisions.left_out_lines().join("; ");
    assert!(left_out.contains("6_sat.jpg") && left_out.contains("7_sat.jpg"), "{left_out}");
    // A single row without mask is a fault.
    write(&dir.path().join("metadata.csv"), table.replace("train/0_mask.png", ""));
    refused(segmentation(dir.path()), &["metadata.csv, line 2"]);
}

/// `Kvasir-SEG/images`: the word of masks in the folder around all files made masks of the images.
#[test]
fn the_folder_around_all_files_is_neither_images_nor_masks() {
    let dir = temp();
    pairs(&dir.path().join("Kvasir-SEG"), NAMES, |_| stripes(&[0, 255]));
    assert_eq!(sets::lens(&segmentation(dir.path()).unwrap()), (4, 2));
}

/// Annotations beside the one folder of class folders hid where the classes are.
#[test]
fn the_folder_of_classes_is_named_beside_others() {
    let dir = temp();
    crate::class_folders(&dir.path().join("101_ObjectCategories"), &["accordion", "airplanes"], 3);
    write(&dir.path().join("Annotations/accordion/annotation_0001.mat"), "MATLAB 5.0 MAT-file");
    refused(
        open(dir.path()),
        &["101_ObjectCategories/ holds folders of images; if those are the classes, give that folder"],
    );
    let dir = temp();
    (0..4).for_each(|i| save(&dir.path().join(format!("Img/img_align_celeba/{i}.jpg")), &picture(9, 7, i)));
    write(&dir.path().join("Anno/identity.txt"), "0.jpg 1\n1.jpg 2\n");
    write(
        &dir.path().join("Anno/list_attr_celeba.txt"),
        "4\nBald Male\n0.jpg 1 -1\n1.jpg 1 1\n2.jpg -1 1\n3.jpg -1 -1\n",
    );
    refused(open(dir.path()), &["Anno/list_attr_celeba.txt has several labels an image", "root of images"]);
}

/// HRF: the masks of its annotator were taken for pictures, and those of the field of view for the masks.
#[test]
fn folders_of_annotators_hold_masks() {
    let dir = temp();
    for i in 0..4u8 {
        save(&dir.path().join(format!("images/{i}_h.jpg")), &picture(WIDTH, HEIGHT, i));
        save_grey(&dir.path().join(format!("manual1/{i}_h.tif")), &stripes(&[0, 255]));
    }
    assert_eq!(sets::lens(&segmentation(dir.path()).unwrap()), (3, 1));
    (0..4u8).for_each(|i| save_grey(&dir.path().join(format!("mask/{i}_h_mask.tif")), &stripes(&[0, 255, 255])));
    refused(segmentation(dir.path()), &["several masks of images/0_h.jpg", "'manual1' and 'mask'"]);
}

/// FloodNet: `_lab` after the name of a mask was refused with a wrong reason.
#[test]
fn lab_and_anno_are_marks_of_masks() {
    for mark in ["lab", "anno"] {
        let dir = temp();
        for i in 0..4u8 {
            save(&dir.path().join(format!("train-org-img/{i}.jpg")), &picture(WIDTH, HEIGHT, i));
            save_grey(&dir.path().join(format!("train-label-img/{i}_{mark}.png")), &stripes(&[0, 1]));
        }
        assert_eq!(sets::lens(&segmentation(dir.path()).unwrap()), (3, 1));
    }
}
