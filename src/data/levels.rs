//! Folders at two levels: either level may be the classes.

use std::collections::BTreeSet;

use super::names;

/// The problem of folders that all hold folders, if two hold a folder of the same name, such as folds, magnifications
/// or cameras: either level may be the classes. The same holds if labeled images lie beside unlabeled ones, and if the names of
/// the outer folders are single letters, as SUN397 sorts its classes. A single folder in each is not a second level.
pub(super) fn two_levels(outer: &[&str], inner: &[BTreeSet<String>]) -> Option<String> {
    if let Some((name, inside)) = outer.iter().zip(inner).find(|(_, inside)| holds_siblings(outer, inside)) {
        return Some(format!(
            "'{name}' holds folders of the names of those beside it, {}: they can be a copy of the set, or its classes; remove '{name}', \
             or give it as the set",
            names::quoted(&inside.iter().collect::<Vec<_>>())
        ));
    }
    let is_unlabeled = |name: &&str| matches!(&*name.to_lowercase(), "unlabeled" | "unlabelled" | "unsup");
    let with_folders = || inner.iter().filter(|names| !names.is_empty());
    let all_have = outer.len() > 1 && with_folders().count() == outer.len();
    let labeled_beside = outer.iter().any(is_unlabeled) && outer.len() == 2;
    let least = if labeled_beside && !all_have { 1 } else { 2 };
    let all: BTreeSet<&String> = inner.iter().flatten().collect();
    let is_common = |name: &&&String| with_folders().filter(|names| names.contains(**name)).count() >= least;
    let are_letters = all_have && outer.iter().all(|name| name.len() == 1 && name.chars().all(char::is_alphabetic));
    let common: Vec<&String> = all.iter().filter(|name| are_letters || is_common(name)).copied().collect();
    let are_several = with_folders().any(|names| names.len() > 1);
    if common.is_empty() || !are_several || !(all_have || labeled_beside) {
        return None;
    }
    Some(format!(
        "the classes can be the folders {} or the folders in them, {}: for the outer ones, move the images up into them; for the \
         inner ones, put those of one name together; or write a table of path,label (.csv)",
        names::quoted(outer),
        names::quoted(&common)
    ))
}

/// Whether a folder holds folders with the names of two folders beside it, as archives that hold a set twice do.
fn holds_siblings(outer: &[&str], inside: &BTreeSet<String>) -> bool {
    outer.iter().filter(|name| inside.contains(**name)).count() > 1
}
