//! Tables, lists, names and annotations as other programs write them.

use std::fs;

use serde_json::{Value, json};
use shadegrad::data::{DataError, Hints, OpenOptions, SetOptions, Why, open_images, open_multi_label};

use super::{HEIGHT, WIDTH, pairs, save_grey, segmentation, stripes, write};
use crate::sets::{Notation, save_as};
use crate::{class_folders, keeps_case, open, picture, refused, save, sets, slashed, temp};

const SIX: [&str; 6] = ["0", "1", "2", "3", "4", "5"];

/// `train.csv` and `val.csv` are the parts of one set. A table without labels, or of another name, is left out.
#[test]
fn tables_of_the_parts_are_one_set() {
    let dir = temp();
    class_folders(&dir.path().join("img"), &["a", "b"], 6);
    let table = |rows: &[usize]| -> String {
        let of = |class: &str| -> String { rows.iter().map(|k| format!("{class}/{k},{class}\n")).collect() };
        format!("id,label\n{}{}", of("a"), of("b"))
    };
    write(&dir.path().join("train.csv"), table(&[0, 1, 2, 3]));
    write(&dir.path().join("val.csv"), table(&[4]));
    write(&dir.path().join("test.csv"), "id\na/5\nb/5\n");
    write(&dir.path().join("sample_submission.csv"), table(&[5]));
    let splits = open(dir.path()).unwrap();
    assert_eq!((splits.train.len(), splits.val.len(), splits.test.is_none()), (8, 2, true));
    assert_eq!(splits.decisions.split, "by the tables train.csv, val.csv");
    let why: Vec<&Why> = splits.decisions.left_out.iter().map(|one| &one.why).collect();
    assert_eq!(why, [&Why::Submission, &Why::UnlabeledTest]);
    // Without a validation table the training rows are divided; a test table with labels is one.
    fs::remove_file(dir.path().join("val.csv")).unwrap();
    let splits = open(dir.path()).unwrap();
    assert_eq!((splits.train.len() + splits.val.len(), splits.by_seed), (8, true));
    write(&dir.path().join("test.csv"), table(&[5]));
    assert_eq!(open(dir.path()).unwrap().val.len(), 2);
    // Hints about columns are for all tables.
    let hints = Hints { label_column: Some("label".into()), ..Hints::default() };
    let options = OpenOptions { hints, ..OpenOptions::default() };
    assert_eq!(shadegrad::data::open_classification(dir.path(), &options).unwrap().val.len(), 2);
    fs::rename(dir.path().join("train.csv"), dir.path().join("rows.csv")).unwrap();
    refused(open(dir.path()), &["several tables"]);
    // A table in the folder of each part names images beside it.
    let dir = temp();
    for (part, names) in [("train", ["a", "b", "c"]), ("val", ["d", "e", "f"])] {
        let folder = dir.path().join(part);
        names.iter().for_each(|name| save(&folder.join(format!("images/{name}.png")), &picture(8, 8, 1)));
        let rows = names.iter().zip(["cat", "dog", "cat"]).map(|(name, label)| format!("images/{name}.png,{label}\n"));
        write(&folder.join("labels.csv"), format!("file,label\n{}", rows.collect::<String>()));
    }
    let splits = open(dir.path()).unwrap();
    assert_eq!((splits.train.len(), splits.val.len(), splits.by_seed), (3, 3, false));
    assert!((0..3).all(|index| splits.val.image(index).is_ok()));
    assert_eq!(slashed(splits.decisions.split), "by the tables train/labels.csv, val/labels.csv");
}

