//! Cells of tables that can be read in two ways: parts or classes, names or numbers of rows, labels or lists of them.

use std::path::Path;

use shadegrad::data::{DataError, MultiLabelSet, MultiLabelSplits, OpenOptions, open_multi_label};

use super::write;
use crate::{class_folders, open, picture, refused, save, temp};

/// `img/0.png` to `img/11.png`, and a table with `header` and a row for each.
fn table(dir: &Path, header: &str, row: impl Fn(usize) -> String) {
    for i in 0..12 {
        save(&dir.join(format!("img/{i}.png")), &picture(9, 7, i as u8 * 9));
    }
    write(&dir.join("labels.csv"), format!("{header}\n{}", (0..12).map(|i| row(i) + "\n").collect::<String>()));
}

fn several(dir: &Path) -> Result<MultiLabelSplits, DataError> {
    open_multi_label(dir, &OpenOptions::default())
}

fn class(i: usize) -> &'static str {
    ["a", "b"][i % 2]
}

#[test]
fn truth_values_of_parts_have_many_spellings() {
    for (name, [no, yes]) in
        [("is_valid", ["no", "yes"]), ("val", ["F", "T"]), ("is_test", ["N", "Y"]), ("validation", ["FALSE", "TRUE"])]
    {
        let dir = temp();
        table(dir.path(), &format!("path,label,{name}"), |i| {
            format!("img/{i}.png,{},{}", class(i), [no, yes][usize::from(i > 8)])
        });
        let (one, many) = (open(dir.path()).unwrap(), several(dir.path()).unwrap());
        assert_eq!([one.train.len(), one.val.len(), many.train.len(), many.val.len()], [9, 3, 9, 3], "{name}");
        table(dir.path(), &format!("path,label,{name}"), |i| {
            format!("img/{i}.png,{},{}", class(i), [no, "maybe"][usize::from(i > 8)])
        });
        refused(open(dir.path()), &[name, "'maybe'", "1 or 0"]);
        refused(several(dir.path()), &[name, "'maybe'", "1 or 0"]);
    }
}

#[test]
fn an_unused_column_that_divides_is_refused_before_the_seed_divides() {
    for (name, values, words) in [
        ("group", ["train", "train", "val", "holdout"], ["'group' has names of parts in most rows", "'holdout'"]),
        ("fold", ["0", "1", "2", "0"], ["'fold' looks like folds", "'split' of train and val"]),
        ("k-fold", ["a", "b", "c", "a"], ["'k-fold' looks like folds", "'split' of train and val"]),
        ("train", ["x", "", "x", ""], ["'train' has the name of a part", "'x'"]),
    ] {
        let dir = temp();
        let row = |i: usize| format!("img/{i}.png,{},{}", class(i), values[i / 3]);
        table(dir.path(), &format!("path,label,{name}"), row);
        refused(open(dir.path()), &words);
        refused(several(dir.path()), &words);
        // Lists divide the set.
        for (part, range) in [("train", 0..8), ("val", 8..12)] {
            write(&dir.path().join(format!("{part}.txt")), range.map(|i| format!("img/{i}.png\n")).collect::<String>());
        }
        assert_eq!((open(dir.path()).unwrap().val.len(), several(dir.path()).unwrap().val.len()), (4, 4), "{name}");
    }
    let dir = temp();
    let values = ["train", "train", "val", "holdout"];
    table(dir.path(), "path,label,part", |i| format!("img/{i}.png,{},{}", class(i), values[i / 3]));
    refused(open(dir.path()), &["line 11", "'part' is 'holdout', expected train, val or test"]);
    // Other facts about the images.
    let dir = temp();
    table(dir.path(), "path,label,part,folder", |i| {
        format!("img/{i}.png,{},{},{}", class(i), ["arm", "leg"][i / 6], i % 3)
    });
    assert!(open(dir.path()).unwrap().by_seed && several(dir.path()).unwrap().by_seed);
}

