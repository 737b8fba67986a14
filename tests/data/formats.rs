//! Each format opens, and each fault of a format is named.

use std::fs;
use std::io::Write;
use std::path::PathBuf;
use std::sync::Arc;

use shadegrad::data::{ClassificationDataset, OpenOptions, open_classification};

use crate::{class_folders, open, picture, refused, save, temp};

fn names(set: &Arc<dyn ClassificationDataset>) -> Vec<String> {
    (0..set.len()).map(|i| set.describe(i)).collect()
}

#[test]
fn class_folders_with_validation_open_in_sorted_order() {
    for val in ["val", "valid", "validation", "test"] {
        let dir = temp();
        class_folders(&dir.path().join("train"), &["zebra", "ant", "bee"], 3);
        class_folders(&dir.path().join(val), &["bee", "zebra", "ant"], 1);
        let splits = open(dir.path()).unwrap();
        assert_eq!(splits.train.class_names(), ["ant", "bee", "zebra"]);
        assert_eq!((splits.train.len(), splits.val.len()), (9, 3));
        for set in [&splits.train, &splits.val] {
            for i in 0..set.len() {
                let class = &set.class_names()[set.label(i) as usize];
                assert!(set.path(i).unwrap().parent().unwrap().ends_with(class));
            }
        }
    }
}

/// Parts have the same names for all tasks, in upper or lower case.
#[test]
fn parts_are_distinguished_from_classes() {
    let classes = ["ant", "bee"];
    for (train, val) in [("Train", "Val"), ("Training", "Testing"), ("train", "Val"), ("train", "dev"), ("TRN", "tst")]
    {
        let dir = temp();
        class_folders(&dir.path().join(train), &classes, 3);
        class_folders(&dir.path().join(val), &classes, 1);
        let splits = open(dir.path()).unwrap();
        assert_eq!(splits.train.class_names(), classes, "{train} {val}");
        assert_eq!((splits.train.len(), splits.val.len()), (6, 2), "{train} {val}");
    }
    let dir = temp();
    class_folders(dir.path(), &["ant", "Test"], 3);
    refused(open(dir.path()), &["Test", "a part of a data set", "ant", "rename it"]);
    // `train` may be a training part, or a class beside another.
    let dir = temp();
    class_folders(&dir.path().join("train"), &classes, 3);
    class_folders(dir.path(), &["bus"], 3);
    refused(open(dir.path()), &["train", "a part of a data set", "bus", "rename it"]);
    // Other folders beside two parts do not count. A part may not have two names.
    class_folders(&dir.path().join("val"), &classes, 1);
    assert_eq!(open(dir.path()).unwrap().val.len(), 2);
    class_folders(&dir.path().join("dev"), &classes, 1);
    refused(open(dir.path()), &["dev/ and val/", "validation part", "one of them"]);
}

/// A test part without labels does not prevent training.
#[test]
fn test_parts_may_lack_labels() {
    let dir = temp();
    let classes = ["ant", "bee"];
    class_folders(&dir.path().join("train"), &classes, 3);
    class_folders(&dir.path().join("val"), &classes, 1);
    class_folders(&dir.path().join("test"), &["images"], 4);
    assert!(open(dir.path()).unwrap().test.is_none());
    class_folders(&dir.path().join("test"), &classes, 1);
    refused(open(dir.path()), &["class 'images'", "test", "train"]);
    fs::remove_dir_all(dir.path().join("test/images")).unwrap();
    fs::remove_dir_all(dir.path().join("test/ant")).unwrap();
    let test = open(dir.path()).unwrap().test.unwrap();
    assert_eq!((test.len(), test.label(0), test.class_names()[1].as_str()), (1, 1, "bee"));
}

