//! `data check` reports every fault of a data set with its file. Its exit code separates good sets from bad ones.

use std::fs;
use std::path::Path;
use std::process::Command;

use image::{GrayImage, Luma, Rgb, RgbImage};
use shadegrad::data::check::{CheckOptions, CheckReport, check_classification, check_images, check_segmentation};

use crate::slashed;

const WIDTH: u32 = 24;
const HEIGHT: u32 = 16;

/// A picture that differs for each `number`.
fn picture(number: u32) -> RgbImage {
    RgbImage::from_fn(WIDTH, HEIGHT, |x, y| Rgb([(number * 9) as u8, (x * 10) as u8, (y * 15 + number) as u8]))
}

/// Bands of classes 0 to 3, and void (11).
fn mask() -> GrayImage {
    GrayImage::from_fn(WIDTH, HEIGHT, |x, y| Luma([if y == 0 { 11 } else { (x / 6) as u8 }]))
}

fn save(path: &Path, image: &RgbImage) {
    fs::create_dir_all(path.parent().unwrap()).unwrap();
    image.save(path).unwrap();
}

/// Twelve training and four validation pairs in SegNet's layout, with four classes.
fn camvid(root: &Path) {
    let names = r#"{"classes": ["Sky", "Road", "Tree", "Car"], "palette": [[1,1,1],[2,2,2],[3,3,3],[4,4,4]], "ignore_index": 11}"#;
    fs::write(root.join("info.json"), names).unwrap();
    for (part, numbers) in [("train", 0..12), ("val", 12..16)] {
        let mut list = String::new();
        fs::create_dir_all(root.join(format!("{part}annot"))).unwrap();
        for number in numbers {
            save(&root.join(format!("{part}/{number}.jpg")), &picture(number));
            mask().save(root.join(format!("{part}annot/{number}.png"))).unwrap();
            list += &format!("{part}/{number}.jpg {part}annot/{number}.png\n");
        }
        fs::write(root.join(format!("{part}.txt")), list).unwrap();
    }
}

fn segmentation(root: &Path) -> CheckReport {
    check_segmentation(root, &CheckOptions::default()).unwrap()
}

/// Requires exactly one fault that contains all of `parts`.
#[track_caller]
fn named(report: &CheckReport, parts: &[&str]) {
    let faults = report.faults.iter().map(|fault| slashed(fault.to_string()));
    let count = faults.filter(|fault| parts.iter().all(|part| fault.contains(part))).count();
    assert_eq!(count, 1, "{parts:?} in\n{report}");
}

fn run(task: &str, root: &Path) -> (Option<i32>, String, String) {
    let output = Command::new(env!("CARGO_BIN_EXE_shadegrad"))
        .args(["data", "check", "--task", task])
        .arg(root)
        .output()
        .unwrap();
    let text = |bytes: Vec<u8>| slashed(String::from_utf8(bytes).unwrap());
    (output.status.code(), text(output.stdout), text(output.stderr))
}

#[test]
fn a_good_set_has_no_faults() {
    let dir = tempfile::tempdir().unwrap();
    camvid(dir.path());
    let report = segmentation(dir.path());
    assert!(report.is_good(), "{report}");
    let parts: Vec<_> = report.parts.iter().map(|part| (part.name, part.images, part.good)).collect();
    assert_eq!(parts, [("train", 12, 12), ("val", 4, 4)]);
    let pixels = u64::from(6 * (HEIGHT - 1));
    for class in &report.classes {
        assert_eq!(class.counts, [12 * pixels, 4 * pixels], "{}", class.name);
    }
    let (code, out, _) = run("segment", dir.path());
    assert_eq!(code, Some(0), "{out}");
    for part in ["4 classes, from info.json", "value 11", "24x16", "Tree", "25.0 %", "nothing is wrong"] {
        assert!(out.contains(part), "'{part}' is missing in\n{out}");
    }
}

