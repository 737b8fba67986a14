//! Columns and files of tables as competitions and tools publish them.

use std::path::Path;

use shadegrad::data::{Hints, OpenOptions, SetOptions, Splits, open_classification, open_images, open_multi_label};

use super::write;
use crate::{class_folders, open, picture, refused, save, slashed, temp};

fn pictures(folder: &Path, names: impl IntoIterator<Item = String>) {
    for (tone, name) in names.into_iter().enumerate() {
        save(&folder.join(name), &picture(9, 7, tone as u8 * 9));
    }
}

/// `img/0.png` to `img/7.png`, and a table with `header` and a row for each.
fn table(dir: &Path, header: &str, row: impl Fn(usize) -> String) {
    pictures(&dir.join("img"), (0..8).map(|i| format!("{i}.png")));
    write(&dir.join("labels.csv"), format!("{header}\n{}", (0..8).map(|i| row(i) + "\n").collect::<String>()));
}

fn notes(splits: &Splits) -> String {
    slashed(splits.decisions.notes.join("; "))
}

#[test]
fn images_that_no_row_names_are_left_out() {
    let dir = temp();
    table(dir.path(), "path,label", |i| format!("img/{i}.png,{}", ["a", "b"][i % 2]));
    save(&dir.path().join("img/more.png"), &picture(9, 7, 200));
    let left_out = slashed(open(dir.path()).unwrap().decisions.left_out_lines().join(";"));
    assert!(left_out.contains("img/more.png"), "{left_out}");
    let splits = open_multi_label(dir.path(), &OpenOptions::default()).unwrap();
    assert!(slashed(splits.decisions.left_out_lines().join(";")).contains("img/more.png"));
}

