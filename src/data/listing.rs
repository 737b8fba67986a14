//! A data set that is a list of image files, and the walk over folders that finds them.

use std::fs;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use image::RgbImage;

use super::{ClassificationDataset, DataError, decode_file};

/// Decoded when asked for.
#[derive(Debug)]
pub(crate) struct FileDataset {
    pub classes: Arc<[String]>,
    /// Path and label of each image.
    pub items: Vec<(PathBuf, u32)>,
}

impl ClassificationDataset for FileDataset {
    fn len(&self) -> usize {
        self.items.len()
    }

    fn class_names(&self) -> &[String] {
        &self.classes
    }

    fn label(&self, index: usize) -> u32 {
        self.items[index].1
    }

    fn image(&self, index: usize) -> Result<RgbImage, DataError> {
        decode_file(&self.items[index].0)
    }

    fn describe(&self, index: usize) -> String {
        self.items[index].0.display().to_string()
    }

    fn path(&self, index: usize) -> Option<&Path> {
        Some(&self.items[index].0)
    }
}

/// Extensions that make a file an image of the data set. Kinds that cannot be decoded are among
/// them on purpose: such a file is reported, not silently left out.
const IMAGE_EXTENSIONS: [&str; 16] = [
    "jpg", "jpeg", "jpe", "jfif", "png", "webp", "bmp", "dib", // decoded
    "gif", "tif", "tiff", "avif", "heic", "heif", "jxl", "jp2", // reported
];

/// Folders within folders that are followed; more is a link that leads back.
const MAX_DEPTH: usize = 16;

/// Name of a file or folder, with what is not Unicode replaced.
pub(crate) fn name_of(path: &Path) -> String {
    path.file_name().unwrap_or_default().to_string_lossy().into_owned()
}

/// Entries of a folder, sorted by name, without hidden ones (`.git`, `._photo.jpg`, `__MACOSX`).
pub(crate) fn entries(folder: &Path) -> Result<Vec<PathBuf>, DataError> {
    let failed = |e| DataError::io(folder, e);
    let mut found = Vec::new();
    for entry in fs::read_dir(folder).map_err(failed)? {
        let path = entry.map_err(failed)?.path();
        let name = name_of(&path);
        if !name.starts_with('.') && name != "__MACOSX" {
            found.push(path);
        }
    }
    found.sort();
    Ok(found)
}

/// Folders directly in `folder`, sorted by name.
pub(crate) fn subfolders(folder: &Path) -> Result<Vec<PathBuf>, DataError> {
    Ok(entries(folder)?.into_iter().filter(|p| p.is_dir()).collect())
}

/// Whether the name says that a file is an image.
pub(crate) fn is_image(path: &Path) -> bool {
    path.extension()
        .and_then(|e| e.to_str())
        .is_some_and(|e| IMAGE_EXTENSIONS.iter().any(|known| known.eq_ignore_ascii_case(e)))
}

/// Every image file below `folder`, at any depth, in sorted order.
pub(crate) fn images_below(folder: &Path) -> Result<Vec<PathBuf>, DataError> {
    let mut found = Vec::new();
    collect_images(folder, 0, &mut found)?;
    Ok(found)
}

fn collect_images(folder: &Path, depth: usize, found: &mut Vec<PathBuf>) -> Result<(), DataError> {
    if depth > MAX_DEPTH {
        return Err(DataError::malformed(
            folder,
            format!(
                "folders are nested more than {MAX_DEPTH} deep; is there a link that leads back to its own folder?"
            ),
        ));
    }
    for path in entries(folder)? {
        if path.is_dir() {
            collect_images(&path, depth + 1, found)?;
        } else if is_image(&path) {
            found.push(path);
        }
    }
    Ok(())
}
