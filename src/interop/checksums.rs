//! Checksums of a safetensors file that this crate writes. They reveal a flipped bit, which the format itself accepts.
//!
//! The metadata entry `checksums` is a JSON object. It maps the name of each tensor to the CRC-32 of its bytes, and the
//! empty name to the CRC-32 of the other metadata. Files of other programs lack the entry and are read unchecked.

use std::collections::BTreeMap;
use std::io::{self, Write};

use super::elements::{Tensor, TensorData};
use super::stored::StoredTensor;

/// Key of the metadata entry.
const KEY: &str = "checksums";
/// Name that stands for the metadata.
const METADATA: &str = "";

/// Words for a mismatch: they continue a sentence about the part that was changed.
pub(super) const DIFFERS: &str = "differs from its checksum, so the file was damaged or changed after it was written: restore it \
     from a copy; if the change was meant, save the file without the metadata entry `checksums`";

type Metadata = BTreeMap<String, String>;

/// Adds the entry to the metadata of a file that is about to be written.
pub(super) fn add(metadata: &mut Metadata, tensors: &BTreeMap<String, Tensor>) {
    let mut sums: BTreeMap<&str, u32> =
        tensors.iter().map(|(name, tensor)| (name.as_str(), of_elements(&tensor.data))).collect();
    sums.insert(METADATA, of_metadata(metadata));
    // Names and numbers always have a JSON form.
    let entry = serde_json::to_string(&sums).unwrap_or_default();
    metadata.insert(KEY.into(), entry);
}

/// Removes the entry from the metadata of a file that is read, compares the metadata, and gives each tensor its checksum.
///
/// # Errors
/// The fault of the file, in words.
pub(super) fn take(metadata: &mut Metadata, tensors: &mut BTreeMap<String, StoredTensor>) -> Result<(), String> {
    let Some(entry) = metadata.remove(KEY) else { return Ok(()) };
    let sums: Option<BTreeMap<String, u32>> = serde_json::from_str(&entry).ok();
    let Some(sums) = sums.filter(|sums| sums.get(METADATA) == Some(&of_metadata(metadata))) else {
        return Err(format!("its metadata {DIFFERS}"));
    };
    for (name, tensor) in tensors {
        tensor.checksum = sums.get(name).copied();
    }
    Ok(())
}

/// The checksum of the text pairs.
fn of_metadata(metadata: &Metadata) -> u32 {
    let mut hasher = crc32fast::Hasher::new();
    for text in metadata.iter().flat_map(|(key, value)| [key, value]) {
        hasher.update(&(text.len() as u64).to_le_bytes());
        hasher.update(text.as_bytes());
    }
    hasher.finalize()
}

/// The checksum of a tensor's bytes in the file.
fn of_elements(data: &TensorData) -> u32 {
    let mut sum = Sum(crc32fast::Hasher::new());
    // Writing into a checksum does not fail.
    let _ = data.write_to(&mut sum);
    sum.0.finalize()
}

/// A writer that computes the checksum of the bytes and drops them.
struct Sum(crc32fast::Hasher);

impl Write for Sum {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.0.update(bytes);
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}