#[test]
fn every_fault_of_a_segmentation_set_is_named() {
    let dir = tempfile::tempdir().unwrap();
    let at = |name: &str| dir.path().join(name);
    camvid(dir.path());
    let mut wrong = mask();
    (0..5).for_each(|x| wrong.put_pixel(x, 3, Luma([37])));
    wrong.put_pixel(9, 9, Luma([200]));
    wrong.save(at("trainannot/0.png")).unwrap();
    fs::remove_file(at("trainannot/1.png")).unwrap();
    fs::remove_file(at("train/2.jpg")).unwrap();
    let whole = fs::read(at("train/3.jpg")).unwrap();
    fs::write(at("train/3.jpg"), &whole[..whole.len() * 2 / 3]).unwrap();
    fs::write(at("train/4.jpg"), b"").unwrap();
    image::imageops::rotate90(&mask()).save(at("trainannot/5.png")).unwrap();
    image::ImageBuffer::<Luma<u16>, _>::from_pixel(WIDTH, HEIGHT, Luma([300])).save(at("trainannot/6.png")).unwrap();
    fs::copy(at("train/7.jpg"), at("val/13.jpg")).unwrap();
    let colors = RgbImage::from_fn(WIDTH, HEIGHT, |x, _| Rgb([[1, 1, 1], [90, 8, 7]][usize::from(x == 0)]));
    colors.save(at("trainannot/8.png")).unwrap();
    fs::write(at("train/9.jpg"), b"<html>").unwrap();
    let list = fs::read_to_string(at("train.txt")).unwrap() + "train/99.jpg trainannot/99.png\n";
    fs::write(at("train.txt"), list).unwrap();
    // The same picture in another file format.
    image::open(at("train/10.jpg")).unwrap().save(at("val/14.png")).unwrap();
    let list = fs::read_to_string(at("val.txt")).unwrap().replace("val/14.jpg", "val/14.png");
    fs::write(at("val.txt"), list).unwrap();
    let five = r#"{"classes": ["Sky", "Road", "Tree", "Car", "Boat"], "palette": [[1,1,1],[2,2,2],[3,3,3],[4,4,4],[5,5,5]], "ignore_index": 11}"#;
    fs::write(at("info.json"), five).unwrap();

    let report = segmentation(dir.path());
    named(&report, &["trainannot/0.png: value 37 (5 pixels), value 200 (1 pixel) outside the 5 classes"]);
    named(&report, &["train.txt, line 2", "the mask trainannot/1.png is not there"]);
    named(&report, &["train.txt, line 3", "the image train/2.jpg is not there"]);
    named(&report, &["train/3.jpg: truncated"]);
    named(&report, &["train/4.jpg: file is empty"]);
    named(&report, &["trainannot/5.png: is 16x24 pixels, but its image", "train/5.jpg is 24x16"]);
    named(&report, &["trainannot/6.png: cannot be a mask: its values of 16 bits reach"]);
    named(&report, &["val/13.jpg: is in the val part", "train/7.jpg"]);
    named(&report, &["trainannot/8.png: color #5a0807 (16 pixels) outside"]);
    named(&report, &["train/9.jpg: is an HTML page instead of an image"]);
    named(&report, &["train.txt, line 13", "neither train/99.jpg nor"]);
    named(&report, &["val/14.png: is in the val part", "train/10.jpg"]);
    assert!(
        report.notes.iter().any(|note| note.starts_with("class 'Boat' has no pixel in the training masks")),
        "{report}"
    );
    assert_eq!(report.faults.len(), 12, "{report}");
    assert_eq!((report.parts[0].images, report.parts[0].good), (10, 3));

    let (code, out, err) = run("segment", dir.path());
    assert_eq!(code, Some(2), "{out}{err}");
    assert!(out.contains("12 faults:") && out.contains("value 37 (5 pixels)"), "{out}");
}

#[test]
fn sets_that_cannot_be_opened_are_still_read() {
    let dir = tempfile::tempdir().unwrap();
    save(&dir.path().join("images/a.png"), &picture(1));
    fs::write(dir.path().join("images/b.png"), b"").unwrap();
    let report = segmentation(dir.path());
    named(&report, &["no pairs of image and mask found (2 images, 0 masks)"]);
    named(&report, &["images/b.png: file is empty"]);
    let report = check_classification(dir.path(), &CheckOptions::default()).unwrap();
    named(&report, &["at least 2 classes are needed"]);
    named(&report, &["images/b.png: file is empty"]);
    let (code, _, err) = run("colorize", &dir.path().join("gone"));
    assert_eq!(code, Some(2));
    assert!(err.contains("gone") && err.contains("no such file or folder"), "{err}");
}

#[test]
fn every_fault_of_a_classification_set_is_named() {
    let dir = tempfile::tempdir().unwrap();
    let at = |name: &str| dir.path().join(name);
    for (class, first) in [("cat", 0), ("dog", 20)] {
        for number in 0..4 {
            save(&at(&format!("train/{class}/{number}.png")), &picture(first + number));
            save(&at(&format!("val/{class}/{number}.png")), &picture(first + 10 + number));
        }
    }
    let check = || check_classification(dir.path(), &CheckOptions::default()).unwrap();
    assert!(check().is_good(), "{}", check());
    assert_eq!(run("classify", dir.path()).0, Some(0));
    fs::copy(at("train/cat/0.png"), at("val/dog/0.png")).unwrap();
    fs::copy(at("train/cat/1.png"), at("train/cat/2.png")).unwrap();
    (0..4).for_each(|number| fs::write(at(&format!("train/dog/{number}.png")), b"").unwrap());
    let report = check();
    named(&report, &["val/dog/0.png: is in the val part", "train/cat/0.png"]);
    named(&report, &["class 'dog' has no readable training image"]);
    named(&report, &["train/dog/3.png: file is empty"]);
    assert_eq!(report.faults.len(), 6, "{report}");
    let note = slashed(&*report.notes[0]);
    assert!(note.contains("1 images repeat") && note.contains("train/cat/2.png"), "{report}");
    assert_eq!(report.classes[0].counts, [4, 4]);
    assert_eq!(run("classify", dir.path()).0, Some(2));
}

