//! CIFAR-10 and CIFAR-100, binary version: records of label bytes and 3072 bytes of planar RGB.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use super::format::{Evidence, Format};
use super::listing::{name_of, relative, subfolders};
use super::packed::{PackedDataset, Pixels, into_splits};
use super::text::{read_file, read_text};
use super::{DataError, OpenOptions, Splits};

const SIDE: u32 = 32;
const IMAGE: usize = 3 * 32 * 32;

/// Differences between the two sets.
struct Variant {
    format: &'static str,
    folder: &'static str,
    train: &'static [&'static str],
    test: &'static str,
    /// File of class names, one per line.
    names: &'static str,
    classes: usize,
    /// Bytes before the pixels; the last of them is the (fine) label.
    label_bytes: usize,
}

const VARIANTS: [Variant; 2] = [
    Variant {
        format: "CIFAR-10 binary",
        folder: "cifar-10-batches-bin",
        train: &["data_batch_1.bin", "data_batch_2.bin", "data_batch_3.bin", "data_batch_4.bin", "data_batch_5.bin"],
        test: "test_batch.bin",
        names: "batches.meta.txt",
        classes: 10,
        label_bytes: 1,
    },
    Variant {
        format: "CIFAR-100 binary",
        folder: "cifar-100-binary",
        train: &["train.bin"],
        test: "test.bin",
        names: "fine_label_names.txt",
        classes: 100,
        label_bytes: 2,
    },
];

/// Largest batch file in bytes; CIFAR-100's training file has 153,700,000.
const MAX_BYTES: u64 = 1 << 30;

/// CIFAR-10 and CIFAR-100.
pub(crate) struct Cifar;

impl Format for Cifar {
    type Opened = Splits;
    type Options = OpenOptions;

    fn name(&self) -> &'static str {
        "CIFAR binary"
    }

    fn looks_for(&self) -> &'static str {
        "the binary version's `data_batch_*.bin` or `train.bin`, here or in `cifar-10-batches-bin/`, `cifar-100-binary/`"
    }

    fn recognize(&self, root: &Path) -> Result<Option<Evidence>, DataError> {
        if let Some((_, _, train)) = find(root) {
            return Ok(Some(Evidence::certain(train.iter().map(|path| name_of(path)))));
        }
        Ok(pickle(root).map(|name| Evidence::certain([name])))
    }

    /// Some of the five training batches are enough.
    fn open(&self, root: &Path, options: &OpenOptions) -> Result<Splits, DataError> {
        match find(root) {
            Some((variant, folder, train)) => open_variant(variant, &folder, &train, options),
            None => {
                let problem = "holds CIFAR as Python pickles, which are not read; fetch the binary version \
                               (cifar-10-binary.tar.gz or cifar-100-binary.tar.gz) from the same page";
                Err(DataError::malformed(root, problem))
            }
        }
    }
}

/// Folders that may hold a set: `root`, those in it and those in these.
fn candidates(root: &Path) -> Vec<PathBuf> {
    let below = |folder: &PathBuf| subfolders(folder).unwrap_or_default();
    let inner = below(&root.to_path_buf());
    let innermost: Vec<PathBuf> = inner.iter().flat_map(below).collect();
    std::iter::once(root.to_path_buf()).chain(inner).chain(innermost).collect()
}

/// The variant, its folder and its training files: in `root`, or in the folder of its archive, up to two folders deep.
fn find(root: &Path) -> Option<(&'static Variant, PathBuf, Vec<PathBuf>)> {
    for folder in candidates(root) {
        for variant in VARIANTS.iter().filter(|one| folder == root || name_of(&folder) == one.folder) {
            let train: Vec<PathBuf> =
                variant.train.iter().map(|name| folder.join(name)).filter(|p| p.is_file()).collect();
            if !train.is_empty() {
                return Some((variant, folder, train));
            }
        }
    }
    None
}

/// A file or folder of the pickled version, where its archive was unpacked up to two folders deep.
fn pickle(root: &Path) -> Option<String> {
    let is_cifar_100 = |folder: &PathBuf| folder.join("train").is_file() && folder.join("meta").is_file();
    let of_cifar_10 = |folder: &PathBuf| folder.join("data_batch_1").is_file();
    let found = candidates(root).into_iter().find(|folder| is_cifar_100(folder) || of_cifar_10(folder))?;
    let file = if of_cifar_10(&found) { "data_batch_1" } else { "train" };
    Some(relative(root, &found.join(file)))
}

fn open_variant(
    variant: &Variant,
    folder: &Path,
    train: &[PathBuf],
    options: &OpenOptions,
) -> Result<Splits, DataError> {
    let classes = class_names(variant, folder)?;
    let missing = variant.train.iter().filter(|name| train.iter().all(|path| name_of(path) != **name));
    let missing: Vec<&str> = missing.copied().collect();
    let train = read(variant, train, &classes, "train")?;
    let test = folder.join(variant.test);
    let test = test.is_file().then(|| read(variant, &[test], &classes, "test")).transpose()?;
    let mut splits = into_splits(train, test, options, folder, variant.format)?;
    if !missing.is_empty() {
        let (count, names) = (missing.len(), missing.join(", "));
        let note = format!("{count} of the {} files of training images are not there: {names}", variant.train.len());
        splits.decisions.notes.push(note);
    }
    Ok(splits)
}

/// Names in the order of the labels, which is sorted in both published sets. Numbers, if the file of names is missing.
fn class_names(variant: &Variant, folder: &Path) -> Result<Arc<[String]>, DataError> {
    let path = folder.join(variant.names);
    if !path.is_file() {
        return Ok((0..variant.classes).map(|label| label.to_string()).collect());
    }
    let text = read_text(&path)?;
    let names: Arc<[String]> = text.lines().map(str::trim).filter(|line| !line.is_empty()).map(String::from).collect();
    if names.len() != variant.classes {
        let problem = format!("{} class names, expected {}", names.len(), variant.classes);
        return Err(DataError::malformed(&path, problem));
    }
    Ok(names)
}

fn read(
    variant: &Variant,
    files: &[PathBuf],
    classes: &Arc<[String]>,
    part: &'static str,
) -> Result<PackedDataset, DataError> {
    let record = variant.label_bytes + IMAGE;
    let (mut labels, mut bytes) = (Vec::new(), Vec::new());
    for file in files {
        let content = read_file(file, MAX_BYTES)?;
        if content.is_empty() || content.len() % record != 0 {
            let problem = format!(
                "{} bytes, expected a multiple of {record} ({} binary records); truncated, or another format: download it again",
                content.len(),
                variant.format
            );
            return Err(DataError::malformed(file, problem));
        }
        for (number, record) in content.chunks_exact(record).enumerate() {
            let (label, pixels) = record.split_at(variant.label_bytes);
            let label = label[variant.label_bytes - 1];
            if usize::from(label) >= variant.classes {
                let problem = format!("image #{number} has label {label}, expected 0 to {}", variant.classes - 1);
                return Err(DataError::malformed(file, problem));
            }
            labels.push(u32::from(label));
            bytes.extend_from_slice(pixels);
        }
    }
    let classes = Arc::clone(classes);
    Ok(PackedDataset { classes, labels, bytes, pixels: Pixels::PlanarRgb, width: SIDE, height: SIDE, part })
}
