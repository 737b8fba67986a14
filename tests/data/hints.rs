//! Facts that the files do not contain: the columns of a table, the root of its images, the threshold of masks.

use std::fs;
use std::path::{Path, PathBuf};

use image::{GrayImage, Luma};
use shadegrad::data::check::{CheckOptions, check_segmentation};
use shadegrad::data::{
    ClassificationDataset, DataError, Hints, MissingHint, OpenOptions, SegmentationSplits, SetOptions, Splits,
    open_classification, open_multi_label, open_segmentation,
};

use crate::{class_folders, keeps_case, picture, refused, save, temp};

fn columns(path: Option<&str>, label: Option<&str>) -> Hints {
    Hints { path_column: path.map(String::from), label_column: label.map(String::from), ..Hints::default() }
}

fn open(table: &Path, hints: Hints) -> Result<Splits, DataError> {
    open_classification(table, &OpenOptions { val_split: 0.25, seed: 1, hints, ..OpenOptions::default() })
}

/// `file of image: class of image`, in any order.
fn labels(splits: &Splits) -> Vec<String> {
    let label = |set: &dyn ClassificationDataset, i: usize| {
        let path = Path::new(&set.describe(i)).to_path_buf();
        let parent = path.parent().and_then(Path::file_name).unwrap_or_default().to_string_lossy().into_owned();
        format!("{parent}/{}: {}", path.file_stem().unwrap().display(), set.class_names()[set.label(i) as usize])
    };
    let mut all: Vec<String> = [&splits.train, &splits.val]
        .into_iter()
        .flat_map(|set| (0..set.len()).map(|i| label(&**set, i)).collect::<Vec<_>>())
        .collect();
    all.sort();
    all
}

const ALL: [&str; 4] = ["a/0: cat", "a/1: cat", "b/0: dog", "b/1: dog"];

/// Two images each in the folders `a` and `b`, and a table.
fn table(text: &str) -> (tempfile::TempDir, PathBuf) {
    let dir = temp();
    class_folders(dir.path(), &["a", "b"], 2);
    let table = dir.path().join("table.csv");
    fs::write(&table, text).unwrap();
    (dir, table)
}

/// If a hint gives the third column of a headerless table another meaning, the table has no column of parts.
#[test]
fn columns_of_a_headerless_table_of_several_labels() {
    let (_dir, table) = table("x,a/0.png,red;blue\nx,a/1.png,red\ny,b/0.png,blue\ny,b/1.png,red\n");
    let hints = columns(Some("2"), Some("3"));
    let splits = open_multi_label(&table, &OpenOptions { val_split: 0.25, hints, ..OpenOptions::default() }).unwrap();
    assert_eq!(splits.train.class_names(), ["blue", "red"]);
    assert!(splits.by_seed);
}

/// With an unknown header, the values show which column names files. If several columns may hold the labels, the hint
/// decides, by name or by number.
#[test]
fn columns_are_found_or_named() {
    let (_dir, plain) = table("Breed,Ident\ncat,a/0\ncat,a/1\ndog,b/0\ndog,b/1\n");
    assert_eq!(labels(&open(&plain, Hints::default()).unwrap()), ALL);
    let (_dir, wide) = table("Image,x,Breed\na/0.png,u,cat\na/1.png,v,cat\nb/0.png,u,dog\nb/1.png,v,dog\n");
    let message = refused(open(&wide, Hints::default()), &["several columns may hold the labels", "'x' (such as 'u')"]);
    assert!(!message.contains("--"), "{message}");
    assert_eq!(open(&wide, Hints::default()).unwrap_err().hint(), Some(MissingHint::Columns));
    for hints in [columns(None, Some("breed")), columns(Some("Image"), Some("Breed")), columns(Some("1"), Some("3"))] {
        assert_eq!(labels(&open(&wide, hints).unwrap()), ALL);
    }
    let other = open(&wide, columns(None, Some("x"))).unwrap();
    assert_eq!(other.train.class_names(), ["u", "v"]);
    refused(open(&wide, columns(None, Some("race"))), &["no column 'race'", "'Breed' (such as 'cat')"]);
    refused(open(&wide, columns(Some("x"), Some("x"))), &["are the same"]);
}

