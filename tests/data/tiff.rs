//! TIFF: images and masks of 8 and 16 bits, several pages, and unsupported variants, which are named.

use std::fs;
use std::path::Path;

use image::{GrayImage, ImageBuffer, Luma, Rgb, RgbImage};
use shadegrad::data::{DecodeLimits, SetOptions, decode_bytes, decode_file, open_segmentation};

use crate::{open, picture, refused, save, slashed, temp};

/// A little-endian TIFF of grey samples without compression: 4x2 pixels of `bits`, given as bytes, on each of `pages`.
fn grey(bits: u16, format: u16, photometric: u16, pages: &[&[u8]]) -> Vec<u8> {
    let mut bytes = b"II\x2a\0\x08\0\0\0".to_vec();
    for (number, samples) in pages.iter().enumerate() {
        let tags = [
            (256u16, 4u32),
            (257, 2),
            (258, bits.into()),
            (259, 1),
            (262, photometric.into()),
            (273, bytes.len() as u32 + 2 + 9 * 12 + 4),
            (277, 1),
            (279, samples.len() as u32),
            (339, format.into()),
        ];
        bytes.extend((tags.len() as u16).to_le_bytes());
        for (tag, value) in tags {
            bytes.extend(tag.to_le_bytes());
            bytes.extend([4, 0, 1, 0, 0, 0]);
            bytes.extend(value.to_le_bytes());
        }
        let next = if number + 1 < pages.len() { (bytes.len() + 4 + samples.len()) as u32 } else { 0 };
        bytes.extend(next.to_le_bytes());
        bytes.extend(*samples);
    }
    bytes
}

#[test]
fn images_of_8_and_16_bits_open_at_their_first_page() {
    let dir = temp();
    let path = |name: &str| dir.path().join(name);
    let rgb = picture(9, 7, 3);
    save(&path("rgb.TIFF"), &rgb);
    assert_eq!(decode_file(&path("rgb.TIFF")).unwrap(), rgb);
    let deep = ImageBuffer::<Luma<u16>, _>::from_fn(9, 7, |x, y| Luma([(x * 7000 + y) as u16]));
    deep.save(path("deep.tif")).unwrap();
    let expected = RgbImage::from_fn(9, 7, |x, y| Rgb([(f64::from(x * 7000 + y) / 257.0).round() as u8; 3]));
    assert_eq!(decode_file(&path("deep.tif")).unwrap(), expected);
    let pages = grey(8, 1, 1, &[&[1, 2, 3, 4, 5, 6, 7, 8], &[9; 8]]);
    let first = decode_bytes(&pages, &DecodeLimits::default()).unwrap();
    assert_eq!(first.pixels().map(|p| p.0[0]).collect::<Vec<_>>(), [1, 2, 3, 4, 5, 6, 7, 8]);

    let set = temp();
    for class in ["a", "b"] {
        for number in 0..4 {
            let file = set.path().join(class).join(format!("{number}.tif"));
            fs::create_dir_all(file.parent().unwrap()).unwrap();
            fs::write(file, &pages).unwrap();
        }
    }
    let splits = open(set.path()).unwrap();
    (0..splits.train.len()).for_each(|index| drop(splits.train.image(index).unwrap()));
    let note = splits.train.depth().and_then(shadegrad::data::SampleDepth::note).unwrap();
    assert_eq!(note, format!("{} images have several pages or frames: the first is read", splits.train.len()));
}

/// A little-endian TIFF or BigTIFF of 4x2 pixels with samples of 8 bits.
fn colored([samples, photometric, compression]: [u16; 3], extra: Option<u16>, is_big: bool, pixels: &[u8]) -> Vec<u8> {
    let mut tags: Vec<(u16, Vec<u16>)> = vec![
        (256, vec![4]),
        (257, vec![2]),
        (258, vec![8; samples.into()]),
        (259, vec![compression]),
        (262, vec![photometric]),
        (273, vec![0]),
        (277, vec![samples]),
        (278, vec![2]),
        (279, vec![pixels.len() as u16]),
    ];
    tags.extend(extra.map(|kind| (338, vec![kind])));
    let number = |value: usize, length: usize| value.to_le_bytes()[..length].to_vec();
    let (start, count, entry, width) = if is_big { (16, 8, 20, 8) } else { (8, 2, 12, 4) };
    let lists_at = start + count + entry * tags.len() + width;
    // Of the lists only that of the bits can be too long for its entry.
    let pixels_at = lists_at + 8;
    tags[5].1 = vec![pixels_at as u16];
    let head: &[u8] = if is_big { b"II\x2b\0\x08\0\0\0" } else { b"II\x2a\0" };
    let mut bytes = [head, &number(start, width), &number(tags.len(), count)].concat();
    for (tag, values) in &tags {
        let mut list: Vec<u8> = values.iter().flat_map(|value| value.to_le_bytes()).collect();
        if list.len() > width {
            list = number(lists_at, width);
        }
        list.resize(width, 0);
        bytes.extend([&tag.to_le_bytes()[..], &[3, 0], &number(values.len(), width), &list].concat());
    }
    bytes.extend(number(0, width));
    bytes.extend([8u8, 0, 8, 0, 8, 0, 8, 0]);
    assert_eq!(bytes.len(), pixels_at);
    bytes.extend(pixels);
    bytes
}

