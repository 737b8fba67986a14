//! Single images: the faults of bad ones, and the pixels of good ones.

use std::fs;
use std::path::Path;
use std::sync::atomic::{AtomicUsize, Ordering};

use image::{DynamicImage, ExtendedColorType, ImageEncoder, ImageFormat, Rgb, RgbImage};
use shadegrad::data::{DataError, ImageProblem, PrepareOptions, decode_file, prepare, square};

use crate::{class_folders, open, picture, refused, temp};

fn problem_of(path: &Path) -> ImageProblem {
    match decode_file(path) {
        Err(DataError::BadImage(bad)) => {
            assert!(bad.image.ends_with(path.file_name().unwrap().to_str().unwrap()));
            bad.problem
        }
        other => panic!("{}: {other:?}", path.display()),
    }
}

#[test]
fn each_fault_of_an_image_has_its_message() {
    let dir = temp();
    let at = |name: &str| dir.path().join(name);
    assert_eq!(problem_of(&at("gone.png")), ImageProblem::Missing);
    fs::write(at("zero.jpg"), b"").unwrap();
    assert_eq!(problem_of(&at("zero.jpg")), ImageProblem::Empty);
    fs::write(at("text.png"), b"not found").unwrap();
    assert_eq!(problem_of(&at("text.png")), ImageProblem::NotAnImage);
    for (content, parts) in [
        (b"\0\0\0\x18ftypheic\0\0\0\0heic".as_slice(), ["HEIC", "heif-convert"]),
        (b"\0\0\0\x1cftypavif\0\0\0\0avif", ["AVIF", "avifdec"]),
        (b"P6\n2 2\n255\n", ["PPM", "magick"]),
        (b"version https://git-lfs.github.com/spec/v1\noid", ["Git LFS pointer", "git lfs pull"]),
    ] {
        fs::write(at("other.png"), content).unwrap();
        refused(decode_file(&at("other.png")), &parts);
    }
    for (name, format) in [
        ("cut.jpg", ImageFormat::Jpeg),
        ("cut.png", ImageFormat::Png),
        ("cut.bmp", ImageFormat::Bmp),
        ("cut.webp", ImageFormat::WebP),
        ("cut.gif", ImageFormat::Gif),
    ] {
        picture(40, 30, 9).save_with_format(at(name), format).unwrap();
        decode_file(&at(name)).unwrap();
        let whole = fs::read(at(name)).unwrap();
        for kept in [whole.len() * 2 / 3, whole.len() / 3, 20] {
            fs::write(at(name), &whole[..kept]).unwrap();
            let problem = problem_of(&at(name));
            assert!(problem == ImageProblem::Truncated || kept == 20, "{name} cut to {kept}: {problem:?}");
        }
    }
    // A BMP of 62 bytes that claims 30,000 x 30,000 pixels.
    let mut huge = fs::read({
        picture(1, 1, 0).save(at("huge.bmp")).unwrap();
        at("huge.bmp")
    })
    .unwrap();
    huge[18..22].copy_from_slice(&30_000u32.to_le_bytes());
    huge[22..26].copy_from_slice(&30_000u32.to_le_bytes());
    fs::write(at("huge.bmp"), huge).unwrap();
    refused(decode_file(&at("huge.bmp")), &["huge.bmp", "30000x30000", "limit", "have bad images skipped"]);
}

#[test]
fn every_pixel_format_becomes_rgb() {
    let dir = temp();
    let at = |name: &str| dir.path().join(name);
    let decoded = |name: &str, image: DynamicImage| {
        image.save(at(name)).unwrap();
        decode_file(&at(name)).unwrap().get_pixel(1, 0).0
    };
    let grey = image::GrayImage::from_fn(2, 1, |x, _| image::Luma([x as u8 * 77]));
    assert_eq!(decoded("grey.png", grey.into()), [77; 3]);
    let deep = image::ImageBuffer::from_fn(2, 1, |x, _| Rgb([0xffff * x as u16, 0x8000, 0x0180]));
    assert_eq!(decoded("deep.png", DynamicImage::ImageRgb16(deep)), [255, 128, 1], "16 bits are rounded");
    let grey16 = image::ImageBuffer::from_fn(2, 1, |_, _| image::Luma([0x4242u16]));
    assert_eq!(decoded("grey16.png", DynamicImage::ImageLuma16(grey16)), [0x42; 3]);
    let glass = |alpha| image::RgbaImage::from_pixel(2, 1, image::Rgba([200, 0, 100, alpha]));
    assert_eq!(decoded("clear.png", glass(0).into()), [255; 3], "transparent pixels are white");
    assert_eq!(decoded("half.png", glass(128).into()), [227, 127, 177]);
    assert_eq!(decoded("solid.webp", glass(255).into()), [200, 0, 100]);
}

/// A TIFF header and one entry: tag 0x112 (orientation), one short.
fn exif(orientation: u8) -> Vec<u8> {
    let header = b"II*\0\x08\0\0\0\x01\0\x12\x01\x03\0\x01\0\0\0".as_slice();
    [header, &[orientation, 0, 0, 0, 0, 0, 0, 0]].concat()
}

