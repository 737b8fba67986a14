//! Small segmentation sets, as the tests of their formats write them.

use std::fs;
use std::path::Path;

use image::{GrayImage, Luma};
use serde_json::{Value, json};
use shadegrad::data::{DataError, SegmentationSplits, SetOptions, open_segmentation};
use tempfile::TempDir;

use crate::{picture, save, temp};

/// Size of the images.
pub const WIDTH: u32 = 40;
pub const HEIGHT: u32 = 32;

/// The rectangle of columns 5 to 24 and rows 5 to 14, which has 200 pixels, as YOLO writes it.
pub const POLYGON: &str = "0.125 0.15625 0.625 0.15625 0.625 0.46875 0.125 0.46875";

/// The same rectangle as COCO writes it.
pub fn polygon() -> Value {
    json!([[5, 5, 25, 5, 25, 15, 5, 15]])
}

pub fn segmentation(root: &Path) -> Result<SegmentationSplits, DataError> {
    open_segmentation(root, &SetOptions { val_split: 0.25, seed: 3, ..SetOptions::default() })
}

/// Images for training and for validation.
pub fn lens(splits: &SegmentationSplits) -> (usize, usize) {
    (splits.train.len(), splits.val.len())
}

pub fn write(path: &Path, content: impl AsRef<[u8]>) {
    fs::create_dir_all(path.parent().unwrap()).unwrap();
    fs::write(path, content).unwrap();
}

/// A mask of vertical stripes.
pub fn stripes(values: &[u8]) -> GrayImage {
    GrayImage::from_fn(WIDTH, HEIGHT, |x, _| Luma([values[x as usize * values.len() / WIDTH as usize]]))
}

pub fn save_grey(path: &Path, mask: &GrayImage) {
    fs::create_dir_all(path.parent().unwrap()).unwrap();
    mask.save(path).unwrap();
}

/// How a mask in PNG stores its values.
#[derive(Clone, Copy)]
pub enum Notation<'a> {
    /// As greys of this many bits.
    Bits(u8),
    /// As indices of a palette.
    Palette(&'a [[u8; 3]]),
    /// As these colors.
    Colors(&'a [[u8; 3]]),
}

/// A mask of vertical stripes in a notation.
pub fn save_as(path: &Path, values: &[u8], notation: Notation<'_>) {
    use png::{BitDepth, ColorType, Encoder};
    fs::create_dir_all(path.parent().unwrap()).unwrap();
    let mut encoder = Encoder::new(fs::File::create(path).unwrap(), WIDTH, HEIGHT);
    let mask = stripes(values);
    let content = match notation {
        Notation::Bits(bits) => {
            encoder.set_color(ColorType::Grayscale);
            encoder.set_depth(BitDepth::from_u8(bits).unwrap());
            let packed = |values: &[u8]| values.iter().fold(0u16, |byte, value| byte << bits | u16::from(*value)) as u8;
            mask.rows()
                .flat_map(|row| {
                    row.map(|p| p.0[0])
                        .collect::<Vec<u8>>()
                        .chunks(8 / usize::from(bits))
                        .map(packed)
                        .collect::<Vec<u8>>()
                })
                .collect()
        }
        Notation::Palette(palette) => {
            encoder.set_color(ColorType::Indexed);
            encoder.set_palette(palette.concat());
            mask.into_raw()
        }
        Notation::Colors(colors) => {
            encoder.set_color(ColorType::Rgb);
            mask.into_raw().into_iter().flat_map(|value| colors[usize::from(value)]).collect::<Vec<u8>>()
        }
    };
    encoder.write_header().unwrap().write_image_data(&content).unwrap();
}

/// `images/NAME.png` and `masks/NAME.png` for each name.
pub fn pairs<'a>(root: &Path, names: impl IntoIterator<Item = &'a str>, mask: impl Fn(usize) -> GrayImage) {
    for (number, name) in names.into_iter().enumerate() {
        save(&root.join(format!("images/{name}.png")), &picture(WIDTH, HEIGHT, number as u8));
        save_grey(&root.join(format!("masks/{name}.png")), &mask(number));
    }
}

/// A set of YOLO: `images/NAME.jpg` of each name, with the rectangle of a class in `labels/NAME.txt` or without that
/// file, and other files with their content.
pub fn yolo<N: AsRef<str>>(images: impl IntoIterator<Item = (N, Option<u8>)>, files: &[(&str, &str)]) -> TempDir {
    let dir = temp();
    for (tone, (name, class)) in images.into_iter().enumerate() {
        let name = name.as_ref();
        save(&dir.path().join(format!("images/{name}.jpg")), &picture(WIDTH, HEIGHT, tone as u8));
        if let Some(class) = class {
            write(&dir.path().join(format!("labels/{name}.txt")), format!("{class} {POLYGON}\n"));
        }
    }
    files.iter().for_each(|(name, content)| write(&dir.path().join(name), content));
    dir
}

/// COCO's file of images with these names and ids from 0, each with the rectangle: a cat (3) or a dog (7) in turn.
pub fn coco_file(names: &[&str]) -> Value {
    let image = |(id, name): (usize, &&str)| json!({"id": id, "file_name": name, "width": WIDTH, "height": HEIGHT});
    let annotation = |id: usize| {
        let category = [3, 7][id % 2];
        json!({"id": id, "image_id": id, "category_id": category, "iscrowd": 0, "segmentation": polygon()})
    };
    json!({
        "images": names.iter().enumerate().map(image).collect::<Vec<_>>(),
        "annotations": (0..names.len()).map(annotation).collect::<Vec<_>>(),
        "categories": [{"id": 3, "name": "cat"}, {"id": 7, "name": "dog"}],
    })
}

/// A set of COCO: `images/NAME` of each name without its folders, and their file, changed by `edit`, as
/// `annotations.json`.
pub fn coco(names: &[&str], edit: impl FnOnce(&mut Value)) -> TempDir {
    let dir = temp();
    for (tone, name) in names.iter().enumerate() {
        let own = name.rsplit(['/', '\\']).next().unwrap();
        save(&dir.path().join("images").join(own), &picture(WIDTH, HEIGHT, tone as u8));
    }
    let mut file = coco_file(names);
    edit(&mut file);
    write(&dir.path().join("annotations.json"), file.to_string());
    dir
}
