//! The walk of class folders: which folders are classes, the images in them, and what is left out beside them.

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};

use super::decisions::{Decisions, LeftOut, Why};
use super::levels::two_levels;
use super::listing::{
    Walk, entries, holds_image, is_image, is_loop, is_own_output, is_table, name_of, relative, subfolders,
    system_folders, unread,
};
use super::parts::{Part, is_part_name, part_in_name, part_of, without_number, words_of};
use super::reading::{self, Role};
use super::{DataError, division, folds, list_tables, names};

/// The class folders in a folder, and the images in them.
pub(super) struct ClassWalk {
    /// Name and folder of each class, in the order of their numbers.
    pub classes: Vec<(String, PathBuf)>,
    /// Path and class of each image, class by class.
    pub images: Vec<(PathBuf, u32)>,
}

/// The classes that must have images.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Needed {
    /// All, as for training.
    EachClass,
    /// At least one: a part for validation or test may lack classes.
    AnyClass,
}

impl ClassWalk {
    /// Walks the class folders in `root`. `decisions` gets what is left out.
    ///
    /// # Errors
    /// Without class folders or without the images that are `needed`; also if the folders inside of the class folders
    /// may be the classes.
    pub fn of(root: &Path, needed: Needed, decisions: &mut Decisions) -> Result<Self, DataError> {
        let folders = subfolders(root)?;
        if folders.is_empty() {
            return Err(DataError::EmptyFolder { path: root.to_path_buf(), found: contents(&entries(root)?) });
        }
        decisions.left_out.extend(beside(root, &[], &Why::BesideClasses)?);
        let mut classes: Vec<(String, PathBuf)> = folders.into_iter().map(|p| (name_of(&p), p)).collect();
        require_no_masks(&classes, root)?;
        names::sort(&mut classes, |(name, _)| name);
        classes.retain(|(_, folder)| !list_tables::is_folder_of_lists(root, folder));
        let (mut all, mut inner) = (Vec::new(), Vec::new());
        for (label, (class, folder)) in classes.iter().enumerate() {
            let Walk { images, left_out } = Walk::pictures(folder)?;
            if images.is_empty() && needed == Needed::EachClass {
                folds::require_none_below(root)?;
                return Err(DataError::empty_class(class, folder, &left_out));
            }
            decisions.left_out.extend(left_out);
            let inside = images.iter().filter_map(|path| path.parent().filter(|parent| parent != folder));
            inner.push(inside.map(Path::to_path_buf).collect());
            all.extend(images.into_iter().map(|path| (path, label as u32)));
        }
        if all.is_empty() {
            let found = "its folders hold no image".into();
            return Err(DataError::EmptyFolder { path: root.to_path_buf(), found });
        }
        if needed == Needed::EachClass {
            decisions.notes.extend(require_one_level(root, &classes, &inner)?);
        }
        Ok(ClassWalk { classes, images: all })
    }
}

/// Refuses class folders whose inner folders may be the classes as well. If some class folders hold several folders, a
/// note says that the outer ones are the classes. `inner` has the folders with images inside of each class.
fn require_one_level(
    root: &Path,
    classes: &[(String, PathBuf)],
    inner: &[BTreeSet<PathBuf>],
) -> Result<Option<String>, DataError> {
    let outer: Vec<&str> = classes.iter().map(|(name, _)| name.as_str()).collect();
    let names: Vec<_> = inner.iter().map(|folders| folders.iter().map(|folder| name_of(folder)).collect()).collect();
    if let Some(problem) = two_levels(&outer, &names) {
        return Err(DataError::malformed(root, problem));
    }
    let mut deeper = inner.iter().filter(|folders| folders.len() > 1);
    let count = deeper.clone().count();
    Ok(deeper.next().and_then(BTreeSet::first).map(|inside| {
        format!(
            "{count} of {} class folders hold folders of images, such as {}/: the outer folders are the classes",
            classes.len(),
            relative(root, inside)
        )
    }))
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

/// Entries of `root` that are left out beside parts or class folders: images (for the reason `image`), folders of
/// images, and tables, which class folders replace.
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

/// Whether at least two folders in `folder` hold images.
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
    // Such a table has the labels.
    if entries(root)?.iter().any(|path| is_table(path) && !division::is_named_so(path)) {
        return Ok(None);
    }
    let Some(home) = found.filter(|_| list_tables::find_but_tables(root).is_ok_and(|lists| !lists.is_empty())) else {
        return Ok(None);
    };
    Ok(holds_classes(home)?.then(|| home.clone()))
}

