//! The zip layout, which `torch.save` writes since PyTorch 1.6:
//!
//! | entry | content |
//! |---|---|
//! | `NAME/data.pkl` | the pickle |
//! | `NAME/data/KEY` | the elements of a storage, uncompressed |
//! | `NAME/byteorder` | `little` or `big`; older files lack it |

use std::collections::HashMap;
use std::fs::File;

use super::{MOST_PICKLE_BYTES, Storage, zip};

/// The pickle and the storages of an archive.
pub(super) struct Archive {
    pub(super) pickle: Vec<u8>,
    pub(super) storages: HashMap<String, Storage>,
}

/// Lists an archive and reads its pickle, or says why the file is not an archive of PyTorch's.
pub(super) fn read(file: &File, length: u64) -> Result<Archive, String> {
    let entries = zip::entries(file, length)?;
    let folder = folder(&entries)?;
    let small = |name: &str, most: u64| {
        let entry = entries.get(&format!("{folder}{name}"));
        entry.map(|entry| entry_bytes(file, entry, name, most)).transpose()
    };
    if small("byteorder", 16)?.is_some_and(|order| order != b"little") {
        return Err("it was written on a big-endian machine: save it again on a little-endian one".into());
    }
    let pickle = small("data.pkl", MOST_PICKLE_BYTES)?.unwrap_or_default();
    let data = format!("{folder}data/");
    let storages = entries.into_iter().filter_map(|(name, entry)| Some((name.strip_prefix(&data)?.to_owned(), entry)));
    Ok(Archive { pickle, storages: storages.collect() })
}

/// Entries of archives that hold a program or the model of another library, and the remedies.
const OTHERS: [(&str, &str); 5] = [
    ("constants.pkl", TORCH_SCRIPT),
    // Before PyTorch 1.4.
    ("attributes.pkl", TORCH_SCRIPT),
    ("serialized_exported_program.json", EXPORTED),
    ("archive_format", EXPORTED),
    ("model.weights.h5", "it is a model of Keras, which is not read: start from weights of PyTorch or safetensors"),
];
const TORCH_SCRIPT: &str =
    "it is a TorchScript program, whose code is not run: save its `state_dict()` with torch.save";
const EXPORTED: &str =
    "it is a program of torch.export, which is not run: save the `state_dict()` of its module with torch.save";

/// The folder of the pickle in the archive, with its slash.
fn folder(entries: &HashMap<String, Storage>) -> Result<String, String> {
    let folders = |file: &str| -> Vec<&str> {
        let names = entries.keys().filter_map(|name| name.strip_suffix(file));
        names.filter(|folder| folder.is_empty() || folder.ends_with('/')).collect()
    };
    if let Some((_, problem)) = OTHERS.iter().find(|(file, _)| !folders(file).is_empty()) {
        return Err((*problem).into());
    }
    match folders("data.pkl")[..] {
        [folder] => Ok(folder.to_owned()),
        [] => Err("it is a zip archive without data.pkl, so torch.save did not write it".into()),
        _ => Err("it has two entries data.pkl, so it can be read in two ways".into()),
    }
}

/// The bytes of a small entry, compared with its checksum.
fn entry_bytes(file: &File, entry: &Storage, name: &str, most: u64) -> Result<Vec<u8>, String> {
    if entry.bytes > most {
        return Err(format!("its entry `{name}` has {} bytes, more than the {most} of weights", entry.bytes));
    }
    let bytes = zip::read(file, entry.start, entry.bytes as usize);
    let bytes = bytes.ok_or_else(|| format!("its entry `{name}` cannot be read"))?;
    match entry.checksum {
        Some(sum) if sum != crc32fast::hash(&bytes) => {
            Err(format!("its entry `{name}` differs from its checksum: damaged"))
        }
        _ => Ok(bytes),
    }
}
