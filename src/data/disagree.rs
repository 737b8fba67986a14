//! Labels beside those that a set is read by: of a table beside class folders, of lists beside both.

use std::collections::{BTreeSet, HashMap};
use std::path::Path;

use super::DataError;
use super::listing::relative;
use super::lists::second_unused;
use super::names::{composed, shortened};

/// Folder, label and place of an image.
pub(crate) type Labeled = (String, String, String);

/// Two places that contradict each other: a folder with two labels, or a label in two folders. Labels may differ from
/// the names of the folders, for example as numbers.
pub(crate) fn disagreement(images: &[Labeled]) -> Option<String> {
    let first = |key: fn(&Labeled) -> &String| -> HashMap<&String, &Labeled> {
        images.iter().rev().map(|image| (key(image), image)).collect()
    };
    let (of_folder, of_label) = (first(|image| &image.0), first(|image| &image.1));
    images.iter().find_map(|(folder, label, place)| {
        let (_, known, sibling) = of_folder[folder];
        if known != label {
            let [a, b] = [known, label].map(|label| shortened(label));
            return Some(format!("{sibling} is '{a}', {place} is '{b}'"));
        }
        let (elsewhere, _, image) = of_label[label];
        (elsewhere != folder).then(|| format!("{image} and {place} are both '{}'", shortened(label)))
    })
}

/// Compares the text after the names in lists (`second`) with the labels of the set at `root`. Returns a note.
///
/// | argument | |
/// |---|---|
/// | `source` | what gives the labels: `table` or `class folders`, as the message names it |
/// | `classes` | number of distinct labels; more distinct texts than that are not labels, and are not compared |
/// | `label` | the label and the path of an image |
///
/// # Errors
/// Two labels in the lists for one of the set, or one for two.
pub(crate) fn of_lists<'a>(
    root: &Path,
    (source, classes): (&str, usize),
    second: &[(usize, String, String)],
    label: impl Fn(usize) -> (&'a str, &'a Path),
) -> Result<Option<String>, DataError> {
    let texts: BTreeSet<&str> = second.iter().map(|(_, text, _)| text.as_str()).collect();
    if texts.len() > classes {
        return Ok(second_unused(second));
    }
    let labeled = |(item, text, place): &(usize, String, String)| {
        let (label, path) = label(*item);
        let place = format!("{} ({})", relative(root, path), relative(root, Path::new(place)));
        (label.to_owned(), text.clone(), place)
    };
    let images: Vec<Labeled> = second.iter().map(labeled).collect();
    match disagreement(&images).or_else(|| exchanged(&images)) {
        Some(rows) => {
            let problem = format!(
                "the second column contradicts the {source}: {rows}; remove the column if it is no label, or write the \
                 labels as a table (.csv) and give that"
            );
            let list = second.first().and_then(|(.., place)| place.rsplit_once(", "));
            Err(DataError::malformed(list.map_or(root, |(list, _)| Path::new(list)), problem))
        }
        None => Ok((!second.is_empty()).then(|| format!("the labels in the lists agree with the {source}"))),
    }
}

/// An image whose two labels differ, if both kinds of labels have the same names.
pub(crate) fn exchanged(images: &[Labeled]) -> Option<String> {
    let distinct =
        |name: fn(&Labeled) -> &String| -> BTreeSet<String> { images.iter().map(|one| composed(name(one))).collect() };
    let (_, label, place) = images.iter().find(|(own, label, _)| composed(own) != composed(label))?;
    (distinct(|one| &one.0) == distinct(|one| &one.1)).then(|| format!("{place} is '{}'", shortened(label)))
}
