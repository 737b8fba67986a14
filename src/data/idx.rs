//! The idx files of MNIST, plain or gzipped. Fashion-MNIST, KMNIST and EMNIST have the same format.

use std::collections::BTreeSet;
use std::io::Read;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use flate2::read::MultiGzDecoder;

use super::format::{Evidence, Format};
use super::listing::{entries, name_of, relative, subfolders};
use super::names::quoted;
use super::packed::{PackedDataset, Pixels, into_splits};
use super::text::{open_regular, read_text};
use super::{DataError, OpenOptions, Splits};

/// Largest size of an idx file in bytes. MNIST has 47 MB, but a header can claim 2^96 bytes.
const MAX_BYTES: u64 = 4 << 30;

/// Files of images and of labels.
pub(crate) struct Idx;

impl Format for Idx {
    type Opened = Splits;
    type Options = OpenOptions;

    fn name(&self) -> &'static str {
        "idx (MNIST)"
    }

    fn looks_for(&self) -> &'static str {
        "`*images-idx3-ubyte[.gz]` and `*labels-idx1-ubyte[.gz]` (MNIST, Fashion-MNIST, KMNIST, EMNIST), here, in \
         `raw/` or in `MNIST/raw/`"
    }

    fn recognize(&self, root: &Path) -> Result<Option<Evidence>, DataError> {
        let found = parts(&home(root)?)?;
        let seen: Vec<String> =
            found.into_iter().flat_map(|([a, b], _)| [a, b]).flatten().map(|path| relative(root, &path)).collect();
        Ok((!seen.is_empty()).then(|| Evidence::certain(seen)))
    }

    fn open(&self, root: &Path, options: &OpenOptions) -> Result<Splits, DataError> {
        let home = home(root)?;
        let mut splits = open(&home, options)?;
        if names(&home)?.iter().any(|name| name.to_lowercase().starts_with("emnist")) {
            let note =
                "EMNIST's files hold each picture transposed (rows and columns exchanged): it is read as it is stored";
            splits.decisions.notes.push(note.into());
        }
        Ok(splits)
    }
}

/// The folder of the files: `root`, `raw/` or, as torchvision makes it, `MNIST/raw/`.
///
/// # Errors
/// Where several sets lie below `root`.
fn home(root: &Path) -> Result<PathBuf, DataError> {
    let holds_some = |folder: &Path| Ok(parts(folder)?.iter().any(|(pair, _)| pair.iter().any(Option::is_some)));
    if holds_some(root)? {
        return Ok(root.to_path_buf());
    }
    let mut found: Option<PathBuf> = None;
    let folders = subfolders(root)?.into_iter().map(|folder| folder.join("raw"));
    for folder in folders.chain([root.join("raw")]).filter(|folder| folder.is_dir()) {
        if holds_some(&folder)?
            && let Some(first) = found.replace(folder.clone())
        {
            return Err(several(root, &[relative(root, &first), relative(root, &folder)]));
        }
    }
    Ok(found.unwrap_or_else(|| root.to_path_buf()))
}

/// An error that names several sets, of which the user must choose one.
fn several(root: &Path, sets: &[String]) -> DataError {
    let sets = quoted(sets);
    DataError::malformed(root, format!("holds several sets of idx files ({sets}); give a folder with the files of one"))
}

fn names(folder: &Path) -> Result<Vec<String>, DataError> {
    Ok(entries(folder)?.iter().map(|path| name_of(path)).collect())
}

