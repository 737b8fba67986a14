//! The decisions about the data of a run are printed at its start, and are in its `run.json` and its report.

use std::fs;
use std::path::{Path, PathBuf};
use std::sync::Mutex;

use image::{GrayImage, Luma, Rgb, RgbImage};
use shadegrad::data::check::{CheckOptions, check_segmentation};
use shadegrad::data::{ClassReading, Decisions, Why};
use shadegrad::internals::tasks::data::kept_copies;
use shadegrad::report::Report;
use shadegrad::run::{EpochRow, ImageSize};
use shadegrad::tasks;
use shadegrad::tasks::classify::{self, ClassifyConfig};
use shadegrad::tasks::colorize::{self, ColorizeConfig};
use shadegrad::tasks::multilabel::{self, MultiLabelConfig};
use shadegrad::tasks::segment::{self, SegmentConfig, SegmentModel};
use shadegrad::train::{Observer, StepProgress, TrainError, Trainer};

/// Keeps the lines of a run's start.
#[derive(Default)]
struct Listener(Mutex<Vec<String>>);

impl Observer for Listener {
    fn reading(&self, _: usize, _: usize) {}
    fn begins(&self, lines: &[String]) {
        self.0.lock().expect("not poisoned").extend_from_slice(lines);
    }
    fn step(&self, _: &StepProgress) {}
    fn epoch(&self, _: &EpochRow, _: usize) {}
}

fn save(path: PathBuf, number: u8) {
    fs::create_dir_all(path.parent().expect("a folder")).expect("makes a folder");
    RgbImage::from_fn(48, 32, |x, y| Rgb([number, (x * 5) as u8, (y * 7) as u8])).save(path).expect("saves");
}

/// Opens a run. Returns its printed lines and the decisions of its `run.json`, and requires all of these in its report.
fn opened(out: &Path, open: impl FnOnce(&dyn Observer) -> Result<Trainer, TrainError>) -> (Vec<String>, Decisions) {
    let listener = Listener::default();
    let trainer = open(&listener).expect("opens");
    let facts = trainer.run().read_facts().expect("readable").expect("there");
    let decisions = facts.decisions.expect("a run says how its data was read");
    drop(trainer);
    let mut report = Report::new("Data", tasks::cards());
    report.runs(&[out.to_owned()]).expect("a run");
    let html = report.html();
    for (label, text) in decisions.rows(usize::MAX) {
        let escaped = [('&', "&amp;"), ('<', "&lt;"), ('\'', "&#39;"), ('"', "&quot;")];
        let text = escaped.into_iter().fold(text, |text, (letter, name)| text.replace(letter, name));
        assert!(html.contains(&format!("<dt>{label}</dt><dd>{text}</dd>")), "{label}: {text} is not in the report");
    }
    (listener.0.into_inner().expect("not poisoned"), decisions)
}

fn printed(lines: &[String], expected: &[&str]) {
    for line in expected {
        assert!(lines.iter().any(|printed| printed.starts_with(line)), "'{line}' is missing in {lines:#?}");
    }
}

