//! Class folders: the class of an image is the name of the folder that it is in.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use super::annotated_part;
use super::class_walk::{ClassWalk, Needed, are_pieces, beside, folder_of_classes, holds_classes, home};
use super::decisions::{Decisions, LeftOut, Why};
use super::depth::SampleDepth;
use super::disagree;
use super::format::{Confidence, Evidence, Format};
use super::list_tables;
use super::listing::{FileDataset, holds_image, name_of, subfolders};
use super::lists::{self, ListFile};
use super::parts::{PartFolders, is_part_name};
use super::split::{aligned, labeled_test, require_classes, stratified};
use super::{ClassificationDataset, DataError, OpenOptions, Splits, unused_lists};

/// Class folders, as one set or in parts.
pub(crate) struct ClassFolders;

impl Format for ClassFolders {
    type Opened = Splits;
    type Options = OpenOptions;

    fn name(&self) -> &'static str {
        "class folders"
    }

    fn looks_for(&self) -> &'static str {
        "`train/CLASS/x.png` with `val/` or `test/` (or their usual other names) beside it (Tiny ImageNet: `val/images/` with \
         `val_annotations.txt`); or `CLASS/x.png`, divided by `train.txt` and `val.txt` or by seed"
    }

    fn recognize(&self, root: &Path) -> Result<Option<Evidence>, DataError> {
        let PartFolders { train, others, .. } = PartFolders::find(root, holds_classes)?;
        if let Some(train) = train {
            let inside = subfolders(&train)?.len();
            let seen = format!("{}/ with {inside} folders", name_of(&train));
            // A single folder may as well hold the images of a table.
            let confidence = if inside >= 2 { Confidence::Certain } else { Confidence::Possible };
            return Ok(Some(Evidence::new(confidence, [seen])));
        }
        let mut with_images = Vec::new();
        for folder in &others {
            if holds_image(folder)? {
                with_images.push(format!("{}/", name_of(folder)));
            }
        }
        if with_images.len() == 1 && home(root, &others)?.is_some() {
            return Ok(Some(Evidence::certain(with_images)));
        }
        // Folders such as `train_images` and `test_images` are parts whose labels a table has.
        let names: Vec<String> = with_images.iter().map(|folder| folder.trim_end_matches('/').to_owned()).collect();
        // `images_001` and `images_002` are pieces of such a set.
        let are_parts = names.iter().all(|name| is_part_name(name)) || are_pieces(&names);
        let confidence = if with_images.len() >= 2 && !are_parts { Confidence::Certain } else { Confidence::Possible };
        let count = with_images.len();
        let mut seen: Vec<String> = with_images.into_iter().take(3).collect();
        if count > 3 {
            seen.push(format!("{} more folders of images", count - 3));
        }
        Ok(Some(Evidence::new(confidence, seen)))
    }

    /// Without a validation part the test part is the validation part.
    fn open(&self, root: &Path, options: &OpenOptions) -> Result<Splits, DataError> {
        let PartFolders { train, val, mut test, others } = PartFolders::find(root, holds_classes)?;
        let unlabeled = if train.is_some() && val.is_none() { take_unlabeled(&mut test)? } else { None };
        let val = val.or_else(|| test.take());
        match (train, val) {
            (Some(train), Some(val)) => parts(root, [&train, &val], test.as_deref(), &others, options),
            (Some(train), None) => {
                require_no_class_beside(&train, &others, root)?;
                let mut splits = divided([root, &train], options)?;
                splits.decisions.left_out.extend(beside(root, &[], &Why::BesideClasses)?);
                splits.decisions.left_out.extend(unlabeled.map(|test| LeftOut::new(&test, Why::UnlabeledTest)));
                Ok(splits)
            }
            (None, Some(val)) => {
                require_no_class_beside(&val, &others, root)?;
                Err(DataError::EmptySplit {
                    path: root.to_path_buf(),
                    split: "train",
                    reason: format!("there is {}/ but no train/ beside it", name_of(&val)),
                })
            }
            (None, None) => divided([root, &folder_of_classes(root, &others)?], options),
        }
    }
}

/// The test part, if its images lie in no class folders.
pub(super) fn take_unlabeled(test: &mut Option<PathBuf>) -> Result<Option<PathBuf>, DataError> {
    match test {
        Some(folder) if subfolders(folder)?.is_empty() && holds_image(folder)? => Ok(test.take()),
        _ => Ok(None),
    }
}

