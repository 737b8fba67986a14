//! Class folders: the class of an image is the name of the folder that it is in.

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use super::decisions::{Decisions, LeftOut, Why};
use super::depth::SampleDepth;
use super::disagree::disagreement;
use super::division;
use super::format::{Confidence, Evidence, Format};
use super::levels::two_levels;
use super::list_tables;
use super::listing::{
    FileDataset, Walk, entries, holds_image, is_image, is_loop, is_own_output, is_table, name_of, relative, subfolders,
    system_folders, unread,
};
use super::lists::{self, Dealt, ListFile};
use super::names;
use super::parts::{Part, PartFolders, is_part_name, part_in_name};
use super::reading::{self, Role};
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
        "`train/CLASS/x.png` with `val/` or `test/` (or their usual other names) beside it; or `CLASS/x.png`, divided by \
         `train.txt` and `val.txt` or by seed"
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
        let are_parts = with_images.iter().all(|folder| is_part_name(folder.trim_end_matches('/')));
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
        let val = val.or_else(|| test.take());
        match (train, val) {
            (Some(train), Some(val)) => parts(root, [&train, &val], test.as_deref(), &others, options),
            (Some(train), None) => {
                require_no_class_beside(&train, &others, root)?;
                let mut splits = divided([root, &train], options)?;
                splits.decisions.left_out.extend(beside(root, &[], &Why::BesideClasses)?);
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
            (None, None) => {
                require_class_names(&others, root)?;
                match home(root, &others)? {
                    Some(home) => divided([root, &home], options),
                    None => divided([root, root], options),
                }
            }
        }
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
    let train = read(train_root, &depth, true, &mut decisions)?;
    let val = read(val_root, &depth, false, &mut decisions)?;
    let in_val = if test_root.is_none() { part_in_name(&name_of(val_root)) } else { None };
    let files = [(Part::Train, &train), (in_val.unwrap_or(Part::Val), &val)];
    let files = files.iter().flat_map(|(part, set)| set.items.iter().map(|(path, _)| (*part, path.as_path())));
    decisions.left_out.extend(lists::require_agreement(root, &files.collect::<Vec<_>>())?);
    require_classes(&train.classes, train_root, options)?;
    let classes = (&train.classes, train_root);
    let val = aligned(val, val_root, classes)?;
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

/// Entries of `root` that are left out beside parts or class folders: images (for the reason `image`), folders of images,
/// and tables, which class folders replace.
pub(super) fn beside(root: &Path, others: &[PathBuf], image: &Why) -> Result<Vec<LeftOut>, DataError> {
    let mut found = Vec::new();
    for path in entries(root)? {
        if path.is_dir() {
            if is_own_output(&path) {
                found.push(LeftOut::new(&path, Why::OwnOutput));
            } else if is_loop(&path) {
                found.push(LeftOut::new(&path, Why::LoopingLink));
            }
            continue;
        }
        if let Some(why) = unread(&path) {
            found.push(LeftOut { why, path });
        } else if is_image(&path) {
            found.push(LeftOut::new(&path, image.clone()));
        } else if is_table(&path) && *image == Why::BesideClasses {
            found.push(LeftOut::new(&path, Why::TableBesideFolders));
        }
    }
    found.extend(system_folders(root)?.iter().map(|folder| LeftOut::new(folder, Why::System)));
    for folder in others {
        if holds_image(folder)? {
            found.push(LeftOut::new(folder, Why::BesideParts));
        }
    }
    Ok(found)
}

/// Whether two folders in a folder hold images.
pub(super) fn holds_classes(folder: &Path) -> Result<bool, DataError> {
    Ok(class_folders(folder)? > 1)
}

/// Number of folders in a folder that hold images.
fn class_folders(folder: &Path) -> Result<usize, DataError> {
    subfolders(folder)?.iter().try_fold(0, |count, folder| Ok(count + usize::from(holds_image(folder)?)))
}

/// The only folder with images in a set, if it holds class folders and lists beside it divide them: `images/` of
/// `images/CLASS/x.jpg` and `meta/train.txt`.
pub(super) fn home(root: &Path, folders: &[PathBuf]) -> Result<Option<PathBuf>, DataError> {
    let mut found = None;
    for folder in folders {
        if holds_image(folder)? && found.replace(folder).is_some() {
            return Ok(None);
        }
    }
    // A table has the labels then.
    if entries(root)?.iter().any(|path| is_table(path) && !division::is_named_so(path)) {
        return Ok(None);
    }
    let Some(home) = found.filter(|_| list_tables::find_but_tables(root).is_ok_and(|lists| !lists.is_empty())) else {
        return Ok(None);
    };
    Ok(holds_classes(home)?.then(|| home.clone()))
}

/// Refuses folders that are named as parts (`train_images`, `test_images`), because the parts would become the classes. It
/// suffices that one is named after training and another after validation or test.
pub(super) fn require_class_names(folders: &[PathBuf], root: &Path) -> Result<(), DataError> {
    let mut named = Vec::new();
    for folder in folders {
        if holds_image(folder)? {
            named.push(name_of(folder));
        }
    }
    let has = |is_wanted: fn(Part) -> bool| named.iter().any(|name| part_in_name(name).is_some_and(is_wanted));
    let are_all = !named.is_empty() && named.iter().all(|name| is_part_name(name));
    let are_some = has(|part| part == Part::Train) && has(|part| part != Part::Train);
    if !are_all && !are_some {
        return Ok(());
    }
    named.retain(|name| is_part_name(name));
    let problem = format!(
        "the folders {} are named as parts, not as classes; put a folder for each class into train/ and val/, or a table of \
         images and labels (.csv) beside them",
        names::quoted(&named.iter().map(String::as_str).collect::<Vec<_>>())
    );
    Err(DataError::malformed(root, problem))
}

/// Refuses the classes `images` and `masks`: pictures and their masks, which are no classes.
pub(super) fn require_no_masks(folders: &[(String, PathBuf)], root: &Path) -> Result<(), DataError> {
    let role = |(name, _): &&(String, PathBuf)| reading::read(&Path::new(name).join("x")).role;
    let of_role = |wanted: Role| folders.iter().find(|folder| role(folder) == Some(wanted)).map(|(name, _)| name);
    match (of_role(Role::Image), of_role(Role::Mask)) {
        (Some(images), Some(masks)) if folders.iter().all(|folder| role(&folder).is_some()) => {
            let problem = format!(
                "{images}/ and {masks}/ have the names of images and their masks, a set for segmentation, not of classes; \
                 rename them if they are classes"
            );
            Err(DataError::malformed(root, problem))
        }
        _ => Ok(()),
    }
}

/// Refuses a single part among folders of images. The part may be a class, so none of the folders is left out silently.
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
    labeled_test(read(root, depth, false, decisions)?, root, classes)
}

