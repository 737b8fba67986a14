//! Tables of attributes as CelebA writes them: the number of images, the names of the attributes, and a line for each image with a 1 or
//! -1 for each attribute, separated by blanks.

use std::path::Path;

use super::LIST_EXTENSIONS;
use crate::data::listing::is_image;
use crate::data::text::start_of;

/// Bytes in which the first three lines end.
const LONGEST: u64 = 1 << 16;
/// Name of the column of files, which the file does not name.
const FILES: &str = "image_id";

/// Whether the file at `path` begins as such a table.
pub(in crate::data) fn is_attribute_table(path: &Path) -> bool {
    is_text(path) && start_of(path, LONGEST).is_some_and(|start| begins_as_one(&start))
}

/// The table as text with tabs between its columns, and its number of rows, if the file is one. The first line is empty, so that lines
/// keep their numbers.
pub(super) fn table_of_attributes(path: &Path, text: &str) -> Option<(String, usize)> {
    if !is_text(path) || !begins_as_one(text) {
        return None;
    }
    let row = |line: &str| line.split_whitespace().collect::<Vec<_>>().join("\t") + "\n";
    let rows: String = text.lines().skip(2).map(row).collect();
    let count = text.lines().next()?.trim().parse().ok()?;
    Some((format!("\n{FILES}\t{}{rows}", row(text.lines().nth(1)?)), count))
}

fn is_text(path: &Path) -> bool {
    path.extension().is_some_and(|e| LIST_EXTENSIONS.iter().any(|known| e.eq_ignore_ascii_case(known)))
}

fn begins_as_one(text: &str) -> bool {
    let mut lines = text.lines().map(|line| line.split_whitespace().collect::<Vec<_>>());
    let (Some(count), Some(names), Some(first)) = (lines.next(), lines.next(), lines.next()) else { return false };
    let is_count = matches!(count[..], [number] if number.parse::<usize>().is_ok());
    let Some((image, flags)) = first.split_first() else { return false };
    let are_flags = flags.iter().all(|flag| matches!(*flag, "1" | "-1" | "0"));
    is_count && names.len() > 1 && flags.len() == names.len() && are_flags && is_image(Path::new(image))
}
