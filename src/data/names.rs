//! Names of files, folders and classes: equality and order.

use std::cmp::Ordering;

use unicode_normalization::{UnicodeNormalization, is_nfc};

/// `name` in composed Unicode form (NFC). macOS writes `é` as two characters, most other systems as one; both become
/// equal.
pub(crate) fn composed(name: &str) -> String {
    if is_nfc(name) { name.to_string() } else { name.nfc().collect() }
}

/// The order of class names: by value if both are integers, else by name.
///
/// It is no total order on a list of integers and other names; see [`sort`].
fn by_value(a: &str, b: &str) -> Ordering {
    match (value(a), value(b)) {
        (Some(x), Some(y)) => x.cmp(&y).then_with(|| a.cmp(b)),
        _ => a.cmp(b),
    }
}

/// The integer of a name.
pub(crate) fn value(name: &str) -> Option<i64> {
    name.parse().ok()
}

/// Sorts by class name: by value if all names are integers (`1, 2, 10`), else by name.
pub(crate) fn sort<T>(items: &mut [T], name: impl Fn(&T) -> &str) {
    if items.iter().all(|item| value(name(item)).is_some()) {
        items.sort_by(|a, b| by_value(name(a), name(b)));
    } else {
        items.sort_by(|a, b| name(a).cmp(name(b)));
    }
}

/// A name without line breaks, for a line or a row of a table. Names of folders and in tables may have line breaks.
pub(crate) fn one_line(name: &str) -> String {
    name.chars().map(|c| if c.is_control() { ' ' } else { c }).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn integers_sort_by_value() {
        let sorted = |names: &[&str]| {
            let mut names = names.to_vec();
            sort(&mut names, |name| name);
            names.join(" ")
        };
        assert_eq!(sorted(&["10", "2", "1", "-3"]), "-3 1 2 10");
        assert_eq!(sorted(&["10", "2", "b", "1"]), "1 10 2 b");
        assert_eq!(composed("cafe\u{301}"), "caf\u{e9}");
    }
}
