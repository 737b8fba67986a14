//! One rule for images of every mode: training, evaluation, prediction and preview are given the same pixels.

use std::borrow::Cow;
use std::fs;
use std::io::Cursor;
use std::path::Path;

use image::{DynamicImage, ImageBuffer, Luma, LumaA, Rgb, RgbImage, Rgba};
use shadegrad::data::{
    OpenOptions, PrepareOptions, SampleDepth, decode_file, decode_file_at, open_classification, open_images, prepare,
};

use crate::temp;

/// `Image.new('CMYK', (8, 8), (200, 40, 10, 30)).save(b, 'JPEG', quality=95, optimize=True)` in Pillow, which inverts
/// the values and says so in Adobe's marker.
const CMYK: &str = "ffd8ffee000e41646f626500640000000000ffdb004300020101010101020101010202020202040302020202050404030406 \
                    0506060605060606070908060709070606080b08090a0a0a0a0a06080b0c0b0a0c090a0a0affc00014080008000804431100 \
                    4d11005911004b1100ffc40014000100000000000000000000000000000009ffc40014100100000000000000000000000000 \
                    000000ffda000e0443004d0059004b00003f0036cae1d4308fffd9";

fn bytes(hex: &str) -> Vec<u8> {
    let digits: Vec<u8> = hex.bytes().filter_map(|b| (b as char).to_digit(16)).map(|d| d as u8).collect();
    digits.chunks_exact(2).map(|pair| pair[0] << 4 | pair[1]).collect()
}

/// Pillow's `Image.open(…).convert('RGB')` gives (49, 190, 216), with Adobe's marker and without.
#[test]
fn cmyk_is_read_as_pillow_reads_it() {
    let dir = temp();
    let adobe = bytes(CMYK);
    let plain = [&adobe[..2], &adobe[18..]].concat();
    for (name, content) in [("adobe.jpg", &adobe), ("plain.jpg", &plain)] {
        let path = dir.path().join(name);
        fs::write(&path, content).unwrap();
        let image = decode_file(&path).unwrap();
        assert_eq!(image.dimensions(), (8, 8));
        for (found, expected) in image.get_pixel(3, 3).0.into_iter().zip([49u8, 190, 216]) {
            assert!(found.abs_diff(expected) <= 2, "{name}: {:?}", image.get_pixel(3, 3));
        }
    }
}

/// An image of each mode in the folder of one of two classes.
fn modes(root: &Path) {
    let save = |class: &str, name: &str, image: DynamicImage| {
        fs::create_dir_all(root.join(class)).unwrap();
        image.save(root.join(class).join(name)).unwrap();
    };
    let alpha = |x: u32| [0u8, 100, 200, 255][x as usize % 4];
    for (class, add) in [("a", 0u8), ("b", 90)] {
        let value = |x: u32, y: u32| (x * 20 + y * 3) as u8 + add;
        save(class, "grey.png", ImageBuffer::from_fn(8, 6, |x, y| Luma([value(x, y)])).into());
        save(class, "grey-alpha.png", ImageBuffer::from_fn(8, 6, |x, y| LumaA([value(x, y), alpha(x)])).into());
        save(class, "alpha.png", ImageBuffer::from_fn(8, 6, |x, y| Rgba([value(x, y), 9, 200, alpha(x)])).into());
        let wide = |x: u32, y: u32| u16::from(value(x, y)) * 16;
        save(class, "deep.png", ImageBuffer::from_fn(8, 6, |x, y| Luma([wide(x, y)])).into());
        save(
            class,
            "deep-alpha.png",
            ImageBuffer::from_fn(8, 6, |x, y| Rgba([wide(x, y), 0, 4095, u16::from(alpha(x)) * 257])).into(),
        );
        fs::write(root.join(class).join("cmyk.jpg"), bytes(CMYK)).unwrap();
    }
}