/// The folder of the class folders of a set without parts, whose folders are `folders`.
///
/// # Errors
/// Where the folders are named as parts.
pub(super) fn folder_of_classes(root: &Path, folders: &[PathBuf]) -> Result<PathBuf, DataError> {
    require_class_names(folders, root)?;
    Ok(home(root, folders)?.unwrap_or_else(|| root.to_path_buf()))
}

/// Refuses folders that are named as parts (`train_images`, `val_256`) or as pieces of one set (`images_001`, `images_002`),
/// because they would become the classes. One folder named as a part is enough.
fn require_class_names(folders: &[PathBuf], root: &Path) -> Result<(), DataError> {
    /// What the names are, and what to do.
    const PARTS: (&str, &str) = (
        "parts",
        "put a folder for each class into train/ and val/, or a table of images and labels (.csv) beside them",
    );
    let mut named = Vec::new();
    for folder in folders {
        if holds_image(folder)? {
            named.push(name_of(folder));
        }
    }
    // `val_256` has the size of its images.
    let is_part = |name: &String| part_in_name(without_number(name)).is_some();
    let of_parts = named_alike(&named);
    let (kind, problem) = if !of_parts.is_empty() {
        named.retain(|name| of_parts.contains(name));
        PARTS
    } else if named.iter().any(is_part) || (!named.is_empty() && named.iter().all(|name| is_part_name(name))) {
        named.retain(|name| is_part(name) || is_part_name(name));
        PARTS
    } else if are_pieces(&named) {
        ("pieces of one set", "put a table of images and labels (.csv) beside them, or rename them if they are classes")
    } else {
        return Ok(());
    };
    let names: Vec<&str> = named.iter().map(String::as_str).collect();
    let (folders, are) = if names.len() > 1 { ("folders", "are") } else { ("folder", "is") };
    let problem = format!("the {folders} {} {are} named as {kind}, not as classes; {problem}", names::quoted(&names));
    Err(DataError::malformed(root, problem))
}

/// The names that differ in the word of a part alone, and one of which is for training: `bounding_box_train`, `bounding_box_test`.
fn named_alike(names: &[String]) -> BTreeSet<String> {
    let pattern = |name: &String| {
        let words = words_of(name);
        let at = words.iter().position(|word| part_of(word).is_some())?;
        let part = part_of(&words[at])?;
        Some(([&words[..at], &["?".to_owned()], &words[at + 1..]].concat(), part))
    };
    let patterns: Vec<_> = names.iter().filter_map(|name| Some((name, pattern(name)?))).collect();
    let is_alike = |(_, (own, part)): &&(&String, (Vec<String>, Part))| {
        let others = || patterns.iter().filter(|(_, (other, _))| other == own);
        others().any(|(_, (_, other))| other != part) && others().any(|(_, (_, other))| *other == Part::Train)
    };
    patterns.iter().filter(is_alike).map(|(name, _)| (*name).clone()).collect()
}

/// Whether the names of folders are a word for images or data and a number: `images_001`, `images_part_2`, `batch3`.
pub(super) fn are_pieces(names: &[String]) -> bool {
    const WORDS: [&str; 15] = [
        "images", "image", "imgs", "img", "photos", "pictures", "data", "dataset", "batch", "chunk", "archive",
        "files", "jpg", "jpeg", "png",
    ];
    let is_piece = |name: &String| {
        let words = words_of(without_number(name));
        let is_word = |word: &String| WORDS.contains(&word.as_str());
        let is_filler = |word: &String| is_word(word) || matches!(word.as_str(), "part" | "folder" | "set");
        name.ends_with(|c: char| c.is_ascii_digit()) && words.iter().any(is_word) && words.iter().all(is_filler)
    };
    names.len() > 1 && names.iter().all(is_piece)
}

/// Refuses the class folders `images` and `masks`, which hold pictures and their masks.
fn require_no_masks(folders: &[(String, PathBuf)], root: &Path) -> Result<(), DataError> {
    let role = |(name, _): &&(String, PathBuf)| reading::read(&Path::new(name).join("x")).role;
    let of_role = |wanted: Role| folders.iter().find(|folder| role(folder) == Some(wanted));
    match (of_role(Role::Image), of_role(Role::Mask)) {
        (Some((images, _)), Some((masks, folder)))
            if folders.iter().all(|folder| role(&folder).is_some()) && holds_image(folder)? =>
        {
            let problem = format!(
                "{images}/ and {masks}/ have the names of images and their masks, a set for segmentation, not of classes; \
                 rename them if they are classes"
            );
            Err(DataError::malformed(root, problem))
        }
        _ => Ok(()),
    }
}