/// `train_images/` and `test_images/` are not classes: the table beside them has the labels.
#[test]
fn folders_named_as_parts_are_no_classes() {
    let dir = temp();
    for k in 0..6 {
        save(&dir.path().join(format!("train_images/{k:04}.png")), &picture(8, 8, k));
        save(&dir.path().join(format!("test_images/9{k:03}.png")), &picture(8, 8, k + 9));
    }
    refused(open(dir.path()), &["'test_images' and 'train_images'", "named as parts, not as classes", ".csv"]);
    let rows: String = (0..6).map(|k| format!("{k:04},{}\n", k % 2)).collect();
    write(&dir.path().join("train.csv"), format!("id_code,diagnosis\n{rows}"));
    write(&dir.path().join("test.csv"), "id_code\n9001\n");
    let splits = open(dir.path()).unwrap();
    assert_eq!((splits.train.class_names(), splits.train.len() + splits.val.len()), (&["0".into(), "1".into()][..], 6));
}

/// A table beside class folders either has their classes, under any names, or is refused with a row that says
/// otherwise.
#[test]
fn a_table_that_contradicts_class_folders_is_refused() {
    let dir = temp();
    class_folders(dir.path(), &["north", "south"], 4);
    let table = |label: &dyn Fn(&str, usize) -> String| {
        let rows = |side: &str| (0..4).map(|k| format!("{side}/{k}.png,{}\n", label(side, k))).collect::<String>();
        write(&dir.path().join("labels.csv"), format!("file,kind\n{}{}", rows("north"), rows("south")));
    };
    table(&|side, _| if side == "north" { "1".into() } else { "0".into() });
    assert_eq!(open(dir.path()).unwrap().train.class_names(), ["north", "south"]);
    table(&|_, k| ["cat", "dog"][k % 2].into());
    let both = ["class folders (north/, south/)", "labels.csv: north/0.png is 'cat', north/1.png is 'dog'"];
    refused(open(dir.path()), &both);
    table(&|_, _| "cat".into());
    refused(open(dir.path()), &["labels.csv: north/0.png and south/0.png are both 'cat'"]);
    // Columns that a hint names decide. A table of other facts has no labels.
    table(&|_, k| ["cat", "dog"][k % 2].into());
    let hints = Hints { label_column: Some("kind".into()), ..Hints::default() };
    let options = OpenOptions { hints, ..OpenOptions::default() };
    let splits = shadegrad::data::open_classification(dir.path(), &options).unwrap();
    assert_eq!(splits.train.class_names(), ["cat", "dog"]);
    fs::rename(dir.path().join("labels.csv"), dir.path().join("photographers.csv")).unwrap();
    assert_eq!(open(dir.path()).unwrap().train.class_names(), ["north", "south"]);
    // Tables in the folders of the parts.
    let dir = temp();
    for part in ["train", "val"] {
        class_folders(&dir.path().join(part), &["north", "south"], 3);
        let rows = |side: &str, label: &str| (0..3).map(|k| format!("{side}/{k}.png,{label}\n")).collect::<String>();
        let rows = if part == "train" {
            rows("north", "north") + &rows("south", "south")
        } else {
            rows("north", "south") + &rows("south", "north")
        };
        write(&dir.path().join(part).join("labels.csv"), format!("file,label\n{rows}"));
    }
    refused(open(dir.path()), &["class folders", "val/labels.csv", "val/north/0.png", "'south'"]);
}

/// An image with two labels in a table of one label an image, and labels that are lists.
#[test]
fn rows_that_contradict_are_refused() {
    let dir = temp();
    class_folders(dir.path(), &["a", "b"], 3);
    let table = |rows: &str| {
        let path = dir.path().join("t.csv");
        write(&path, format!("path,label,split\n{rows}a/1,x,train\nb/0,y,train\nb/1,y,val\na/2,x,val\n"));
        open(&path)
    };
    refused(table("a/1.png,y,train\n"), &["t.csv", "'y' on line 2 and 'x' on line 3"]);
    assert_eq!(table("a/1.png,x,val\n").unwrap().val.len(), 3, "a check reports it");
    let splits = table("a/1.png,x,train\n").unwrap();
    assert_eq!((splits.train.len(), splits.val.len()), (2, 2));
    assert_eq!(splits.decisions.notes[1], "1 lines repeat an earlier line and count once");
    write(&dir.path().join("t.csv"), "path,label\na/0,\"['x', 'z']\"\na/1,\"['x']\"\nb/0,['y']\nb/1,['y']\n");
    refused(open(&dir.path().join("t.csv")), &["['x', 'z']", "multi-label"]);
    write(&dir.path().join("t.csv"), "path,label,camera\na/0,x,1\na/1,x,2\nb/0,y,1\nb/1,y,2\n");
    let notes = open(&dir.path().join("t.csv")).unwrap().decisions.notes;
    assert_eq!(notes, ["files in column 'path', labels in column 'label'; not used: 'camera'"]);
}