/// The first line of a table without header is a row, also where hints give numbers of columns.
#[test]
fn numbers_of_columns_need_no_header() {
    let (dir, bare) = table("u,a/0.png,cat,1\nu,a/1.png,cat,2\nv,b/0.png,dog,3\nv,b/1.png,dog,4\n");
    assert_eq!(labels(&open(&bare, columns(Some("2"), Some("3"))).unwrap()), ALL);
    // A first row whose image is missing is not a header either.
    let lost = dir.path().join("lost.csv");
    fs::write(&lost, "a/9.png,cat\na/0.png,cat\na/1.png,cat\nb/0.png,dog\nb/1.png,dog\n").unwrap();
    let splits = open(&lost, Hints::default()).unwrap();
    assert_eq!(splits.train.len() + splits.val.len(), 5);
}

/// A column that names files precedes ids that name none, and labels that look like names of files.
#[test]
fn the_column_that_names_files_wins() {
    let (dir, ids) = table("image_id,filename,class\n17,a/0.png,cat\n18,a/1.png,cat\n19,b/0.png,dog\n20,b/1.png,dog\n");
    assert_eq!(labels(&open(&ids, Hints::default()).unwrap()), ALL);
    class_folders(&dir.path().join("more"), &["c"], 3);
    let numbers = dir.path().join("numbers.csv");
    fs::write(&numbers, "grade,id\n2,a/0\n2,a/1\n2,b/0\n1,b/1\n1,c/0\n1,c/1\n").unwrap();
    assert_eq!(open(&numbers, Hints::default()).unwrap().train.class_names(), ["1", "2"]);
    let two = dir.path().join("two.csv");
    fs::write(&two, "path,class,label\na/0.png,cat,1\na/1.png,cat,2\nb/0.png,dog,1\nb/1.png,dog,2\n").unwrap();
    refused(open(&two, Hints::default()), &["several columns have the name of a label"]);
    let pair = dir.path().join("pair.csv");
    fs::write(&pair, "image,mask\na/0.png,b/0.png\na/1.png,b/1.png\n").unwrap();
    refused(open(&pair, Hints::default()), &["no column holds labels"]);
}

/// Excel's first line, remarks, and names in another case, for one label an image and for several.
#[test]
fn exports_of_other_programs_are_read() {
    let (dir, _) = table("");
    let file = dir.path().join("table.csv");
    for before in ["sep=;\n", "# exported today, with 2 folders\n", "# one\n\n# two\n"] {
        fs::write(&file, format!("{before}file;label\na/0.PNG;cat\nA\\1;cat\nb/0.png;dog\n.\\b\\1.Png;dog\n")).unwrap();
        let splits = open(&file, Hints::default()).unwrap();
        assert_eq!(labels(&splits), ALL, "{before}");
        assert!((0..splits.train.len()).all(|i| splits.train.image(i).is_ok()));
        let note = "listed names have another case than their files, such as 'A/1' for 'a/1.png'";
        assert!(splits.decisions.notes.iter().any(|known| known == note), "{:?}", splits.decisions.notes);
        let several = open_multi_label(&file, &OpenOptions::default()).unwrap();
        assert_eq!((several.train.len() + several.val.len(), several.train.class_names().len()), (4, 2), "{before}");
        assert!((0..several.train.len()).all(|i| several.train.image(i).is_ok()));
        assert!(several.decisions.notes.iter().any(|known| known == note), "{:?}", several.decisions.notes);
    }
    if keeps_case(dir.path()) {
        save(&dir.path().join("a/0.Png"), &picture(8, 8, 0));
        refused(open(&file, Hints::default()), &["table.csv", "may be", "0.Png"]);
        refused(open_multi_label(&file, &OpenOptions::default()), &["table.csv", "may be", "0.Png"]);
    }
}

/// Columns of truth values that say whether a row is held out, as in fastai's tables.
#[test]
fn truth_values_say_the_part() {
    let text = "fname,labels,is_valid\na/0,cat;dog,False\na/1,dog;cat,False\nb/0,dog;cat,True\nb/1,cat,False\n";
    let (_dir, file) = table(text);
    let splits = open_multi_label(&file, &OpenOptions::default()).unwrap();
    assert_eq!((splits.train.len(), splits.val.len(), splits.by_seed), (3, 1, false));
    assert!(splits.val.image(0).is_ok());
    let (_dir, file) = table("fname,label,is_valid\na/0,cat,0\na/1,cat,0\nb/0,dog,0\nb/1,dog,1\n");
    let splits = open(&file, Hints::default()).unwrap();
    assert_eq!((splits.train.len(), splits.val.len(), splits.by_seed), (3, 1, false));
}

