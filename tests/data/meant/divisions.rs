//! One file that divides a set into its parts.

use std::path::Path;

use serde_json::json;
use shadegrad::data::{OpenOptions, SetOptions, open_classification, open_images, open_multi_label};

use super::{HEIGHT, NAMES, WIDTH, pairs, segmentation, stripes, write};
use crate::{class_folders, open, picture, refused, save, temp};

/// The division of class folders `a` and `b` with four images each: the last of each validates.
fn forms() -> Vec<(&'static str, String)> {
    let of = |numbers: std::ops::Range<usize>| -> Vec<String> {
        ["a", "b"].iter().flat_map(|class| numbers.clone().map(move |n| format!("{class}/{n}.png"))).collect()
    };
    let (train, val) = (of(0..3), of(3..4));
    let named =
        |names: &[String], part: &'static str| names.iter().map(move |name| (name.clone(), part)).collect::<Vec<_>>();
    let all = [named(&train, "train"), named(&val, "val")].concat();
    let map: serde_json::Map<_, _> = all.iter().map(|(name, part)| (name.clone(), json!(part))).collect();
    let labeled = |names: &[String]| names.iter().map(|name| json!([name, 0, "a"])).collect::<Vec<_>>();
    let rows =
        |form: &dyn Fn(&str, &str) -> String| all.iter().map(|(name, part)| form(name, part)).collect::<String>();
    vec![
        ("split.json", json!({"train": train, "val": val}).to_string()),
        ("splits/dataset_split.json", json!({"train": labeled(&train), "validation": labeled(&val)}).to_string()),
        ("split.json", json!(map).to_string()),
        ("splits.csv", format!("name,part\n{}", rows(&|name, part| format!("{name},{part}\n")))),
        ("train_val_split.csv", rows(&|name, part| format!("{part};{name}\n"))),
        ("partition.txt", rows(&|name, part| format!("{name} {part}\n"))),
        ("split.yaml", format!("# by hand\ntrain: {train:?}\nval:\n  - {}\n  - {}\n", val[0], val[1])),
        ("partition.yml", rows(&|name, part| format!("{name}: {part}\n"))),
        ("dataset.json", json!({"version": 2, "train": train, "test": val}).to_string()),
        ("split.jsonl", rows(&|name, part| format!("{{\"file\": \"{name}\", \"split\": \"{part}\"}}\n"))),
        ("info.csv", format!("# exported\nname,set\n{}", rows(&|name, part| format!("{name},{part}\n")))),
        ("info.csv", format!("sep=;\nname;set\n{}", rows(&|name, part| format!("{name};{part}\n")))),
        ("info.csv", format!("name|set\n{}", rows(&|name, part| format!("{name}|{part}\n")))),
        ("info.csv", format!("name,set\r{}", rows(&|name, part| format!("{name},{part}\r")))),
        (
            "info.csv",
            format!(
                "name,is_training_image\n{}",
                rows(&|name, part| format!("{name},{}\n", u8::from(part == "train")))
            ),
        ),
        ("metadata.jsonl", rows(&|name, part| format!("{{\"file\": \"{name}\", \"split\": \"{part}\"}}\n"))),
        (
            "split.csv",
            format!("name,is_valid\n{}", rows(&|name, part| format!("{name},{}\n", u8::from(part == "val")))),
        ),
    ]
}

