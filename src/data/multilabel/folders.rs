//! Class folders with images in several of them. The content of files decides which are the same image.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::hash::{DefaultHasher, Hash, Hasher};
use std::path::{Path, PathBuf};
use std::sync::Arc;

use rayon::prelude::*;

use super::{MultiLabelSet, MultiLabelSplits, split};
use crate::data::class_walk::{ClassWalk, Needed, beside, folder_of_classes, holds_classes};
use crate::data::dataset::place_of;
use crate::data::decisions::{Decisions, LeftOut, Why};
use crate::data::folder::ClassFolders;
use crate::data::folder::take_unlabeled;
use crate::data::format::{Evidence, Format};
use crate::data::images::ImageFiles;
use crate::data::listing::{name_of, subfolders};
use crate::data::lists::{self, ListFile};
use crate::data::names::nearest;
use crate::data::parts::PartFolders;
use crate::data::split::require_classes;
use crate::data::{DataError, OpenOptions, SampleDepth, list_tables, unused_lists};

/// Class folders, as one set or in parts, in which an image may be in several classes.
pub(crate) struct SharedFolders;

impl Format for SharedFolders {
    type Opened = MultiLabelSplits;
    type Options = OpenOptions;

    fn name(&self) -> &'static str {
        "class folders"
    }

    fn looks_for(&self) -> &'static str {
        "class folders as for a class each; an image lies in the folder of each of its classes: a link, or a copy of the same \
         name and content"
    }

    fn recognize(&self, root: &Path) -> Result<Option<Evidence>, DataError> {
        ClassFolders.recognize(root)
    }

    /// Without a validation part the test part is the validation part.
    fn open(&self, root: &Path, options: &OpenOptions) -> Result<MultiLabelSplits, DataError> {
        let PartFolders { train, mut val, mut test, others } = PartFolders::find(root, holds_classes)?;
        let unlabeled = if train.is_some() && val.is_none() { take_unlabeled(&mut test)? } else { None };
        if val.is_none() {
            val = test.take();
        }
        match (train, val, unlabeled) {
            (Some(train), None, Some(test)) => {
                let mut splits = divided([root, &train], options)?;
                splits.decisions.left_out.push(LeftOut::new(&test, Why::UnlabeledTest));
                Ok(splits)
            }
            (Some(train), Some(val), _) => parts(root, [&train, &val], test.as_deref(), &others, options),
            (Some(lone), None, _) | (None, Some(lone), _) => {
                let problem = format!(
                    "{}/ has the name of a part of a data set, but there is no second part beside it; add one (train/ and \
                     val/), or rename it if it is a class",
                    name_of(&lone)
                );
                Err(DataError::malformed(root, problem))
            }
            (None, None, _) => divided([root, &folder_of_classes(root, &others)?], options),
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
) -> Result<MultiLabelSplits, DataError> {
    let depth = Arc::default();
    let mut decisions = Decisions { left_out: beside(root, others, &Why::BesideClasses)?, ..Decisions::default() };
    let train = read(train_root, &depth, &mut decisions)?.set;
    let classes = train.class_names();
    require_classes(classes, train_root, options)?;
    let mut part = |folder: &Path| {
        let set = read(folder, &depth, &mut decisions)?.set;
        let unknown = set.class_names().iter().find(|class| place_of(class, classes).is_none()).cloned();
        let (present, absent) = (folder.to_path_buf(), train_root.to_path_buf());
        set.relabeled(classes).map_err(|error| match unknown {
            Some(class) => {
                let near = nearest(&class, classes);
                DataError::ClassMismatch { class, present, absent, near }
            }
            None => error,
        })
    };
    let val = part(val_root)?;
    let mut names = vec![name_of(train_root), name_of(val_root)];
    let test = match test_root {
        Some(folder) if subfolders(folder)?.iter().any(|class| place_of(&name_of(class), classes).is_some()) => {
            names.push(name_of(folder));
            Some(part(folder)?)
        }
        _ => None,
    };
    decisions
        .left_out
        .extend(test_root.filter(|_| test.is_none()).map(|folder| LeftOut::new(folder, Why::UnlabeledTest)));
    decisions.split = format!("by the folders {}/", names.join("/, "));
    Ok(MultiLabelSplits { train, val, test, by_seed: false, format: SharedFolders.name(), decisions })
}

/// The class folders in `home`, divided by the lists in `root` or by seed.
fn divided([root, home]: [&Path; 2], options: &OpenOptions) -> Result<MultiLabelSplits, DataError> {
    let mut decisions = Decisions::default();
    let all = read(home, &Arc::default(), &mut decisions)?;
    require_classes(all.set.class_names(), home, options)?;
    let lists = list_tables::find(root)?;
    if lists.is_empty() {
        let images = all.files.iter().map(|(_, path)| path.as_path());
        unused_lists::report(root, &[], images, options.undivided, &mut decisions)?;
        return split::stratified(&all.set, options, root, SharedFolders.name(), decisions);
    }
    by_lists(root, &all, &lists, decisions)
}

/// Divides a set by its lists (`train.txt` and others). A list may name an image in the folder of any of its classes.
fn by_lists(
    root: &Path,
    all: &Read,
    lists: &[ListFile],
    mut decisions: Decisions,
) -> Result<MultiLabelSplits, DataError> {
    let files: Vec<_> = all.files.iter().map(|(image, path)| (*image, path.as_path())).collect();
    let dealt = lists::deal(root, lists, all.set.len(), &files, &mut decisions)?;
    decisions.notes.extend(lists::second_unused(&dealt.second));
    let [train, val, test] = dealt.divided(root)?;
    let unlisted = dealt.unlisted();
    let unlisted = unlisted.iter().map(|&image| LeftOut::new(Path::new(&all.set.name(image)), Why::InNoList));
    decisions.left_out.extend(unlisted);
    let test = (!test.is_empty()).then(|| all.set.subset(&test));
    let (train, val) = (all.set.subset(&train), all.set.subset(&val));
    Ok(MultiLabelSplits { train, val, test, by_seed: false, format: SharedFolders.name(), decisions })
}

/// A file in the folder of a class.
struct File {
    class: u32,
    path: PathBuf,
    /// Path below the class folder.
    name: PathBuf,
    /// Length in bytes. `None` for a file that cannot be read, which the reading of the images reports.
    bytes: Option<u64>,
}

/// Identity of a file's content: (length, hash), or (`None`, index of the file) for a file that is compared with no
/// other.
type Content = (Option<u64>, u64);

/// Class folders that were read.
struct Read {
    set: MultiLabelSet,
    /// Every file, with the index of its image in the set.
    files: Vec<(usize, PathBuf)>,
}

fn read(root: &Path, depth: &Arc<SampleDepth>, decisions: &mut Decisions) -> Result<Read, DataError> {
    let ClassWalk { classes, images } = ClassWalk::of(root, Needed::EachClass, decisions)?;
    let file = |(path, class): (PathBuf, u32)| {
        let bytes = fs::metadata(&path).map(|metadata| metadata.len()).ok();
        let name = path.strip_prefix(&classes[class as usize].1).unwrap_or(&path).to_path_buf();
        File { class, path, name, bytes }
    };
    let files: Vec<File> = images.into_iter().map(file).collect();
    let contents = contents(&files);
    let shared = shared(&files, &contents)?;
    decisions.notes.extend(compare_names(&files, &contents, &shared, root)?);
    let (mut paths, mut labels, mut places): (Vec<PathBuf>, Vec<Vec<u32>>, BTreeMap<Content, usize>) =
        Default::default();
    let mut image_of = Vec::with_capacity(files.len());
    for (File { class, path, .. }, content) in files.into_iter().zip(&contents) {
        let is_shared = shared.contains(content);
        let at = match places.get(content).filter(|_| is_shared) {
            Some(&at) => {
                labels[at].push(class);
                at
            }
            None => {
                places.insert(*content, paths.len());
                paths.push(path.clone());
                labels.push(vec![class]);
                paths.len() - 1
            }
        };
        image_of.push((at, path));
    }
    let classes = classes.into_iter().map(|(name, _)| name).collect();
    let set = MultiLabelSet::new(Arc::new(ImageFiles::new(paths, depth)), classes, labels);
    Ok(Read { set, files: image_of })
}

/// The content of each file. A file is read only if files of several classes have its size.
fn contents(files: &[File]) -> Vec<Content> {
    let mut classes: BTreeMap<Option<u64>, BTreeSet<u32>> = BTreeMap::new();
    for file in files {
        classes.entry(file.bytes).or_default().insert(file.class);
    }
    let content = |(index, file): (usize, &File)| {
        let is_compared = file.bytes.is_some() && classes[&file.bytes].len() > 1;
        let bytes = if is_compared { fs::read(&file.path).ok() } else { None };
        let Some(bytes) = bytes else { return (None, index as u64) };
        let mut hasher = DefaultHasher::new();
        bytes.hash(&mut hasher);
        (file.bytes, hasher.finish())
    };
    files.par_iter().enumerate().map(content).collect()
}

/// The contents that are one image in several class folders.
///
/// # Errors
/// Where files of several classes have the same content under different names, and are not links to one file. They may
/// be one image with several labels, or copies of which one has a wrong label.
fn shared(files: &[File], contents: &[Content]) -> Result<BTreeSet<Content>, DataError> {
    let mut groups: BTreeMap<Content, Vec<&File>> = BTreeMap::new();
    for (file, content) in files.iter().zip(contents) {
        groups.entry(*content).or_default().push(file);
    }
    let mut shared = BTreeSet::new();
    for (content, group) in groups {
        let first = group[0];
        if group.iter().all(|file| file.class == first.class) {
            continue;
        }
        let other = group.iter().find(|file| file.name != first.name && !is_same_file(&file.path, &first.path));
        if let Some(other) = other {
            let problem = format!(
                "has the same content as {} but another name: they can be one image with both labels, or two of which one \
                 has a wrong label; give both the same name, or remove one",
                first.path.display()
            );
            return Err(DataError::malformed(&other.path, problem));
        }
        shared.insert(content);
    }
    Ok(shared)
}

/// Whether both paths lead to one file, by symbolic or hard links.
fn is_same_file(a: &Path, b: &Path) -> bool {
    #[cfg(unix)]
    if let (Ok(a), Ok(b)) = (fs::metadata(a), fs::metadata(b)) {
        use std::os::unix::fs::MetadataExt;
        return (a.dev(), a.ino()) == (b.dev(), b.ino());
    }
    matches!((fs::canonicalize(a), fs::canonicalize(b)), (Ok(a), Ok(b)) if a == b)
}

/// A note on how names that occur in several class folders are read.
///
/// # Errors
/// Where some names have the same content in several classes, and others have different content. Names are images in
/// the first case and plain numbers in the second.
fn compare_names(
    files: &[File],
    contents: &[Content],
    shared: &BTreeSet<Content>,
    root: &Path,
) -> Result<Option<String>, DataError> {
    let mut names: BTreeMap<&Path, Vec<usize>> = BTreeMap::new();
    for (index, file) in files.iter().enumerate() {
        names.entry(&file.name).or_default().push(index);
    }
    let mut differing = names.values().filter_map(|indices| {
        let other = indices.iter().find(|&&index| contents[index] != contents[indices[0]])?;
        Some((&files[indices[0]], &files[*other]))
    });
    let (first, others) = (differing.next(), differing.count());
    let root = root.display();
    match first {
        None if shared.is_empty() => {
            Ok(Some(format!("{root}: no image lies in two class folders: each has one label")))
        }
        None => Ok(Some(format!(
            "{root}: {} images lie in several class folders (same content) and have the labels of all of them",
            shared.len()
        ))),
        Some(_) if shared.is_empty() => Ok(Some(format!(
            "{root}: {} names occur in several class folders with different content: they are different images, a label each",
            others + 1
        ))),
        Some((a, b)) => {
            let problem = format!(
                "has the name of {} but other content, while {} images lie in several class folders with the same content: \
                 the two can be different images with a label each, or one image with both labels of which one copy was \
                 changed; rename one of them, or make them equal",
                a.path.display(),
                shared.len()
            );
            Err(DataError::malformed(&b.path, problem))
        }
    }
}