#[test]
fn one_folder_is_split_by_class_and_seed() {
    let dir = temp();
    class_folders(dir.path(), &["a", "b"], 12);
    class_folders(dir.path(), &["rare"], 2);
    let split = |seed| {
        open_classification(dir.path(), &OpenOptions { val_split: 0.25, seed, ..OpenOptions::default() }).unwrap()
    };
    let first = split(1);
    let per_class = |class| (0..first.val.len()).filter(|&i| first.val.label(i) == class).count();
    assert_eq!((per_class(0), per_class(1), per_class(2)), (3, 3, 1));
    let mut all = [names(&first.train), names(&first.val)].concat();
    all.sort();
    all.dedup();
    assert_eq!(all.len(), 26, "every image is in one part exactly");
    assert_eq!(names(&first.val), names(&split(1).val));
    assert_ne!(names(&first.val), names(&split(2).val));
    for share in [0.0, 1.0, -0.5, f32::NAN] {
        let options = OpenOptions { val_split: share, seed: 1, ..OpenOptions::default() };
        refused(open_classification(dir.path(), &options), &["val_split", "0.2"]);
    }
}

#[test]
fn cifar_files_open() {
    let dir = temp();
    // Planar: a red ramp, then constant green and blue.
    let record = |labels: &[u8]| {
        let mut bytes = labels.to_vec();
        bytes.extend((0..3072u32).map(|i| match i / 1024 {
            0 => (i % 256) as u8,
            1 => 7,
            _ => 9,
        }));
        bytes
    };
    let ten = dir.path().join("ten/cifar-10-batches-bin");
    fs::create_dir_all(&ten).unwrap();
    fs::write(ten.join("data_batch_1.bin"), [record(&[3]), record(&[9])].concat()).unwrap();
    fs::write(ten.join("test_batch.bin"), record(&[1])).unwrap();
    let splits = open(&dir.path().join("ten")).unwrap();
    assert_eq!((splits.train.len(), splits.val.len(), splits.train.class_names().len()), (2, 1, 10));
    assert_eq!((splits.train.label(0), splits.train.label(1), splits.val.label(0)), (3, 9, 1));
    assert_eq!(splits.val.image(0).unwrap().get_pixel(5, 1).0, [37, 7, 9]);
    assert_eq!(splits.val.describe(0), "test images #0");
    let missing = "4 of the 5 files of training images are not there: data_batch_2.bin, data_batch_3.bin";
    assert!(splits.decisions.notes.iter().any(|note| note.starts_with(missing)), "{:?}", splits.decisions.notes);
    let hundred = dir.path().join("hundred");
    fs::create_dir_all(&hundred).unwrap();
    fs::write(hundred.join("train.bin"), record(&[19, 99])).unwrap();
    fs::write(hundred.join("test.bin"), record(&[2, 41])).unwrap();
    let splits = open(&hundred).unwrap();
    assert_eq!((splits.train.label(0), splits.val.label(0)), (99, 41), "the fine label counts");

    fs::write(ten.join("test_batch.bin"), &record(&[1])[..3000]).unwrap();
    refused(open(&dir.path().join("ten")), &["test_batch.bin", "3000 bytes", "3073", "download"]);
    fs::write(ten.join("test_batch.bin"), record(&[10])).unwrap();
    refused(open(&dir.path().join("ten")), &["test_batch.bin", "label 10", "0 to 9"]);
}

fn idx(dims: &[u32], content: &[u8]) -> Vec<u8> {
    let mut bytes = vec![0, 0, 8, dims.len() as u8];
    bytes.extend(dims.iter().flat_map(|d| d.to_be_bytes()));
    bytes.extend(content);
    bytes
}

fn gz(bytes: &[u8]) -> Vec<u8> {
    let mut encoder = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::fast());
    encoder.write_all(bytes).unwrap();
    encoder.finish().unwrap()
}