#[test]
fn numbers_of_rows_are_not_taken_for_names() {
    let dir = temp();
    for header in [",id,label", "Unnamed: 0,id,label"] {
        table(dir.path(), header, |i| format!("{i},{},{}", (i * 5 + 1) % 12, class(i)));
        let words = format!("'{}' and 'id' name different files", header.split(',').next().unwrap());
        refused(open(dir.path()), &[&words, "path"]);
        refused(several(dir.path()), &[&words]);
    }
    // A column named after files is the only candidate, and so is one of ids beside numbers that repeat.
    table(dir.path(), ",file,label", |i| format!("{i},{},{}", (i * 5 + 1) % 12, class(i)));
    assert!(open(dir.path()).unwrap().decisions.notes[0].contains("files in column 'file'"));
    table(dir.path(), "id,age,label", |i| format!("{i},{},{}", 5 + i % 4, class(i)));
    assert!(open(dir.path()).unwrap().decisions.notes[0].contains("files in column 'id'"));
}

#[test]
fn a_first_line_without_a_file_is_no_header_where_it_has_the_form_of_a_name() {
    let dir = temp();
    for i in 0..6 {
        save(&dir.path().join(format!("i{i}.png")), &picture(9, 7, i));
    }
    let rows: String = (0..6).map(|i| format!("i{i},{}\n", class(i))).collect();
    write(&dir.path().join("labels.csv"), format!("j7,c\n{rows}"));
    refused(open(dir.path()), &["'j7,c' can name the columns, or be a row whose file is not there", "path,label"]);
    refused(several(dir.path()), &["'j7,c' can name the columns"]);
    write(&dir.path().join("labels.csv"), format!("id,kind\n{rows}"));
    assert_eq!(open(dir.path()).unwrap().train.class_names(), ["a", "b"]);
}

#[test]
fn a_class_may_have_the_name_of_a_part() {
    let dir = temp();
    let bits = |bits: [bool; 3]| bits.map(|bit| u8::from(bit).to_string()).join(",");
    // One class a row.
    for vehicle in ["train", "Test"] {
        table(dir.path(), &format!("path,car,plane,{vehicle}"), |i| {
            format!("img/{i}.png,{}", bits([i % 3 == 0, i % 3 == 1, i % 3 == 2]))
        });
        let (one, many) = (open(dir.path()).unwrap(), several(dir.path()).unwrap());
        let mut names = ["car", "plane", vehicle];
        names.sort_unstable();
        assert_eq!(one.train.class_names(), names);
        assert_eq!(many.train.class_names(), ["car", "plane", vehicle]);
        assert!(one.by_seed && many.by_seed);
        let note = format!("3 columns of 0 and 1 ('{vehicle}' too: with it each row has a single 1)");
        assert!(one.decisions.notes[0].contains(&note), "{:?}", one.decisions.notes);
    }
    // Each row has one class without `train`, which then divides the rows.
    table(dir.path(), "path,car,plane,train", |i| format!("img/{i}.png,{}", bits([i % 2 == 0, i % 2 == 1, i < 8])));
    let splits = open(dir.path()).unwrap();
    assert_eq!((splits.train.class_names(), splits.val.len()), (&["car".to_owned(), "plane".to_owned()][..], 4));
    // Several classes a row.
    table(dir.path(), "path,train,car,plane", |i| format!("img/{i}.png,{}", bits([i < 8, i % 2 == 0, i % 3 == 0])));
    refused(
        several(dir.path()),
        &["'train' of 0 and 1 can be a class, as 'car' and 'plane' are", "the part of the rows", "is_train"],
    );
    let classes = dir.path().join("classes.txt");
    write(&classes, "car\nplane\ntrain\n");
    let splits = several(dir.path()).unwrap();
    assert!(splits.by_seed && splits.train.class_names() == ["car", "plane", "train"]);
    write(&classes, "car\nplane\n");
    let splits = several(dir.path()).unwrap();
    assert_eq!((splits.train.class_names().len(), splits.val.len()), (2, 4));
}

#[test]
fn lists_of_languages_and_databases_are_read() {
    for lists in [
        ["{'car', 'tree'}", "{'car'}", "{'tree'}", "set()"],
        ["{car,tree}", "{car}", "{tree}", "{}"],
        ["['car' 'tree']", "['car']", "['tree']", "[]"],
        ["('car', 'tree')", "('car',)", "('tree',)", "()"],
    ] {
        let dir = temp();
        table(dir.path(), "path,labels", |i| format!("img/{i}.png,\"{}\"", lists[i % 4]));
        let splits = several(dir.path()).unwrap();
        assert_eq!(splits.train.class_names(), ["car", "tree"], "{lists:?}");
        let positives: usize = [&splits.train, &splits.val].into_iter().flat_map(MultiLabelSet::positives).sum();
        assert_eq!(positives, 12, "{lists:?}");
    }
    let dir = temp();
    table(dir.path(), "path,labels", |i| format!("img/{i}.png,{}", ["[1 2]", "[1]", "[2]"][i % 3]));
    refused(several(dir.path()), &["'[1 2]' is one label with spaces in it, or the labels '1' and '2'"]);
    table(dir.path(), "path,labels", |i| format!("img/{i}.png,{}", ["{'car'}", "{'tree'}"][i % 2]));
    refused(open(dir.path()), &["its labels are lists", "{'car'}"]);
}