#[test]
fn one_file_divides_every_kind_of_set() {
    for (name, text) in forms() {
        let dir = temp();
        class_folders(dir.path(), &["a", "b"], 4);
        write(&dir.path().join(name), &text);
        let splits = open(dir.path()).unwrap_or_else(|error| panic!("{name}: {error}"));
        assert_eq!((splits.train.len(), splits.val.len(), splits.by_seed), (6, 2, false), "{name}: {text}");
        assert!(splits.decisions.split.contains(name), "{}", splits.decisions.split);
        let several = open_multi_label(dir.path(), &OpenOptions::default()).unwrap();
        assert_eq!((several.train.len(), several.val.len(), several.by_seed), (6, 2, false), "{name}");
        let images = open_images(dir.path(), &SetOptions::default()).unwrap();
        assert_eq!((images.train.len(), images.val.len()), (6, 2), "{name}");
    }
    let dir = temp();
    pairs(dir.path(), NAMES, |_| stripes(&[0, 1, 2]));
    write(&dir.path().join("split.json"), json!({"train": &NAMES[2..], "val": &NAMES[..2]}).to_string());
    let splits = segmentation(dir.path()).unwrap();
    assert_eq!((splits.train.len(), splits.val.len()), (4, 2));
    assert_eq!(splits.decisions.lists, ["split.json"]);
    std::fs::remove_file(dir.path().join("split.json")).unwrap();
    write(&dir.path().join("split.txt"), "im 0 val\nim 1 val\nim 2 train\nim 3 train\nim 4 train\nim 5 train\n");
    let splits = segmentation(dir.path()).unwrap();
    assert_eq!(
        (splits.train.len(), splits.val.len(), &splits.decisions.lists[..]),
        (4, 2, &["split.txt".to_owned()][..])
    );
}

/// A table of labels without a column of parts is divided by lists beside it.
#[test]
fn lists_divide_a_table_of_labels() {
    let row = |class: &str, n: usize| format!("{class}/{n}.png,{class}\n");
    let labels: String = ["a", "b"].iter().flat_map(|class| (0..4).map(move |n| row(class, n))).collect();
    let set = |files: &[(&str, &str)]| {
        let dir = temp();
        class_folders(&dir.path().join("images"), &["a", "b"], 4);
        write(&dir.path().join("labels.csv"), format!("path,label\n{labels}"));
        files.iter().for_each(|(name, text)| write(&dir.path().join(name), text));
        dir
    };
    let lists = [("train.txt", "a/0.png\nb/0\nb/1\n"), ("val.txt", "images/a/3.png\nb/3.png\n")];
    let splits = [("split.csv", "id,split\na/0,train\nb/0,train\nb/1,train\na/3,val\nb/3,val\n")];
    for files in [&lists[..], &splits[..]] {
        let dir = set(files);
        let table = dir.path().join("labels.csv");
        for path in [dir.path(), &table] {
            let one = open_classification(path, &OpenOptions::default()).unwrap();
            assert_eq!((one.train.len(), one.val.len(), one.by_seed), (3, 2, false));
            let names: Vec<_> = files.iter().map(|(name, _)| *name).collect();
            assert_eq!(one.decisions.lists, names);
            let left_out = one.decisions.left_out_lines().join("\n");
            assert!(left_out.contains("2.png") && !left_out.contains("split.csv"), "{left_out}");
            let several = open_multi_label(path, &OpenOptions::default()).unwrap();
            assert_eq!((several.train.len(), several.val.len(), several.by_seed), (3, 2, false));
        }
    }
    let dir = set(&[("train.txt", "a/0.png\nz/0\n"), ("val.txt", "b/0\n")]);
    refused(open(dir.path()), &["train.txt, line 2", "'z/0'"]);
}