#[test]
fn a_run_says_how_its_classes_and_parts_were_read() {
    let place = tempfile::tempdir().expect("a folder");
    let at = |name: &str| place.path().join(name);
    for number in 0..6 {
        for class in ["2", "10"] {
            save(at(&format!("data/{class}/of-{class}-{number}.png")), number + class.len() as u8 * 40);
        }
    }
    // An image of both classes, an image of no class, and a type of file that is not read.
    save(at("data/2/both.png"), 200);
    fs::copy(at("data/2/both.png"), at("data/10/both.png")).expect("copies");
    save(at("data/loose.png"), 99);
    fs::write(at("data/2/old.ppm"), "P3 1 1 255 1 2 3").expect("writes");
    let (data, out) = (Some(at("data")), Some(at("labels")));
    let config = MultiLabelConfig { data, out, device: "cpu".into(), image_size: 32, ..Default::default() };
    let (lines, labels) = opened(&at("labels"), |observer| multilabel::open(&config, observer));
    printed(
        &lines,
        &[
            "format:  class folders (10/, 2/)",
            "classes: 2, 10",
            "split:   20 % held out for validation by seed 0",
            "size:    pictures such as 32x48 become 32x32, without 33 % of their width",
            "left out: images of kinds that are not read: ",
            "left out: images beside the class folders: ",
            "note:    ",
        ],
    );
    assert_eq!(labels.classes, ["2", "10"].map(|name| ClassReading { name: name.into(), from: String::new() }));
    let reasons: Vec<_> = labels.left_out.iter().map(|one| one.why.clone()).collect();
    assert_eq!(reasons, [Why::UnreadKind, Why::BesideClasses]);
    assert!(labels.notes.iter().any(|note| note.contains("1 images lie in several class folders")), "{labels:?}");

    fs::remove_file(at("data/10/both.png")).expect("removes");
    fs::write(at("data/train.txt"), "of-2-0\n10/of-10-0\nof-2-1\nof-10-1.png\nof-2-2\nof-10-2\n").expect("writes");
    fs::write(at("data/val.txt"), "of-2-3\nof-10-3\n").expect("writes");
    let (data, out) = (Some(at("data")), Some(at("classes")));
    let config = ClassifyConfig { data, out, device: "cpu".into(), image_size: 32, ..Default::default() };
    let (lines, classes) = opened(&at("classes"), |observer| classify::open(&config, observer));
    printed(
        &lines,
        &["classes: 2, 10", "split:   by the lists train.txt, val.txt", "left out: images that no list or table names"],
    );
    assert_eq!(classes.lists, ["train.txt", "val.txt"]);
    assert_eq!(classes.left_out.iter().filter(|one| one.why == Why::InNoList).count(), 5);

    // Built-in scenes are drawn, not read: their classes and their seed are the decisions.
    let out = Some(at("scenes"));
    let config =
        ClassifyConfig { out, device: "cpu".into(), image_size: 32, scenes: 10, seed: 3, ..Default::default() };
    let (lines, scenes) = opened(&at("scenes"), |observer| classify::open(&config, observer));
    printed(&lines, &["classes: ", "split:   drawn by seed 3"]);
    assert_eq!((scenes.format.as_str(), scenes.classes.len()), ("built-in scenes", 10));
}

#[test]
fn a_run_says_how_its_masks_were_read() {
    let place = tempfile::tempdir().expect("a folder");
    let at = |name: &str| place.path().join(name);
    for number in 0..6u8 {
        save(at(&format!("data/images/{number}.png")), number * 30);
        fs::create_dir_all(at("data/masks")).expect("makes a folder");
        let mask = GrayImage::from_fn(48, 32, |x, y| Luma([if y < 2 { 255 } else { u8::from(x < 20) }]));
        mask.save(at(&format!("data/masks/{number}.png"))).expect("saves");
    }
    let (image_size, device) = (ImageSize { height: 16, width: 16 }, String::from("cpu"));
    let (data, out) = (Some(at("data")), Some(at("masks")));
    let (model, base, depth) = (SegmentModel::UNet, 4, 2);
    let config =
        SegmentConfig { data, out, device: device.clone(), image_size, model, base, depth, ..Default::default() };
    let (lines, masks) = opened(&at("masks"), |observer| segment::open(&config, observer));
    printed(
        &lines,
        &[
            "masks:   class 0 (value 0), class 1 (value 1)",
            "ignored: value 255",
            "split:   20 % held out for validation by seed 0",
            "size:    pictures such as 32x48 become 16x16, 50 % higher than they are",
        ],
    );
    let values: Vec<_> = masks.classes.iter().map(|class| (class.name.as_str(), class.from.as_str())).collect();
    assert_eq!(
        (values, masks.ignored.as_deref()),
        (vec![("class 0", "value 0"), ("class 1", "value 1")], Some("value 255"))
    );

    // Values from 1 are three classes. A listed class that no mask has is named, by training and by the check alike.
    for number in 0..6u8 {
        let mask = GrayImage::from_fn(48, 32, |x, _| Luma([1 + (x / 16) as u8]));
        mask.save(at(&format!("data/masks/{number}.png"))).expect("saves");
    }
    let data = at("data");
    let run = |out: &str| {
        let (data, out) = (Some(at("data")), Some(at(out)));
        SegmentConfig { data, out, device: device.clone(), image_size, model, base, depth, ..Default::default() }
    };
    let (lines, trimap) = opened(&at("trimap"), |observer| segment::open(&run("trimap"), observer));
    printed(&lines, &["masks:   class 1 (value 1), class 2 (value 2), class 3 (value 3)"]);
    assert_eq!((trimap.classes.len(), trimap.notes.as_slice()), (3, [].as_slice()));
    fs::write(data.join("classes.toml"), "classes = [\"none\", \"pet\", \"ground\", \"rim\"]\n").expect("writes");
    let (_, listed) = opened(&at("listed"), |observer| segment::open(&run("listed"), observer));
    assert_eq!(listed.classes.len(), 4);
    let check = check_segmentation(&data, &CheckOptions::default()).expect("a set");
    assert!(check.is_good(), "{check}");
    for note in ["class 'none' has no pixel in the training masks", "class 'none' has no pixel in the val part"] {
        for notes in [&listed.notes, &check.notes] {
            assert!(notes.iter().any(|one| one.starts_with(note)), "{note}: {notes:?}");
        }
    }

    let (data, out) = (Some(at("data/images")), Some(at("colors")));
    let config = ColorizeConfig { data, out, device, image_size, base, depth, ..Default::default() };
    let (lines, colors) = opened(&at("colors"), |observer| colorize::open(&config, observer));
    printed(
        &lines,
        &["split:   20 % held out", "size:    pictures such as 32x48 become 16x16, without 33 % of their width"],
    );
    assert!(colors.classes.is_empty() && colors.ignored.is_none());
}