#[test]
fn exif_orientation_is_honored() {
    use image::imageops::{flip_horizontal, rotate90, rotate180, rotate270};
    let dir = temp();
    let stored = picture(24, 16, 120);
    for (orientation, expected) in [
        (1, stored.clone()),
        (2, flip_horizontal(&stored)),
        (3, rotate180(&stored)),
        (6, rotate90(&stored)),
        (8, rotate270(&stored)),
    ] {
        let path = dir.path().join(format!("turned{orientation}.png"));
        let mut encoder = image::codecs::png::PngEncoder::new(fs::File::create(&path).unwrap());
        encoder.set_exif_metadata(exif(orientation)).unwrap();
        encoder.write_image(&stored, 24, 16, ExtendedColorType::Rgb8).unwrap();
        assert_eq!(decode_file(&path).unwrap(), expected, "orientation {orientation}");
    }
    // A photograph, half dark and half bright, so that compression cannot hide its orientation.
    let halves = RgbImage::from_fn(32, 16, |x, _| Rgb([if x < 16 { 20 } else { 230 }; 3]));
    let path = dir.path().join("photo.jpg");
    let mut encoder = image::codecs::jpeg::JpegEncoder::new(fs::File::create(&path).unwrap());
    encoder.set_exif_metadata(exif(6)).unwrap();
    encoder.write_image(&halves, 32, 16, ExtendedColorType::Rgb8).unwrap();
    let photo = decode_file(&path).unwrap();
    assert_eq!(photo.dimensions(), (16, 32));
    assert!(photo.get_pixel(8, 4).0[0] < 60 && photo.get_pixel(8, 28).0[0] > 190);
}

#[test]
fn resizing_crops_the_center() {
    // Against another implementation, which resizes the whole image and crops the result.
    let smooth = |x: u32, y: u32| (128.0 + 120.0 * (x as f32 / 9.0).sin() * (y as f32 / 7.0).cos()) as u8;
    for (width, height, size) in [(90, 30, 10), (30, 90, 10), (96, 40, 80), (41, 64, 17)] {
        let source = RgbImage::from_fn(width, height, |x, y| Rgb([smooth(x, y), smooth(y, x), 50]));
        let scale = size as f32 / width.min(height) as f32;
        let (w, h) = ((width as f32 * scale).round() as u32, (height as f32 * scale).round() as u32);
        let whole = image::imageops::resize(&source, w, h, image::imageops::FilterType::Triangle);
        let center = image::imageops::crop_imm(&whole, (w - size) / 2, (h - size) / 2, size, size).to_image();
        let found = square(&source, size);
        let apart = found.iter().zip(center.iter()).map(|(&a, &b)| a.abs_diff(b)).max();
        assert!(apart <= Some(12), "{width}x{height} to {size}: {apart:?}");
    }
    let same = picture(16, 16, 3);
    assert_eq!(&square(&same, 16), same.as_raw());
    // Shrinking averages: a fine checkerboard becomes grey, not black or white.
    let board = RgbImage::from_fn(64, 64, |x, y| Rgb([if (x + y) % 2 == 0 { 255 } else { 0 }; 3]));
    assert!(square(&board, 8).iter().all(|&v| (120..=135).contains(&v)));
}

/// Writes two classes with three defects among their images.
fn with_defects(root: &Path) {
    class_folders(root, &["a", "b"], 10);
    fs::write(root.join("a/3.png"), b"").unwrap();
    fs::write(root.join("b/0.png"), b"no image").unwrap();
    let whole = fs::read(root.join("b/5.png")).unwrap();
    fs::write(root.join("b/5.png"), &whole[..whole.len() / 2]).unwrap();
}

#[test]
fn all_bad_images_are_listed_or_skipped() {
    let dir = temp();
    with_defects(dir.path());
    let splits = open(dir.path()).unwrap();
    let sets = [splits.train, splits.val];
    let calls = AtomicUsize::new(0);
    let count = |done: usize, total: usize| {
        assert!(done <= total && total == 20);
        calls.fetch_add(1, Ordering::Relaxed);
    };
    let mut options = PrepareOptions::square(8);
    let error = prepare(&sets, &options, &count).map(|_| ());
    refused(
        error,
        &[
            "3 of 20 images",
            "3.png: file is empty",
            "0.png: not an image",
            "5.png: truncated",
            "have bad images skipped",
        ],
    );
    assert_eq!(calls.into_inner(), 20);

    options.skip_bad = true;
    let prepared = prepare(&sets, &options, &|_, _| ()).unwrap();
    assert_eq!(prepared.iter().map(|p| p.bad().len()).sum::<usize>(), 3);
    assert_eq!(prepared.iter().map(shadegrad::data::Prepared::len).sum::<usize>(), 17);
    // Images in memory and images decoded on use are equal and have the same indices.
    options.memory_budget = 0;
    let again = prepare(&sets, &options, &|_, _| ()).unwrap();
    for (kept, again) in prepared.iter().zip(&again) {
        assert!(kept.in_memory() && !again.in_memory());
        assert_eq!(kept.facts(), again.facts());
        for i in 0..kept.len() {
            assert_eq!(kept.sample(i).unwrap(), again.sample(i).unwrap());
            assert_eq!(
                kept.label(i),
                sets.iter()
                    .find_map(|s| (0..s.len()).find(|&j| s.describe(j) == kept.name(i)).map(|j| s.label(j)))
                    .unwrap()
            );
            let file = decode_file(kept.dataset().path(kept.original_index(i)).unwrap()).unwrap();
            assert_eq!(*kept.sample(i).unwrap(), square(&file, 8), "{}", kept.name(i));
        }
    }
    for i in 0..10 {
        fs::write(dir.path().join(format!("a/{i}.png")), b"").unwrap();
    }
    refused(prepare(&sets, &options, &|_, _| ()).map(|_| ()), &["class 'a'", "no readable training image"]);
    for i in 0..10 {
        fs::write(dir.path().join(format!("b/{i}.png")), b"").unwrap();
    }
    refused(prepare(&sets, &options, &|_, _| ()).map(|_| ()), &["none of the", "file is empty"]);
    refused(prepare(&sets, &PrepareOptions::square(0), &|_, _| ()).map(|_| ()), &["image_size is 0"]);
}
