//! The folder of a corrected copy. It is written beside its place and moved there when it is whole.

use std::fs;
use std::io::Cursor;
use std::path::{Path, PathBuf};

use image::{DynamicImage, ImageFormat};

use crate::data::listing::MARK;
use crate::data::{DataError, ImageProblem};

/// A folder in the making.
pub(super) struct Target {
    /// Removed with what it holds unless the copy is finished.
    _outer: tempfile::TempDir,
    inner: PathBuf,
    place: PathBuf,
}

impl Target {
    /// A folder that becomes `place`, with room for images.
    ///
    /// # Errors
    /// Where `place` exists and is not empty, or lies in the data set at `data`.
    pub fn new(place: &Path, data: &Path) -> Result<Self, DataError> {
        let place = std::path::absolute(place).map_err(|e| unwritten(place, e))?;
        let is_free = match fs::read_dir(&place) {
            Ok(mut entries) => entries.next().is_none(),
            Err(_) => !place.exists(),
        };
        if !is_free {
            return Err(DataError::Taken { path: place });
        }
        let parent = place.parent().unwrap_or(&place).to_path_buf();
        fs::create_dir_all(&parent).map_err(|e| unwritten(&parent, e))?;
        let root = if data.is_dir() { data } else { data.parent().unwrap_or(data) };
        if let (Ok(parent), Ok(root)) = (parent.canonicalize(), root.canonicalize())
            && parent.starts_with(&root)
        {
            return Err(DataError::InsideData { path: place, data: data.to_path_buf() });
        }
        let outer = tempfile::Builder::new().prefix(".writing-").tempdir_in(&parent);
        let outer = outer.map_err(|e| unwritten(&parent, e))?;
        let inner = outer.path().join("copy");
        for folder in [inner.clone(), inner.join("images")] {
            fs::create_dir(&folder).map_err(|e| unwritten(&folder, e))?;
        }
        Ok(Self { _outer: outer, inner, place })
    }

    /// Makes a folder.
    pub fn folder(&self, name: &str) -> Result<(), DataError> {
        let path = self.inner.join(name);
        fs::create_dir(&path).map_err(|e| unwritten(&path, e))
    }

    /// Writes a file.
    pub fn write(&self, name: &str, bytes: &[u8]) -> Result<(), DataError> {
        let path = self.inner.join(name);
        fs::write(&path, bytes).map_err(|e| unwritten(&path, e))
    }

    /// Marks the folder and moves it to its place.
    pub fn finish(self) -> Result<(), DataError> {
        self.write(MARK, b"")?;
        if self.place.exists() {
            fs::remove_dir(&self.place).map_err(|e| unwritten(&self.place, e))?;
        }
        fs::rename(&self.inner, &self.place).map_err(|e| unwritten(&self.place, e))
    }
}

fn unwritten(path: &Path, source: std::io::Error) -> DataError {
    DataError::Unwritten { path: path.to_path_buf(), source }
}

/// A picture as PNG.
pub(super) fn png(picture: &DynamicImage) -> Result<Vec<u8>, DataError> {
    let mut bytes = Cursor::new(Vec::new());
    picture.write_to(&mut bytes, ImageFormat::Png).map_err(|e| {
        let problem = ImageProblem::Damaged(e.to_string());
        DataError::BadImage(crate::data::BadImage { image: "a picture of the copy".into(), problem })
    })?;
    Ok(bytes.into_inner())
}
