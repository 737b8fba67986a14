//! Class folders: the name of a folder is the class of the images below it.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use super::listing::{FileDataset, entries, images_below, is_image, name_of, subfolders};
use super::split::{require_classes, require_same_classes, stratified};
use super::{DataError, OpenOptions, Splits};

const FORMAT: &str = "class folders";

/// Names that a validation folder may have, the first that exists is taken. `test` comes last:
/// where there is a validation part too, the test images stay unseen.
pub(crate) const VALIDATION_NAMES: [&str; 4] = ["val", "valid", "validation", "test"];

/// Opens `root/train/CLASS/…` with its validation folder, or splits `root/CLASS/…`.
pub(crate) fn open(root: &Path, options: &OpenOptions) -> Result<Splits, DataError> {
    let train_root = root.join("train");
    let val_root = VALIDATION_NAMES.map(|name| root.join(name)).into_iter().find(|p| p.is_dir());
    match (train_root.is_dir(), val_root) {
        (true, Some(val_root)) => {
            let (train, val) = (read(&train_root)?, read(&val_root)?);
            require_same_classes((&train.classes, &train_root), (&val.classes, &val_root))?;
            require_classes(&train.classes, &train_root)?;
            Ok(Splits { train: Arc::new(train), val: Arc::new(val), format: FORMAT })
        }
        (true, None) => split_one(&train_root, options),
        (false, Some(val_root)) if subfolders(&val_root)?.iter().any(|_| true) => Err(DataError::EmptySplit {
            path: root.to_path_buf(),
            split: "train",
            reason: format!("there is {}/ but no train/ beside it", name_of(&val_root)),
        }),
        _ => split_one(root, options),
    }
}

fn split_one(root: &Path, options: &OpenOptions) -> Result<Splits, DataError> {
    let all = read(root)?;
    require_classes(&all.classes, root)?;
    stratified(Arc::new(all), options, root, FORMAT)
}

/// Whether at least two folders in `root` hold images, so that `root` is a set of class folders.
pub(crate) fn looks_like_classes(root: &Path) -> Result<bool, DataError> {
    if root.join("train").is_dir() {
        return Ok(true);
    }
    let mut with_images = 0;
    for folder in subfolders(root)? {
        with_images += usize::from(!images_below(&folder)?.is_empty());
    }
    Ok(with_images >= 2)
}

fn read(root: &Path) -> Result<FileDataset, DataError> {
    let folders = subfolders(root)?;
    if folders.is_empty() {
        return Err(DataError::EmptyFolder { path: root.to_path_buf(), found: contents(&entries(root)?) });
    }
    let mut classes: Vec<(String, PathBuf)> = folders.into_iter().map(|p| (name_of(&p), p)).collect();
    classes.sort();
    let mut items = Vec::new();
    for (label, (class, folder)) in classes.iter().enumerate() {
        let images = images_below(folder)?;
        if images.is_empty() {
            return Err(DataError::EmptyClass { class: class.clone(), path: folder.clone() });
        }
        items.extend(images.into_iter().map(|path| (path, label as u32)));
    }
    Ok(FileDataset { classes: classes.into_iter().map(|(name, _)| name).collect(), items })
}

/// What a folder without class folders holds, in words.
fn contents(entries: &[PathBuf]) -> String {
    match (entries.len(), entries.iter().filter(|p| is_image(p)).count()) {
        (0, _) => "the folder is empty".into(),
        (_, 0) => format!("{} other files", entries.len()),
        (_, images) => {
            format!("{images} images lie in it directly; put them into one folder a class")
        }
    }
}
