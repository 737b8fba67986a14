//! What goes in is what was meant: each case was once read as something else without a word. It is read rightly now, or
//! refused with both readings and the setting that decides.

use std::collections::BTreeSet;
use std::fs;
use std::path::Path;
use std::sync::Arc;

use image::{ExtendedColorType, GrayImage, ImageEncoder, Luma, Rgb, RgbImage};
use shadegrad::data::{
    ClassificationDataset, DataError, OpenOptions, PrepareOptions, SampleDepth, SegmentationSplits, SetOptions,
    SizeOptions, Why, decode_file, decode_file_at, open_images, open_segmentation, prepare, prepare_segmentation,
};

use crate::{class_folders, open, picture, refused, save, temp};

const WIDTH: u32 = 40;
const HEIGHT: u32 = 32;

fn segmentation(root: &Path) -> Result<SegmentationSplits, DataError> {
    open_segmentation(root, &SetOptions { val_split: 0.25, seed: 3, skip_bad: false })
}

/// A mask of vertical stripes.
fn stripes(values: &[u8]) -> GrayImage {
    GrayImage::from_fn(WIDTH, HEIGHT, |x, _| Luma([values[x as usize * values.len() / WIDTH as usize]]))
}

fn save_grey(path: &Path, mask: &GrayImage) {
    fs::create_dir_all(path.parent().unwrap()).unwrap();
    mask.save(path).unwrap();
}

/// `images/NAME.png` and `masks/NAME.png` for each name.
fn pairs<'a>(root: &Path, names: impl IntoIterator<Item = &'a str>, mask: impl Fn(usize) -> GrayImage) {
    for (number, name) in names.into_iter().enumerate() {
        save(&root.join(format!("images/{name}.png")), &picture(WIDTH, HEIGHT, number as u8));
        save_grey(&root.join(format!("masks/{name}.png")), &mask(number));
    }
}

fn write(path: &Path, content: impl AsRef<[u8]>) {
    fs::create_dir_all(path.parent().unwrap()).unwrap();
    fs::write(path, content).unwrap();
}

fn stems(set: &dyn shadegrad::data::SegmentationDataset) -> Vec<String> {
    let stem = |i| Path::new(&set.name(i)).file_stem().unwrap().to_string_lossy().into_owned();
    (0..set.len()).map(stem).collect()
}

const NAMES: [&str; 6] = ["im 0", "im 1", "im 2", "im 3", "im 4", "im 5"];

/// A list that is there divides the set, however it calls the images and however it is encoded.
#[test]
fn lists_are_used() {
    let line = |form: &str, name: &str| form.replace("{}", name);
    let utf16 = |text: &str| [0xFEFF].into_iter().chain(text.encode_utf16()).flat_map(u16::to_le_bytes).collect();
    let encodings: [fn(&str) -> Vec<u8>; 3] = [
        |text| text.as_bytes().to_vec(),
        |text| format!("\u{feff}{}", text.replace('\n', "\r\n")).into_bytes(),
        |_| vec![],
    ];
    for form in [
        "{}",
        "{}.png",
        "images/{}.png",
        "images/{}.png masks/{}.png",
        "images/{}.png,masks/{}.png",
        "/a/b/images/{}.png",
    ] {
        for (which, encode) in encodings.iter().enumerate() {
            let dir = temp();
            pairs(dir.path(), NAMES, |_| stripes(&[0, 1, 2]));
            for (part, names) in [("train", &NAMES[2..]), ("val", &NAMES[..2])] {
                let text: String = names.iter().map(|name| line(form, name) + "\n").collect();
                let bytes = if which == 2 { utf16(&text) } else { encode(&text) };
                write(&dir.path().join(format!("{part}.txt")), bytes);
            }
            let splits = segmentation(dir.path()).unwrap_or_else(|e| panic!("{form}: {e}"));
            assert_eq!(
                (stems(&*splits.train), stems(&*splits.val)),
                (NAMES[2..].map_strings(), NAMES[..2].map_strings()),
                "{form}"
            );
            assert_eq!(splits.decisions.lists, ["train.txt", "val.txt"]);
        }
    }
    let dir = temp();
    pairs(dir.path(), NAMES, |_| stripes(&[0, 1, 2]));
    write(&dir.path().join("train.txt"), "im 0\nim 1\nim 9\n");
    write(&dir.path().join("val.txt"), "im 2\n");
    refused(segmentation(dir.path()).map(|_| ()), &["train.txt, line 3", "'im 9'"]);
    write(&dir.path().join("train.txt"), "im 0\nim 1\n");
    let splits = segmentation(dir.path()).unwrap();
    let unlisted: Vec<_> = splits.decisions.left_out.iter().filter(|one| one.why == Why::InNoList).collect();
    assert_eq!(unlisted.len(), 3);
    write(&dir.path().join("val.txt"), b"caf\xe9\n");
    refused(segmentation(dir.path()).map(|_| ()), &["val.txt", "line 1 is not UTF-8"]);
}

