//! One file that divides a set into its parts.

use std::path::Path;

use serde_json::json;
use shadegrad::data::{OpenOptions, SetOptions, open_classification, open_images, open_multi_label};

use super::{NAMES, pairs, segmentation, stripes, write};
use crate::{class_folders, open, refused, temp};

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

/// A table of labels without a column of parts is divided by what lies beside it.
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
    refuse("split.csv", "name,fold\na/0.png,1\na/1.png,2\n", &form);
    refuse("split.json", r#"{"a/0.png": 1, "b/1.png": 2}"#, &form);
    refuse("partition.txt", "a/0.png 0\nb/1.png 2\n", &form);
    refuse(
        "splits/split.json",
        r#"{"train": ["a/0.png", "z.png"], "val": ["b/1.png"]}"#,
        &["'z.png' is the name of no image"],
    );

    let dir = temp();
    class_folders(dir.path(), &["a", "b"], 4);
    write(&dir.path().join("split.json"), r#"{"train": ["a/0.png", "b/0.png"], "val": ["b/1.png"]}"#);
    write(&dir.path().join("split.csv"), "name,part\na/0.png,train\nb/0.png,val\n");
    refused(open(dir.path()), &["split.csv", "split.json", "divides this set too"]);
    // A file of that name that names none of the images is of no account.
    let other = temp();
    class_folders(other.path(), &["a", "b"], 4);
    write(&other.path().join("split.txt"), "banana split\n");
    assert!(open(other.path()).unwrap().by_seed, "{}", Path::new("split.txt").display());
}
