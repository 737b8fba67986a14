//! Labels of a table or list beside class folders that contradict the folders.

use std::collections::HashMap;

use super::names::shortened;

/// Folder, label and place of an image.
pub(crate) type Labeled = (String, String, String);

/// Two places that contradict each other: a folder with two labels, or a label in two folders. Labels may differ from the names
/// of the folders, as numbers do.
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