#[cfg(unix)]
fn fifo(path: &Path) {
    assert!(std::process::Command::new("mkfifo").arg(path).status().unwrap().success());
}

trait MapStrings {
    fn map_strings(&self) -> Vec<String>;
}

impl MapStrings for [&str] {
    fn map_strings(&self) -> Vec<String> {
        self.iter().map(ToString::to_string).collect()
    }
}

/// Lists divide images to classify and images to color too.
#[test]
fn lists_divide_every_kind_of_set() {
    let dir = temp();
    class_folders(dir.path(), &["a", "b"], 4);
    write(&dir.path().join("train.txt"), "a/0.png\na/1\nb/0.png 1\nb/1.png 1\n");
    write(&dir.path().join("val.txt"), "a/2.png\nb/2.png\n");
    let splits = open(dir.path()).unwrap();
    assert_eq!((splits.train.len(), splits.val.len(), splits.by_seed), (4, 2, false));
    assert_eq!((0..4).map(|i| splits.train.label(i)).collect::<Vec<_>>(), [0, 0, 1, 1]);
    let images = open_images(dir.path(), &SetOptions::default());
    refused(images.map(|_| ()), &["train.txt, line 3", "'b/0.png 1' is the name of no image"]);
    write(&dir.path().join("train.txt"), "a/0.png\nb/3\n");
    let images = open_images(dir.path(), &SetOptions::default()).unwrap();
    assert_eq!((images.train.len(), images.val.len()), (2, 2));
    write(&dir.path().join("val.txt"), "2.png\n");
    refused(open(dir.path()).map(|_| ()), &["val.txt, line 1", "may be a/2.png or b/2.png"]);
}