/// Without a size the data's proportions decide it, and the run's settings keep it; built-in scenes are drawn at their
/// usual size.
#[test]
fn a_run_says_which_size_its_data_decided() {
    let place = tempfile::tempdir().expect("a folder");
    let at = |name: &str| place.path().join(name);
    for number in 0..4u8 {
        let picture = RgbImage::from_fn(60, 60, |x, y| Rgb([number * 50, (x * 4) as u8, (y * 4) as u8]));
        fs::create_dir_all(at("data")).expect("makes a folder");
        picture.save(at(&format!("data/{number}.png"))).expect("saves");
    }
    let device = String::from("cpu");
    let config = |data: bool, out: &str| ColorizeConfig {
        data: data.then(|| at("data")),
        out: Some(at(out)),
        device: device.clone(),
        base: 4,
        depth: 2,
        scenes: 10,
        ..Default::default()
    };
    for (data, out, size, words) in
        [(true, "squares", "112x112", "pictures such as 60x60 become 112x112"), (false, "scenes", "96x128", "")]
    {
        let (lines, decisions) = opened(&at(out), |observer| colorize::open(&config(data, out), observer));
        assert_eq!(decisions.size, words);
        assert_eq!(lines.iter().any(|line| line.starts_with("size:")), data, "{lines:#?}");
        let settings = fs::read_to_string(at(out).join("config.toml")).expect("readable");
        assert!(settings.contains(&format!("image_size = \"{size}\"\n")), "{settings}");
    }
    let squares = fs::read_to_string(at("squares/run.json")).expect("readable");
    assert!(squares.contains("\"image_size\": [\n    112,\n    112\n  ]"), "{squares}");
    // If pictures differ in proportions, the median decides.
    RgbImage::new(30, 90).save(at("data/0.png")).expect("saves");
    RgbImage::new(90, 30).save(at("data/1.png")).expect("saves");
    let (_, decisions) = opened(&at("mixed"), |observer| colorize::open(&config(true, "mixed"), observer));
    assert!(decisions.size.contains("such as 60x60"), "{}", decisions.size);
}

/// Copies of one original stay in one part. A run of before, whose `run.json` does not say so, keeps its parts.
#[test]
fn a_run_of_before_keeps_its_parts_if_there_are_copies() {
    let place = tempfile::tempdir().expect("a folder");
    let at = |name: &str| place.path().join(name);
    for number in 0..6 {
        for (class, tone) in [("cat", 0), ("dog", 100)] {
            save(at(&format!("data/{class}/{number}.png")), tone + number);
            save(at(&format!("data/{class}/{number}_flip.png")), tone + 50 + number);
        }
    }
    let (data, out) = (Some(at("data")), Some(at("run")));
    let config = ClassifyConfig { data, out, device: "cpu".into(), image_size: 32, ..Default::default() };
    let (lines, decisions) = opened(&at("run"), |observer| classify::open(&config, observer));
    let split =
        "20 % held out for validation by seed 0; copies of one original stay in one part: 24 images of 12 originals";
    printed(&lines, &[&format!("split:   {split}")]);
    assert!(kept_copies(&at("run")) && decisions.split.starts_with(split));
    let path = at("run/run.json");
    let text = fs::read_to_string(&path).expect("reads");
    let (front, rest) = text.split_once("; copies of").expect("says so");
    let (_, rest) = rest.split_once('"').expect("a text");
    fs::write(&path, format!("{front}\"{rest}")).expect("writes");
    assert!(!kept_copies(&at("run")));
}
