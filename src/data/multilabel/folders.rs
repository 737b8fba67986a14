//! Class folders with images in several of them. The content of files decides which are the same image.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::hash::{DefaultHasher, Hash, Hasher};
use std::path::{Path, PathBuf};
use std::sync::Arc;

use rayon::prelude::*;

use super::{MultiLabelSet, MultiLabelSplits, split};
use crate::data::images::ImageFiles;
use crate::data::listing::{images_below, name_of, subfolders};
use crate::data::parts::PartFolders;
use crate::data::split::require_classes;
use crate::data::{DataError, OpenOptions};

const FORMAT: &str = "class folders";

/// Opens `root/train/CLASS/…` with the validation folder beside it, or splits `root/CLASS/…`. Without a validation part
/// the test part is the validation part.
pub(super) fn open(root: &Path, options: &OpenOptions) -> Result<MultiLabelSplits, DataError> {
    let PartFolders { train, mut val, mut test, .. } = PartFolders::find(root)?;
    if val.is_none() {
        val = test.take();
    }
    let (train_root, val_root) = match (train, val) {
        (Some(train), Some(val)) => (train, val),
        (Some(lone), None) | (None, Some(lone)) => {
            let problem = format!(
                "{}/ has the name of a part of a data set, but there is no second part beside it; add one (train/ and val/), \
                 or rename it if it is a class",
                name_of(&lone)
            );
            return Err(DataError::malformed(root, problem));
        }
        (None, None) => {
            let (all, notes) = read(root)?;
            require_classes(all.class_names(), root)?;
            return split::stratified(&all, options, root, FORMAT, notes);
        }
    };
    let (train, mut notes) = read(&train_root)?;
    require_classes(train.class_names(), &train_root)?;
    let mut part = |folder: &Path| {
        let (set, own) = read(folder)?;
        notes.extend(own);
        set.relabeled(train.class_names()).map_err(|class| DataError::ClassMismatch {
            class,
            present: folder.to_path_buf(),
            absent: train_root.clone(),
        })
    };
    let val = part(&val_root)?;
    let test = test.as_deref().map(part).transpose()?;
    Ok(MultiLabelSplits { train, val, test, by_seed: false, format: FORMAT, notes })
}

/// A file in the folder of a class.
struct File {
    class: u32,
    path: PathBuf,
    /// Its path below the class folder.
    name: PathBuf,
    bytes: u64,
}

/// Identity of a file's content: its hash, or a unique number for a file whose size no other file has.
type Content = (u64, u64);

fn read(root: &Path) -> Result<(MultiLabelSet, Vec<String>), DataError> {
    let folders = subfolders(root)?;
    if folders.is_empty() {
        return Err(DataError::EmptyFolder { path: root.to_path_buf(), found: "no class folders".into() });
    }
    let (mut classes, mut files) = (Vec::new(), Vec::new());
    for (class, folder) in folders.iter().enumerate() {
        let images = images_below(folder)?;
        if images.is_empty() {
            return Err(DataError::EmptyClass { class: name_of(folder), path: folder.clone() });
        }
        for path in images {
            let bytes = fs::metadata(&path).map_err(|e| DataError::io(&path, e))?.len();
            let name = path.strip_prefix(folder).unwrap_or(&path).to_path_buf();
            files.push(File { class: class as u32, path, name, bytes });
        }
        classes.push(name_of(folder));
    }
    let contents = contents(&files)?;
    let shared = shared(&files, &contents)?;
    let notes = compare_names(&files, &contents, &shared, root)?.into_iter().collect();
    let (mut paths, mut labels, mut places): (Vec<PathBuf>, Vec<Vec<u32>>, BTreeMap<Content, usize>) =
        Default::default();
    for (file, content) in files.iter().zip(&contents) {
        let is_shared = shared.contains(content);
        match places.get(content).filter(|_| is_shared) {
            Some(&at) => labels[at].push(file.class),
            None => {
                places.insert(*content, paths.len());
                paths.push(file.path.clone());
                labels.push(vec![file.class]);
            }
        }
    }
    Ok((MultiLabelSet::new(Arc::new(ImageFiles::new(paths)), classes.into(), labels), notes))
}

/// The content of each file. A file is read only if files of several classes have its size.
fn contents(files: &[File]) -> Result<Vec<Content>, DataError> {
    let mut classes: BTreeMap<u64, BTreeSet<u32>> = BTreeMap::new();
    for file in files {
        classes.entry(file.bytes).or_default().insert(file.class);
    }
    let content = |(index, file): (usize, &File)| {
        if classes[&file.bytes].len() == 1 {
            return Ok((file.bytes, index as u64));
        }
        let bytes = fs::read(&file.path).map_err(|e| DataError::io(&file.path, e))?;
        let mut hasher = DefaultHasher::new();
        bytes.hash(&mut hasher);
        Ok((file.bytes, hasher.finish()))
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

/// The decision, in words.
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