/// Names of classes that may be one name, and numbers with a fraction.
#[test]
fn class_names_that_may_be_one_are_named() {
    let dir = temp();
    class_folders(dir.path(), &["2.5", "10.0", "1.0"], 2);
    assert_eq!(open(dir.path()).unwrap().train.class_names(), ["1.0", "2.5", "10.0"]);
    class_folders(dir.path(), &["01"], 2);
    refused(open(dir.path()), &["'01' and '1.0'", "same number"]);
    let dir = temp();
    class_folders(dir.path(), &["cat", "dog"], 2);
    let table = dir.path().join("t.csv");
    write(&table, "path,label\ncat/0,Cat\ncat/1,cat\ndog/0,dog\ndog/1,dog\n");
    let notes = open(&table).unwrap().decisions.notes;
    let twins = "the classes 'Cat' and 'cat' differ in case, blanks or invisible characters alone; give both one name if they are the same";
    assert_eq!(notes[1], twins);
    write(&table, "path,label\ncat/0,1\ncat/1,1.0\ndog/0,2\ndog/1,2\n");
    refused(open(&table), &["'1' and '1.0'", "same number"]);
    for (labels, same) in [
        (["1e0", "1", "2", "2"], "'1' and '1e0' are the same value"),
        (["\"1,000\"", "1000", "2000", "x"], "'1,000' and '1000' are the same number"),
        (["\u{ff11}", "1", "2", "2"], "'1' and '\u{ff11}' are the same number"),
        (["True", "true", "False", "False"], "'True' and 'true' are the same value"),
        (["True", "1", "0", "False"], "are the same value"),
    ] {
        let [a, b, c, d] = labels;
        write(&table, format!("path,label\ncat/0,{a}\ncat/1,{b}\ndog/0,{c}\ndog/1,{d}\n"));
        refused(open(&table), &[same]);
        // In tables of several labels, a comma separates labels.
        if !a.contains(',') {
            refused(open_multi_label(&table, &OpenOptions::default()), &[same]);
        }
    }
    let split = "path,label,split\ncat/0,Cat,train\ncat/1,cat,train\ndog/0,DOG,train\ndog/1,dog,train\n";
    class_folders(dir.path(), &["more"], 1);
    write(&table, format!("{split}more/0,cat,val\n"));
    let notes = open(&table).unwrap().decisions.notes;
    let notes: Vec<&String> = notes.iter().filter(|note| note.contains("differ in case")).collect();
    assert_eq!(notes.len(), 2);
    assert!(notes[0].contains("'Cat' and 'cat'") && notes[1].contains("'DOG' and 'dog'"), "{notes:?}");
}

