//! Orientation, number of bits and kind of image files.

use std::fs;
use std::path::Path;

use image::{ExtendedColorType, GrayImage, ImageEncoder, Luma, Rgb, RgbImage};
use shadegrad::data::{PrepareOptions, SampleDepth, SegmentationSplits, decode_file_at, prepare};

use super::{HEIGHT, WIDTH, segmentation, stripes, write};
use crate::{open, picture, refused, save, temp};

/// EXIF data: a TIFF header and one entry, tag 0x112 (orientation) with one short.
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

/// Sizes decide how image and mask are turned, else the rest of the set, else `classes.toml`.
#[test]
fn turned_pictures_keep_their_masks() {
    // A mark in one corner of image and mask shows whether they fit.
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
    // Sizes decide: one mask fits the stored pixels, one the upright picture. In one pair both files have an
    // orientation.
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
        // The size of a square does not decide.
        let dir = temp();
        set(dir.path(), "a", (10, 10), orientation, &mask(10, 10), 1);
        set(dir.path(), "b", (10, 10), 1, &mask(10, 10), 1);
        refused(segmentation(dir.path()).map(|_| ()), &["a.png", "EXIF", "upright", "stored", "classes.toml"]);
        write(&dir.path().join("classes.toml"), "orientation = \"stored\"\n");
        agree(&segmentation(dir.path()).unwrap());
        fs::remove_file(dir.path().join("classes.toml")).unwrap();
        // A square is read as a pair whose sizes decide.
        set(dir.path(), "c", (12, 8), 6, &mask(12, 8), 1);
        agree(&segmentation(dir.path()).unwrap());
    }
}

fn luma16(path: &Path, sample: impl Fn(u32, u32) -> u16) {
    fs::create_dir_all(path.parent().unwrap()).unwrap();
    image::ImageBuffer::from_fn(8, 8, |x, y| Luma([sample(x, y)])).save(path).unwrap();
}

/// Samples of 12 bits in 16. The whole set decides the number of bits, for training and prediction.
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
        let options = PrepareOptions { memory_budget: budget, ..PrepareOptions::square(8) };
        let prepared = prepare(&sets, &options, &|_, _| ()).unwrap();
        assert_eq!(prepared[0].sample_bits(), 12);
        assert!(prepared[0].depth_note().unwrap().contains("read as 12 bits"), "{:?}", prepared[0].depth_note());
        for set in &prepared {
            for index in 0..set.len() {
                let path = set.dataset().path(set.original_index(index)).unwrap();
                let stored = image::open(path).unwrap().into_luma16();
                let expected = stored.iter().flat_map(|&v| [(f64::from(v) * 255.0 / 4095.0).round() as u8; 3]);
                assert_eq!(set.sample(index).unwrap().to_vec(), expected.collect::<Vec<_>>());
                let alone = decode_file_at(path, &SampleDepth::fixed(12)).unwrap();
                assert_eq!(alone.as_raw().as_slice(), &*set.sample(index).unwrap(), "as prediction reads it");
            }
        }
    }
    // One sample of 16 bits makes the set one of 16 bits.
    luma16(&dir.path().join("a/0.png"), |x, _| 65_535 - x as u16);
    let splits = open(dir.path()).unwrap();
    let prepared = prepare(&[splits.train, splits.val], &PrepareOptions::square(8), &|_, _| ()).unwrap();
    assert_eq!(prepared[0].sample_bits(), 16);
    assert!(prepared[0].depth_note().unwrap().contains("7 of 8 16-bit images hold at most 4095"));
}

/// A class of 16-bit images with another white than the other class, and a class of 16 bits beside one of 8.
#[test]
fn bits_that_divide_the_classes_are_named() {
    let dir = temp();
    let set = |dark: u16, bright: u16| {
        for (class, white) in [("a", dark), ("b", bright)] {
            (0..4).for_each(|k| luma16(&dir.path().join(format!("{class}/{k}.png")), |x, _| white - x as u16 - k));
        }
        let splits = open(dir.path()).unwrap();
        let prepared = prepare(&[splits.train, splits.val], &PrepareOptions::square(8), &|_, _| ())?;
        Ok(prepared[0].depth_note())
    };
    refused(
        set(4000, 60_000),
        &["16-bit images of class 'a'", "12 bits", "class 'b' reaches 59", "save all images with 8 bits"],
    );
    // The bits of one camera hold both.
    assert!(set(16_000, 9000).unwrap().unwrap().contains("14 bits"));
    (0..4).for_each(|k| save(&dir.path().join(format!("a/{k}.png")), &picture(9, 7, 40 * k)));
    let splits = open(dir.path()).unwrap();
    let prepared = prepare(&[splits.train, splits.val], &PrepareOptions::square(8), &|_, _| ()).unwrap();
    let note = prepared[0].depth_note().unwrap();
    assert!(note.contains("class 'b' have 16 bits a sample and those of class 'a' 8"), "{note}");
}

#[test]
fn gif_files_are_read_as_images_and_masks() {
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
    let prepared = prepare(&sets, &PrepareOptions::square(7), &|_, _| ()).unwrap();
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
