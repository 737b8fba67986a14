//! Finds image files below a folder, and makes a data set of a list of files.

use std::collections::HashMap;
use std::ffi::OsString;
use std::fs::{self, FileType};
use std::path::{Path, PathBuf};
use std::sync::Arc;

use image::{RgbImage, RgbaImage};

use super::decisions::{LeftOut, Why};
use super::decode::{Posture, decode_file_at, decode_four};
use super::depth::SampleDepth;
use super::names::composed;
use super::text::irregular;
use super::{ClassificationDataset, DataError, sniff};

/// Image files with a class each, decoded on request.
#[derive(Debug)]
pub(crate) struct FileDataset {
    pub classes: Arc<[String]>,
    /// Path and label of each image.
    pub items: Vec<(PathBuf, u32)>,
    pub depth: Arc<SampleDepth>,
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
        decode_file_at(&self.items[index].0, &self.depth)
    }

    fn bands(&self, index: usize) -> Result<RgbaImage, DataError> {
        decode_four(&self.items[index].0, &self.depth, Posture::Upright)
    }

    fn describe(&self, index: usize) -> String {
        self.items[index].0.display().to_string()
    }

    fn path(&self, index: usize) -> Option<&Path> {
        Some(&self.items[index].0)
    }

    fn depth(&self) -> Option<&SampleDepth> {
        Some(&self.depth)
    }
}

/// Extensions of image files of a data set. Common kinds without decoder are among them: such a file is reported as
/// unreadable instead of left out.
const IMAGE_EXTENSIONS: [&str; 16] = [
    "jpg", "jpeg", "jpe", "jfif", "png", "webp", "bmp", "dib", "gif", "tif", "tiff", // decoded
    "avif", "heic", "heif", "jxl", "jp2", // reported
];

/// Largest depth of nested folders. Deeper nesting is taken for a link that leads back.
const MAX_DEPTH: usize = 16;

/// Name of a file or folder in composed Unicode form. Bytes that are not Unicode are replaced.
pub(crate) fn name_of(path: &Path) -> String {
    composed(&path.file_name().unwrap_or_default().to_string_lossy())
}

/// Name of a file without its extension, in composed Unicode form.
pub(crate) fn stem_of(path: &Path) -> String {
    composed(&path.file_stem().unwrap_or_default().to_string_lossy())
}

/// `path` below `root` with `/` between its parts, in composed Unicode form.
pub(crate) fn relative(root: &Path, path: &Path) -> String {
    let parts = path.strip_prefix(root).unwrap_or(path).components();
    let parts: Vec<_> = parts.map(|part| part.as_os_str().to_string_lossy().into_owned()).collect();
    composed(&parts.join("/"))
}

/// Entries of a folder, sorted by name, without hidden ones (`.git`, `._photo.jpg`) and [`OF_SYSTEMS`].
pub(crate) fn entries(folder: &Path) -> Result<Vec<PathBuf>, DataError> {
    Ok(typed_entries(folder)?.into_iter().map(|(path, _)| path).collect())
}

/// The files directly in `folder` that have one of `names`, in the order of `names`. Letter case is ignored.
pub(crate) fn files_named(folder: &Path, names: &[&str]) -> Result<Vec<PathBuf>, DataError> {
    let place = |path: &PathBuf| {
        let name = path.file_name()?.to_str()?;
        names.iter().position(|known| known.eq_ignore_ascii_case(name))
    };
    let files = entries(folder)?.into_iter().filter_map(|path| Some((place(&path)?, path)));
    let mut files: Vec<(usize, PathBuf)> = files.filter(|(_, path)| path.is_file()).collect();
    files.sort();
    Ok(files.into_iter().map(|(_, path)| path).collect())
}

/// [`entries`] with the types that the listing itself has, so that a million files need no `stat` each. The type is
/// `None` for links, and on file systems that store no types.
fn typed_entries(folder: &Path) -> Result<Vec<Typed>, DataError> {
    let mut entries = all_entries(folder)?;
    entries.retain(|(path, _)| !is_of_system(path));
    Ok(entries)
}

/// [`typed_entries`] and [`OF_SYSTEMS`].
fn all_entries(folder: &Path) -> Result<Vec<Typed>, DataError> {
    let mut found = unsorted_entries(folder)?.collect::<Result<Vec<_>, _>>()?;
    // Only the last component differs, so the order of the texts is that of the names. Comparing paths would split both
    // into components.
    found.sort_unstable_by(|(a, _), (b, _)| a.as_os_str().cmp(b.as_os_str()));
    Ok(found)
}

/// Folders that operating systems and storage devices make: copies, thumbnails, deleted files.
const OF_SYSTEMS: [&str; 7] =
    ["__MACOSX", "@eaDir", "#recycle", "#snapshot", "$RECYCLE.BIN", "System Volume Information", "lost+found"];

/// Whether an entry has the name of a folder that systems make.
fn is_of_system(path: &Path) -> bool {
    path.file_name().and_then(|name| name.to_str()).is_some_and(|name| OF_SYSTEMS.contains(&name))
}