/// Kinds that are read, and kinds that the error names with a program that converts them.
#[test]
fn big_files_and_other_alphas_are_read_and_other_kinds_named() {
    let read = |bytes: &[u8]| decode_bytes(bytes, &DecodeLimits::default());
    let pixels: Vec<u8> = (0..24).map(|k| k * 10).collect();
    for is_big in [false, true] {
        let bytes = colored([3, 2, 1], None, is_big, &pixels);
        assert_eq!(read(&bytes).unwrap().into_raw(), pixels, "{is_big}");
    }
    // Colors that are multiplied by their alpha, and others, on white.
    let rgba = [100, 50, 0, 128].repeat(8);
    for (kind, expected) in [(1, [227, 177, 127]), (2, [177, 152, 127])] {
        let found = read(&colored([4, 2, 1], Some(kind), false, &rgba)).unwrap();
        assert_eq!(found.get_pixel(1, 1).0, expected, "ExtraSamples {kind}");
    }
    for (kind, extra, words) in [
        ([3, 2, 50_000], None, ["compression without decoder", "COMPRESS=LZW"]),
        ([3, 1, 1], None, ["bands that are no colors", "PHOTOMETRIC=RGB"]),
    ] {
        let message = read(&colored(kind, extra, false, &pixels)).unwrap_err().to_string();
        assert!(words.iter().all(|word| message.contains(word)) && !message.contains("damaged"), "{message}");
    }
}

#[test]
fn unsupported_variants_are_named() {
    let named = |bytes: &[u8]| decode_bytes(bytes, &DecodeLimits::default()).unwrap_err().to_string();
    assert!(named(&grey(32, 3, 1, &[&[0; 32]])).contains("TIFF of floats"));
    assert!(named(&grey(32, 2, 1, &[&[0; 32]])).contains("TIFF of numbers with a sign"));
    assert!(named(&grey(8, 1, 3, &[&[0; 8]])).contains("TIFF with a palette"));
    // As masks too: the numbers of a palette are not taken for greys.
    let set = temp();
    for k in 0..3u8 {
        save(&set.path().join(format!("images/{k}.png")), &picture(4, 2, k));
        fs::create_dir_all(set.path().join("masks")).unwrap();
        fs::write(set.path().join(format!("masks/{k}.tif")), grey(8, 1, 3, &[&[0; 8]])).unwrap();
    }
    let message = slashed(open_segmentation(set.path(), &SetOptions::default()).unwrap_err().to_string());
    assert!(message.contains("masks/0.tif") && message.contains("TIFF with a palette"), "{message}");
    // Frames of 8x8 pixels of one channel, each with an empty scan.
    let jpeg = |frame: u8, bits: u8| {
        let head = [0xFF, 0xD8, 0xFF, frame, 0, 11, bits, 0, 8, 0, 8, 1, 1, 0x11, 0];
        [head.as_slice(), &[0xFF, 0xDA, 0, 8, 1, 1, 0, 0, 63, 0, 0, 0xFF, 0xD9]].concat()
    };
    for (frame, bits, name) in
        [(0xC3, 8, "lossless JPEG"), (0xC9, 8, "JPEG with arithmetic coding"), (0xC1, 12, "JPEG of 12 bits a sample")]
    {
        let message = named(&jpeg(frame, bits));
        assert!(message.contains(name) && !message.contains("damaged"), "{message}");
    }
    assert!(named(&jpeg(0xC0, 8)).contains("damaged"));
}

fn pairs(root: &Path, mask: impl Fn(&Path)) {
    for number in 0..4 {
        save(&root.join(format!("images/{number}.tif")), &picture(8, 6, number));
        fs::create_dir_all(root.join("masks")).unwrap();
        mask(&root.join(format!("masks/{number}.{}", if number == 1 { "TIF" } else { "tiff" })));
    }
}

#[test]
fn masks_of_8_and_16_bits_open() {
    let options = SetOptions::default();
    let value = |x: u32| (x / 3) as u8;
    let expected = GrayImage::from_fn(8, 6, |x, _| Luma([value(x)]));
    let deep = |scale: u16| ImageBuffer::from_fn(8, 6, move |x, _| Luma([u16::from(value(x)) * scale]));
    let (eight, sixteen, high) = (temp(), temp(), temp());
    pairs(eight.path(), |path| expected.save(path).unwrap());
    pairs(sixteen.path(), |path| deep(1).save(path).unwrap());
    for dir in [&eight, &sixteen] {
        let splits = open_segmentation(dir.path(), &options).unwrap();
        assert_eq!(splits.train.classes().names.len(), 3);
        (0..splits.train.len()).for_each(|index| assert_eq!(splits.train.mask(index).unwrap(), expected));
    }
    pairs(high.path(), |path| deep(1000).save(path).unwrap());
    refused(open_segmentation(high.path(), &options), &["its values of 16 bits reach 2000", "expected 0 to 255"]);
}