/// One image with two labels teaches nothing. Both files are named, in whichever parts they are.
#[test]
fn contradictory_labels_are_faults() {
    let dir = tempfile::tempdir().unwrap();
    let at = |name: &str| dir.path().join(name);
    for number in 0..12 {
        save(&at(&format!("{number}.png")), &picture(number));
    }
    let mut rows: String =
        (0..12).map(|number| format!("{number}.png,{},train\n", ["cat", "dog"][number % 2])).collect();
    for number in [4, 8, 9, 2] {
        fs::copy(at(&format!("{number}.png")), at(&format!("copy-{number}.png"))).unwrap();
    }
    rows += "copy-4.png,dog,train\ncopy-8.png,dog,val\ncopy-9.png,dog,train\ncopy-2.png,cat,val\n";
    fs::write(at("labels.csv"), rows).unwrap();
    let report = check_classification(&at("labels.csv"), &CheckOptions::default()).unwrap();
    named(&report, &["copy-4.png: is in the train part as 'dog'", "in the train part as 'cat'"]);
    named(&report, &["copy-8.png: is in the val part as 'dog'", "in the train part as 'cat'"]);
    named(&report, &["copy-2.png: is in the val part and", "in the train part; remove one"]);
    assert_eq!(report.faults.len(), 3, "{report}");
    assert!(report.notes[0].contains("1 images repeat") && report.notes[0].contains("9.png"), "{report}");

    // The test part is checked too.
    let dir = tempfile::tempdir().unwrap();
    for (number, part) in ["train", "val", "test"].into_iter().enumerate() {
        for (class, name) in ["cat", "dog"].into_iter().enumerate() {
            let path = dir.path().join(format!("{part}/{name}/a.png"));
            save(&path, &picture((2 * number + class) as u32));
        }
    }
    fs::copy(dir.path().join("train/cat/a.png"), dir.path().join("test/cat/a.png")).unwrap();
    let report = check_classification(dir.path(), &CheckOptions::default()).unwrap();
    named(&report, &["test/cat/a.png: is in the test part and", "train/cat/a.png"]);
    assert_eq!(report.classes[1].counts, [1, 1, 1]);
}

#[test]
fn masks_of_a_single_class_are_a_fault() {
    let dir = tempfile::tempdir().unwrap();
    for number in 0..4 {
        save(&dir.path().join(format!("images/{number}.png")), &picture(number));
        fs::create_dir_all(dir.path().join("masks")).unwrap();
        GrayImage::from_pixel(WIDTH, HEIGHT, Luma([255])).save(dir.path().join(format!("masks/{number}.png"))).unwrap();
    }
    let report = segmentation(dir.path());
    named(&report, &["nothing but value 255, which is ignored", "at least 2 classes"]);
    assert_eq!(report.faults.len(), 1, "{report}");
}

#[test]
fn previews_are_png() {
    let dir = tempfile::tempdir().unwrap();
    let output = Command::new(env!("CARGO_BIN_EXE_shadegrad"))
        .args(["data", "preview", "--task", "colorize", "--samples", "1", "--epochs", "1", "--image-size", "16x16"])
        .args(["--out", "sheet.jpg"])
        .current_dir(dir.path())
        .output()
        .unwrap();
    let printed = String::from_utf8(output.stderr).unwrap();
    assert_eq!(output.status.code(), Some(2), "{printed}");
    assert!(printed.contains("--out sheet.jpg") && printed.contains(".png"), "{printed}");
    assert!(!dir.path().join("sheet.jpg").exists());
}

#[test]
fn grey_images_are_counted() {
    let dir = tempfile::tempdir().unwrap();
    let grey = |number: u32| RgbImage::from_fn(9, 9, |x, y| Rgb([(x * 9 + y + number) as u8; 3]));
    for number in 0..4 {
        save(&dir.path().join(format!("train/{number}.png")), &grey(number));
        save(&dir.path().join(format!("val/{number}.png")), &picture(number));
    }
    let check = || check_images(dir.path(), &CheckOptions::default()).unwrap();
    named(&check(), &["all training images are grey"]);
    save(&dir.path().join("train/9.png"), &picture(9));
    let report = check();
    assert!(report.is_good(), "{report}");
    assert!(report.notes[0].contains("4 images are grey, such as"), "{report}");
    assert_eq!((report.parts[0].grey, report.parts[1].grey), (4, 0));
    let (code, out, _) = run("colorize", dir.path());
    assert_eq!(code, Some(0), "{out}");
}