/// Greys at the rims of two classes are no classes, and 255 is not taken for ignored beside them.
#[test]
fn masks_that_can_be_read_in_two_ways_are_refused() {
    let smooth = |high: u8| {
        let small = GrayImage::from_fn(10, 8, |x, _| Luma([if x % 5 < 2 { 0 } else { high }]));
        image::imageops::resize(&small, WIDTH, HEIGHT, image::imageops::FilterType::CatmullRom)
    };
    let stray = |value: u8| {
        let mut mask = stripes(&[0, 255]);
        mask.put_pixel(0, 0, Luma([value]));
        mask
    };
    let jpeg = || {
        let mut bytes = Vec::new();
        let mut encoder = image::codecs::jpeg::JpegEncoder::new_with_quality(&mut bytes, 60);
        let disc = GrayImage::from_fn(64, 64, |x, y| Luma([if x * x + y * y < 1500 { 255 } else { 0 }]));
        encoder.encode_image(&disc).unwrap();
        image::load_from_memory(&bytes).unwrap().into_luma8()
    };
    for (mask, parts) in [
        (smooth(255), ["without areas", "threshold = 128"]),
        (smooth(200), ["without areas", "nearest = true"]),
        (stray(254), ["254 (0.08 % of the pixels)", "threshold = 128"]),
        (stray(1), ["255 in 50.0", "threshold = 128"]),
        (jpeg(), ["without areas", "threshold"]),
        (stripes(&[0, 15, 255]), ["0, 15 and 255", "a class or ignored"]),
    ] {
        let dir = temp();
        for name in ["a", "b"] {
            save(&dir.path().join(format!("images/{name}.png")), &picture(mask.width(), mask.height(), 1));
            save_grey(&dir.path().join(format!("masks/{name}.png")), &mask);
        }
        refused(segmentation(dir.path()).map(|_| ()), &[parts[0], parts[1], "classes.toml"]);
        // The setting that decides.
        write(&dir.path().join("classes.toml"), "threshold = 128\n");
        let splits = segmentation(dir.path()).unwrap();
        assert_eq!(splits.train.classes().names, ["background", "foreground"]);
        let read: BTreeSet<u8> = splits.train.mask(0).unwrap().into_raw().into_iter().collect();
        assert_eq!(read, BTreeSet::from([0, 1]));
        let expected: Vec<u8> = mask.as_raw().iter().map(|&v| u8::from(v >= 128)).collect();
        assert_eq!(splits.train.mask(0).unwrap().into_raw(), expected);
    }
    let dir = temp();
    pairs(dir.path(), ["a", "b", "c", "d"], |k| stripes(if k % 2 == 0 { &[0, 1] } else { &[0, 255] }));
    refused(
        segmentation(dir.path()).map(|_| ()),
        &["two notations", "0 and 1 in 2 files", "0 and 255 in 2", "a.png", "b.png"],
    );
    write(&dir.path().join("classes.toml"), "threshold = 1\nclasses = [\"soil\", \"root\"]\n");
    let splits = segmentation(dir.path()).unwrap();
    assert_eq!(splits.train.mask(0).unwrap(), splits.train.mask(1).unwrap());
    assert_eq!(splits.train.classes().names[1], "root");
}

/// Colors between others, where classes meet.
#[test]
fn blended_colors_are_no_classes() {
    let dir = temp();
    let mask = RgbImage::from_fn(WIDTH, HEIGHT, |x, _| Rgb(if x < 20 { [200, 10, 10] } else { [10, 10, 200] }));
    let mut soft = mask.clone();
    (0..9).for_each(|y| soft.put_pixel(20, y, Rgb([105, 10, 105])));
    for (name, mask) in [("a", &mask), ("b", &soft)] {
        save(&dir.path().join(format!("images/{name}.png")), &picture(WIDTH, HEIGHT, 1));
        save(&dir.path().join(format!("masks/{name}.png")), mask);
    }
    refused(segmentation(dir.path()).map(|_| ()), &["1 rare colors between others", "#690a69", "nearest = true"]);
    let list = "nearest = true\n[[classes]]\nname = \"red\"\ncolor = [200, 10, 10]\n[[classes]]\nname = \"blue\"\n\
                color = [10, 10, 200]\n";
    write(&dir.path().join("classes.toml"), list);
    let splits = segmentation(dir.path()).unwrap();
    let mask = |set: &dyn shadegrad::data::SegmentationDataset| set.mask(0).unwrap().into_raw();
    let ids: BTreeSet<u8> = [mask(&*splits.train), mask(&*splits.val)].concat().into_iter().collect();
    assert_eq!(ids, BTreeSet::from([0, 1]));
}