/// Images and labels of each part. Names of training files hold `train`, those of test files `t10k` or `test`.
fn parts(root: &Path) -> Result<[([Option<PathBuf>; 2], &'static str); 2], DataError> {
    let files: Vec<PathBuf> = entries(root)?.into_iter().filter(|p| p.is_file()).collect();
    let find = |part: &[&str], kind: &str| {
        let named = |file: &&PathBuf| {
            let name = name_of(file).to_lowercase().replace('.', "-");
            name.contains(kind) && part.iter().any(|p| name.contains(p))
        };
        files.iter().find(named).cloned()
    };
    let trainings: Vec<String> = files
        .iter()
        .map(|file| name_of(file))
        .filter(|name| {
            let name = name.to_lowercase().replace('.', "-");
            name.contains("images-idx3-ubyte") && name.contains("train")
        })
        .collect();
    let sets: BTreeSet<&str> = trainings.iter().map(|name| name.trim_end_matches(".gz")).collect();
    if sets.len() > 1 {
        let names: Vec<&str> = sets.into_iter().collect();
        let problem = format!("holds several sets ({}); put the files of each into a folder", names.join(", "));
        return Err(DataError::malformed(root, problem));
    }
    let pair = |part: &[&str]| [find(part, "images-idx3-ubyte"), find(part, "labels-idx1-ubyte")];
    Ok([(pair(&["train"]), "train"), (pair(&["t10k", "test"]), "test")])
}

/// Class names are the labels in the files, or the lines of a `classes.txt` beside them.
fn open(root: &Path, options: &OpenOptions) -> Result<Splits, DataError> {
    let mut read = Vec::new();
    for (pair, part) in parts(root)? {
        match pair {
            [Some(images), Some(labels)] => read.push(Some(read_part(&images, &labels, part)?)),
            [Some(lone), None] | [None, Some(lone)] => {
                let problem =
                    format!("its partner is missing: {part} images-idx3-ubyte and labels-idx1-ubyte belong together");
                return Err(DataError::malformed(&lone, problem));
            }
            [None, None] => read.push(None),
        }
    }
    let (test, train) = (read.pop().flatten(), read.pop().flatten());
    match (train, test) {
        (None, _) => Err(DataError::EmptySplit {
            path: root.to_path_buf(),
            split: "train",
            reason: "there are test idx files but no train-images-idx3-ubyte".into(),
        }),
        (Some(train), test) => with_classes(train, test, options, root),
    }
}

/// Converts the stored label values to indices of the class list.
fn with_classes(
    mut train: PackedDataset,
    mut test: Option<PackedDataset>,
    options: &OpenOptions,
    root: &Path,
) -> Result<Splits, DataError> {
    let values = |part: &PackedDataset| part.labels.iter().copied().collect::<BTreeSet<u32>>();
    let names = |values: &BTreeSet<u32>| values.iter().map(u32::to_string).collect::<Vec<_>>();
    let known = values(&train);
    if let Some(unknown) = test.as_ref().and_then(|test| values(test).difference(&known).next().copied()) {
        let at = |part: &str| root.join(format!("{part} labels"));
        let (present, absent) = (at("test"), at("train"));
        return Err(DataError::ClassMismatch { class: unknown.to_string(), present, absent, near: None });
    }
    let classes = listed_names(root, &known)?.unwrap_or_else(|| names(&known));
    for part in [Some(&mut train), test.as_mut()].into_iter().flatten() {
        part.classes = Arc::from(classes.as_slice());
        for label in &mut part.labels {
            *label = known.range(..*label).count() as u32;
        }
    }
    into_splits(train, test, options, root, "idx (MNIST)")
}

fn listed_names(root: &Path, values: &BTreeSet<u32>) -> Result<Option<Vec<String>>, DataError> {
    let path = root.join("classes.txt");
    if !path.is_file() {
        return Ok(None);
    }
    let text = read_text(&path)?;
    let names: Vec<String> = text.lines().map(str::trim).filter(|line| !line.is_empty()).map(String::from).collect();
    if names.len() != values.len() {
        let problem = format!("{} class names, but the labels have {} values", names.len(), values.len());
        return Err(DataError::malformed(&path, problem));
    }
    Ok(Some(names))
}

fn read_part(images: &Path, labels: &Path, part: &'static str) -> Result<PackedDataset, DataError> {
    let ([count, height, width], bytes) = read_idx::<3>(images)?;
    let ([label_count], label_bytes) = read_idx::<1>(labels)?;
    if count != label_count {
        let problem = format!("{count} images, but {} has {label_count} labels", labels.display());
        return Err(DataError::malformed(images, problem));
    }
    if count > 0 && (width == 0 || height == 0) {
        return Err(DataError::malformed(images, format!("images of {width}x{height} pixels")));
    }
    Ok(PackedDataset {
        classes: Arc::from([]),
        labels: label_bytes.into_iter().map(u32::from).collect(),
        bytes,
        pixels: Pixels::Grey,
        width,
        height,
        part,
    })
}

/// Dimensions and content of an idx file of unsigned bytes with `N` dimensions.
fn read_idx<const N: usize>(path: &Path) -> Result<([u32; N], Vec<u8>), DataError> {
    let failed = |e| DataError::io(path, e);
    let bad = |problem: String| DataError::malformed(path, problem);
    let (file, _) = open_regular(path).map_err(failed)?;
    let gzipped = path.extension().is_some_and(|e| e.eq_ignore_ascii_case("gz"));
    let mut reader: Box<dyn Read> = if gzipped { Box::new(MultiGzDecoder::new(file)) } else { Box::new(file) };
    let mut word = || {
        let mut bytes = [0; 4];
        reader.read_exact(&mut bytes).map(|()| u32::from_be_bytes(bytes))
    };
    let header_failed =
        |e: std::io::Error| bad(format!("no idx header: {e}; truncated, or another format: download it again"));
    let (magic, expected_magic) = (word().map_err(header_failed)?, 0x0800 + N as u32);
    if magic != expected_magic {
        return Err(bad(format!(
            "starts with {magic:#010x}, expected {expected_magic:#010x} (idx of unsigned bytes, {N} dimensions)"
        )));
    }
    let mut dims = [0; N];
    for dim in &mut dims {
        *dim = word().map_err(header_failed)?;
    }
    let expected = dims.iter().try_fold(1u64, |product, &d| product.checked_mul(u64::from(d)));
    let expected = expected
        .filter(|&bytes| bytes <= MAX_BYTES)
        .ok_or_else(|| bad(format!("its header says {dims:?} bytes; the limit is {MAX_BYTES} in all")))?;
    // Grows with the bytes that are read: a false header must not reserve memory.
    let mut content = Vec::new();
    reader
        .take(expected + 1)
        .read_to_end(&mut content)
        .map_err(|e| bad(format!("cannot be unpacked: {e}; truncated or damaged: download it again")))?;
    if content.len() as u64 != expected {
        let found = if content.len() as u64 > expected { "more".into() } else { content.len().to_string() };
        return Err(bad(format!(
            "{found} bytes of content where its header says {expected} ({dims:?}); truncated or damaged: download it again"
        )));
    }
    Ok((dims, content))
}