/// A trained model decodes (`decode_file_at` with the bits of its card) the same pixels as training.
#[test]
fn training_and_prediction_are_given_the_same_pixels() {
    let dir = temp();
    modes(dir.path());
    let splits = open_classification(dir.path(), &OpenOptions::default()).unwrap();
    let mut prepared = prepare(&[splits.train.clone(), splits.val], &PrepareOptions::new(6, 6), &|_, _| ()).unwrap();
    let bits = prepared.remove(0).sample_bits();
    assert_eq!(bits, 12);
    let images = open_images(dir.path(), &Default::default()).unwrap();
    images.train.depth().unwrap().fix(bits);
    for index in 0..splits.train.len() {
        let path = splits.train.path(index).unwrap();
        let predicted = decode_file_at(path, &SampleDepth::fixed(bits)).unwrap();
        assert_eq!(splits.train.image(index).unwrap(), predicted, "{}", path.display());
    }
    let read = |name: &str| decode_file_at(&dir.path().join("a").join(name), &SampleDepth::fixed(bits)).unwrap();
    let grey = read("grey.png");
    let over = |value: u8, alpha: u8| {
        (f64::from(value) * f64::from(alpha) / 255.0 + 255.0 * (1.0 - f64::from(alpha) / 255.0)).round() as u8
    };
    // On white, by Porter and Duff's rule.
    for (x, y, pixel) in read("grey-alpha.png").enumerate_pixels() {
        let expected = over(grey.get_pixel(x, y).0[0], [0, 100, 200, 255][x as usize % 4]);
        assert_eq!(pixel.0, [expected; 3]);
    }
    for (x, y, pixel) in read("deep-alpha.png").enumerate_pixels() {
        let value = ((u32::from(grey.get_pixel(x, y).0[0]) * 16 * 255 + 2047) / 4095) as u8;
        let alpha = [0, 100, 200, 255][x as usize % 4];
        assert_eq!(pixel.0[0], over(value, alpha), "16 bits of which 12 are used");
    }
}

/// A PNG with a profile that has nothing but a description.
fn with_profile(path: &Path, name: &str) {
    let mut profile = vec![0; 132];
    profile[16..20].copy_from_slice(b"RGB ");
    profile[36..40].copy_from_slice(b"acsp");
    profile[128..132].copy_from_slice(&1u32.to_be_bytes());
    profile.extend(b"desc");
    profile.extend([144u32, 12 + name.len() as u32].map(u32::to_be_bytes).concat());
    profile.extend(b"desc\0\0\0\0");
    profile.extend((name.len() as u32).to_be_bytes());
    profile.extend(name.as_bytes());
    let mut info = png::Info::with_size(4, 4);
    info.color_type = png::ColorType::Rgb;
    info.bit_depth = png::BitDepth::Eight;
    info.icc_profile = Some(Cow::Owned(profile));
    let mut file = Cursor::new(Vec::new());
    let mut writer = png::Encoder::with_info(&mut file, info).unwrap().write_header().unwrap();
    writer.write_image_data(&[[10u8, 200, 90]; 16].concat()).unwrap();
    writer.finish().unwrap();
    fs::create_dir_all(path.parent().unwrap()).unwrap();
    fs::write(path, file.into_inner()).unwrap();
}

/// A profile is not applied: the values are those of the file. A note names profiles other than sRGB.
#[test]
fn color_profiles_are_noted() {
    let dir = temp();
    for (class, name) in [("a", "Display P3"), ("b", "sRGB IEC61966-2.1")] {
        for k in 0..4 {
            with_profile(&dir.path().join(class).join(format!("{k}.png")), name);
        }
    }
    let splits = open_classification(dir.path(), &OpenOptions::default()).unwrap();
    let parts = prepare(&[splits.train, splits.val], &PrepareOptions::new(4, 4), &|_, _| ()).unwrap();
    let note = parts[0].depth_note().unwrap();
    assert!(note.contains("4 images have the color profile 'Display P3', which is not applied"), "{note}");
    assert!(!note.contains("IEC61966"), "{note}");
    let image = decode_file(&dir.path().join("a/0.png")).unwrap();
    assert_eq!(image, RgbImage::from_pixel(4, 4, Rgb([10, 200, 90])));
}

/// A note counts files with several frames, as it counts files with several pages.
#[test]
fn animations_are_noted() {
    let dir = temp();
    for class in ["a", "b"] {
        fs::create_dir_all(dir.path().join(class)).unwrap();
        for k in 0..3u8 {
            let frames = (0..if k == 0 { 3 } else { 1 })
                .map(|f: u8| image::Frame::new(ImageBuffer::from_pixel(6, 4, Rgba([k * 20, f * 50, 9, 255]))));
            let file = fs::File::create(dir.path().join(class).join(format!("{k}.gif"))).unwrap();
            image::codecs::gif::GifEncoder::new(file).encode_frames(frames).unwrap();
        }
    }
    let splits = open_classification(dir.path(), &OpenOptions::default()).unwrap();
    let parts = prepare(&[splits.train, splits.val], &PrepareOptions::new(4, 4), &|_, _| ()).unwrap();
    assert_eq!(parts[0].depth_note().unwrap(), "2 images have several pages or frames: the first is read");
}