/// [`all_entries`] one by one, in the order of the file system, so that a search may end at the first of a million.
fn unsorted_entries(folder: &Path) -> Result<impl Iterator<Item = Result<Typed, DataError>>, DataError> {
    let failed = |e| DataError::io(folder, e);
    let typed = move |entry: std::io::Result<fs::DirEntry>| {
        let entry = match entry {
            Ok(entry) => entry,
            Err(error) => return Some(Err(failed(error))),
        };
        let path = entry.path();
        let name = path.file_name().unwrap_or_default().to_string_lossy();
        (!name.starts_with('.')).then(|| Ok((path, entry.file_type().ok().filter(|kind| !kind.is_symlink()))))
    };
    Ok(fs::read_dir(folder).map_err(failed)?.filter_map(typed))
}

/// An entry of a folder, and its type unless it is a link.
type Typed = (PathBuf, Option<FileType>);

/// Whether an entry is a folder, or a link to one.
fn is_dir((path, kind): &Typed) -> bool {
    kind.map_or_else(|| path.is_dir(), |kind| kind.is_dir())
}

/// The folders of systems directly in `folder`.
pub(crate) fn system_folders(folder: &Path) -> Result<Vec<PathBuf>, DataError> {
    Ok(all_entries(folder)?.into_iter().map(|(path, _)| path).filter(|path| is_of_system(path)).collect())
}

/// Folders directly in `folder`, sorted by name, without output of shadegrad.
pub(crate) fn subfolders(folder: &Path) -> Result<Vec<PathBuf>, DataError> {
    let folders = typed_entries(folder)?.into_iter().filter(is_dir).map(|(path, _)| path);
    Ok(folders.filter(|path| !is_own_output(path) && !is_loop(path)).collect())
}

fn has_extension(path: &Path, known: impl Fn(&str) -> bool) -> bool {
    path.extension().and_then(|e| e.to_str()).is_some_and(known)
}

/// Whether a file's name is that of a table.
pub(crate) fn is_table(path: &Path) -> bool {
    let known = ["csv", "tsv", "jsonl"];
    path.extension().is_some_and(|e| known.iter().any(|known| e.eq_ignore_ascii_case(known)))
}

/// Whether a file's name is that of an image.
pub(crate) fn is_image(path: &Path) -> bool {
    has_extension(path, |e| IMAGE_EXTENSIONS.iter().any(|known| known.eq_ignore_ascii_case(e)))
}

/// Name of the empty file that marks a folder of predictions or a corrected copy as output of shadegrad.
pub(crate) const MARK: &str = ".shadegrad";

/// Files that identify a folder as output of shadegrad. Such a folder has all files of one line.
const OWN_FILES: [&[&str]; 7] = [
    &[MARK],
    &["model.safetensors", "preprocessor_config.json"],
    &["run.json"],
    &["config.toml", "metrics.csv"],
    &["lr_find.csv", "lr_find.png"],
    &["comparison.csv", "comparison.md"],
    &["sweep.csv", "sweep.md"],
];

/// Whether a folder is output of shadegrad: a run, a sweep, a comparison, predictions, a folder for a hub, a corrected
/// copy, or a folder of such folders without images.
pub(crate) fn is_own_output(folder: &Path) -> bool {
    own_output(folder, 0)
}

/// Refuses the folder of a run as a data set. Its pictures are drawings of the program. A corrected copy is a data set.
///
/// # Errors
/// [`DataError::Malformed`] for the folder of a run.
pub(crate) fn require_no_run(folder: &Path) -> Result<(), DataError> {
    let is_run = ["run.json", "config.toml", "metrics.csv"].iter().all(|name| folder.join(name).is_file());
    if !is_run {
        return Ok(());
    }
    let problem = "is the folder of a run (it holds run.json, config.toml and metrics.csv), not a data set; give the folder of images";
    Err(DataError::malformed(folder, problem))
}

fn own_output(folder: &Path, depth: usize) -> bool {
    let holds = |name: &str| folder.join(name).is_file();
    let number = folder.file_name().and_then(|name| name.to_str()?.strip_prefix("predict-"));
    if OWN_FILES.iter().any(|files| files.iter().all(|name| holds(name))) {
        return true;
    }
    if number.is_some_and(|number| number.len() >= 3 && number.bytes().all(|b| b.is_ascii_digit())) {
        return true;
    }
    let Ok(entries) = unsorted_entries(folder) else { return false };
    let mut folders = Vec::new();
    for entry in entries {
        match entry {
            Ok((path, _)) if is_of_system(&path) => {}
            Ok(entry) if is_dir(&entry) => folders.push(entry.0),
            Ok((path, _)) if !is_image(&path) => {}
            _ => return false,
        }
    }
    depth < 3 && !folders.is_empty() && folders.iter().all(|path| own_output(path, depth + 1))
}

