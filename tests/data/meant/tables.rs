//! Columns of tables.

use std::fs;
use std::sync::Arc;

use shadegrad::data::{ClassificationDataset, OpenOptions, open_multi_label};

use crate::{open, picture, refused, save, temp};

fn labels(set: &Arc<dyn ClassificationDataset>) -> Vec<(String, String)> {
    let name = |i| set.path(i).unwrap().file_name().unwrap().to_string_lossy().into_owned();
    let class = |i| set.class_names()[set.label(i) as usize].clone();
    (0..set.len()).map(|i| (name(i), class(i))).collect()
}

#[test]
fn columns_of_tables_are_recognized_from_the_data() {
    let dir = temp();
    for number in 0..8 {
        save(&dir.path().join(format!("train_images/p{number}.png")), &picture(9, 7, number));
    }
    let class = |number: usize| ["cat", "dog"][number % 2];
    let rows = |form: &str| -> String {
        let row = |number: usize| {
            let one = |class: &str| if class == class_of(number) { "1" } else { "0" };
            form.replace("{n}", &number.to_string())
                .replace("{c}", class(number))
                .replace("{cat}", one("cat"))
                .replace("{dog}", one("dog"))
                .replace("{p}", ["train", "valid"][usize::from(number >= 6)])
        };
        (0..8).map(|number| row(number) + "\n").collect()
    };
    let utf16 = |text: String| [0xFEFF].into_iter().chain(text.encode_utf16()).flat_map(u16::to_be_bytes).collect();
    for (header, form, by_seed) in [
        ("id_code,diagnosis\n", "p{n},{c}", true),
        ("Image,Breed\n", "p{n}.png,{c}", true),
        ("path,label\n", "train_images\\p{n}.png,{c}", true),
        ("", "train_images/p{n}.png,{c}", true),
        ("Image\tcat\tdog\n", "p{n}.png\t{cat}\t{dog}", true),
        ("nr,file,what,part\n", "", false),
        ("file,label,phase\n", "p{n},{c},{p}", false),
        ("which,what,usage\n", "/kaggle/input/train_images/p{n}.png,{c},{p}", false),
    ] {
        let form = if form.is_empty() { "{n},p{n}.png,{c},{p}" } else { form };
        let table = dir.path().join("labels.csv");
        for bytes in [(header.to_string() + &rows(form)).into_bytes(), utf16(header.to_string() + &rows(form))] {
            fs::write(&table, bytes).unwrap();
            if header.starts_with("nr,") {
                // Row numbers could be labels too.
                refused(open(&table), &["several columns may hold the labels", "'what' (such as 'cat')"]);
                continue;
            }
            let splits = open(&table).unwrap_or_else(|e| panic!("{header}: {e}"));
            assert_eq!(splits.by_seed, by_seed, "{header}");
            let mut all = [labels(&splits.train), labels(&splits.val)].concat();
            all.sort();
            let expected: Vec<_> = (0..8).map(|n| (format!("p{n}.png"), class(n).to_string())).collect();
            assert_eq!(all, expected, "{header}");
        }
    }
    let table = dir.path().join("labels.csv");
    fs::write(&table, "image,cat,dog\np0.png,1,1\np1.png,0,1\n").unwrap();
    refused(open(&table), &["labels.csv, line 2", "2 classes", "multi-label"]);
    fs::write(&table, "when,what\nmonday,cat\ntuesday,dog\n").unwrap();
    refused(open(&table), &["no column names image files", "'when' (such as 'monday')"]);
}

