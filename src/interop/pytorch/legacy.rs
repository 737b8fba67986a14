//! The layout of `torch.save` before PyTorch 1.6, and with `_use_new_zipfile_serialization=False` since. It begins with
//! five pickles: a magic number, a version, facts about the machine, the object, and the keys of the storages in their
//! order. Each storage follows as its number of elements in 64 bits, and its elements.

use std::collections::HashMap;
use std::fs::File;
use std::io::{Read, Seek, SeekFrom};

use safetensors::tensor::Dtype;

use super::pickle::Pickle;
use super::value::{PickleError, Value};
use super::{MOST_PICKLE_BYTES, Storage, state_dict};

/// The magic number, little-endian.
pub(super) const MAGIC: [u8; 10] = [0x6c, 0xfc, 0x9c, 0x46, 0xf9, 0x20, 0x6a, 0xa8, 0x50, 0x19];

/// The start of a file, with its pickles.
pub(super) fn start(mut file: &File) -> std::io::Result<Vec<u8>> {
    let mut bytes = vec![];
    file.seek(SeekFrom::Start(0))?;
    file.take(MOST_PICKLE_BYTES).read_to_end(&mut bytes)?;
    Ok(bytes)
}

/// The object, the keys of its storages, and where the storages begin.
pub(super) struct Pickles<'a> {
    pub(super) object: Pickle<'a>,
    keys: Pickle<'a>,
    end: usize,
}

/// Reads the pickles at the start of a file.
pub(super) fn pickles(bytes: &[u8]) -> Result<Pickles<'_>, PickleError> {
    let mut at = 0;
    let mut next = || {
        let (pickle, length) = Pickle::read(&bytes[at..])?;
        at += length;
        Ok(pickle)
    };
    let format = |reason: &str| PickleError::Format(reason.to_owned());
    if !matches!(next()?.root(), Value::Long(number) if *number == MAGIC) {
        return Err(format("it does not begin with PyTorch's magic number"));
    }
    if !matches!(next()?.root(), Value::Int(1001)) {
        return Err(format("it is of another version of PyTorch's legacy layout than 1001"));
    }
    let machine = next()?;
    if let Value::Dict(facts) = machine.root() {
        let big = |(key, value): &(u32, u32)| {
            machine.text(*key) == Some("little_endian") && matches!(machine.get(*value), Value::Bool(false))
        };
        if facts.iter().any(big) {
            return Err(format("it was written on a big-endian machine: save it again on a little-endian one"));
        }
    }
    let (object, keys) = (next()?, next()?);
    Ok(Pickles { object, keys, end: at })
}

/// Where each storage lies.
pub(super) fn storages(
    mut file: &File,
    length: u64,
    pickles: &Pickles<'_>,
) -> Result<HashMap<String, Storage>, String> {
    // The type of every storage is needed, also if only an optimizer uses it: its width gives the start of the next one.
    let types: HashMap<&str, Option<Dtype>> = state_dict::storages(&pickles.object).collect();
    let damaged = "the list of its storages is damaged";
    let Value::List(keys) = pickles.keys.root() else { return Err(damaged.into()) };
    let mut storages = HashMap::new();
    let mut at = pickles.end as u64;
    for key in keys {
        let key = pickles.keys.text(*key).ok_or(damaged)?;
        let mut count = [0; 8];
        let read = file.seek(SeekFrom::Start(at)).and_then(|_| file.read_exact(&mut count));
        read.map_err(|_| format!("its storage {key} is missing: truncated"))?;
        let dtype = types.get(key).copied().flatten();
        let width =
            dtype.ok_or_else(|| format!("its storage {key} has elements of a type that is not read"))?.bitsize() / 8;
        let bytes = u64::from_le_bytes(count).checked_mul(width as u64);
        let bytes = bytes.filter(|bytes| {
            at.checked_add(8).and_then(|start| start.checked_add(*bytes)).is_some_and(|end| end <= length)
        });
        let bytes = bytes.ok_or_else(|| format!("its storage {key} does not end within the file: truncated"))?;
        if storages.insert(key.to_owned(), Storage { start: at + 8, bytes, checksum: None }).is_some() {
            return Err(format!("it has two storages of the key {key}"));
        }
        at += 8 + bytes;
    }
    Ok(storages)
}