#[test]
fn idx_files_open_plain_and_gzipped() {
    let dir = temp();
    let at = |name: &str| dir.path().join(name);
    let images: Vec<u8> = (0..24).collect();
    fs::write(at("train-images-idx3-ubyte.gz"), gz(&idx(&[4, 2, 3], &images))).unwrap();
    fs::write(at("train-labels-idx1-ubyte.gz"), gz(&idx(&[4], &[1, 7, 3, 1]))).unwrap();
    fs::write(at("t10k-images.idx3-ubyte"), idx(&[3, 2, 3], &images[..18])).unwrap();
    fs::write(at("t10k-labels.idx1-ubyte"), idx(&[3], &[7, 3, 1])).unwrap();
    let splits = open(dir.path()).unwrap();
    assert_eq!(splits.train.class_names(), ["1", "3", "7"]);
    assert_eq!((0..4).map(|i| splits.train.label(i)).collect::<Vec<_>>(), [0, 2, 1, 0]);
    let image = splits.train.image(1).unwrap();
    assert_eq!(image.dimensions(), (3, 2));
    assert_eq!(image.get_pixel(2, 1).0, [11; 3], "grey in three channels");

    fs::write(at("t10k-images.idx3-ubyte"), idx(&[3, 2, 3], &images[..17])).unwrap();
    refused(open(dir.path()), &["t10k-images", "17 bytes", "18", "download"]);
    fs::write(at("t10k-images.idx3-ubyte"), idx(&[u32::MAX, u32::MAX, 9], &[])).unwrap();
    refused(open(dir.path()), &["t10k-images", "header says", "limit"]);
    fs::write(at("t10k-images.idx3-ubyte"), b"hello world").unwrap();
    refused(open(dir.path()), &["t10k-images", "expected 0x00000803"]);
    fs::write(at("t10k-images.idx3-ubyte"), idx(&[2, 2, 3], &images[..12])).unwrap();
    refused(open(dir.path()), &["2 images", "3 labels"]);
    fs::remove_file(at("t10k-images.idx3-ubyte")).unwrap();
    refused(open(dir.path()), &["t10k-labels", "partner"]);
    fs::remove_file(at("t10k-labels.idx1-ubyte")).unwrap();
    let whole = fs::read(at("train-images-idx3-ubyte.gz")).unwrap();
    fs::write(at("train-images-idx3-ubyte.gz"), &whole[..whole.len() - 12]).unwrap();
    refused(open(dir.path()), &["train-images", "truncated"]);
}

#[test]
fn rows_longer_than_their_header_are_refused() {
    let dir = temp();
    class_folders(dir.path(), &["a", "b"], 2);
    // The last cell is the name of a part, but the column has no name, or the header lacks the name of the first.
    let rows = "id_code,grade\na/0,0,train\na/1,0,train\nb/0,1,val\nb/1,1,val\n";
    fs::write(dir.path().join("table.csv"), rows).unwrap();
    refused(open(&dir.path().join("table.csv")), &["line 1", "has 2 fields, but most lines 3", "name every column"]);
}