/// A comma without quotation marks shifts the columns of its row.
#[test]
fn rows_with_a_field_too_many_or_too_few_are_refused() {
    let dir = temp();
    for name in ["0.png", "1.png", "2.png", "3.png", "a,b.png"] {
        save(&dir.path().join(name), &picture(9, 7, 1));
    }
    let table = dir.path().join("labels.csv");
    let rows = |row: &str| format!("path,label\n0.png,cat\n1.png,dog\n{row}\n3.png,dog\n");
    let open_both = |text: &str| {
        fs::write(&table, text).unwrap();
        [open(&table).map(drop), open_multi_label(&table, &OpenOptions::default()).map(drop)]
    };
    for (row, parts) in [
        ("2.png,cat,extra", ["labels.csv, line 4", "has 3 fields, but the first line 2", "quote a path or label"]),
        ("2.png,black, white", ["line 4", "'2.png,black,white'", "\"a, b\""]),
        ("a,b.png,cat", ["line 4", "has 3 fields", "'a,b.png,cat'"]),
        ("2.png", ["line 4", "has 1 fields", "for each column"]),
        ("2.png, \"cat, small\"", ["line 4", "has 3 fields", "remove the blank"]),
        ("2.png,\"cat\n3.png,dog", ["line 4", "several lines", "a quotation mark is missing"]),
        ("2.png,\"cat\nx\"", ["line 4", "several lines", "a quotation mark is missing"]),
    ] {
        for result in open_both(&rows(row)) {
            refused(result, &parts);
        }
    }
    // A header without a name for the first column, as R writes it.
    for result in open_both("path,label\n1,0.png,cat\n2,1.png,dog\n3,2.png,dog\n") {
        refused(result, &["line 1", "has 2 fields, but most lines 3", "name every column"]);
    }
    // Quoted commas, an empty field at the end, and another delimiter are no fault.
    for text in [
        &rows("\"a,b.png\",cat")[..],
        &rows("2.png,cat,"),
        "path;label\n0.png;cat\n1.png;dog\na,b.png;dog\n3.png;cat\n",
    ] {
        for result in open_both(text) {
            result.unwrap();
        }
    }
    // Without a header, the delimiter that fits all rows counts, not a comma in a name.
    fs::write(&table, "a,b.png;cat\n1.png;dog\n2.png;dog\n3.png;cat\n").unwrap();
    assert_eq!(open(&table).unwrap().train.class_names(), ["cat", "dog"]);
    // A list of a part.
    let dir = temp();
    super::pairs(dir.path(), super::NAMES, |_| super::stripes(&[0, 1]));
    fs::write(dir.path().join("train.csv"), "image,mask\nimages/im 0.png,masks/im 0.png\nimages/im 1.png\n").unwrap();
    refused(super::segmentation(dir.path()), &["train.csv, line 3", "has 1 fields"]);
}

#[test]
fn columns_of_one_name_are_refused_where_they_differ() {
    let dir = temp();
    for number in 0..6 {
        save(&dir.path().join(format!("{number}.png")), &picture(9, 7, number));
    }
    let table = dir.path().join("labels.csv");
    let write = |header: &str, row: &dyn Fn(usize) -> String| {
        let rows: String = (0..6).map(|number| format!("{number}.png,{}\n", row(number))).collect();
        fs::write(&table, format!("{header}\n{rows}")).unwrap();
    };
    let class = |number: usize| ["a", "b"][number % 2];
    write("path,label,label", &|number| format!("{},{}", class(number), ["x", "y"][number % 2]));
    refused(open(&table), &["two columns are named 'label', and they differ"]);
    write("path,a,A,b", &|number| ["1,0,0", "0,1,0", "0,0,1"][number % 3].into());
    refused(open(&table), &["two columns are named 'a', and they differ"]);
    write("path,label,label", &|number| format!("{0},{0}", class(number)));
    assert_eq!(open(&table).unwrap().train.class_names(), ["a", "b"]);
}