#[test]
fn divisions_in_other_forms_are_refused() {
    let refuse = |name: &str, text: &str, parts: &[&str]| {
        let dir = temp();
        class_folders(dir.path(), &["a", "b"], 4);
        write(&dir.path().join(name), text);
        refused(open(dir.path()), &[&[name], parts].concat());
    };
    let folds = ["lists of folds", "train.txt and val.txt"];
    refuse("fold1.txt", "a/0.png\nb/1.png\n", &folds);
    refuse("cv_folds.json", r#"[{"train": ["a/0.png"], "val": ["b/1.png"]}]"#, &folds);
    let form = ["in a form that is not read", "expected {\"train\": [names]"];
    // A name in JSON is reported by its number, because all names may be in one line.
    let json = r#"{"val": ["a/1.png"], "train": ["a/0.png", "b/0.png", "zz.png"]}"#;
    refuse("split.json", json, &["name 3 of train", "'zz.png'"]);
    refuse("split.csv", "name,fold\na/0.png,1\na/1.png,2\n", &form);
    refuse("split.json", r#"{"a/0.png": 1, "b/1.png": 2}"#, &form);
    refuse("partition.txt", "a/0.png 0\nb/1.png 2\n", &form);
    refuse("splits/split.json", r#"{"train": ["a/0.png", "z.png"], "val": ["b/1.png"]}"#, &["'z.png' names no image"]);

    let dir = temp();
    class_folders(dir.path(), &["a", "b"], 4);
    write(&dir.path().join("split.json"), r#"{"train": ["a/0.png", "b/0.png"], "val": ["b/1.png"]}"#);
    write(&dir.path().join("split.csv"), "name,part\na/0.png,train\nb/0.png,val\n");
    refused(open(dir.path()), &["split.csv", "split.json", "divides this set too"]);
    // A file of that name that names no image is ignored.
    let other = temp();
    class_folders(other.path(), &["a", "b"], 4);
    write(&other.path().join("split.txt"), "banana split\n");
    assert!(open(other.path()).unwrap().by_seed, "{}", Path::new("split.txt").display());
}

/// Names that are numbers, columns of row numbers, and rows that look like a header.
#[test]
fn the_names_of_a_division_are_those_of_images() {
    let pictures = |root: &Path, names: &[&str]| {
        names.iter().enumerate().for_each(|(at, name)| save(&root.join(name), &picture(8, 8, at as u8)));
    };
    let set = |names: &[&str], files: &[(&str, &str)]| {
        let dir = temp();
        pictures(dir.path(), names);
        files.iter().for_each(|(name, text)| write(&dir.path().join(name), text));
        let splits = open_images(dir.path(), &SetOptions::default());
        splits.map(|splits| {
            let stem = |i| Path::new(&splits.val.name(i)).file_stem().unwrap().to_string_lossy().into_owned();
            (splits.train.len(), (0..splits.val.len()).map(stem).collect::<Vec<_>>(), splits.by_seed)
        })
    };
    let numbered = ["0000.png", "0001.png", "0002.png", "0003.png"];
    for (name, text) in [
        (
            "split.json",
            r#"{"train": ["0000", "0002", "0003"], "val": ["0001"], "seed": 42, "note": "mine", "classes": ["a"]}"#,
        ),
        ("split.csv", "id,split\n0000,train\n0001,val\n0002,train\n0003,train\n"),
        ("partition.txt", "0000 train\n0001 val\n0002 train\n0003 train\n"),
        ("split.csv", ",file,split\n0,0003.png,train\n1,0001.png,val\n2,0000.png,train\n3,0002.png,train\n"),
        ("metadata.csv", "name,is_valid\n0000,0\n0001,1\n0002,0\n0003,0\n"),
    ] {
        let (train, val, by_seed) = set(&numbered, &[(name, text)]).unwrap();
        assert_eq!((train, val, by_seed), (3, vec!["0001".into()], false), "{name}: {text}");
    }
    let bare = ["0.png", "1.png", "2.png", "3.png"];
    let (train, val, _) = set(&bare, &[("split.json", r#"{"train": [0, 2, 3], "val": [1]}"#)]).unwrap();
    assert_eq!((train, val), (3, vec!["1".into()]));
    // Two columns that name different images.
    let both = "index,other,split\n0,3,train\n1,2,val\n2,1,train\n3,0,train\n";
    refused(set(&bare, &[("split.csv", both)]), &["split.csv", "in a form that is not read"]);
    // The first row is not a header.
    refused(set(&bare, &[("split.csv", "9.png,train\n0.png,train\n1.png,val\n")]), &["split.csv, line 1", "'9.png'"]);
    refused(
        set(&bare, &[("split.csv", "n,split\n0,train\n1,val\n2,unused\n")]),
        &["split.csv, line 4", "part is 'unused'"],
    );
    let twice = r#"{"0": "train", "1": "train", "2": "val", "0": "val"}"#;
    refused(set(&bare, &[("split.json", twice)]), &["split.json", "in another part"]);
    // A file of such a name without images does not hide another.
    let files = [("split.txt", "see splits/\n"), ("splits/split.json", r#"{"train": ["0", "2", "3"], "val": ["1"]}"#)];
    assert_eq!(set(&bare, &files).unwrap().1, ["1"]);
}

/// Everything that divides a set must agree.
#[test]
fn divisions_that_contradict_each_other_are_refused() {
    let right = r#"{"train": ["a/0", "a/1", "b/0", "b/1"], "val": ["a/3", "b/3"]}"#;
    let wrong = r#"{"train": ["a/3", "b/3"], "val": ["a/0", "b/0"]}"#;
    let lists = [("train.txt", "a/0.png\na/1.png\nb/0.png\nb/1.png\n"), ("val.txt", "a/3.png\nb/3.png\n")];
    let classes = |files: &[(&str, &str)]| {
        let dir = temp();
        class_folders(dir.path(), &["a", "b"], 4);
        files.iter().for_each(|(name, text)| write(&dir.path().join(name), text));
        dir
    };
    let contradiction = ["puts a/3.png into train, which is in val", "remove or correct one of the two"];
    let (mut agreeing, mut differing) = (lists.to_vec(), lists.to_vec());
    agreeing.push(("split.json", right));
    differing.push(("split.json", wrong));
    let splits = open(classes(&agreeing).path()).unwrap();
    assert_eq!(splits.decisions.lists, ["train.txt", "val.txt"]);
    let left_out = splits.decisions.left_out_lines().join("\n");
    assert!(left_out.contains("as it is divided already") && left_out.contains("split.json"), "{left_out}");
    let dir = classes(&differing);
    refused(open(dir.path()), &contradiction);
    refused(open_multi_label(dir.path(), &OpenOptions::default()), &contradiction);
    refused(open_images(dir.path(), &SetOptions::default()), &contradiction);
    // Lists elsewhere, whose names are written in another way.
    let other = [("splits/train.txt", "a/3\nb/3\n"), ("splits/val.txt", "a/0\nb/0\n")];
    refused(open(classes(&[&lists[..], &other].concat()).path()), &contradiction);

    // A table with a column of parts.
    let dir = temp();
    class_folders(&dir.path().join("images"), &["a", "b"], 4);
    let row =
        |class: &str, n: usize| format!("images/{class}/{n}.png,{class},{}\n", if n == 3 { "val" } else { "train" });
    let rows: String = ["a", "b"].iter().flat_map(|class| (0..4).map(move |n| row(class, n))).collect();
    write(&dir.path().join("labels.csv"), format!("path,label,split\n{rows}"));
    open(dir.path()).unwrap();
    write(&dir.path().join("train.txt"), "a/3\n");
    write(&dir.path().join("val.txt"), "a/0\n");
    refused(open(dir.path()), &["puts images/a/3.png into train", "by a column of the table"]);

    // Folders of parts.
    let dir = temp();
    class_folders(&dir.path().join("train"), &["a", "b"], 3);
    class_folders(&dir.path().join("val"), &["a", "b"], 2);
    write(&dir.path().join("split.json"), r#"{"train": ["val/a/0", "val/b/0"], "val": ["train/a/1"]}"#);
    let by_folders = ["puts val/a/0.png into train", "by the folders train/, val/"];
    refused(open(dir.path()), &by_folders);
    refused(open_multi_label(dir.path(), &OpenOptions::default()), &by_folders);
    refused(open_images(dir.path(), &SetOptions::default()), &by_folders);
    let dir = temp();
    for (part, names) in [("train", &NAMES[..4]), ("val", &NAMES[4..])] {
        pairs(&dir.path().join(part), names.iter().copied(), |_| stripes(&[0, 1, 2]));
    }
    assert_eq!(segmentation(dir.path()).unwrap().val.len(), 2);
    write(&dir.path().join("split.json"), json!({"train": &NAMES[4..], "val": &NAMES[..2]}).to_string());
    refused(segmentation(dir.path()), &["puts val/images/im 4.png into train", "by the folders"]);
}

/// Lists divide a lone folder of training images, a format without parts, and a table whose images lie in folders of
/// parts.
#[test]
fn divisions_are_used_wherever_nothing_else_divides() {
    let dir = temp();
    (0..6).for_each(|n| save(&dir.path().join(format!("train/{n}.png")), &picture(8, 8, n)));
    write(&dir.path().join("split.json"), r#"{"train": ["0", "1", "2", "3"], "val": ["4", "5"]}"#);
    let splits = open_images(dir.path(), &SetOptions::default()).unwrap();
    assert_eq!((splits.train.len(), splits.val.len(), splits.by_seed), (4, 2, false));

    let dir = temp();
    for (at, name) in NAMES.iter().enumerate() {
        save(&dir.path().join(format!("{name}.png")), &picture(WIDTH, HEIGHT, at as u8));
        let shape = |label: &str, x: u32| json!({"label": label, "points": [[x, 2], [x + 9, 2], [x + 9, 20]], "shape_type": "polygon"});
        let image = format!("{name}.png");
        let written = json!({"imagePath": image, "shapes": [shape("cat", 2), shape("dog", 20)], "imageWidth": WIDTH, "imageHeight": HEIGHT});
        write(&dir.path().join(format!("{name}.json")), written.to_string());
    }
    write(&dir.path().join("split.json"), json!({"train": &NAMES[2..], "val": &NAMES[..2]}).to_string());
    let splits = segmentation(dir.path()).unwrap();
    assert_eq!((splits.format, splits.train.len(), splits.val.len(), splits.by_seed), ("LabelMe JSON", 4, 2, false));

    let dir = temp();
    class_folders(&dir.path().join("train"), &["a", "b"], 3);
    class_folders(&dir.path().join("test"), &["a", "b"], 2);
    let rows: String = [("train", 3), ("test", 2)]
        .iter()
        .flat_map(|(part, count)| {
            ["a", "b"].iter().flat_map(move |class| {
                (0..*count).map(move |n| format!("{part}/{class}/{n}.png,{}\n", class.len() + n % 2))
            })
        })
        .collect();
    write(&dir.path().join("labels.csv"), format!("path,label\n{rows}"));
    let splits = open_classification(&dir.path().join("labels.csv"), &OpenOptions::default()).unwrap();
    assert_eq!((splits.train.len(), splits.val.len(), splits.by_seed), (6, 4, false));
    assert_eq!(splits.decisions.split, "by the folders that the images of the table lie in");
}

/// Lists of folds in folders. Nothing says which fold validates.
#[test]
fn folders_of_folds_are_refused() {
    let refusal = ["names images of this set and is a list of folds", "train.txt and val.txt"];
    let (train, val) = ("a/0.png\nb/0.png\na/1.png\nb/1.png\n", "a/2.png\nb/2.png\n");
    for [first, second] in [
        ["folds/fold0/train.txt", "folds/fold0/val.txt"],
        ["folds/1/train.txt", "folds/1/val.txt"],
        ["splits/fold_1/train.csv", "splits/fold_1/val.csv"],
        ["folds/first.txt", "folds/second.txt"],
    ] {
        let dir = temp();
        class_folders(dir.path(), &["a", "b"], 3);
        [(first, train), (second, val)].iter().for_each(|(name, text)| write(&dir.path().join(name), text));
        refused(open(dir.path()), &[&[first], &refusal[..]].concat());
        refused(open_multi_label(dir.path(), &OpenOptions::default()), &refusal);
        refused(open_images(dir.path(), &SetOptions::default()), &refusal);
        // Copies of one fold divide the set.
        let lists = [("train.txt", train), ("val.txt", val)];
        lists.iter().for_each(|(name, text)| write(&dir.path().join(name), text));
        let images = open_images(dir.path(), &SetOptions::default()).unwrap();
        assert_eq!((images.train.len(), images.val.len(), images.by_seed), (4, 2, false));
    }
    // The textures of DTD: ten divisions.
    let dir = temp();
    class_folders(&dir.path().join("images"), &["a", "b"], 3);
    for (name, text) in [("train1", train), ("val1", val), ("train2", train), ("val2", val)] {
        write(&dir.path().join(format!("labels/{name}.txt")), text);
    }
    refused(open(dir.path()), &["labels/train1.txt", refusal[0]]);
    // A single fold divides the set.
    let dir = temp();
    class_folders(dir.path(), &["a", "b"], 3);
    [("train_1", train), ("val_1", val)]
        .iter()
        .for_each(|(name, text)| write(&dir.path().join(format!("splits/{name}.txt")), text));
    let splits = open(dir.path()).unwrap();
    assert_eq!((splits.train.len(), splits.val.len(), splits.by_seed), (4, 2, false));
}

/// Lists beside a table of labels: their own labels, names without a row, and tables of files alone.
#[test]
fn lists_beside_a_table_agree_with_it() {
    let labels = "file,label\na0.png,a\na1.png,a\na2.png,a\nb0.png,b\nb1.png,b\nb2.png,b\n";
    let set = |files: &[(&str, &str)]| {
        let dir = temp();
        for (tone, name) in ["a0", "a1", "a2", "b0", "b1", "b2", "extra"].iter().enumerate() {
            save(&dir.path().join(format!("{name}.png")), &picture(8, 8, tone as u8));
        }
        write(&dir.path().join("labels.csv"), labels);
        files.iter().for_each(|(name, text)| write(&dir.path().join(name), text));
        dir
    };
    let val = ("val.txt", "a2.png a\nb2.png b\n");
    let splits = open(set(&[("train.txt", "a0.png a\nb0.png b\n"), val]).path()).unwrap();
    assert!(splits.decisions.notes.contains(&"the labels in the lists agree with the table".to_owned()), "{splits:?}");
    refused(
        open(set(&[("train.txt", "a0.png b\nb0.png a\n"), val]).path()),
        &["train.txt", "contradicts the table", "a2.png"],
    );
    let swapped = [("train.txt", "a0.png b\nb0.png a\n"), ("val.txt", "a2.png b\nb2.png a\n")];
    refused(open(set(&swapped).path()), &["contradicts the table", "a0.png (train.txt, line 1) is 'b'"]);
    let unlabeled = [("train.txt", "a0.png\nextra.png\n"), ("val.txt", "b0.png\n")];
    refused(open(set(&unlabeled).path()), &["train.txt, line 2", "'extra.png' is there", "nothing labels it"]);

    let dir = set(&[("train.csv", "file\na0.png\na1.png\nb0.png\nb1.png\n"), ("val.csv", "file\na2.png\nb2.png\n")]);
    let splits = open(dir.path()).unwrap();
    assert_eq!((splits.train.len(), splits.val.len(), splits.by_seed), (4, 2, false));
    assert_eq!(splits.decisions.lists, ["train.csv", "val.csv"]);
    let several = open_multi_label(dir.path(), &OpenOptions::default()).unwrap();
    assert_eq!((several.train.len(), several.val.len(), several.by_seed), (4, 2, false));
}

/// `dataset` and the like may be parts, or the source of an image.
#[test]
fn a_column_that_may_be_of_parts_is_one_where_a_value_is_a_part() {
    let set = |column: &str, values: [&str; 6]| {
        let dir = temp();
        let row = |(n, value): (usize, &str)| {
            save(&dir.path().join(format!("{n}.png")), &picture(8, 8, n as u8));
            format!("{n}.png,{},{value}\n", ["a", "b"][n % 2])
        };
        let rows: String = values.into_iter().enumerate().map(row).collect();
        write(&dir.path().join("labels.csv"), format!("image_id,label,{column}\n{rows}"));
        open(dir.path())
    };
    let sources = ["vienna", "rosendahl", "vienna", "vienna", "rosendahl", "vienna"];
    let splits = set("dataset", sources).unwrap();
    assert!(splits.by_seed && splits.decisions.notes[0].contains("not used: 'dataset'"), "{splits:?}");
    let parts = ["train", "train", "train", "train", "val", "val"];
    for column in ["dataset", "phase", "part", "split"] {
        assert_eq!(set(column, parts).unwrap().val.len(), 2, "{column}");
    }
    let torn = ["train", "train", "train", "train", "val", "spare"];
    refused(set("dataset", torn), &["line 7", "'spare'"]);
    refused(set("split", sources), &["line 2", "'vienna'"]);
}
