//! Class folders in which an image may be in several classes.

use std::fs;
use std::path::Path;

use shadegrad::data::{Confidence, Decisions, Why, recognize_multi_label};

use super::{content, expected, lists, open};
use crate::{picture, refused, save, temp};

/// Writes files CLASS/NAME with pictures of the given numbers.
pub fn folders(root: &Path, files: &[(&str, u8)]) {
    for (file, number) in files {
        save(&root.join(file), &picture(8, 8, *number));
    }
}

#[test]
fn an_image_in_several_class_folders_has_their_labels() {
    let dir = temp();
    for part in ["train", "val"] {
        folders(&dir.path().join(part), &[("car/1.png", 1), ("tree/1.png", 1), ("tree/2.png", 2), ("bus/3.png", 3)]);
    }
    #[cfg(unix)]
    {
        // Links to one file are one image under any name.
        let train = dir.path().join("train");
        std::os::unix::fs::symlink(train.join("tree/2.png"), train.join("bus/other.png")).unwrap();
        fs::hard_link(train.join("bus/3.png"), train.join("car/hard.png")).unwrap();
    }
    let splits = open(dir.path()).unwrap();
    assert_eq!((splits.format, splits.by_seed), ("class folders", false));
    let val = expected(&[("1.png", &["car", "tree"]), ("2.png", &["tree"]), ("3.png", &["bus"])]);
    assert_eq!(content(&[&splits.val]), val);
    #[cfg(unix)]
    {
        let names: Vec<Vec<String>> = content(&[&splits.train]).into_iter().map(|(_, labels)| labels).collect();
        let mut sorted = names.clone();
        sorted.sort();
        let all = [["bus", "car"], ["bus", "tree"], ["car", "tree"]].map(|pair| pair.map(String::from).to_vec());
        assert_eq!(sorted, all);
    }
    assert!(splits.decisions.notes[0].contains("images lie in several class folders"), "{:?}", splits.decisions.notes);
    // A validation part may lack a class, and may not have a further one.
    fs::remove_file(dir.path().join("val/car/1.png")).unwrap();
    fs::remove_dir(dir.path().join("val/car")).unwrap();
    let notes = open(dir.path()).unwrap().decisions.notes;
    assert!(notes.iter().any(|note| note.ends_with("part's means: 'car'")), "{notes:?}");
    folders(&dir.path().join("val"), &[("bike/9.png", 9)]);
    refused(open(dir.path()), &["class 'bike'", "val", "train"]);
}

#[test]
fn lists_divide_class_folders_and_what_is_left_out_is_named() {
    let dir = temp();
    let files = [("10/1.png", 1), ("2/1.png", 1), ("2/2.png", 2), ("10/3.png", 3), ("2/4.png", 4), ("10/5.png", 5)];
    folders(dir.path(), &files);
    folders(dir.path(), &[("loose.png", 6)]);
    fs::write(dir.path().join("2/old.tga"), "x").unwrap();
    // An image of two classes may be listed in the folder of either.
    fs::write(dir.path().join("train.txt"), "10/1.png\n2.png\n3\n").unwrap();
    fs::write(dir.path().join("val.txt"), "2/4.png\n").unwrap();
    let splits = open(dir.path()).unwrap();
    assert_eq!(splits.train.class_names(), ["2", "10"], "numbers by value");
    assert_eq!(content(&[&splits.train]), expected(&[("1.png", &["2", "10"]), ("2.png", &["2"]), ("3.png", &["10"])]));
    assert_eq!(content(&[&splits.val]), expected(&[("4.png", &["2"])]));
    let Decisions { lists, split, left_out, .. } = &splits.decisions;
    assert_eq!(
        (lists.as_slice(), split.as_str()),
        (["train.txt", "val.txt"].map(String::from).as_slice(), "by the lists train.txt, val.txt")
    );
    let mut left_out: Vec<_> = left_out.iter().map(|one| (one.why.clone(), name_of(&one.path))).collect();
    left_out.sort();
    let named = |why, name: &str| (why, name.to_owned());
    assert_eq!(
        left_out,
        [named(Why::UnreadKind, "old.tga"), named(Why::BesideClasses, "loose.png"), named(Why::InNoList, "5.png")]
    );
    fs::write(dir.path().join("val.txt"), "4.png\n9.png\n").unwrap();
    refused(open(dir.path()), &["val.txt, line 2", "'9.png' names no image"]);
}

fn name_of(path: &Path) -> String {
    path.file_name().unwrap().to_string_lossy().into_owned()
}

#[test]
fn formats_of_several_labels_are_recognized() {
    let dir = temp();
    folders(dir.path(), &[("car/1.png", 1), ("tree/2.png", 2)]);
    let found = |path: &Path| recognize_multi_label(path).unwrap().unwrap();
    assert_eq!(
        (found(dir.path()).format, found(dir.path()).evidence.confidence),
        ("class folders", Confidence::Certain)
    );
    let dir = temp();
    fs::write(dir.path().join("labels.csv"), lists(";")).unwrap();
    assert_eq!(found(dir.path()).format, "CSV of path,labels");
    let decisions = open(dir.path()).unwrap().decisions;
    assert_eq!(
        (decisions.format.as_str(), decisions.evidence.as_slice()),
        ("CSV with a list column", ["labels.csv".to_owned()].as_slice())
    );
    assert!(decisions.lines().iter().any(|line| line == "classes: bus, car, tree"), "{decisions:?}");
    // Text files are read alike: a byte order mark, UTF-16.
    let utf16: Vec<u8> = format!("\u{feff}{}", lists(";")).encode_utf16().flat_map(u16::to_le_bytes).collect();
    fs::write(dir.path().join("labels.csv"), utf16).unwrap();
    assert_eq!(open(dir.path()).unwrap().train.class_names(), ["bus", "car", "tree"]);
}

#[test]
fn folders_that_can_be_read_twice_are_refused() {
    // Numbers as names: the content shows that these are different images.
    let dir = temp();
    let numbered = [("car/1.png", 1), ("car/2.png", 2), ("tree/1.png", 3), ("tree/2.png", 4), ("tree/3.png", 5)];
    folders(dir.path(), &numbered);
    let splits = open(dir.path()).unwrap();
    assert_eq!(splits.train.len() + splits.val.len(), 5);
    assert!(
        splits.decisions.notes[0].contains("2 names occur in several class folders with different content"),
        "{:?}",
        splits.decisions.notes
    );
    // Beside a shared image, equal names must be equal images.
    folders(dir.path(), &[("car/7.png", 7), ("tree/7.png", 7)]);
    refused(open(dir.path()), &["1.png", "has the name of", "different images", "one copy was changed"]);
    // Equal content under two names: a second label, or a wrong one.
    let dir = temp();
    folders(dir.path(), &[("car/a.png", 1), ("tree/b.png", 1), ("car/c.png", 2), ("tree/d.png", 3)]);
    refused(open(dir.path()), &["b.png", "same content", "a.png", "both labels", "wrong label"]);
    let dir = temp();
    folders(&dir.path().join("train"), &[("car/a.png", 1)]);
    refused(open(dir.path()), &["train/", "second part"]);
}