/// Opens a training and a validation folder, and the test folder if there is one.
fn parts(
    root: &Path,
    [train_root, val_root]: [&Path; 2],
    test_root: Option<&Path>,
    others: &[PathBuf],
    options: &OpenOptions,
) -> Result<Splits, DataError> {
    let depth = Arc::new(SampleDepth::default());
    let mut decisions = Decisions { left_out: beside(root, others, &Why::BesideClasses)?, ..Decisions::default() };
    let train = read(train_root, &depth, Needed::EachClass, &mut decisions)?;
    require_classes(&train.classes, train_root, options)?;
    let classes = (&train.classes, train_root);
    let val = match annotated_part::read(val_root, &train.classes, &mut decisions)? {
        Some(items) => FileDataset { classes: Arc::clone(&train.classes), items, depth: Arc::clone(&depth) },
        None => aligned(read(val_root, &depth, Needed::AnyClass, &mut decisions)?, val_root, classes)?,
    };
    let mut names = vec![name_of(train_root), name_of(val_root)];
    let test = match test_root {
        Some(test_root) => read_test(test_root, classes, &depth, &mut decisions)?,
        None => None,
    };
    names.extend(test_root.filter(|_| test.is_some()).map(name_of));
    decisions.split = format!("by the folders {}/", names.join("/, "));
    let (train, val) = (Arc::new(train), Arc::new(val));
    Ok(Splits { train, val, test, by_seed: false, format: ClassFolders.name(), decisions })
}

/// Refuses a single part among folders of images. The part may be a class, so no folder is left out silently.
fn require_no_class_beside(part: &Path, others: &[PathBuf], root: &Path) -> Result<(), DataError> {
    for other in others {
        if holds_image(other)? {
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

/// The test part, if its folders are classes.
fn read_test(
    root: &Path,
    classes: (&Arc<[String]>, &Path),
    depth: &Arc<SampleDepth>,
    decisions: &mut Decisions,
) -> Result<Option<Arc<dyn ClassificationDataset>>, DataError> {
    if !subfolders(root)?.iter().any(|folder| classes.0.contains(&name_of(folder))) {
        decisions.left_out.push(LeftOut::new(root, Why::UnlabeledTest));
        return Ok(None);
    }
    labeled_test(read(root, depth, Needed::AnyClass, decisions)?, root, classes)
}

/// The class folders in `home`, divided by the lists in `root` or by seed.
fn divided([root, home]: [&Path; 2], options: &OpenOptions) -> Result<Splits, DataError> {
    let depth = Arc::new(SampleDepth::default());
    let mut decisions = Decisions::default();
    let all = read(home, &depth, Needed::EachClass, &mut decisions)?;
    require_classes(&all.classes, home, options)?;
    let lists = list_tables::find(root)?;
    if !lists.is_empty() {
        return by_lists(root, all, &lists, decisions);
    }
    let images = all.items.iter().map(|(path, _)| path.as_path());
    unused_lists::report(root, &[], images, options.undivided, &mut decisions)?;
    let mut splits = stratified(Arc::new(all), options, root, ClassFolders.name())?;
    decisions.split = splits.decisions.split;
    splits.decisions = decisions;
    Ok(splits)
}

/// Divides a set by its lists (`train.txt` and others).
fn by_lists(root: &Path, all: FileDataset, lists: &[ListFile], mut decisions: Decisions) -> Result<Splits, DataError> {
    let files: Vec<_> = all.items.iter().enumerate().map(|(number, (path, _))| (number, path.as_path())).collect();
    let dealt = lists::deal(root, lists, all.items.len(), &files, &mut decisions)?;
    let labeled = |item: usize| {
        let (path, class) = &all.items[item];
        (all.classes[*class as usize].as_str(), path.as_path())
    };
    decisions.notes.extend(disagree::of_lists(root, ("class folders", all.classes.len()), &dealt.second, labeled)?);
    let part = |images: &[usize]| {
        let items = images.iter().map(|&image| all.items[image].clone()).collect();
        FileDataset { classes: Arc::clone(&all.classes), items, depth: Arc::clone(&all.depth) }
    };
    let [train, val, test] = dealt.divided(root)?.map(|images| part(&images));
    let unlisted = dealt.unlisted();
    decisions.left_out.extend(unlisted.iter().map(|&image| LeftOut::new(&all.items[image].0, Why::InNoList)));
    let test = (!test.items.is_empty()).then(|| Arc::new(test) as Arc<dyn ClassificationDataset>);
    let (train, val) = (Arc::new(train), Arc::new(val));
    Ok(Splits { train, val, test, by_seed: false, format: ClassFolders.name(), decisions })
}

/// Whether `root` is a set of class folders: its training part has class folders, or two folders in `root` hold images.
pub(crate) fn looks_like_classes(root: &Path) -> Result<bool, DataError> {
    let evidence = ClassFolders.recognize(root)?;
    Ok(evidence.is_some_and(|evidence| evidence.confidence == Confidence::Certain))
}

/// The class folders in `root` as a set.
fn read(
    root: &Path,
    depth: &Arc<SampleDepth>,
    needed: Needed,
    decisions: &mut Decisions,
) -> Result<FileDataset, DataError> {
    let ClassWalk { classes, images } = ClassWalk::of(root, needed, decisions)?;
    let classes = classes.into_iter().map(|(name, _)| name).collect();
    Ok(FileDataset { classes, items: images, depth: Arc::clone(depth) })
}
