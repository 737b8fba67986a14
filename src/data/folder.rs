//! Class folders: the name of a folder is the class of the images below it.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use super::listing::{FileDataset, entries, images_below, is_image, name_of, subfolders};
use super::parts::PartFolders;
use super::split::{labelled_test, require_classes, require_same_classes, stratified};
use super::{ClassificationDataset, DataError, OpenOptions, Splits};

const FORMAT: &str = "class folders";

/// Opens `root/train/CLASS/…` with the validation folder beside it, or splits `root/CLASS/…`. With no
/// validation part, the test part is what is measured on.
pub(crate) fn open(root: &Path, options: &OpenOptions) -> Result<Splits, DataError> {
    let PartFolders { train, mut val, mut test, others } = PartFolders::find(root)?;
    if val.is_none() {
        val = test.take();
    }
    match (train, val) {
        (Some(train_root), Some(val_root)) => {
            let (train, val) = (read(&train_root)?, read(&val_root)?);
            require_same_classes((&train.classes, &train_root), (&val.classes, &val_root))?;
            require_classes(&train.classes, &train_root)?;
            let test = match test {
                Some(test_root) => read_test(&test_root, (&train.classes, &train_root))?,
                None => None,
            };
            Ok(Splits { train: Arc::new(train), val: Arc::new(val), test, by_seed: false, format: FORMAT })
        }
        (Some(train_root), None) => {
            require_no_class_beside(&train_root, &others, root)?;
            split_one(&train_root, options)
        }
        (None, Some(val_root)) => {
            require_no_class_beside(&val_root, &others, root)?;
            Err(DataError::EmptySplit {
                path: root.to_path_buf(),
                split: "train",
                reason: format!("there is {}/ but no train/ beside it", name_of(&val_root)),
            })
        }
        (None, None) => split_one(root, options),
    }
}

/// A lone part among folders of images may as well be a class: neither it nor they are left out without a word.
fn require_no_class_beside(part: &Path, others: &[PathBuf], root: &Path) -> Result<(), DataError> {
    for other in others {
        if !images_below(other)?.is_empty() {
            let problem = format!(
                "{}/ has the name of a part of a data set, but {}/ beside it holds images too; rename it if it is a \
                 class, or move what is no part elsewhere",
                name_of(part),
                name_of(other)
            );
            return Err(DataError::malformed(root, problem));
        }
    }
    Ok(())
}

/// The test part, where its folders are classes.
fn read_test(
    root: &Path,
    (classes, train_root): (&Arc<[String]>, &Path),
) -> Result<Option<Arc<dyn ClassificationDataset>>, DataError> {
    if !subfolders(root)?.iter().any(|folder| classes.contains(&name_of(folder))) {
        return Ok(None);
    }
    labelled_test(read(root)?, root, (classes, train_root))
}

fn split_one(root: &Path, options: &OpenOptions) -> Result<Splits, DataError> {
    let all = read(root)?;
    require_classes(&all.classes, root)?;
    stratified(Arc::new(all), options, root, FORMAT)
}

/// Whether `root` is a set of class folders: its training part has some, or at least two folders in `root` hold images.
pub(crate) fn looks_like_classes(root: &Path) -> Result<bool, DataError> {
    if let Some(train) = PartFolders::find(root)?.train {
        return Ok(!subfolders(&train)?.is_empty());
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