/// The class folders in `home`, divided by the lists in `root` or by seed.
fn divided([root, home]: [&Path; 2], options: &OpenOptions) -> Result<Splits, DataError> {
    let depth = Arc::new(SampleDepth::default());
    let mut decisions = Decisions::default();
    let all = read(home, &depth, true, &mut decisions)?;
    require_classes(&all.classes, home, options)?;
    let lists = list_tables::find(root)?;
    if !lists.is_empty() {
        return by_lists(root, all, &lists, decisions);
    }
    unused_lists::report(root, &[], all.items.iter().map(|(path, _)| path.as_path()), &mut decisions);
    let mut splits = stratified(Arc::new(all), options, root, ClassFolders.name())?;
    decisions.split = splits.decisions.split;
    splits.decisions = decisions;
    Ok(splits)
}

/// Divides a set by its lists (`train.txt` and others).
fn by_lists(root: &Path, all: FileDataset, lists: &[ListFile], mut decisions: Decisions) -> Result<Splits, DataError> {
    let files: Vec<_> = all.items.iter().enumerate().map(|(number, (path, _))| (number, path.as_path())).collect();
    let Dealt { parts: part_of, second } = lists::deal(root, lists, all.items.len(), &files, &mut decisions)?;
    decisions.notes.extend(require_same_labels(root, &all, &second)?);
    let FileDataset { classes, items, depth } = all;
    let in_part = |wanted: Part| {
        let items = items.iter().zip(&part_of).filter(|(_, part)| **part == Some(wanted));
        let items: Vec<_> = items.map(|(item, _)| item.clone()).collect();
        FileDataset { classes: Arc::clone(&classes), items, depth: Arc::clone(&depth) }
    };
    let (train, mut val, mut test) = (in_part(Part::Train), in_part(Part::Val), in_part(Part::Test));
    if val.items.is_empty() {
        std::mem::swap(&mut val, &mut test);
    }
    for (part, split) in [(&train, "train"), (&val, "validation")] {
        if part.items.is_empty() {
            let reason = "no list names an image of it; add a list, or remove the others".to_string();
            return Err(DataError::EmptySplit { path: root.to_path_buf(), split, reason });
        }
    }
    let unlisted = items.iter().zip(&part_of).filter(|(_, part)| part.is_none());
    decisions.left_out.extend(unlisted.map(|((path, _), _)| LeftOut::new(path, Why::InNoList)));
    let test = (!test.items.is_empty()).then(|| Arc::new(test) as Arc<dyn ClassificationDataset>);
    let (train, val) = (Arc::new(train), Arc::new(val));
    Ok(Splits { train, val, test, by_seed: false, format: ClassFolders.name(), decisions })
}