/// The files found below a folder.
#[derive(Debug, Default)]
pub(crate) struct Walk {
    /// Image files, in sorted order.
    pub images: Vec<PathBuf>,
    /// Files and folders that are not read.
    pub left_out: Vec<LeftOut>,
}

/// The state of a walk.
#[derive(Default)]
struct Walker {
    found: Walk,
    /// Extensions that are not those of images, each with whether its first file is an image by its content.
    other: HashMap<OsString, bool>,
}

impl Walk {
    /// Every image file below `folder`, at any depth.
    ///
    /// # Errors
    /// Where a folder cannot be listed, or folders are nested more than 16 levels deep.
    pub fn below(folder: &Path) -> Result<Self, DataError> {
        let mut walker = Walker::default();
        walker.visit(folder, 0)?;
        Ok(walker.found)
    }
}

impl Walker {
    fn visit(&mut self, folder: &Path, depth: usize) -> Result<(), DataError> {
        if is_loop(folder) {
            self.found.left_out.push(LeftOut::new(folder, Why::LoopingLink));
            return Ok(());
        }
        if depth > MAX_DEPTH {
            let problem = format!(
                "folders are nested more than {MAX_DEPTH} deep; is there a link that leads back to its own folder?"
            );
            return Err(DataError::malformed(folder, problem));
        }
        for (path, kind) in all_entries(folder)? {
            if is_of_system(&path) {
                self.found.left_out.push(LeftOut::new(&path, Why::System));
            } else if kind.is_some_and(|kind| kind.is_file()) {
                self.take(unread_name(&path), path);
            } else if kind.map_or_else(|| !path.is_dir(), |kind| !kind.is_dir()) {
                self.take(unread(&path), path);
            } else if is_own_output(&path) {
                self.found.left_out.push(LeftOut::new(&path, Why::OwnOutput));
            } else {
                self.visit(&path, depth + 1)?;
            }
        }
        Ok(())
    }

    /// Adds an entry that is not a folder.
    fn take(&mut self, why_not: Option<Why>, path: PathBuf) {
        match why_not {
            Some(why) => self.found.left_out.push(LeftOut { why, path }),
            None if is_image(&path) => self.found.images.push(path),
            None if self.is_image_by_content(&path) => {
                self.found.left_out.push(LeftOut { why: Why::OtherExtension, path });
            }
            None => {}
        }
    }

    /// Whether the first file with the extension of this one is an image.
    fn is_image_by_content(&mut self, path: &Path) -> bool {
        let Some(extension) = path.extension() else { return false };
        if let Some(known) = self.other.get(extension) {
            return *known;
        }
        let is_image = sniff::is_image(path);
        self.other.insert(extension.to_os_string(), is_image);
        is_image
    }
}

/// Whether a folder is a link to one of the folders that it lies in. The walk reads all files of the target anyway.
pub(crate) fn is_loop(folder: &Path) -> bool {
    folder.is_symlink()
        && matches!((fs::canonicalize(folder), folder.parent().map(fs::canonicalize)),
            (Ok(target), Some(Ok(parent))) if parent.starts_with(&target))
}

/// Why an entry that is not a folder is left out; `None` for images, and for tables and texts.
pub(crate) fn unread(path: &Path) -> Option<Why> {
    match fs::metadata(path) {
        // An unreadable image is reported as an image.
        Err(_) if is_image(path) => None,
        Err(_) if path.is_symlink() => Some(Why::DanglingLink),
        Ok(metadata) if irregular(&metadata).is_some() => Some(Why::NotRegular),
        _ => unread_name(path),
    }
}

/// [`unread`] of a regular file.
fn unread_name(path: &Path) -> Option<Why> {
    match path.extension() {
        None => Some(Why::NoExtension),
        Some(_) if has_extension(path, sniff::is_packed) => Some(Why::Packed),
        Some(_) => has_extension(path, sniff::is_unread).then_some(Why::UnreadKind),
    }
}

/// Whether there is an image file below `folder`, at any depth.
///
/// # Errors
/// Where a folder cannot be listed.
pub(crate) fn holds_image(folder: &Path) -> Result<bool, DataError> {
    fn visit(folder: &Path, depth: usize) -> Result<bool, DataError> {
        let mut folders = Vec::new();
        for entry in unsorted_entries(folder)? {
            let entry = entry?;
            if is_dir(&entry) {
                folders.push(entry.0);
            } else if is_image(&entry.0) {
                return Ok(true);
            }
        }
        for path in folders.iter().filter(|path| !is_own_output(path) && !is_of_system(path)) {
            if depth < MAX_DEPTH && !is_loop(path) && visit(path, depth + 1)? {
                return Ok(true);
            }
        }
        Ok(false)
    }
    visit(folder, 0)
}

/// Every image file below `folder`, at any depth, in sorted order.
pub(crate) fn images_below(folder: &Path) -> Result<Vec<PathBuf>, DataError> {
    Ok(Walk::below(folder)?.images)
}