#[test]
fn names_that_join_the_names_of_other_classes_are_noted() {
    let dir = temp();
    table(dir.path(), "path,labels", |i| format!("img/{i}.png,{}", ["car/tree", "car", "tree", "on/off"][i % 4]));
    let notes = several(dir.path()).unwrap().decisions.notes.join("; ");
    assert!(notes.contains("join the names of others: 'car/tree'; write ;"), "{notes}");
}

#[test]
fn numbers_beside_a_list_of_classes_are_refused() {
    let dir = temp();
    for first in [0, 1] {
        table(dir.path(), "path,label", |i| format!("img/{i}.png,{}", first + i % 3));
        write(&dir.path().join("classes.txt"), "tree\ncar\ndog\n");
        refused(
            open(dir.path()),
            &["line 2", "its labels are numbers", "lists 'tree', 'car' and 'dog'", "from 0 or from 1"],
        );
    }
    table(dir.path(), "path,label", |i| format!("img/{i}.png,{}", i % 3));
    write(&dir.path().join("classes.txt"), "0\n1\n2\n");
    assert_eq!(open(dir.path()).unwrap().train.class_names(), ["0", "1", "2"]);
}

#[test]
fn labels_that_exchange_the_names_of_folders_are_refused() {
    for names in [["a", "b"], ["0", "1"]] {
        let dir = temp();
        class_folders(dir.path(), &names, 4);
        let table = |of: &dyn Fn(usize) -> String| {
            let rows = (0..2).flat_map(|folder| (0..4).map(move |i| (folder, i)));
            let rows: String = rows.map(|(folder, i)| format!("{}/{i}.png,{}\n", names[folder], of(folder))).collect();
            write(&dir.path().join("metadata.csv"), format!("name,label\n{rows}"));
        };
        table(&|folder| names[1 - folder].to_owned());
        let own = format!("{}/0.png is '{}'", names[0], names[1]);
        refused(open(dir.path()), &["metadata.csv", &own]);
        refused(several(dir.path()), &["metadata.csv", &own]);
        for label in [|folder: usize| folder.to_string(), |folder: usize| (folder + 7).to_string()] {
            table(&|folder| label(folder));
            assert_eq!(open(dir.path()).unwrap().train.class_names(), names);
        }
    }
}

#[test]
fn a_table_of_a_part_without_labels_is_a_list() {
    let dir = temp();
    table(dir.path(), "file,label", |i| format!("img/{i}.png,{}", class(i)));
    let names = |range: std::ops::Range<usize>| range.map(|i| format!("img/{i}.png\n")).collect::<String>();
    write(&dir.path().join("train.csv"), "file\n".to_owned() + &names(0..8));
    write(&dir.path().join("val.csv"), "file\n".to_owned() + &names(8..12));
    assert_eq!((open(dir.path()).unwrap().val.len(), several(dir.path()).unwrap().val.len()), (4, 4));
    // Two other tables may have the labels.
    write(&dir.path().join("more.csv"), "file,label\nimg/0.png,a\n");
    let words = ["train.csv", "has one column and so no labels, which labels.csv may have", "train.txt and val.txt"];
    refused(open(dir.path()), &words);
    refused(several(dir.path()), &words);
    let dir = temp();
    table(dir.path(), "", |_| String::new());
    std::fs::remove_file(dir.path().join("labels.csv")).unwrap();
    for (part, range) in [("train", 0..8), ("val", 8..12)] {
        let rows: String = range.map(|i| format!("img/{i}.png,{}\n", class(i))).collect();
        write(&dir.path().join(format!("{part}_labels.csv")), "file,label\n".to_owned() + &rows);
    }
    assert_eq!((open(dir.path()).unwrap().val.len(), several(dir.path()).unwrap().val.len()), (4, 4));
}
