//! Folders at two levels, either of which may be that of the classes.

use std::collections::BTreeSet;

use super::names;

/// The problem of folders that all hold folders of the same names, such as folds, magnifications or cameras: either level may be
/// that of the classes. So it is where labeled images lie beside unlabeled ones.
pub(super) fn two_levels(outer: &[&str], inner: &[BTreeSet<String>]) -> Option<String> {
    let is_unlabeled = |name: &&str| matches!(&*name.to_lowercase(), "unlabeled" | "unlabelled" | "unsup");
    let with_folders = || inner.iter().filter(|names| !names.is_empty());
    let mut common = with_folders().next()?.clone();
    common.retain(|name| with_folders().all(|names| names.contains(name)));
    let all_have = outer.len() > 1 && with_folders().count() == outer.len();
    let labeled_beside = outer.iter().any(is_unlabeled) && outer.len() == 2;
    if common.len() < 2 || !(all_have || labeled_beside) {
        return None;
    }
    let common: Vec<&String> = common.iter().collect();
    Some(format!(
        "the classes can be the folders {} or the folders in them, {}: for the outer ones, move the images up into them; for the \
         inner ones, put those of one name together; or write a table of path,label (.csv)",
        names::quoted(outer),
        names::quoted(&common)
    ))
}