/// Columns named after a part hold truth values, and two columns of one meaning must agree.
#[test]
fn parts_and_files_come_from_one_column() {
    let dir = temp();
    for number in 0..8 {
        save(&dir.path().join(format!("{number}.png")), &picture(9, 7, number));
    }
    let table = dir.path().join("labels.csv");
    let write = |header: &str, row: &dyn Fn(usize) -> String| {
        let rows: String =
            (0..8).map(|number| format!("{number}.png,{},{}\n", ["a", "b"][number % 2], row(number))).collect();
        fs::write(&table, format!("{header}\n{rows}")).unwrap();
    };
    let bit = |is_one: bool| ["False", "True"][usize::from(is_one)].to_owned();
    for (name, flags) in [("train", true), ("val", false), ("validation", false)] {
        write(&format!("path,label,{name}"), &|number| bit((number < 6) == flags));
        let splits = open(&table).unwrap();
        assert_eq!((splits.by_seed, splits.train.len(), splits.val.len()), (false, 6, 2), "{name}");
        assert_eq!(open_multi_label(&table, &OpenOptions::default()).unwrap().train.len(), 6, "{name}");
    }
    write("path,label,split,set", &|number| {
        format!("{},{}", ["train", "val"][number / 6], ["val", "train"][number / 6])
    });
    refused(open(&table), &["'set' and 'split' say different parts", "keep one"]);
    refused(open_multi_label(&table, &OpenOptions::default()), &["'set' and 'split' say different parts"]);
    write("path,label,is_valid,is_test", &|number| format!("{},{}", bit(number == 6), bit(number == 7)));
    let three = |splits: [usize; 3]| assert_eq!(splits, [6, 1, 1]);
    let opened = open(&table).unwrap();
    three([opened.train.len(), opened.val.len(), opened.test.map_or(0, |test| test.len())]);
    let opened = open_multi_label(&table, &OpenOptions::default()).unwrap();
    three([opened.train.len(), opened.val.len(), opened.test.map_or(0, |test| test.len())]);
    write("path,label,is_valid,is_test", &|number| format!("{},{}", bit(number > 5), bit(number == 7)));
    refused(open(&table), &["'is_test' and 'is_valid' say different parts"]);
    refused(open_multi_label(&table, &OpenOptions::default()), &["'is_test' and 'is_valid' say different parts"]);
    write("filename,label,image_id", &|number| (7 - number).to_string());
    refused(open(&table), &["'filename' and 'image_id' name different files of the set"]);
    write("filename,label,image_id", &|number| number.to_string());
    assert_eq!(open(&table).unwrap().train.len() + open(&table).unwrap().val.len(), 8);
}

fn class_of(number: usize) -> &'static str {
    ["cat", "dog"][number % 2]
}

/// Tables of pixels, as Kaggle has them, are no lists of files.
#[test]
fn tables_of_pixels_are_named() {
    let dir = temp();
    let names: Vec<String> = (0..784).map(|k| format!("pixel{k}")).collect();
    let row = vec!["12"; 784].join(",");
    fs::write(dir.path().join("train.csv"), format!("label,{}\n1,{row}\n2,{row}\n", names.join(","))).unwrap();
    refused(open(dir.path()), &["pixels of images", "write each row as an image file"]);
    let row = vec!["12"; 48 * 48].join(" ");
    fs::write(dir.path().join("train.csv"), format!("emotion,pixels\n1,{row}\n2,{row}\n")).unwrap();
    refused(open(dir.path()), &["2304 numbers, as the pixels of an image are", "write each row as an image file"]);
}

/// The solutions of ImageNet have a box after each class.
#[test]
fn boxes_after_the_class_are_no_part_of_it() {
    let dir = temp();
    (0..4).for_each(|k| save(&dir.path().join(format!("v{k}.png")), &picture(9, 7, k)));
    let row = |k: usize| format!("v{k},n{} 1 2 8 6 n{} 0 0 4 5\n", k % 2, k % 2);
    let rows: String = (0..4).map(row).collect();
    fs::write(dir.path().join("solution.csv"), format!("ImageId,PredictionString\n{rows}")).unwrap();
    refused(open(dir.path()), &["corners of boxes, such as 'n0 1 2 8 6 n0 0 0 4 5'", "write the class alone"]);
}
