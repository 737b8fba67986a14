//! The directory of a zip archive whose entries are stored uncompressed. Sizes may have 64 bits. `torch.save` uses no
//! more of the format, and anything else is refused. A zip crate would bring decompression and encryption along.
//!
//! | record | begins with | content |
//! |---|---|---|
//! | end | `PK 5 6`, the last 22 bytes | number of entries, size and place of the directory |
//! | locator, end in 64 bits | `PK 6 7` before the end, `PK 6 6` | the same in 64 bits |
//! | entry of the directory | `PK 1 2` | name, method, checksum, sizes, place of the local header |
//! | local header | `PK 3 4` | its length, after which the bytes of the entry begin |

use std::collections::HashMap;
use std::fs::File;
use std::io::{Read, Seek, SeekFrom};

use super::Storage;

/// Most entries, and most bytes of a directory. A checkpoint has an entry for each tensor.
const MOST_ENTRIES: u64 = 100_000;
const MOST_BYTES: u64 = 1 << 25;
/// Stands for a size or place that the 64-bit field holds.
const WIDE: u64 = 0xffff_ffff;

/// The entries of an archive by name, or why it has none.
pub(super) fn entries(file: &File, length: u64) -> Result<HashMap<String, Storage>, String> {
    let (count, start, bytes) = directory(file, length)?;
    let directory = read(file, start, bytes as usize).ok_or("its zip directory lies outside the file: truncated")?;
    let mut rest = &directory[..];
    let mut entries = HashMap::new();
    let mut places = vec![];
    for _ in 0..count {
        let (name, local, storage) = entry(file, length, &mut rest)?;
        places.push((local, storage.start + storage.bytes));
        if entries.insert(name.clone(), storage).is_some() {
            return Err(format!("it has two entries of the name `{name}`"));
        }
    }
    places.sort_unstable();
    if places.windows(2).any(|pair| pair[0].1 > pair[1].0) || places.last().is_some_and(|last| last.1 > start) {
        return Err("two entries of its zip directory share bytes".into());
    }
    Ok(entries)
}

/// Number of entries, first byte and length of the directory.
fn directory(file: &File, length: u64) -> Result<(u64, u64, u64), String> {
    let truncated = "its zip directory is not at its end: truncated, or not written by torch.save";
    let at = length.checked_sub(22).ok_or(truncated)?;
    let end = read(file, at, 22).filter(|end| end.starts_with(b"PK\x05\x06")).ok_or(truncated)?;
    let (mut count, mut bytes, mut start) = (number(&end, 10, 2), number(&end, 12, 4), number(&end, 16, 4));
    let locator = at.checked_sub(20).and_then(|at| read(file, at, 20)).filter(|l| l.starts_with(b"PK\x06\x07"));
    if let Some(locator) = locator {
        let wide =
            read(file, number(&locator, 8, 8), 56).filter(|end| end.starts_with(b"PK\x06\x06")).ok_or(truncated)?;
        (count, bytes, start) = (number(&wide, 32, 8), number(&wide, 40, 8), number(&wide, 48, 8));
    }
    if count > MOST_ENTRIES || bytes > MOST_BYTES || start.checked_add(bytes).is_none_or(|end| end > at) {
        return Err(format!(
            "its zip directory claims {count} entries in {bytes} bytes at {start}, of a file of {length}"
        ));
    }
    Ok((count, start, bytes))
}

/// The next entry: its name, the place of its local header, and the place of its bytes.
fn entry(file: &File, length: u64, rest: &mut &[u8]) -> Result<(String, u64, Storage), String> {
    let damaged = "an entry of its zip directory is damaged";
    let (head, after) = rest.split_at_checked(46).filter(|(head, _)| head.starts_with(b"PK\x01\x02")).ok_or(damaged)?;
    let [name, extra, comment] = [28, 30, 32].map(|at| number(head, at, 2) as usize);
    let (name, after) = after.split_at_checked(name).ok_or(damaged)?;
    let (extra, after) = after.split_at_checked(extra).ok_or(damaged)?;
    *rest = after.get(comment..).ok_or(damaged)?;
    let name = std::str::from_utf8(name).map_err(|_| damaged)?.to_owned();
    if number(head, 10, 2) != 0 || number(head, 8, 2) & 1 != 0 {
        return Err(format!("its entry `{name}` is compressed or encrypted, which torch.save never does"));
    }
    let mut sizes = [24, 20, 42].map(|at| number(head, at, 4));
    widen(&mut sizes, extra).ok_or(damaged)?;
    let [bytes, stored, local] = sizes;
    let outside = || format!("its entry `{name}` lies outside the file: truncated");
    let header = read(file, local, 30).filter(|header| header.starts_with(b"PK\x03\x04")).ok_or_else(outside)?;
    let start = local + 30 + number(&header, 26, 2) + number(&header, 28, 2);
    if bytes != stored || start.checked_add(bytes).is_none_or(|end| end > length) {
        return Err(outside());
    }
    // PyTorch can omit checksums; the field is then 0.
    let checksum = Some(number(head, 16, 4) as u32).filter(|sum| *sum != 0);
    Ok((name, local, Storage { start, bytes, checksum }))
}

/// Replaces the sizes that the 64-bit field of an entry holds. The field has only those that equal [`WIDE`], in this
/// order.
fn widen(sizes: &mut [u64; 3], mut extra: &[u8]) -> Option<()> {
    while sizes.contains(&WIDE) {
        let (head, after) = extra.split_at_checked(4)?;
        let (field, after) = after.split_at_checked(number(head, 2, 2) as usize)?;
        extra = after;
        if number(head, 0, 2) == 1 {
            let mut wide = field.as_chunks::<8>().0.iter();
            for size in sizes.iter_mut().filter(|size| **size == WIDE) {
                *size = u64::from_le_bytes(*wide.next()?);
            }
            return Some(());
        }
    }
    Some(())
}

/// A little-endian number of `width` bytes.
fn number(bytes: &[u8], at: usize, width: usize) -> u64 {
    bytes[at..at + width].iter().rev().fold(0, |number, &byte| number << 8 | u64::from(byte))
}

/// `count` bytes of a file from `start` on; `None` if the file is too short.
pub(super) fn read(mut file: &File, start: u64, count: usize) -> Option<Vec<u8>> {
    let mut bytes = vec![0; count];
    file.seek(SeekFrom::Start(start)).ok()?;
    file.read_exact(&mut bytes).ok()?;
    Some(bytes)
}