/// Nested class folders: the outer folders are the classes, with a note; a single outer folder is not a class. If all
/// hold folders of the same names, either level may be the classes.
#[test]
fn nested_class_folders_are_named() {
    let dir = temp();
    class_folders(&dir.path().join("fold1"), &["a", "b"], 2);
    class_folders(&dir.path().join("fold2"), &["a", "b"], 2);
    let both = ["'fold1' and 'fold2'", "'a' and 'b'", "for the outer ones", "for the inner ones"];
    refused(open(dir.path()), &both);
    refused(open_multi_label(dir.path(), &OpenOptions::default()), &both);
    fs::remove_dir_all(dir.path().join("fold2/b")).unwrap();
    refused(open(dir.path()), &["'fold1' and 'fold2'", "the folders in them, 'a'", "for the inner ones"]);
    fs::rename(dir.path().join("fold2/a"), dir.path().join("fold2/c")).unwrap();
    assert_eq!(open(dir.path()).unwrap().train.class_names(), ["fold1", "fold2"]);
    fs::remove_dir_all(dir.path().join("fold2")).unwrap();
    class_folders(dir.path(), &["fold2"], 2);
    let splits = open(dir.path()).unwrap();
    assert_eq!(splits.train.class_names(), ["fold1", "fold2"]);
    fs::rename(dir.path().join("fold1"), dir.path().join("labeled")).unwrap();
    fs::rename(dir.path().join("fold2"), dir.path().join("unlabeled")).unwrap();
    refused(open(dir.path()), &["'labeled' and 'unlabeled'", "'a' and 'b'"]);
    fs::rename(dir.path().join("labeled"), dir.path().join("fold1")).unwrap();
    fs::rename(dir.path().join("unlabeled"), dir.path().join("fold2")).unwrap();
    assert!(splits.decisions.notes[0].contains("fold1/a/: the outer folders are the classes"), "{splits:?}");
    fs::remove_dir_all(dir.path().join("fold2")).unwrap();
    refused(open(dir.path()), &["one folder, fold1/, with 2 folders", "give the path of fold1/"]);
}

/// Tables and arrays that are lists, alone or of pairs.
#[test]
fn lists_may_be_tables_or_arrays() {
    let of = |form: &str, names: &[&str]| names.iter().map(|name| form.replace("{}", name)).collect::<Vec<_>>();
    for (kind, head, form) in [
        ("csv", "image,mask\n", "images/{}.png,masks/{}.png\n"),
        ("csv", "n,mask,image\n", "7,masks/{}.png,images/{}.png\n"),
        ("tsv", "id\tkind\n", "{}\tx\n"),
        ("csv", "", "images/{}.PNG\n"),
        ("json", "", "images/{}.png"),
    ] {
        let dir = temp();
        pairs(dir.path(), SIX, |_| stripes(&[0, 1, 2]));
        for (part, names) in [("train", &SIX[..2]), ("val", &SIX[2..])] {
            let lines = of(form, names);
            let text = if kind == "json" { json!(lines).to_string() } else { format!("{head}{}", lines.concat()) };
            write(&dir.path().join(format!("{part}.{kind}")), text);
        }
        let splits = segmentation(dir.path()).unwrap_or_else(|e| panic!("{form}: {e}"));
        assert_eq!((splits.train.len(), splits.val.len()), (2, 4), "{form}");
        assert_eq!(splits.decisions.lists, [format!("train.{kind}"), format!("val.{kind}")]);
        let alone = open_images(&dir.path().join("images"), &SetOptions::default()).unwrap();
        assert!(alone.by_seed);
    }
    let dir = temp();
    pairs(dir.path(), SIX, |_| stripes(&[0, 1, 2]));
    write(&dir.path().join("train.csv"), "x,y\nu,v\nw,z\n");
    refused(segmentation(dir.path()), &["train.csv", "no column names files", "x,y"]);
}

/// A list of thousands of wrong lines gives a message of some lines, and an error with all of them.
#[test]
fn a_long_list_of_faults_is_shortened() {
    let dir = temp();
    pairs(dir.path(), SIX, |_| stripes(&[0, 1, 2]));
    write(&dir.path().join("train.txt"), "none\n".repeat(300) + "0\n1\n");
    write(&dir.path().join("val.txt"), format!("2\n{}\n", "x ".repeat(100_000)));
    let error = segmentation(dir.path()).unwrap_err();
    assert!(matches!(&error, DataError::BadImages { bad, .. } if bad.len() == 301), "{error}");
    let message = error.to_string();
    assert!(message.contains("and 251 more") && message.len() < 20_000, "{message}");
}

