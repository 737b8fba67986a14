//! Epochs as a TensorBoard event file.
//!
//! The file is a list of records: length (u64), masked CRC-32C of the length, data, masked CRC-32C of the data, all little
//! endian. The data of a record is a protocol buffer `Event`:
//!
//! | message | fields that are needed |
//! |---|---|
//! | `Event` | `wall_time: double = 1; step: int64 = 2; file_version: string = 3; summary: Summary = 5` |
//! | `Summary` | `value: repeated Value = 1` |
//! | `Value` | `tag: string = 1; simple_value: float = 2; image: Image = 4; tensor: TensorProto = 8; metadata: SummaryMetadata = 9` |
//! | `Image` | `height: int32 = 1; width: int32 = 2; colorspace: int32 = 3; encoded_image_string: bytes = 4` |
//! | `TensorProto` | `dtype: DataType = 1 (string: 7); tensor_shape: TensorShapeProto = 2; string_val: repeated bytes = 8` |
//! | `SummaryMetadata` | `plugin_data: PluginData = 1`, whose `plugin_name: string = 1` |

use std::time::{SystemTime, UNIX_EPOCH};

use crate::run::history::EpochRow;

/// Reversed polynomial of Castagnoli's CRC.
const POLYNOMIAL: u32 = 0x82f6_3b78;

/// The first record of a file.
pub fn header(at: SystemTime) -> Vec<u8> {
    let mut event = double(1, seconds(at));
    bytes_field(&mut event, 3, b"brain.Event:2");
    record(&event)
}

/// The record of an epoch: every number of its row under a tag such as `loss/val` or `lr`.
pub fn epoch(row: &EpochRow, at: SystemTime) -> Vec<u8> {
    let mut summary = vec![];
    for (name, value) in row.columns().into_iter().filter(|(name, _)| *name != "epoch") {
        let mut entry = vec![];
        bytes_field(&mut entry, 1, tag(name).as_bytes());
        key(&mut entry, 2, 5);
        entry.extend((value as f32).to_le_bytes());
        bytes_field(&mut summary, 1, &entry);
    }
    of_step(row.epoch, &summary, at)
}

/// The record of the settings, which TensorBoard shows under Text.
pub fn settings(toml: &str, at: SystemTime) -> Vec<u8> {
    let text: String = toml.lines().map(|line| format!("    {line}\n")).collect();
    let (mut tensor, mut shape, mut dim) = (vec![], vec![], vec![]);
    key(&mut dim, 1, 0);
    varint(&mut dim, 1);
    bytes_field(&mut shape, 2, &dim);
    key(&mut tensor, 1, 0);
    varint(&mut tensor, 7);
    bytes_field(&mut tensor, 2, &shape);
    bytes_field(&mut tensor, 8, text.as_bytes());
    let (mut plugin, mut metadata, mut value, mut summary) = (vec![], vec![], vec![], vec![]);
    bytes_field(&mut plugin, 1, b"text");
    bytes_field(&mut metadata, 1, &plugin);
    bytes_field(&mut value, 1, b"settings/text_summary");
    bytes_field(&mut value, 8, &tensor);
    bytes_field(&mut value, 9, &metadata);
    bytes_field(&mut summary, 1, &value);
    of_step(0, &summary, at)
}

/// The record of a PNG picture in RGB. `None` for other files.
pub fn picture(tag: &str, png: &[u8], epoch: u32, at: SystemTime) -> Option<Vec<u8>> {
    // Signature, length and name of the first chunk, then width and height.
    let sides = png.strip_prefix(b"\x89PNG\r\n\x1a\n")?.get(8..16)?;
    let side = |bytes: &[u8]| bytes.iter().fold(0, |side: u64, &byte| side << 8 | u64::from(byte));
    let mut image = vec![];
    for (field, number) in [(1, side(&sides[4..])), (2, side(&sides[..4])), (3, 3)] {
        key(&mut image, field, 0);
        varint(&mut image, number);
    }
    bytes_field(&mut image, 4, png);
    let (mut value, mut summary) = (vec![], vec![]);
    bytes_field(&mut value, 1, tag.as_bytes());
    bytes_field(&mut value, 4, &image);
    bytes_field(&mut summary, 1, &value);
    Some(of_step(epoch, &summary, at))
}