/// A class without a pixel would divide the mean of the scores.
#[test]
fn no_class_is_without_a_pixel() {
    for (values, names) in [
        ([1, 2, 3], ["class 1", "class 2", "class 3"]),
        ([0, 2, 5], ["class 0", "class 2", "class 5"]),
        ([3, 4, 9], ["class 3", "class 4", "class 9"]),
    ] {
        let dir = temp();
        pairs(dir.path(), ["a", "b"], |_| stripes(&values));
        let splits = segmentation(dir.path()).unwrap();
        assert_eq!(splits.train.classes().names, names);
        let ids: BTreeSet<u8> = splits.train.mask(0).unwrap().into_raw().into_iter().collect();
        assert_eq!(ids, BTreeSet::from([0, 1, 2]));
        assert_eq!(splits.decisions.classes[1].from, format!("value {}", values[1]));
    }
}

#[test]
fn parts_in_which_nothing_counts_are_refused() {
    let dir = temp();
    pairs(dir.path(), NAMES, |k| if k < 4 { stripes(&[0, 1]) } else { stripes(&[255]) });
    write(&dir.path().join("train.txt"), NAMES[..4].join("\n"));
    write(&dir.path().join("val.txt"), NAMES[4..].join("\n"));
    let splits = segmentation(dir.path()).unwrap();
    let sets = [splits.train, splits.val];
    let prepared = prepare_segmentation(&sets, &SizeOptions::new(8, 8), &|_, _| ());
    refused(prepared.map(|_| ()), &["every pixel of the 2 masks", "im 4.png", "ignored"]);
}

/// A TIFF header and one entry: tag 0x112 (orientation), one short.
fn exif(orientation: u8) -> Vec<u8> {
    let header = b"II*\0\x08\0\0\0\x01\0\x12\x01\x03\0\x01\0\0\0".as_slice();
    [header, &[orientation, 0, 0, 0, 0, 0, 0, 0]].concat()
}

fn save_turned(path: &Path, bytes: &[u8], (width, height): (u32, u32), color: ExtendedColorType, orientation: u8) {
    fs::create_dir_all(path.parent().unwrap()).unwrap();
    let mut encoder = image::codecs::png::PngEncoder::new(fs::File::create(path).unwrap());
    encoder.set_exif_metadata(exif(orientation)).unwrap();
    encoder.write_image(bytes, width, height, color).unwrap();
}

/// Image and mask are turned alike: as their sizes say, as the rest of the set, or as `classes.toml` says.
#[test]
fn turned_pictures_keep_their_masks() {
    // A mark in one corner of image and mask shows whether they still belong together.
    let image = |w, h| RgbImage::from_fn(w, h, |x, y| Rgb([if x < 3 && y < 2 { 250 } else { 9 }, x as u8, y as u8]));
    let mask = |w, h| GrayImage::from_fn(w, h, |x, y| Luma([u8::from(x < 3 && y < 2)]));
    let agree = |splits: &SegmentationSplits| {
        for set in [&splits.train, &splits.val] {
            for i in 0..set.len() {
                let (image, mask) = (set.image(i).unwrap(), set.mask(i).unwrap());
                assert_eq!(image.dimensions(), mask.dimensions());
                let marked = image.pixels().zip(mask.pixels()).all(|(p, m)| (p[0] > 128) == (m[0] == 1));
                assert!(marked, "{}", set.name(i));
            }
        }
    };
    let set = |dir: &Path, name: &str, (w, h): (u32, u32), of_image: u8, mask: &GrayImage, of_mask: u8| {
        let path = dir.join(format!("images/{name}.png"));
        save_turned(&path, image(w, h).as_raw(), (w, h), ExtendedColorType::Rgb8, of_image);
        let (mw, mh) = mask.dimensions();
        save_turned(&dir.join(format!("masks/{name}.png")), mask.as_raw(), (mw, mh), ExtendedColorType::L8, of_mask);
    };
    // Sizes tell: one mask fits the stored pixels, one the upright picture; or both halves have the mark.
    let dir = temp();
    let upright = image::imageops::rotate90(&mask(12, 8));
    set(dir.path(), "stored", (12, 8), 6, &mask(12, 8), 1);
    set(dir.path(), "upright", (12, 8), 6, &upright, 1);
    set(dir.path(), "both", (12, 8), 6, &mask(12, 8), 6);
    set(dir.path(), "mask", (12, 8), 1, &mask(12, 8), 8);
    let splits = segmentation(dir.path()).unwrap();
    agree(&splits);
    assert!(splits.decisions.orientation.unwrap().contains("by their sizes"));
    for orientation in [3, 6] {
        // A square tells nothing by itself.
        let dir = temp();
        set(dir.path(), "a", (10, 10), orientation, &mask(10, 10), 1);
        set(dir.path(), "b", (10, 10), 1, &mask(10, 10), 1);
        refused(segmentation(dir.path()).map(|_| ()), &["a.png", "EXIF", "upright", "stored", "classes.toml"]);
        write(&dir.path().join("classes.toml"), "orientation = \"stored\"\n");
        agree(&segmentation(dir.path()).unwrap());
        fs::remove_file(dir.path().join("classes.toml")).unwrap();
        // Beside one that tells, it follows.
        set(dir.path(), "c", (12, 8), 6, &mask(12, 8), 1);
        agree(&segmentation(dir.path()).unwrap());
    }
}