/// Pairs whose names differ in case, and two images of one name.
#[test]
fn pairs_of_names_in_another_case() {
    let dir = temp();
    for k in 0..4 {
        save(&dir.path().join(format!("images/IMG_{k}.PNG")), &picture(WIDTH, HEIGHT, k));
        save_grey(&dir.path().join(format!("masks/img_{k}.png")), &stripes(&[0, 1]));
    }
    let splits = segmentation(dir.path()).unwrap();
    assert_eq!(splits.train.len() + splits.val.len(), 4);
    assert_eq!(splits.decisions.notes, ["names of images and masks differ in case, such as IMG_0.PNG and img_0.png"]);
    if keeps_case(dir.path()) {
        save(&dir.path().join("images/Img_0.PNG"), &picture(WIDTH, HEIGHT, 9));
        refused(segmentation(dir.path()), &["img_0.png"]);
    }
    // Pascal VOC's layout: a list in another case, and a name that two images have.
    let dir = temp();
    for k in 0..4 {
        save(&dir.path().join(format!("JPEGImages/F{k}.jpg")), &picture(WIDTH, HEIGHT, k));
        save_grey(&dir.path().join(format!("SegmentationClass/F{k}.png")), &stripes(&[0, 1]));
    }
    write(&dir.path().join("ImageSets/Segmentation/train.txt"), "f0\nF1\n");
    write(&dir.path().join("ImageSets/Segmentation/val.txt"), "F2 1\nF3\n");
    let splits = segmentation(dir.path()).unwrap();
    assert_eq!((splits.train.len(), splits.val.len()), (2, 2));
    assert_eq!(splits.decisions.notes, ["listed names have another case than their files, such as 'f0' for 'F0.jpg'"]);
    save(&dir.path().join("JPEGImages/F2.png"), &picture(WIDTH, HEIGHT, 9));
    refused(segmentation(dir.path()), &["val.txt, line 1", "F2.jpg or F2.png"]);
}

/// Palettes that have the same colors at other values: the values or the colors may be the classes, and a list decides.
#[test]
fn palettes_that_differ_are_refused() {
    let (black, red, green) = ([0, 0, 0], [255, 0, 0], [0, 255, 0]);
    let set = |palettes: [[[u8; 3]; 3]; 2]| {
        let dir = temp();
        for k in 0..4 {
            save(&dir.path().join(format!("images/{k}.png")), &picture(WIDTH, HEIGHT, k as u8));
            save_as(&dir.path().join(format!("masks/{k}.png")), &[0, 1, 2], Notation::Palette(&palettes[k % 2]));
        }
        dir
    };
    let dir = set([[black, red, green], [black, green, red]]);
    refused(segmentation(dir.path()), &["#00ff00 is value 2", "value 1 in", "colors", "classes.toml"]);
    let list = |text: &str| {
        write(&dir.path().join("classes.toml"), text);
        let splits = segmentation(dir.path()).unwrap();
        [&splits.train, &splits.val]
            .map(|set| (0..set.len()).map(|i| set.mask(i).unwrap()[(WIDTH - 1, 0)].0[0]).sum::<u8>())
    };
    let classes = "classes = [\"a\", \"b\", \"c\"]\npalette = [[0, 0, 0], [255, 0, 0], [0, 255, 0]]\n";
    assert_eq!(list(&format!("{classes}coding = \"value\"\n")).iter().sum::<u8>(), 8, "all are value 2");
    assert_eq!(list(&format!("{classes}coding = \"color\"\n")).iter().sum::<u8>(), 6, "half are red");
    // Other colors at all values, such as those of a tool's random palette, or of palettes made from the colors of each
    // file.
    let dir = set([[black, red, green], [black, [9, 9, 9], [7, 0, 7]]]);
    refused(segmentation(dir.path()), &["value 1 is", "#090909", "#ff0000", "classes.toml"]);
    write(&dir.path().join("classes.toml"), "coding = \"value\"\n");
    assert_eq!(segmentation(dir.path()).unwrap().train.classes().names.len(), 3);
}

