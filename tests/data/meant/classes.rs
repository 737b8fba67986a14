//! Names, order and number of classes.

use std::collections::BTreeSet;
use std::fs;

use shadegrad::data::{PrepareOptions, prepare};

use super::{HEIGHT, NAMES, WIDTH, pairs, save_grey, segmentation, stripes, write};
use crate::{class_folders, open, picture, refused, save, temp};

#[test]
fn numbered_folders_are_ordered_by_value() {
    let dir = temp();
    class_folders(dir.path(), &["1", "2", "10"], 3);
    let splits = open(dir.path()).unwrap();
    assert_eq!(splits.train.class_names(), ["1", "2", "10"]);
    for set in [&splits.train, &splits.val] {
        for index in 0..set.len() {
            let folder = set.path(index).unwrap().parent().unwrap().to_path_buf();
            assert!(folder.ends_with(&set.class_names()[set.label(index) as usize]));
        }
    }
    // A trained model keeps the order of its classes.
    let old = ["1", "10", "2"].map(String::from);
    let aligned = splits.aligned(&old).unwrap();
    for index in 0..aligned.train.len() {
        let folder = aligned.train.path(index).unwrap().parent().unwrap().to_path_buf();
        assert!(folder.ends_with(&old[aligned.train.label(index) as usize]));
    }
    refused(splits.aligned(&old[..2]), &["does not know '2'", "'1' and '10'"]);
}

/// macOS writes é as two characters.
#[test]
fn names_in_both_unicode_forms_are_the_same() {
    let [composed, decomposed] = ["caf\u{e9}", "cafe\u{301}"];
    let dir = temp();
    for number in 0..4 {
        save(&dir.path().join(format!("images/{decomposed}{number}.png")), &picture(WIDTH, HEIGHT, number));
        save_grey(&dir.path().join(format!("masks/{composed}{number}.png")), &stripes(&[0, 1]));
    }
    write(&dir.path().join("train.txt"), format!("{composed}0\n{decomposed}1\n{composed}2\n"));
    write(&dir.path().join("val.txt"), format!("{composed}3\n"));
    let splits = segmentation(dir.path()).unwrap();
    assert_eq!((splits.train.len(), splits.val.len()), (3, 1));
    let dir = temp();
    class_folders(&dir.path().join("train"), &[composed, "b"], 2);
    class_folders(&dir.path().join("val"), &[decomposed, "b"], 2);
    let splits = open(dir.path()).unwrap();
    assert_eq!(splits.val.class_names(), ["b", composed]);
    class_folders(&dir.path().join("train"), &[decomposed], 2);
    refused(open(dir.path()), &["café", "Unicode form"]);
}

/// Labels are aligned by name and never shifted. A note names the missing class.
#[test]
fn a_part_may_lack_classes() {
    let dir = temp();
    class_folders(&dir.path().join("train"), &["a", "b", "c"], 3);
    class_folders(&dir.path().join("val"), &["a", "c"], 2);
    fs::create_dir_all(dir.path().join("val/b")).unwrap();
    let splits = open(dir.path()).unwrap();
    assert_eq!((0..4).map(|i| splits.val.label(i)).collect::<Vec<_>>(), [0, 0, 2, 2]);
    assert!(splits.decisions.notes.iter().any(|note| note.contains("'b'") && note.contains("validation")));
    let alone = prepare(&[splits.val], &PrepareOptions::square(8), &|_, _| ()).unwrap();
    assert_eq!(alone[0].len(), 4, "as evaluation reads it");
    // Data with some of the classes of a model.
    let some = temp();
    class_folders(some.path(), &["c", "a"], 3);
    let known = ["a", "b", "c"].map(String::from);
    let aligned = open(some.path()).unwrap().aligned(&known).unwrap();
    assert_eq!(aligned.train.class_names(), known);
    let labels: BTreeSet<u32> = (0..aligned.train.len()).map(|i| aligned.train.label(i)).collect();
    assert_eq!(labels, BTreeSet::from([0, 2]));
    assert!(aligned.decisions.notes.iter().any(|note| note.contains("'b' of the model")));
}

/// A division by seed leaves no validation image for a small class. One note names all such classes.
#[test]
fn classes_without_a_validation_image_are_noted_whatever_divides_the_set() {
    let noted = |rare: &[&str]| {
        let dir = temp();
        class_folders(dir.path(), &["a", "b"], 8);
        class_folders(dir.path(), rare, 1);
        let notes = open(dir.path()).unwrap().decisions.notes;
        notes.into_iter().filter(|note| note.contains("in the validation part")).collect::<Vec<_>>()
    };
    assert_eq!(noted(&[]), [""; 0]);
    assert_eq!(noted(&["r"]), ["class 'r' has no image in the validation part, so scores leave it out"]);
    assert_eq!(
        noted(&["r", "s"]),
        ["classes 'r' and 's' have no image in the validation part, so scores leave them out"]
    );
}

/// Two files of class names must name the same classes in the same order; a blank line may count as a value.
#[test]
fn files_of_class_names_that_contradict_each_other_are_refused() {
    let set = |codes: &str, info: &str| {
        let dir = temp();
        pairs(dir.path(), NAMES, |_| stripes(&[0, 1, 2]));
        write(&dir.path().join("codes.txt"), codes);
        write(&dir.path().join("info.json"), info);
        dir
    };
    for (codes, info) in [
        ("bg\ncat\ndog\n", r#"{"classes": ["x", "y", "z"]}"#),
        ("bg\ncat\ndog\n", r#"{"classes": ["bg", "dog", "cat"]}"#),
    ] {
        let dir = set(codes, info);
        refused(segmentation(dir.path()).map(|_| ()), &["info.json", "codes.txt", "classes.toml"]);
        write(&dir.path().join("classes.toml"), "classes = [\"bg\", \"cat\", \"dog\"]\n");
        assert_eq!(segmentation(dir.path()).unwrap().train.classes().names, ["bg", "cat", "dog"]);
    }
    let dir = set("bg\ncat\ndog\n", r#"{"classes": ["bg", "cat", "dog"]}"#);
    assert_eq!(segmentation(dir.path()).unwrap().train.classes().names, ["bg", "cat", "dog"]);
    fs::remove_file(dir.path().join("info.json")).unwrap();
    write(&dir.path().join("codes.txt"), "# names\nbg\n\ncat\ndog\n");
    refused(segmentation(dir.path()).map(|_| ()), &["codes.txt", "line 3 is blank"]);
}
