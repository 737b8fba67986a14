//! Shared parts of the fuzz targets: a data set in a temporary folder, with one file that changes between inputs.
//!
//! An input must give a data set or an error. libFuzzer reports a panic, a hang and excessive memory. Each target also
//! formats the error, and reads images of a set that opened.

use std::fmt::Display;
use std::fs;
use std::hint::black_box;
use std::path::{Path, PathBuf};

use shadegrad::data::{
    MultiLabelSplits, OpenOptions, SetOptions, open_classification, open_images, open_multi_label, open_segmentation,
};
use shadegrad::image::{DynamicImage, GrayImage, Luma, Rgb, RgbImage};
use tempfile::TempDir;

pub use libfuzzer_sys::fuzz_target;

/// Width and height of every picture, in pixels.
const SIZE: [u32; 2] = [12, 8];

/// A data set on disk. Its file `changing` has the bytes of an input.
pub struct Folder {
    root: TempDir,
    changing: PathBuf,
}

impl Folder {
    /// Writes `images` as RGB pictures and `masks` as pictures of the values 0 to 2.
    pub fn new(changing: &str, images: &[&str], masks: &[&str]) -> Self {
        let root = tempfile::Builder::new().prefix("shadegrad-fuzz").tempdir().expect("a temporary folder");
        let [width, height] = SIZE;
        for (tone, name) in images.iter().enumerate() {
            let picture = RgbImage::from_fn(width, height, |x, y| Rgb([tone as u8 * 60, x as u8 * 20, y as u8 * 30]));
            save(&root.path().join(name), picture.into());
        }
        for name in masks {
            save(&root.path().join(name), GrayImage::from_fn(width, height, |x, _| Luma([x as u8 / 4])).into());
        }
        let changing = root.path().join(changing);
        make_parent(&changing);
        Self { root, changing }
    }

    /// Adds a text file.
    pub fn with(self, name: &str, text: impl AsRef<[u8]>) -> Self {
        let path = self.root.path().join(name);
        make_parent(&path);
        fs::write(path, text).expect("a file");
        self
    }

    /// Writes `bytes` to the changing file, and returns its path.
    pub fn write(&self, bytes: &[u8]) -> &Path {
        fs::write(&self.changing, bytes).expect("a file");
        &self.changing
    }

    /// Opens the folder as a set of images with classes, and reads two images of each part.
    pub fn classes(&self, bytes: &[u8]) {
        self.write(bytes);
        match open_classification(self.root.path(), &OpenOptions::default()) {
            Ok(splits) => {
                black_box(format!("{:?}", splits.decisions));
                for part in [&splits.train, &splits.val] {
                    (0..part.len().min(2)).for_each(|index| report(part.image(index)));
                }
            }
            Err(error) => report::<(), _>(Err(error)),
        }
    }

    /// Opens the folder as a set of images with masks, and reads two pairs of each part.
    pub fn masks(&self, bytes: &[u8]) {
        self.write(bytes);
        match open_segmentation(self.root.path(), &SetOptions::default()) {
            Ok(splits) => {
                black_box(format!("{:?}", splits.decisions));
                for part in [&splits.train, &splits.val] {
                    for index in 0..part.len().min(2) {
                        report(part.image(index));
                        report(part.mask(index));
                    }
                }
            }
            Err(error) => report::<(), _>(Err(error)),
        }
    }

    /// Opens the folder as a set of images without labels.
    pub fn images(&self, bytes: &[u8]) {
        self.write(bytes);
        report(open_images(self.root.path(), &SetOptions::default()).map(|_| ()));
    }

    /// Opens the folder as a set of images with several labels each.
    pub fn labels(&self, bytes: &[u8]) {
        self.write(bytes);
        report(open_multi_label(self.root.path(), &OpenOptions::default()).map(|_: MultiLabelSplits| ()));
    }
}

/// Formats the message of an error, so that this is fuzzed too.
pub fn report<T, E: Display>(result: Result<T, E>) {
    match result {
        Ok(value) => {
            black_box(value);
        }
        Err(error) => {
            let message = error.to_string();
            assert!(message.len() < 20_000, "a message of {} bytes: {}", message.len(), &message[..200]);
            black_box(message);
        }
    }
}

fn make_parent(path: &Path) {
    fs::create_dir_all(path.parent().expect("a folder")).expect("a folder");
}

fn save(path: &Path, picture: DynamicImage) {
    make_parent(path);
    picture.save(path).expect("a picture");
}