/// Compares the text after names in lists with the class folders. More different texts than classes are no labels, and not
/// compared. Returns a note.
///
/// # Errors
/// A folder with two labels, or a label in two folders.
fn require_same_labels(
    root: &Path,
    all: &FileDataset,
    second: &[(usize, String, String)],
) -> Result<Option<String>, DataError> {
    let labels: BTreeSet<&str> = second.iter().map(|(_, label, _)| label.as_str()).collect();
    if labels.len() > all.classes.len() {
        return Ok(lists::second_unused(second));
    }
    let pairs: Vec<_> = second
        .iter()
        .map(|(item, label, place)| {
            let (path, class) = &all.items[*item];
            let place = format!("{} ({})", relative(root, path), relative(root, Path::new(place)));
            (all.classes[*class as usize].clone(), label.clone(), place)
        })
        .collect();
    match disagreement(&pairs) {
        Some(rows) => {
            let problem = format!(
                "the second column of its lists contradicts its class folders: {rows}; remove the column if it is no label, or \
                 write the labels as a table (.csv) and give that"
            );
            Err(DataError::malformed(root, problem))
        }
        None => Ok((!second.is_empty()).then(|| "the labels in the lists agree with the class folders".into())),
    }
}

/// Whether `root` is a set of class folders: its training part has class folders, or two folders in `root` hold images.
pub(crate) fn looks_like_classes(root: &Path) -> Result<bool, DataError> {
    let evidence = ClassFolders.recognize(root)?;
    Ok(evidence.is_some_and(|evidence| evidence.confidence == Confidence::Certain))
}

/// Reads the class folders in `root`. With `all_needed` an empty folder is an error, else a class without images.
fn read(
    root: &Path,
    depth: &Arc<SampleDepth>,
    all_needed: bool,
    decisions: &mut Decisions,
) -> Result<FileDataset, DataError> {
    let folders = subfolders(root)?;
    if folders.is_empty() {
        return Err(DataError::EmptyFolder { path: root.to_path_buf(), found: contents(&entries(root)?) });
    }
    decisions.left_out.extend(beside(root, &[], &Why::BesideClasses)?);
    let mut classes: Vec<(String, PathBuf)> = folders.into_iter().map(|p| (name_of(&p), p)).collect();
    require_no_masks(&classes, root)?;
    names::sort(&mut classes, |(name, _)| name);
    classes.retain(|(_, folder)| !list_tables::is_folder_of_lists(root, folder));
    let mut items = Vec::new();
    let (mut deeper, mut inner) = (Vec::new(), Vec::new());
    for (label, (class, folder)) in classes.iter().enumerate() {
        let Walk { images, left_out } = Walk::pictures(folder)?;
        if images.is_empty() && all_needed {
            return Err(DataError::empty_class(class, folder, &left_out));
        }
        decisions.left_out.extend(left_out);
        let inside = images.iter().filter_map(|path| path.parent().filter(|parent| parent != folder));
        let inside: BTreeSet<&Path> = inside.collect();
        if inside.len() > 1 {
            deeper.extend(inside.first().map(|folder| relative(root, folder)));
        }
        inner.push(inside.iter().map(|folder| name_of(folder)).collect());
        items.extend(images.into_iter().map(|path| (path, label as u32)));
    }
    if items.is_empty() {
        return Err(DataError::EmptyFolder { path: root.to_path_buf(), found: "its folders hold no image".into() });
    }
    let outer: Vec<&str> = classes.iter().map(|(name, _)| name.as_str()).collect();
    if all_needed && let Some(problem) = two_levels(&outer, &inner) {
        return Err(DataError::malformed(root, problem));
    }
    if let (true, Some(inside)) = (all_needed, deeper.first()) {
        decisions.notes.push(format!(
            "{} of {} class folders hold folders of images, such as {inside}/: the outer folders are the classes",
            deeper.len(),
            classes.len()
        ));
    }
    let classes = classes.into_iter().map(|(name, _)| name).collect();
    Ok(FileDataset { classes, items, depth: Arc::clone(depth) })
}

/// The content of a folder without class folders, in words.
fn contents(entries: &[PathBuf]) -> String {
    match (entries.len(), entries.iter().filter(|p| is_image(p)).count()) {
        (0, _) => "the folder is empty".into(),
        (_, 0) => format!("{} other files", entries.len()),
        (_, images) => {
            format!("{images} images lie in it directly; put them into one folder per class")
        }
    }
}
