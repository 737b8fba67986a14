//! Files that are not data, and folders of two formats.

use std::fs;

#[cfg(unix)]
use shadegrad::data::decode_file;
use shadegrad::data::{OpenOptions, SetOptions, open_images};

use super::write;
#[cfg(unix)]
use super::{fifo, pairs, segmentation, stripes};
use crate::{class_folders, open, picture, refused, save, temp};

/// Files that are not data are named. Output of shadegrad is recognized.
#[test]
fn files_left_out_are_named() {
    let dir = temp();
    let at = |name: &str| dir.path().join(name);
    class_folders(dir.path(), &["a", "b"], 3);
    write(&at("a/scan.ppm"), "P6\n1 1\n255\n");
    write(&at("a/noextension"), "x");
    write(&at("a/notes.txt"), "none of an image");
    write(&at("more.tar.gz"), [0x1f, 0x8b, 8]);
    fs::copy(at("a/0.png"), at("a/copy.dat")).unwrap();
    save(&at("stray.png"), &picture(9, 7, 1));
    write(&at("labels.csv"), "path,label\n");
    write(&at("runs/classify-001/run.json"), "{}");
    save(&at("runs/classify-001/samples.png"), &picture(9, 7, 1));
    save(&at("runs/predict-001/x-mask.png"), &picture(9, 7, 1));
    #[cfg(unix)]
    {
        std::os::unix::fs::symlink(at("gone"), at("c")).unwrap();
        fifo(&at("b/zz.png"));
    }
    let splits = open(dir.path()).unwrap();
    assert_eq!(splits.train.class_names(), ["a", "b"]);
    assert_eq!(splits.train.len() + splits.val.len(), 6);
    let printed = splits.decisions.lines().join("\n");
    assert!(
        printed.contains("images whose names have no extension of images: ") && !printed.contains("notes.txt"),
        "{printed}"
    );
    let mut expected = vec!["copy.dat", "more.tar.gz", "scan.ppm", "noextension", "stray.png", "labels.csv", "runs"];
    if cfg!(unix) {
        expected.extend(["/c", "zz.png"]);
    }
    for name in expected {
        assert!(printed.contains(name), "{name} is missing in\n{printed}");
    }
    let images = open_images(dir.path(), &SetOptions::default()).unwrap();
    assert_eq!(images.train.len() + images.val.len(), 7, "the stray image counts, those of runs do not");

    // A folder beside parts, and an image beside the class folders of a part.
    let dir = temp();
    for part in ["train", "val", "extra"] {
        class_folders(&dir.path().join(part), &["a", "b"], 2);
    }
    save(&dir.path().join("train/stray.png"), &picture(9, 7, 1));
    let printed = open(dir.path()).unwrap().decisions.lines().join("\n");
    assert!(printed.contains("beside the parts of the set: ") && printed.contains("extra"), "{printed}");
    assert!(printed.contains("stray.png"), "{printed}");
}

#[cfg(unix)]
#[test]
fn only_regular_files_are_opened() {
    let dir = temp();
    let at = |name: &str| dir.path().join(name);
    for name in ["x.png", "train.txt"] {
        fifo(&at(name));
    }
    refused(decode_file(&at("x.png")), &["x.png", "a FIFO, not a regular file"]);
    pairs(dir.path(), ["a", "b"], |_| stripes(&[0, 1]));
    assert!(segmentation(dir.path()).is_ok(), "a FIFO is no list");
}

#[test]
fn a_folder_of_two_formats_is_refused() {
    let dir = temp();
    class_folders(dir.path(), &["a", "b"], 2);
    let open_default = || shadegrad::data::open_classification(dir.path(), &OpenOptions::default());
    assert_eq!(open_default().unwrap().decisions.evidence, ["a/", "b/"]);
    write(&dir.path().join("data_batch_1.bin"), vec![0; 3073]);
    refused(open_default(), &["CIFAR binary (data_batch_1.bin)", "class folders (a/, b/)"]);
    fs::remove_file(dir.path().join("data_batch_1.bin")).unwrap();
    write(&dir.path().join("data_batch_1"), vec![0; 10]);
    fs::remove_dir_all(dir.path().join("a")).unwrap();
    refused(open_default(), &["Python pickles", "cifar-10-binary.tar.gz"]);
    // As archives are unpacked: a folder in a folder.
    for (file, others) in
        [("data/cifar-10-batches-py/data_batch_1", vec![]), ("x/cifar-100-python/train", vec!["meta", "test"])]
    {
        let dir = temp();
        let file = dir.path().join(file);
        write(&file, [0x80, 2, b'}']);
        others.iter().for_each(|other| write(&file.with_file_name(other), [0x80, 2]));
        refused(
            shadegrad::data::open_classification(dir.path(), &OpenOptions::default()),
            &["Python pickles", "binary version"],
        );
    }
}

/// The folder of a run holds pictures and tables, and lists of pairs hold two names a line. Neither is a set of
/// classes.
#[test]
fn a_run_and_lists_of_pairs_are_no_classes() {
    let dir = temp();
    let at = |name: &str| dir.path().join(name);
    (0..4).for_each(|n| save(&at(&format!("errors/{n}.png")), &picture(9, 7, n)));
    for (name, text) in [("run.json", "{}"), ("config.toml", ""), ("metrics.csv", "epoch\n"), ("layers.csv", "epoch\n")]
    {
        write(&at(name), text);
    }
    let words = ["the folder of a run", "run.json, config.toml and metrics.csv", "give the folder of images"];
    refused(shadegrad::data::open_classification(dir.path(), &OpenOptions::default()), &words);
    refused(shadegrad::data::open_multi_label(dir.path(), &OpenOptions::default()), &words);
    refused(shadegrad::data::open_segmentation(dir.path(), &SetOptions::default()), &words);
    refused(open_images(dir.path(), &SetOptions::default()), &words);

    let dir = temp();
    for (part, count) in [("train", 3), ("val", 1)] {
        for n in 0..count {
            save(&dir.path().join(format!("{part}/{n}.png")), &picture(9, 7, n));
            save(&dir.path().join(format!("{part}annot/{n}.png")), &picture(9, 7, 90));
        }
        let lines: String = (0..count).map(|n| format!("{part}/{n}.png {part}annot/{n}.png\n")).collect();
        write(&dir.path().join(format!("{part}.txt")), lines);
    }
    refused(shadegrad::data::open_classification(dir.path(), &OpenOptions::default()), &["a set for segmentation"]);
}

/// Labels in a file of another form are named.
#[test]
fn a_file_that_names_images_is_named_where_labels_are_missing() {
    for (name, text, words) in [
        ("labels.json", r#"{"0.png": "a", "1.png": "b"}"#, "labels.json names images"),
        ("labels.txt", "0.png big cat\n1.png small dog\n2.png big cat\n", "labels.txt names images"),
        ("labels.xlsx", "PK\u{3}\u{4}", "labels.xlsx is a spreadsheet, which is not read; save it as a table (.csv)"),
    ] {
        let dir = temp();
        (0..4).for_each(|n| save(&dir.path().join(format!("images/{n}.png")), &picture(9, 7, n)));
        write(&dir.path().join(name), text);
        refused(open(dir.path()), &[words, "(.csv)"]);
    }
}