#[test]
fn columns_of_parts_have_many_names() {
    for (header, part) in [
        ("path,label,is_train", &(|i: usize| if i < 6 { "1" } else { "0" }) as &dyn Fn(usize) -> &'static str),
        ("path,label,Usage", &|i| ["Training", "PublicTest", "PrivateTest"][i.saturating_sub(5)]),
        ("path,label,split", &|i| if i < 6 { "train" } else { "validate" }),
    ] {
        let dir = temp();
        table(dir.path(), header, |i| format!("img/{i}.png,{},{}", ["a", "b"][i % 2], part(i)));
        let splits = open(dir.path()).unwrap();
        let test = splits.test.as_ref().map_or(0, |test| test.len());
        assert!(!splits.by_seed && splits.train.len() == 6, "{header}: {splits:?}");
        assert_eq!(splits.val.len() + test, 2, "{header}");
    }
}

#[test]
fn labels_that_look_alike_or_say_nothing_are_noted() {
    let dir = temp();
    table(dir.path(), "path,label", |i| format!("img/{i}.png,{}", ["a", "b", "a\u{200b}", "NA"][i % 4]));
    let notes = open(dir.path()).unwrap().decisions.notes.join("; ");
    assert!(notes.contains(r"'a' and 'a\u{200b}' differ in case, blanks or invisible characters"), "{notes}");
    assert!(notes.contains("'NA': a class of this name may stand for images without label"), "{notes}");
}

#[test]
fn the_columns_that_are_one_hot_are_the_classes() {
    let dir = temp();
    let sick = |i: usize| format!("{},{}", i % 2, (i + 1) % 2);
    table(dir.path(), "image,normal,sick,age", |i| format!("{i},{},{}", sick(i), 40 + i));
    assert_eq!(open(dir.path()).unwrap().train.class_names(), ["normal", "sick"]);
    table(dir.path(), "image,male,normal,sick", |i| format!("{i},{},{}", i / 4, sick(i)));
    let splits = open(dir.path()).unwrap();
    assert_eq!(splits.train.class_names(), ["normal", "sick"]);
    assert!(notes(&splits).contains("not used: 'male'"), "{}", notes(&splits));
    // A grade may be the label too.
    table(dir.path(), "image,grade,left,right", |i| format!("{i},{},{}", i % 3, sick(i)));
    refused(open(dir.path()), &["several columns may hold the labels"]);
}

#[test]
fn a_row_without_a_file_is_noted_with_a_file_of_a_similar_name() {
    let dir = temp();
    table(dir.path(), "path,label", |i| {
        format!("img/{i}.{},{}", if i == 3 { "jpg" } else { "png" }, ["a", "b"][i % 2])
    });
    let notes = notes(&open(dir.path()).unwrap());
    assert!(notes.contains("1 rows of labels.csv name a file that is not there, the first on line 5"), "{notes}");
    assert!(notes.contains("img/3.png is there"), "{notes}");
    let dir = temp();
    pictures(&dir.path().join("img"), (0..6).map(|i| format!("{i:04}.png")));
    write(&dir.path().join("labels.csv"), "id,kind\n0,a\n1,b\n2,a\n3,b\n4,a\n5,b\n");
    refused(open(dir.path()), &["'0' is none, but 0000.png is there", "zeros"]);
}

#[test]
fn the_column_of_parts_may_be_in_one_table_alone() {
    let dir = temp();
    pictures(&dir.path().join("train"), (0..6).map(|i| format!("{i}.png")));
    pictures(&dir.path().join("test"), (6..8).map(|i| format!("{i}.png")));
    let rows = |range: std::ops::Range<usize>, valid: &str| {
        range.map(|i| format!("{i}.png,{}{valid}\n", ["car", "car;tree", "tree"][i % 3])).collect::<String>()
    };
    write(
        &dir.path().join("train.csv"),
        "fname,labels,is_valid\n".to_owned() + &rows(0..4, ",False") + &rows(4..6, ",True"),
    );
    write(&dir.path().join("test.csv"), "fname,labels\n".to_owned() + &rows(6..8, ""));
    let splits = open_multi_label(dir.path(), &OpenOptions::default()).unwrap();
    let test = splits.test.as_ref().map_or(0, shadegrad::data::MultiLabelSet::len);
    assert_eq!([splits.train.len(), splits.val.len(), test], [4, 2, 2]);
}

#[test]
fn lines_of_json_are_a_table() {
    let dir = temp();
    for (part, range) in [("train", 0..4), ("test", 4..6)] {
        pictures(&dir.path().join(part), range.clone().map(|i| format!("{i}.png")));
        let lines: String = range.map(|i| format!("{{\"file_name\": \"{i}.png\", \"label\": {}}}\n", i % 2)).collect();
        write(&dir.path().join(part).join("metadata.jsonl"), lines);
    }
    let splits = open(dir.path()).unwrap();
    assert_eq!(splits.train.class_names(), ["0", "1"]);
    assert_eq!((splits.train.len(), splits.val.len()), (4, 2));
}

#[test]
fn a_column_of_files_is_not_one_of_labels() {
    let dir = temp();
    table(dir.path(), "file,kind", |i| format!("img/{i}.png,{}", ["a", "b"][i % 2]));
    let hints = Hints { label_column: Some("1".into()), ..Hints::default() };
    let options = OpenOptions { hints, ..OpenOptions::default() };
    refused(open_classification(dir.path(), &options), &["the column of labels, 'file', names the files"]);
}

#[test]
fn what_a_folder_holds_instead_is_named() {
    let dir = temp();
    for part in ["train", "val"] {
        class_folders(&dir.path().join("archive/data").join(part), &["a", "b"], 2);
    }
    refused(open(dir.path()), &["archive/data/ holds train/ and val/; give that folder"]);
    let dir = temp();
    let name = |i: usize| format!("{}.{}.png", ["cat", "dog"][i % 2], i / 2);
    pictures(&dir.path().join("train"), (0..6).map(name));
    refused(open(dir.path()), &["cat.0.png, dog.0.png", "table of path,label"]);
    let tar = format!("{}ustar", "\0".repeat(257));
    for (name, bytes, kind) in [
        ("a.zip", "PK\u{3}\u{4}", "a ZIP archive"),
        ("data/x.parquet", "PAR1", "a Parquet file"),
        ("m.npz", "x", "NumPy arrays"),
        ("m.mat", "MATLAB 5.0 MAT-file", "a MATLAB file"),
        ("shard-000.tar", &tar, "a tar archive"),
        ("train.tfrecord", "x", "a TFRecord file"),
    ] {
        let dir = temp();
        write(&dir.path().join(name), bytes);
        refused(open(dir.path()), &[name, kind]);
        refused(open_multi_label(dir.path(), &OpenOptions::default()), &[name, kind]);
        refused(open_images(dir.path(), &SetOptions::default()), &[name, kind]);
        // The file in place of the folder.
        let file = dir.path().join(name);
        let what = kind.split_once(' ').map_or(kind, |(_, what)| what);
        refused(open(&file), &[name, what, "which is not read"]);
        refused(open_multi_label(&file, &OpenOptions::default()), &[name, what]);
        refused(open_images(&file, &SetOptions::default()), &[name, what]);
        refused(super::segmentation(&file), &[name, what]);
    }
    // Annotations of other tools beside images, after many images.
    for (name, text, kind) in [
        ("via.json", "{\"_via_img_metadata\": {}}", "project of VIA"),
        ("zz.json", "[{\"Labeled Data\": \"\", \"Label\": {}}]", "Labelbox"),
        ("zz.json", "{\"metadata\": {\"annotatorEmail\": 1}, \"instances\": []}", "SuperAnnotate"),
        ("zz.json", "{\"item\": {\"slots\": []}, \"annotations\": []}", "V7 Darwin"),
        ("zz.xml", "<annotations>", "CVAT's XML"),
        ("zz.xml", "<annotation><object><bndbox>", "holds boxes (Pascal VOC's XML)"),
        ("zz.geojson", "{\"type\": \"FeatureCollection\", \"features\": []}", "GeoJSON"),
        ("zz.json", "{\"images\": [], \"annotations\": [], \"categories\": []}", "COCO's JSON"),
    ] {
        let dir = temp();
        pictures(dir.path(), (0..25).map(|i| format!("{i}.png")));
        write(&dir.path().join(name), text);
        refused(open(dir.path()), &[name, kind, "which is not read", "table of path,label"]);
        refused(open_multi_label(dir.path(), &OpenOptions::default()), &[name, kind, "table of path,label"]);
    }
    let dir = temp();
    class_folders(&dir.path().join("train"), &["Cat", "dog"], 2);
    class_folders(&dir.path().join("val"), &["cat", "dog"], 2);
    refused(open(dir.path()), &["class 'cat' is in", "which has 'Cat'; give both one name"]);
}

/// An idx file of unsigned bytes.
fn idx(path: &Path, dims: &[u32], bytes: &[u8]) {
    let header = (0x0800 + dims.len() as u32).to_be_bytes();
    let dims = dims.iter().flat_map(|dim| dim.to_be_bytes());
    write(path, header.into_iter().chain(dims).chain(bytes.iter().copied()).collect::<Vec<u8>>());
}

fn idx_set(folder: &Path, prefix: &str, names: [&str; 2]) {
    for name in names {
        idx(&folder.join(format!("{prefix}{name}-images-idx3-ubyte")), &[4, 2, 2], &[9; 16]);
        idx(&folder.join(format!("{prefix}{name}-labels-idx1-ubyte")), &[4], &[0, 1, 0, 1]);
    }
}

#[test]
fn idx_files_lie_in_one_folder_of_one_set() {
    let dir = temp();
    idx_set(&dir.path().join("MNIST/raw"), "", ["train", "t10k"]);
    assert_eq!(open(dir.path()).unwrap().train.len(), 4);
    let dir = temp();
    idx_set(dir.path(), "emnist-letters-", ["train", "test"]);
    assert!(notes(&open(dir.path()).unwrap()).contains("transposed"));
    idx_set(dir.path(), "emnist-digits-", ["train", "test"]);
    refused(open(dir.path()), &["several sets", "emnist-digits-train", "emnist-letters-train"]);
}

/// Parts under other names divide the set, or are refused where the seed would.
#[test]
fn columns_of_parts_under_other_names() {
    let with = |header: &str, cell: &dyn Fn(usize) -> String| {
        let dir = temp();
        table(dir.path(), header, |i| format!("img/{i}.png,{},{}", ["a", "b"][i % 2], cell(i)));
        open(dir.path())
    };
    for name in ["is_training_image", "isTrain", "in_train", "is_train_set"] {
        let splits = with(&format!("path,label,{name}"), &|i| u8::from(i < 4).to_string()).unwrap();
        assert_eq!((splits.train.len(), splits.by_seed), (4, false), "{name}");
    }
    let dir = temp();
    table(dir.path(), "path,cat,dog,is_training_image", |i| format!("img/{i}.png,{},1,{}", i % 2, u8::from(i < 4)));
    let splits = open_multi_label(dir.path(), &OpenOptions::default()).unwrap();
    assert_eq!((splits.train.len(), splits.by_seed), (4, false));
    assert_eq!(splits.train.class_names(), ["cat", "dog"]);
    // Words that begin alike are no parts.
    assert!(with("path,label,invalid", &|i| u8::from(i < 4).to_string()).unwrap().by_seed);
    let usage = |i: usize| ["Training", "Public", "Private"][i % 3].to_owned();
    refused(with("path,label,usage", &usage), &["'usage' has names of parts in some rows", "'Public'"]);
    // A number that says "no label".
    let dir = temp();
    table(dir.path(), "path,label", |i| format!("img/{i}.png,{}", ["0", "1", "-1"][i % 3]));
    let notes = open(dir.path()).unwrap().decisions.notes.join("; ");
    assert!(notes.contains("'-1': a class of this name may stand for images without label"), "{notes}");
}