#[test]
fn images_may_lie_elsewhere() {
    let (dir, _) = table("");
    let lists = temp();
    let table = lists.path().join("t.csv");
    fs::write(&table, "path,label\na/0.png,cat\na/1.png,cat\nb/0.png,dog\nb/1.png,dog\n").unwrap();
    let hints = Hints { image_root: Some(dir.path().into()), ..Hints::default() };
    let splits = open(&table, hints.clone()).unwrap();
    assert_eq!(labels(&splits), ALL);
    assert!(splits.train.image(0).is_ok());
    assert!(splits.decisions.notes[0].contains("images below"), "{:?}", splits.decisions.notes);
    let gone = Hints { image_root: Some(dir.path().join("gone")), ..Hints::default() };
    assert!(matches!(open(&table, gone), Err(DataError::NotFound(_))));
    // Hints about columns need a table. They also choose it where class folders lie beside it.
    assert!(matches!(open(&dir.path().join("a"), hints), Err(DataError::NoTable { .. })));
    fs::write(dir.path().join("table.csv"), "path,label\na/0.png,1\na/1.png,2\nb/0.png,1\nb/1.png,2\n").unwrap();
    let both = open(dir.path(), Hints::default());
    assert_eq!(both.as_ref().unwrap_err().hint(), Some(MissingHint::Columns));
    refused(both, &["class folders (a/, b/)", "table.csv: a/0.png is '1', a/1.png is '2'"]);
    assert_eq!(open(dir.path(), columns(None, Some("label"))).unwrap().train.class_names(), ["1", "2"]);
}

/// A field of megabytes, mostly a forgotten quotation mark, is named by its line and its start.
#[test]
fn a_long_field_is_not_shown_whole() {
    let (_dir, table) = table(&format!("path,label\na/0.png,cat\na/1.png,\"{}\n", "x".repeat(10 << 20)));
    let message = refused(open(&table, Hints::default()), &["line 3", "10485760 bytes", "quotation mark"]);
    assert!(message.len() < 500, "{} bytes", message.len());
}

const SIZE: (u32, u32) = (16, 8);

/// Two halves of brightness `low` and `high`, at even and odd numbers.
fn halves(low: u8, high: u8) -> GrayImage {
    GrayImage::from_fn(SIZE.0, SIZE.1, |x, _| Luma([if x < 8 { low } else { high }]))
}

fn segmentation(root: &Path, threshold: Option<u8>) -> Result<SegmentationSplits, DataError> {
    let hints = Hints { mask_threshold: threshold, ..Hints::default() };
    open_segmentation(root, &SetOptions { val_split: 0.25, seed: 3, hints, ..SetOptions::default() })
}

fn pairs(root: &Path, save_mask: impl Fn(usize, &Path)) {
    fs::create_dir_all(root.join("masks")).unwrap();
    for k in 0..4 {
        save(&root.join(format!("images/{k}.png")), &picture(SIZE.0, SIZE.1, k as u8));
        save_mask(k, &root.join(format!("masks/{k}.png")));
    }
}

/// Every mask has class 0 on its left and class 1 on its right.
fn are_halves(splits: &SegmentationSplits) {
    for set in [&splits.train, &splits.val] {
        for i in 0..set.len() {
            let mask = set.mask(i).unwrap();
            assert!(mask.enumerate_pixels().all(|(x, _, p)| p.0[0] == u8::from(x >= 8)), "{}", set.mask_name(i));
        }
    }
}

/// Brightness makes two classes, whatever stores it: greys, samples of 1 bit and of 16, a palette of black and white,
/// JPEG.
#[test]
fn a_threshold_makes_two_classes() {
    let dir = temp();
    pairs(dir.path(), |k, path| match k {
        0 => halves(3, 254).save(path).unwrap(),
        1 => one_bit(path, false),
        2 => one_bit(path, true),
        _ => {
            let wide = image::ImageBuffer::from_fn(SIZE.0, SIZE.1, |x, _| Luma([if x < 8 { 900u16 } else { 60_000 }]));
            wide.save(path).unwrap();
        }
    });
    let splits = segmentation(dir.path(), Some(128)).unwrap();
    are_halves(&splits);
    assert_eq!(splits.train.classes().names, ["background", "foreground"]);
    assert!(splits.train.classes().source.contains("threshold of 128"));
    let jpeg = temp();
    pairs(jpeg.path(), |_, path| halves(0, 255).save_with_format(path, image::ImageFormat::Jpeg).unwrap());
    let error = segmentation(jpeg.path(), None).unwrap_err();
    assert_eq!(error.hint(), Some(MissingHint::MaskThreshold(128)), "{error}");
    are_halves(&segmentation(jpeg.path(), Some(128)).unwrap());
}

