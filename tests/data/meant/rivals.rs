//! Labels that are there twice: two columns, two annotators, two masks of an image. And annotations of other images.

use std::fs;
use std::path::Path;

use shadegrad::data::check::{CheckOptions, check_segmentation};
use shadegrad::data::{Hints, OpenOptions, open_classification, open_multi_label};

use super::{HEIGHT, WIDTH, save_grey, segmentation, stripes, write};
use crate::{open, picture, refused, save, sets, temp};

/// `0.png` to `7.png`, and a table with `header` and a row for each.
fn table(dir: &Path, header: &str, row: impl Fn(usize) -> String) {
    (0..8).for_each(|i| save(&dir.join(format!("{i}.png")), &picture(9, 7, i * 9)));
    write(&dir.join("labels.csv"), format!("{header}\n{}", (0..8).map(|i| row(i) + "\n").collect::<String>()));
}

/// `label` beside `true_label`, which differ: the first was used, and the other only noted.
#[test]
fn two_columns_of_labels_that_differ_are_refused() {
    let label = |i: usize| ["cat", "dog"][i % 2];
    for (header, other) in [
        ("path,label,true_label", &(|i: usize| ["cat", "dog", "dog"][i % 3]) as &dyn Fn(usize) -> &'static str),
        ("path,label,label2", &|i| ["cat", "fox", "dog"][i % 3]),
        ("path,label,ground_truth", &|i| ["dog", "cat"][i % 2]),
    ] {
        let dir = temp();
        table(dir.path(), header, |i| format!("{i}.png,{},{}", label(i), other(i)));
        let (_, name) = header.rsplit_once(',').unwrap();
        let words = ["'label' and '".to_owned() + name, "they differ: ".into(), "on line".into()];
        refused(open(dir.path()), &words.each_ref().map(String::as_str));
        // The flag decides.
        for column in ["label", name] {
            let hints = Hints { label_column: Some(column.into()), ..Hints::default() };
            let options = OpenOptions { hints, ..OpenOptions::default() };
            let splits = open_classification(dir.path(), &options).unwrap();
            assert!(splits.decisions.notes[0].contains(&format!("labels in column '{column}'")), "{splits:?}");
        }
    }
    // Columns that agree, other classes, numbers of classes, predictions, flags.
    for (header, other) in [
        ("path,label,true_label", &(|i: usize| ["cat", "dog"][i % 2]) as &dyn Fn(usize) -> &'static str),
        ("path,label,sub_label", &|i| ["tabby", "poodle", "lion"][i % 3]),
        ("path,label,label_id", &|i| ["1", "0"][i % 2]),
        ("path,label,predicted_label", &|i| ["cat", "dog", "dog"][i % 3]),
        ("path,label,is_label_checked", &|i| ["1", "0", "0"][i % 3]),
    ] {
        let dir = temp();
        table(dir.path(), header, |i| format!("{i}.png,{},{}", label(i), other(i)));
        assert_eq!(open(dir.path()).unwrap().train.class_names(), ["cat", "dog"], "{header}");
    }
    let dir = temp();
    table(dir.path(), "path,labels,noisy_labels", |i| {
        format!("{i}.png,{},{}", ["a;b", "b", "c"][i % 3], ["b", "a;b", "c"][i % 3])
    });
    refused(
        open_multi_label(dir.path(), &OpenOptions::default()),
        &["'labels' and 'noisy_labels'", "'a;b' and 'b' on line 2"],
    );
}

/// A line for each annotator of an image: their labels were joined where they contradict each other.
#[test]
fn annotators_that_contradict_each_other_are_refused() {
    let options = OpenOptions::default();
    let by_two = |annotator: &str, second: fn(usize) -> &'static str| {
        let dir = temp();
        let first = |i: usize| ["cat", "dog"][i % 2];
        table(dir.path(), &format!("path,{annotator},labels"), |i| {
            format!("{i}.png,x,{}\n{i}.png,y,{}", first(i), second(i))
        });
        dir
    };
    let dir = by_two("annotator", |i| ["cat", "dog", "dog"][i % 3]);
    refused(
        open_multi_label(dir.path(), &options),
        &[
            "labels.csv, line 7",
            "'dog' here and 'cat' on line 6",
            "'annotator'",
            "of one annotator or of all together",
            "one line an image",
        ],
    );
    // Annotators that agree, and a column of other things.
    let splits = open_multi_label(by_two("rater_id", |i| ["cat", "dog"][i % 2]).path(), &options).unwrap();
    assert_eq!(splits.train.len() + splits.val.len(), 8);
    assert!(splits.decisions.notes.join("; ").contains("8 lines repeat an earlier line"));
    let splits = open_multi_label(by_two("region", |i| ["cat", "dog", "dog"][i % 3]).path(), &options).unwrap();
    assert!(splits.decisions.notes.join("; ").contains("each adds its label"));
    // Several lines of each annotator, with the same labels in another order.
    let dir = temp();
    table(dir.path(), "path,reader,label", |i| format!("{i}.png,x,cat\n{i}.png,x,dog\n{i}.png,y,dog\n{i}.png,y,cat"));
    assert!(open_multi_label(dir.path(), &options).is_ok());
}

/// Several masks of an image, of which none has its name: the message says what they may be.
#[test]
fn several_masks_of_an_image_are_named() {
    for (masks, words) in [
        (
            &["masks/{}_hair.png", "masks/{}_skin.png"][..],
            &["0_hair.png and masks/0_skin.png", "'hair' and 'skin' look like names of classes"][..],
        ),
        (
            &["masks/hair/{}.png", "masks/skin/{}.png"],
            &["masks/hair/0.png and masks/skin/0.png", "'hair' and 'skin' can be classes"],
        ),
        (&["masks_hair/{}.png", "masks_skin/{}.png"], &["'masks_hair' and 'masks_skin' can be classes"]),
        (
            &["labels/{}_train_id.png", "color_labels/{}_train_color.png"],
            &[
                "color_labels/0_train_color.png and labels/0_train_id.png",
                "numbers and colors",
                "keep the folder of the numbers",
            ],
        ),
        (
            &["masks/task-{}-annotation-{}-by-1-tag-hair-0.png", "masks/task-{}-annotation-{}-by-1-tag-skin-0.png"],
            &["Label Studio's masks as PNG", "export as JSON"],
        ),
    ] {
        let dir = temp();
        for k in 0..4 {
            save(&dir.path().join(format!("images/{k}.jpg")), &picture(WIDTH, HEIGHT, k));
            for mask in masks {
                save_grey(&dir.path().join(mask.replace("{}", &k.to_string())), &stripes(&[0, 255]));
            }
        }
        refused(segmentation(dir.path()), words);
        let report = check_segmentation(dir.path(), &CheckOptions::default()).unwrap();
        assert_eq!(report.faults.len(), 1, "{report}");
    }
}

/// Annotations of other images than those there: one fault with a name of each, and not one for each.
#[test]
fn annotations_of_other_images_are_one_fault() {
    let names = ["0.jpg", "1.jpg", "2.jpg", "3.jpg"];
    let one_fault = |dir: &Path, words: &[&str]| {
        for name in names {
            fs::rename(dir.join("images").join(name), dir.join("images").join(format!("new_{name}"))).unwrap();
        }
        let report = check_segmentation(dir, &CheckOptions::default()).unwrap();
        assert_eq!(report.faults.len(), 1, "{report}");
        let what = &report.faults[0].what;
        words.iter().for_each(|part| assert!(what.contains(part), "'{part}' is missing in: {what}"));
    };
    let dir = sets::coco(&names, |_| {});
    one_fault(
        dir.path(),
        &["no annotation belongs to an image there", "first of 4 is about 0.jpg", "images/new_0.jpg"],
    );
    let dir = sets::yolo((0..4).map(|k: u8| (k.to_string(), Some(k % 2))), &[("data.yaml", "names: [a, b]\n")]);
    one_fault(dir.path(), &["YOLO polygons", "the image of labels/0.txt", "images/new_0.jpg"]);
    // Some missing images are faults each.
    let dir = sets::coco(&names, |_| {});
    fs::remove_file(dir.path().join("images/2.jpg")).unwrap();
    let report = check_segmentation(dir.path(), &CheckOptions::default()).unwrap();
    assert!(report.faults[0].what.contains("2.jpg is not there; add the file, or correct file_name"), "{report}");
}

/// HAM10000: the folders are pieces of the archive, and a column of any name has the labels. The folders became the classes.
#[test]
fn numbered_folders_beside_a_table_are_no_classes() {
    let dir = temp();
    let name = |k: usize| format!("HAM10000_images_part_{}/ISIC_{k:04}.jpg", 1 + k / 4);
    (0..8).for_each(|k| save(&dir.path().join(name(k)), &picture(9, 7, k as u8 * 9)));
    let rows: String = (0..8).map(|k| format!("HAM_{k},ISIC_{k:04},{},{}\n", ["nv", "mel"][k % 2], 40 + k)).collect();
    write(&dir.path().join("HAM10000_metadata.csv"), format!("lesion_id,image_id,dx,age\n{rows}"));
    let words =
        ["HAM10000_metadata.csv with images of HAM10000_images_part_1/ and HAM10000_images_part_2/", "class folders"];
    refused(open(dir.path()), &words);
    refused(open_multi_label(dir.path(), &OpenOptions::default()), &words);
    let hints = Hints { label_column: Some("dx".into()), ..Hints::default() };
    let options = OpenOptions { hints, ..OpenOptions::default() };
    assert_eq!(open_classification(dir.path(), &options).unwrap().train.class_names(), ["mel", "nv"]);
    // Without the table, or with names that are no series, the folders are the classes.
    fs::rename(dir.path().join("HAM10000_images_part_2"), dir.path().join("other")).unwrap();
    assert_eq!(open(dir.path()).unwrap().train.class_names(), ["HAM10000_images_part_1", "other"]);
}