/// A set of COCO with six pictures, whose names have another case in the file, changed by `edit`.
fn coco(edit: impl FnOnce(&mut Value)) -> Result<shadegrad::data::SegmentationSplits, DataError> {
    let dir = sets::coco(&["0.png", "1.png", "2.png", "3.png", "4.png", "5.png"], |written| {
        let upper =
            |one: &mut Value| one["file_name"] = one["file_name"].as_str().unwrap().replace("png", "PNG").into();
        each(written, "images").for_each(upper);
        edit(written);
    });
    segmentation(dir.path())
}

fn each<'a>(written: &'a mut Value, key: &str) -> impl Iterator<Item = &'a mut Value> {
    written[key].as_array_mut().unwrap().iter_mut()
}

#[test]
fn cocos_variants_are_read_or_named() {
    let areas = |splits: &shadegrad::data::SegmentationSplits| -> usize {
        let set = &splits.train;
        (0..set.len()).map(|i| set.mask(i).unwrap().pixels().filter(|p| p.0[0] > 0).count()).sum::<usize>() / set.len()
    };
    let plain = coco(|_| ()).unwrap();
    assert_eq!(areas(&plain), 200);
    assert!(plain.decisions.notes.iter().any(|note| note.contains("another case")), "{:?}", plain.decisions.notes);
    // Ids as texts in one place and numbers in another, ids of letters, sizes with a fraction of 0.
    let texts = |written: &mut Value| {
        each(written, "images").for_each(|one| one["id"] = one["id"].to_string().into());
        each(written, "images").for_each(|one| one["width"] = f64::from(WIDTH).into());
        each(written, "annotations").for_each(|one| one["category_id"] = format!("c{}", one["category_id"]).into());
        each(written, "categories").for_each(|one| one["id"] = format!("c{}", one["id"]).into());
    };
    let splits = coco(texts).unwrap();
    assert_eq!((areas(&splits), splits.train.classes().names.len()), (200, 3));
    // Boxes with an empty list of polygons are boxes.
    let boxes = |written: &mut Value| each(written, "annotations").for_each(|one| one["segmentation"] = json!([]));
    refused(coco(boxes), &["its 6 annotations are boxes"]);
    let one_box = |written: &mut Value| written["annotations"][0]["segmentation"] = json!([]);
    refused(coco(one_box), &["1 of its 6 annotations are boxes", "would be background"]);
    let panoptic = |written: &mut Value| {
        written["annotations"] = json!([{"image_id": 0, "file_name": "0.png", "segments_info": []}]);
    };
    refused(coco(panoptic), &["annotations.json", "panoptic"]);
    refused(coco(|written| written["images"][0]["width"] = json!(1.5)), &["annotations.json", "1.5"]);
}

#[test]
fn yolos_images_without_text_are_noted() {
    let images = [("0", None), ("1", Some(0)), ("2", Some(0)), ("3", Some(0))];
    let dir = sets::yolo(images, &[("data.yaml", "names: [cat]\n")]);
    let notes = segmentation(dir.path()).unwrap().decisions.notes;
    assert_eq!(notes, ["1 images have no text file, such as images/0.jpg: they are background alone"]);
}

#[test]
fn a_table_of_colors_may_have_semicolons() {
    let dir = temp();
    pairs(dir.path(), SIX, |_| stripes(&[0, 1]));
    write(&dir.path().join("class_dict.csv"), "name;r;g;b\nroad;0;0;0\ncar;1;1;1\n");
    assert_eq!(segmentation(dir.path()).unwrap().train.classes().names, ["road", "car"]);
}