/// A mask of one bit a sample, grey or with a palette of black and white.
fn one_bit(path: &Path, is_indexed: bool) {
    let mut encoder = png::Encoder::new(fs::File::create(path).unwrap(), SIZE.0, SIZE.1);
    encoder.set_depth(png::BitDepth::One);
    encoder.set_color(if is_indexed { png::ColorType::Indexed } else { png::ColorType::Grayscale });
    if is_indexed {
        encoder.set_palette(vec![0, 0, 0, 255, 255, 255]);
    }
    let row = [0x00, 0xff].repeat(SIZE.1 as usize);
    encoder.write_header().unwrap().write_image_data(&row).unwrap();
}

/// The threshold decides where values can be read in two ways, takes the names of a list of two, and is refused beside
/// other classes.
#[test]
fn a_threshold_decides_between_two_readings() {
    let dir = temp();
    pairs(dir.path(), |k, path| halves(0, if k % 2 == 0 { 1 } else { 255 }).save(path).unwrap());
    let error = segmentation(dir.path(), None).unwrap_err();
    assert_eq!(error.hint(), Some(MissingHint::MaskThreshold(1)), "{error}");
    are_halves(&segmentation(dir.path(), Some(1)).unwrap());
    let check = |threshold| {
        let hints = Hints { mask_threshold: threshold, ..Hints::default() };
        check_segmentation(dir.path(), &CheckOptions { hints, ..CheckOptions::default() }).unwrap()
    };
    assert_eq!(check(None).faults[0].hint, Some(MissingHint::MaskThreshold(1)));
    let report = check(Some(1));
    assert!(report.is_good(), "{report}");
    assert_eq!(report.classes[1].counts, [3 * 64, 64]);
    fs::write(dir.path().join("codes.txt"), "sky\nground\n").unwrap();
    assert_eq!(segmentation(dir.path(), Some(1)).unwrap().train.classes().names, ["sky", "ground"]);
    fs::write(dir.path().join("codes.txt"), "sky\nground\nsea\n").unwrap();
    refused(segmentation(dir.path(), Some(1)), &["codes.txt", "threshold", "lists 3"]);
    fs::remove_file(dir.path().join("codes.txt")).unwrap();
    refused(segmentation(dir.path(), Some(0)), &["threshold is 0, expected 1 to 255"]);
    let drawn = temp();
    for k in 0..4 {
        save(&drawn.path().join(format!("{k}.png")), &picture(SIZE.0, SIZE.1, k));
        let shape = r#"{"label": "cat", "points": [[0, 0], [8, 0], [8, 8]], "shape_type": "polygon"}"#;
        let text = format!(r#"{{"shapes": [{shape}], "imagePath": "{k}.png", "imageWidth": 16, "imageHeight": 8}}"#);
        fs::write(drawn.path().join(format!("{k}.json")), text).unwrap();
    }
    refused(segmentation(drawn.path(), Some(1)), &["LabelMe", "threshold of 1 has no use"]);
}

/// Slips of `classes.toml` name the key's line, the value and what was expected.
#[test]
fn slips_of_classes_toml_say_what_was_expected() {
    let dir = temp();
    pairs(dir.path(), |_, path| halves(0, 1).save(path).unwrap());
    for (text, parts) in [
        ("threshold = 300", ["threshold = 300", "300", "a whole number from 0 to 255"]),
        ("[[classes]]\nname = \"sky\"\nvalue = \"zero\"", ["class 1: value", "zero", "a whole number from 0 to 255"]),
        ("[[classes]]\nname = \"sky\"\ncolor = [1, 2]", ["class 1: color", "2", "red, green and blue"]),
        ("[[classes]]\nname = \"sky\"\ncolor = [1, 2, 900]", ["class 1: color", "900", "red, green and blue"]),
        ("orientation = \"left\"", ["orientation", "left", "`upright`"]),
        ("ignore_index = [0, -3]", ["ignore_index", "-3", "from 0 to 255"]),
    ] {
        fs::write(dir.path().join("classes.toml"), text).unwrap();
        let message = refused(segmentation(dir.path(), None), &parts);
        assert!(!message.contains("u8"), "{message}");
    }
}
