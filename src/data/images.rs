//! Sets of images without labels: what colorization learns from.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use image::RgbImage;

use super::listing::images_below;
use super::parts::PartFolders;
use super::segmentation::hold_out;
use super::{DataError, SetOptions, decode_file};

/// Images. Indices run from 0 to `len() - 1`; an index beyond may panic.
pub trait ImageDataset: Send + Sync {
    /// Number of images.
    fn len(&self) -> usize;

    /// Whether there are none.
    fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// What to call image `index` to a person.
    fn name(&self, index: usize) -> String;

    /// Image `index` at its native size, decoded now.
    ///
    /// # Errors
    /// [`DataError::BadImage`] with what is wrong with it.
    fn image(&self, index: usize) -> Result<RgbImage, DataError>;
}

/// Training, validation and (where there are any) test images.
#[derive(Clone)]
pub struct ImageSplits {
    /// Images to learn from.
    pub train: Arc<dyn ImageDataset>,
    /// Images to choose settings by.
    pub val: Arc<dyn ImageDataset>,
    /// Images for the last word.
    pub test: Option<Arc<dyn ImageDataset>>,
    /// Whether the validation part was split off by seed, since the data set brings none.
    pub by_seed: bool,
    /// How the parts were found, for people.
    pub format: &'static str,
}

impl std::fmt::Debug for ImageSplits {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("ImageSplits")
            .field("format", &self.format)
            .field("train", &self.train.len())
            .field("val", &self.val.len())
            .field("test", &self.test.as_ref().map(|t| t.len()))
            .finish()
    }
}

/// Image files, decoded when asked for.
pub(crate) struct ImageFiles(pub Vec<PathBuf>);

impl ImageDataset for ImageFiles {
    fn len(&self) -> usize {
        self.0.len()
    }

    fn name(&self, index: usize) -> String {
        self.0[index].display().to_string()
    }

    fn image(&self, index: usize) -> Result<RgbImage, DataError> {
        decode_file(&self.0[index])
    }
}

/// Opens every image below `path`, at any depth. Folders `train/`, `val/` and `test/` directly in it
/// (under their usual names) are the parts, and then nothing beside them counts; without them all
/// images, class folders or not, are one set that is split by seed.
///
/// # Errors
/// Where there are fewer than two images, or a part has none.
pub fn open_images(path: &Path, options: &SetOptions) -> Result<ImageSplits, DataError> {
    options.checked_val_split()?;
    let metadata = std::fs::metadata(path).map_err(|e| DataError::io(path, e))?;
    if !metadata.is_dir() {
        return Err(DataError::NotAFolder(path.into()));
    }
    let parts = PartFolders::find(path)?;
    let part = |folder: Option<PathBuf>| folder.map(|folder| images_below(&folder)).transpose();
    let [train, mut val, mut test] = [part(parts.train)?, part(parts.val)?, part(parts.test)?];
    if val.is_none() {
        val = test.take();
    }
    let by_seed = val.is_none();
    let (format, train, val) = match (train, val) {
        (Some(train), Some(val)) => ("folders of images", train, val),
        (Some(train), None) => split(path, train, options)?,
        (None, Some(_)) => {
            let reason = "there is a folder of images to measure on, but no train/ beside it".to_string();
            return Err(DataError::EmptySplit { path: path.into(), split: "train", reason });
        }
        (None, None) => split(path, images_below(path)?, options)?,
    };
    for (images, split) in [(&train, "train"), (&val, "validation")] {
        if images.is_empty() {
            let reason = "its folder holds no images".to_string();
            return Err(DataError::EmptySplit { path: path.into(), split, reason });
        }
    }
    let set = |images| Arc::new(ImageFiles(images)) as Arc<dyn ImageDataset>;
    let test = test.filter(|images| !images.is_empty()).map(set);
    Ok(ImageSplits { train: set(train), val: set(val), test, by_seed, format })
}

fn split(
    path: &Path,
    images: Vec<PathBuf>,
    options: &SetOptions,
) -> Result<(&'static str, Vec<PathBuf>, Vec<PathBuf>), DataError> {
    if images.len() < 2 {
        let problem = format!(
            "{} images found at any depth; at least 2 are needed, one to learn from and one to measure on",
            images.len()
        );
        return Err(DataError::malformed(path, problem));
    }
    let (train, val) = hold_out(images, options)?;
    Ok(("images, split by seed", train, val))
}