#[test]
fn csv_tables_open_with_and_without_header() {
    let dir = temp();
    class_folders(&dir.path().join("img"), &["x", "y"], 4);
    let table = dir.path().join("labels.csv");
    let rows = |parts: &[(&str, &str, &str)]| {
        let row =
            |(p, l, s): &(&str, &str, &str)| format!("img/{p}.png,{l}{}{s}\n", if s.is_empty() { "" } else { "," });
        parts.iter().map(row).collect::<String>()
    };
    // Integers are sorted by value: 9 before 10.
    fs::write(&table, rows(&[("x/0", "10", ""), ("x/1", "10", ""), ("y/0", "9", ""), ("y/1", "9", "")])).unwrap();
    let splits = open(&table).unwrap();
    assert_eq!(splits.train.class_names(), ["9", "10"]);
    assert_eq!((splits.train.len(), splits.val.len()), (2, 2));
    assert_eq!(splits.val.image(0).unwrap().dimensions(), (9, 7));
    // A folder with one table is that table, even with a folder of images in it.
    fs::remove_dir_all(dir.path().join("img/y")).unwrap();
    class_folders(&dir.path().join("img"), &["y"], 4);
    assert_eq!(open(dir.path()).unwrap().format, splits.format);
    // The same for a part whose images are in one folder, which then does not give their classes.
    save(&dir.path().join("Train/0.png"), &picture(9, 7, 0));
    assert_eq!(open(dir.path()).unwrap().format, splits.format);
    fs::remove_dir_all(dir.path().join("Train")).unwrap();
    // A byte-order mark, another order of columns, semicolons. With val rows, test rows are not used for validation.
    let text = "\u{feff}Split;Label;Filename\ntrain;cat;img/x/0.png\ntrain;dog;img/y/0.png\nval;cat;img/x/1.png\nval;dog;img/y/1.png\ntest;dog;img/y/2.png\n";
    fs::write(&table, text).unwrap();
    let splits = open(&table).unwrap();
    assert_eq!((splits.train.len(), splits.val.len()), (2, 2));
    assert_eq!(splits.train.class_names(), ["cat", "dog"]);
    assert!(splits.val.path(1).unwrap().ends_with("img/y/1.png"));
    let test = splits.test.unwrap();
    assert_eq!((test.len(), test.label(0)), (1, 1));
    assert!(test.path(0).unwrap().ends_with("img/y/2.png"));
    // Test rows without known labels are not a test part. An unknown class among known ones is an error.
    fs::write(&table, text.replace("test;dog", "test;?")).unwrap();
    assert!(open(&table).unwrap().test.is_none());
    fs::write(&table, text.to_string() + "test;emu;img/y/3.png\n").unwrap();
    refused(open(&table), &["class 'emu'", "test rows", "train rows"]);

    fs::write(&table, rows(&[("x/0", "a", "train"), ("x/1", "b", "holdout")])).unwrap();
    refused(open(&table), &["labels.csv", "line 2", "'holdout'", "train, val or test"]);
    fs::write(&table, "path,label\nimg/x/0.png,a\nimg/x/1.png\n").unwrap();
    refused(open(&table), &["labels.csv", "line 3", "has 1 fields", "for each column"]);
    fs::write(&table, "path,label\nimg/x/0.png,a\nimg/x/1.png,\n").unwrap();
    refused(open(&table), &["labels.csv", "line 3", "no label", "path,label"]);
    fs::write(&table, rows(&[("x/0", "a", "train"), ("x/1", "b", "train"), ("x/2", "c", "val")])).unwrap();
    refused(open(&table), &["class 'c'", "validation rows", "add training images"]);
    fs::write(&table, "path,label\n").unwrap();
    refused(open(&table), &["labels.csv", "no rows"]);
    fs::write(&table, rows(&[("x/0", "1", ""), ("x/1", "01", ""), ("y/0", "2", ""), ("y/1", "2", "")])).unwrap();
    refused(open(&table), &["labels.csv", "'01' and '1'", "same number"]);
}

#[test]
fn folders_that_are_no_data_are_refused() {
    let dir = temp();
    let root = dir.path();
    refused(open(&root.join("nowhere")), &["nowhere", "no such file or folder"]);
    fs::write(root.join("notes.txt"), "x").unwrap();
    refused(open(&root.join("notes.txt")), &["notes.txt", "expected the folder"]);
    let sub = |name: &str| -> PathBuf {
        let path = root.join(name);
        fs::create_dir_all(&path).unwrap();
        path
    };
    refused(open(&sub("empty")), &["empty", "the folder is empty", "class folders"]);
    save(&sub("flat").join("1.png"), &picture(5, 5, 0));
    refused(open(&sub("flat")), &["flat", "1 images lie in it directly", "one folder per class"]);
    class_folders(&sub("one"), &["cat"], 3);
    refused(open(&sub("one")), &["at least 2 classes", "'cat'"]);
    class_folders(&sub("hollow"), &["cat", "dog"], 3);
    fs::write(sub("hollow/bird").join("readme.md"), "x").unwrap();
    refused(open(&sub("hollow")), &["class 'bird' has no images", "remove the folder"]);
    class_folders(&sub("uneven/train"), &["cat", "dog"], 1);
    class_folders(&sub("uneven/val"), &["cat", "dog", "emu"], 1);
    refused(open(&sub("uneven")), &["class 'emu'", "val", "train", "add training images"]);
    class_folders(&sub("blind/val"), &["cat", "dog"], 1);
    refused(open(&sub("blind")), &["train part is empty", "no train/"]);
    class_folders(&sub("single"), &["cat", "dog"], 1);
    refused(open(&sub("single")), &["validation part is empty", "single image"]);
}

/// The page on data sets lists every format with its evidence.
#[test]
fn every_format_is_documented() {
    let page = include_str!("../../docs/data.md");
    for format in shadegrad::data::formats() {
        let row = format!("| {} | {} |", format.name, format.looks_for);
        assert!(page.contains(&row), "missing in docs/data.md: {row}");
    }
}