fn of_step(step: u32, summary: &[u8], at: SystemTime) -> Vec<u8> {
    let mut event = double(1, seconds(at));
    // A protocol buffer omits zeros.
    if step > 0 {
        key(&mut event, 2, 0);
        varint(&mut event, u64::from(step));
    }
    bytes_field(&mut event, 5, summary);
    record(&event)
}

/// Length of the header and of the complete records of epochs before `epoch`. Pictures and the records after them are
/// cut: a resumed run writes its own.
pub fn length_before(file: &[u8], epoch: u64) -> usize {
    let mut length = 0;
    // 8 bytes of length and 4 of its checksum, the data, 4 of their checksum.
    while let Some(head) = file.get(length..length + 12) {
        let size = head[..8].iter().rev().fold(0, |size: u64, &byte| size << 8 | u64::from(byte));
        let end = usize::try_from(size).ok().and_then(|size| (length + 16).checked_add(size));
        let Some((end, record)) = end.and_then(|end| Some((end, file.get(length..end)?))) else { break };
        let event = &record[12..record.len() - 4];
        if is_picture(event) || step(event).is_some_and(|step| step >= epoch) {
            break;
        }
        length = end;
    }
    length
}

/// Whether an event is one that [`picture`] wrote.
fn is_picture(event: &[u8]) -> bool {
    // The time, the step, the summary, its value, the tag with its length in one byte, then the image.
    let image = || {
        let summary = after_varint(event.get(9..)?.strip_prefix(&[2 << 3])?)?;
        let value = after_varint(summary.strip_prefix(&[5 << 3 | 2])?)?;
        let tag = after_varint(value.strip_prefix(&[1 << 3 | 2])?)?;
        tag.get(2 + usize::from(*tag.strip_prefix(&[1 << 3 | 2])?.first()?))
    };
    image() == Some(&(4 << 3 | 2))
}

fn after_varint(bytes: &[u8]) -> Option<&[u8]> {
    let end = bytes.iter().position(|byte| byte & 0x80 == 0)?;
    bytes.get(end + 1..)
}

/// The step of an event that [`epoch`] wrote; `None` for the header.
fn step(event: &[u8]) -> Option<u64> {
    // The time comes first: a byte of key and eight of its value.
    let varint = event.get(9..)?.strip_prefix(&[2 << 3])?;
    let length = varint.iter().position(|byte| byte & 0x80 == 0)?.min(9);
    Some(varint[..=length].iter().rev().fold(0, |step, byte| step << 7 | u64::from(byte & 0x7f)))
}

/// TensorBoard groups tags with the same name before the slash.
fn tag(column: &str) -> String {
    match column.split_once('_') {
        Some((part @ ("train" | "val"), name)) => format!("{name}/{part}"),
        _ => column.to_owned(),
    }
}

fn seconds(at: SystemTime) -> f64 {
    at.duration_since(UNIX_EPOCH).map_or(0.0, |since| since.as_secs_f64())
}

/// Field number and wire type: 0 varint, 1 double, 2 bytes, 5 float.
fn key(to: &mut Vec<u8>, field: u8, wire: u8) {
    to.push(field << 3 | wire);
}

fn varint(to: &mut Vec<u8>, mut value: u64) {
    while value >= 0x80 {
        to.push(value as u8 | 0x80);
        value >>= 7;
    }
    to.push(value as u8);
}

fn double(field: u8, value: f64) -> Vec<u8> {
    let mut to = vec![];
    key(&mut to, field, 1);
    to.extend(value.to_le_bytes());
    to
}

fn bytes_field(to: &mut Vec<u8>, field: u8, bytes: &[u8]) {
    key(to, field, 2);
    varint(to, bytes.len() as u64);
    to.extend(bytes);
}

fn record(data: &[u8]) -> Vec<u8> {
    let length = (data.len() as u64).to_le_bytes();
    [&length, &masked_crc(&length).to_le_bytes()[..], data, &masked_crc(data).to_le_bytes()].concat()
}

/// CRC of data that holds CRCs, masked as the format requires.
fn masked_crc(data: &[u8]) -> u32 {
    crc32c(data).rotate_right(15).wrapping_add(0xa282_ead8)
}

fn crc32c(data: &[u8]) -> u32 {
    !data.iter().fold(!0, |crc, &byte| {
        (0..8).fold(crc ^ u32::from(byte), |crc, _| if crc & 1 == 1 { crc >> 1 ^ POLYNOMIAL } else { crc >> 1 })
    })
}