fn luma16(path: &Path, sample: impl Fn(u32, u32) -> u16) {
    fs::create_dir_all(path.parent().unwrap()).unwrap();
    image::ImageBuffer::from_fn(8, 8, |x, y| Luma([sample(x, y)])).save(path).unwrap();
}

/// 12 of 16 bits: the whole set decides, training and prediction read alike.
#[test]
fn samples_of_fewer_bits_are_scaled() {
    let dir = temp();
    for (class, base) in [("a", 0), ("b", 2047)] {
        for number in 0..4u16 {
            luma16(&dir.path().join(format!("{class}/{number}.png")), |x, y| base + (x * 251 + y * 3) as u16 + number);
        }
    }
    let splits = open(dir.path()).unwrap();
    let sets = [splits.train, splits.val];
    for budget in [1 << 30, 0] {
        let options = PrepareOptions { memory_budget: budget, ..PrepareOptions::new(8) };
        let prepared = prepare(&sets, &options, &|_, _| ()).unwrap();
        assert_eq!(prepared[0].sample_bits(), 12);
        assert!(prepared[0].depth_note().unwrap().contains("read as 12 bits"), "{:?}", prepared[0].depth_note());
        for set in &prepared {
            for index in 0..set.len() {
                let path = set.dataset().path(set.original_index(index)).unwrap();
                let stored = image::open(path).unwrap().into_luma16();
                let expected = stored.iter().flat_map(|&v| [(f64::from(v) * 255.0 / 4095.0).round() as u8; 3]);
                assert_eq!(set.pixels(index).unwrap().to_vec(), expected.collect::<Vec<_>>());
                let alone = decode_file_at(path, &SampleDepth::fixed(12)).unwrap();
                assert_eq!(alone.as_raw().as_slice(), &*set.pixels(index).unwrap(), "as prediction reads it");
            }
        }
    }
    // Samples that use all 16 bits are read as before.
    luma16(&dir.path().join("a/0.png"), |x, _| 65_535 - x as u16);
    let splits = open(dir.path()).unwrap();
    let prepared = prepare(&[splits.train, splits.val], &PrepareOptions::new(8), &|_, _| ()).unwrap();
    assert_eq!((prepared[0].sample_bits(), prepared[0].depth_note()), (16, None));
}

/// By value where folders are numbers, as in tables.
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
    // A model that was trained before keeps its own order.
    let old = ["1", "10", "2"].map(String::from);
    let aligned = splits.aligned(&old).unwrap();
    for index in 0..aligned.train.len() {
        let folder = aligned.train.path(index).unwrap().parent().unwrap().to_path_buf();
        assert!(folder.ends_with(&old[aligned.train.label(index) as usize]));
    }
    refused(splits.aligned(&old[..2]), &["does not know '2'", "'1', '10'"]);
}

