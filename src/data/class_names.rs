//! Files that may name the classes of a set, in a form or a place that is not read.

use std::path::{Path, PathBuf};

use super::Decisions;
use super::listing::{entries, is_image, is_table, name_of, stem_of};
use super::text::start_of;

/// Names of such files, without extension.
const STEMS: [&str; 26] = [
    "categories",
    "class_indices",
    "class_list",
    "class_map",
    "class_names",
    "class_to_idx",
    "classes",
    "classnames",
    "id2label",
    "id_to_label",
    "idx_to_class",
    "index_to_class",
    "label2id",
    "label_list",
    "label_map",
    "label_names",
    "label_to_id",
    "labelmap",
    "labels",
    "names",
    "obj",
    "synset",
    "synset_words",
    "synsets",
    "wnids",
    "words",
];
/// Their extensions.
const EXTENSIONS: [&str; 8] = ["txt", "json", "yaml", "yml", "toml", "csv", "names", "pbtxt"];
/// Files of other things, with the key after which they name classes.
const KEYS: [(&str, &str); 5] = [
    ("data.yaml", "names:"),
    ("data.yml", "names:"),
    ("dataset.yaml", "names:"),
    ("dataset.json", "\"labels\""),
    ("config.json", "\"id2label\""),
];
/// Bytes of a file that are looked at.
const LOOKED_AT: u64 = 1 << 14;

/// Whether a file may name classes, by its own name and its content.
pub(super) fn may_name_classes(path: &Path) -> bool {
    let name = name_of(path).to_lowercase();
    let extension = path.extension().and_then(|e| e.to_str()).unwrap_or("").to_lowercase();
    let stem = stem_of(path).to_lowercase().replace(['-', ' '], "_");
    let key = KEYS.iter().find(|(file, _)| *file == name).map(|(_, key)| *key);
    let is_named_so = STEMS.contains(&stem.as_str()) && EXTENSIONS.contains(&extension.as_str());
    if key.is_none() && !is_named_so {
        return false;
    }
    let Some(start) = start_of(path, LOOKED_AT) else { return false };
    // A list of images has such a name too.
    let names_images =
        start.lines().take(2).flat_map(|line| line.split([' ', ',', '\t', '"'])).any(|word| is_image(Path::new(word)));
    key.map_or(start.contains(char::is_alphabetic), |key| start.contains(key)) && !names_images
}

/// A note on each file in `folder` that may name the classes `known` otherwise than the folders or the labels, which do. A table of
/// labels reads `classes.txt`.
pub(super) fn unread(folder: &Path, decisions: &Decisions, known: &[String]) -> Vec<String> {
    let is_of_table = decisions.format.starts_with("CSV");
    let is_read = |path: &PathBuf| {
        let name = name_of(path);
        let left_out = || decisions.left_out.iter().any(|one| one.path == *path);
        let is_used = decisions.evidence.contains(&name) || decisions.lists.contains(&name) || left_out();
        is_table(path) || is_used || (is_of_table && name == "classes.txt") || says(path, known)
    };
    let files = entries(folder).unwrap_or_default().into_iter().filter(|path| path.is_file() && may_name_classes(path));
    let by = if is_of_table { "labels of the table" } else { "folders" };
    let note = |path: PathBuf| format!("{} is not read: the {by} name the classes", name_of(&path));
    files.filter(|path| !is_read(path)).map(note).collect()
}

/// Whether the lines of a file are the names of the classes, in their order.
fn says(path: &Path, known: &[String]) -> bool {
    let start = start_of(path, LOOKED_AT).unwrap_or_default();
    start.lines().map(str::trim).filter(|line| !line.is_empty()).eq(known.iter().map(String::as_str))
}