/// What is no data is left out by name, and what shadegrad wrote is known.
#[test]
fn what_is_left_out_is_named() {
    let dir = temp();
    let at = |name: &str| dir.path().join(name);
    class_folders(dir.path(), &["a", "b"], 3);
    write(&at("a/scan.ppm"), "P6\n1 1\n255\n");
    write(&at("a/noextension"), "x");
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
    let told = splits.decisions.lines().join("\n");
    let mut expected = vec!["scan.ppm", "noextension", "stray.png", "labels.csv", "runs"];
    if cfg!(unix) {
        expected.extend(["/c", "zz.png"]);
    }
    for name in expected {
        assert!(told.contains(name), "{name} is missing in\n{told}");
    }
    let images = open_images(dir.path(), &SetOptions::default()).unwrap();
    assert_eq!(images.train.len() + images.val.len(), 7, "the stray image counts, those of runs do not");

    // A folder beside parts, images beside class folders in a part, and folders of runs among them.
    let dir = temp();
    for part in ["train", "val", "extra"] {
        class_folders(&dir.path().join(part), &["a", "b"], 2);
    }
    save(&dir.path().join("train/stray.png"), &picture(9, 7, 1));
    let told = open(dir.path()).unwrap().decisions.lines().join("\n");
    assert!(told.contains("beside the parts of the set: ") && told.contains("extra"), "{told}");
    assert!(told.contains("stray.png"), "{told}");
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

/// Aligned by name, noted, never shifted.
#[test]
fn a_part_may_lack_classes() {
    let dir = temp();
    class_folders(&dir.path().join("train"), &["a", "b", "c"], 3);
    class_folders(&dir.path().join("val"), &["a", "c"], 2);
    fs::create_dir_all(dir.path().join("val/b")).unwrap();
    let splits = open(dir.path()).unwrap();
    assert_eq!((0..4).map(|i| splits.val.label(i)).collect::<Vec<_>>(), [0, 0, 2, 2]);
    assert!(splits.decisions.notes.iter().any(|note| note.contains("'b'") && note.contains("validation")));
    let alone = prepare(&[splits.val], &PrepareOptions::new(8), &|_, _| ()).unwrap();
    assert_eq!(alone[0].len(), 4, "as evaluation reads it");
    // Some of the classes of a model.
    let some = temp();
    class_folders(some.path(), &["c", "a"], 3);
    let known = ["a", "b", "c"].map(String::from);
    let aligned = open(some.path()).unwrap().aligned(&known).unwrap();
    assert_eq!(aligned.train.class_names(), known);
    let labels: BTreeSet<u32> = (0..aligned.train.len()).map(|i| aligned.train.label(i)).collect();
    assert_eq!(labels, BTreeSet::from([0, 2]));
    assert!(aligned.decisions.notes.iter().any(|note| note.contains("'b' of the model")));
}

fn labels(set: &Arc<dyn ClassificationDataset>) -> Vec<(String, String)> {
    let name = |i| set.path(i).unwrap().file_name().unwrap().to_string_lossy().into_owned();
    let class = |i| set.class_names()[set.label(i) as usize].clone();
    (0..set.len()).map(|i| (name(i), class(i))).collect()
}

/// The columns are recognized from the data.
#[test]
fn tables_as_people_have_them() {
    let dir = temp();
    for number in 0..8 {
        save(&dir.path().join(format!("train_images/p{number}.png")), &picture(9, 7, number));
    }
    let class = |number: usize| ["cat", "dog"][number % 2];
    let rows = |form: &str| -> String {
        let row = |number: usize| {
            let one = |class: &str| if class == class_of(number) { "1" } else { "0" };
            form.replace("{n}", &number.to_string())
                .replace("{c}", class(number))
                .replace("{cat}", one("cat"))
                .replace("{dog}", one("dog"))
                .replace("{p}", ["train", "valid"][usize::from(number >= 6)])
        };
        (0..8).map(|number| row(number) + "\n").collect()
    };
    let utf16 = |text: String| [0xFEFF].into_iter().chain(text.encode_utf16()).flat_map(u16::to_be_bytes).collect();
    for (header, form, by_seed) in [
        ("id_code,diagnosis\n", "p{n},{c}", true),
        ("Image,Breed\n", "p{n}.png,{c}", true),
        ("path,label\n", "train_images\\p{n}.png,{c}", true),
        ("", "train_images/p{n}.png,{c}", true),
        ("Image\tcat\tdog\n", "p{n}.png\t{cat}\t{dog}", true),
        ("nr,file,what,part\n", "", false),
        ("file,label,phase\n", "p{n},{c},{p}", false),
        ("which,what,usage\n", "/kaggle/input/train_images/p{n}.png,{c},{p}", false),
    ] {
        let form = if form.is_empty() { "{n},p{n}.png,{c},{p}" } else { form };
        let table = dir.path().join("labels.csv");
        for bytes in [(header.to_string() + &rows(form)).into_bytes(), utf16(header.to_string() + &rows(form))] {
            fs::write(&table, bytes).unwrap();
            if header.starts_with("nr,") {
                // Numbers of rows may as well be labels.
                refused(open(&table), &["several columns may hold the labels", "'what' (such as 'cat')"]);
                continue;
            }
            let splits = open(&table).unwrap_or_else(|e| panic!("{header}: {e}"));
            assert_eq!(splits.by_seed, by_seed, "{header}");
            let mut all = [labels(&splits.train), labels(&splits.val)].concat();
            all.sort();
            let expected: Vec<_> = (0..8).map(|n| (format!("p{n}.png"), class(n).to_string())).collect();
            assert_eq!(all, expected, "{header}");
        }
    }
    let table = dir.path().join("labels.csv");
    fs::write(&table, "image,cat,dog\np0.png,1,1\np1.png,0,1\n").unwrap();
    refused(open(&table), &["labels.csv, line 2", "2 classes", "multi-label"]);
    fs::write(&table, "when,what\nmonday,cat\ntuesday,dog\n").unwrap();
    refused(open(&table), &["no column names image files", "'when' (such as 'monday')"]);
}

fn class_of(number: usize) -> &'static str {
    ["cat", "dog"][number % 2]
}

/// GIF files are images and masks.
#[test]
fn gif_is_read() {
    let dir = temp();
    for (class, tone) in [("a", 10), ("b", 200)] {
        for extension in ["png", "gif"] {
            for number in 0..2 {
                save(&dir.path().join(format!("{class}/{number}.{extension}")), &picture(9, 7, tone + number));
            }
        }
    }
    let splits = open(dir.path()).unwrap();
    let sets = [splits.train, splits.val];
    let prepared = prepare(&sets, &PrepareOptions::new(7), &|_, _| ()).unwrap();
    assert_eq!(prepared.iter().map(shadegrad::data::Prepared::len).sum::<usize>(), 8);
    let dir = temp();
    for number in 0..4 {
        let mask = image::DynamicImage::from(stripes(&[0, 1]));
        save(&dir.path().join(format!("train/{number}.jpg")), &picture(WIDTH, HEIGHT, number));
        let at = dir.path().join(format!("train_masks/{number}_mask.gif"));
        fs::create_dir_all(at.parent().unwrap()).unwrap();
        mask.into_rgb8().save(at).unwrap();
    }
    let splits = segmentation(dir.path()).unwrap();
    assert_eq!(splits.train.classes().names, ["class 0", "class 1"]);
    assert_eq!(splits.train.mask(0).unwrap(), stripes(&[0, 1]));
}

/// Two formats in one folder.
#[test]
fn two_formats_are_not_chosen_between() {
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
}
