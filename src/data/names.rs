//! Names of files, folders and classes: equality and order.

use std::cmp::Ordering;
use std::collections::HashMap;

use unicode_normalization::{UnicodeNormalization, is_nfc};

/// `name` in composed Unicode form (NFC). macOS writes `é` as two characters, most other systems as one; both become
/// equal.
pub(crate) fn composed(name: &str) -> String {
    if is_nfc(name) { name.to_string() } else { name.nfc().collect() }
}

/// The order of class names: by value if both are numbers, else by name.
///
/// It is no total order on a list of numbers and other names; see [`sort`].
fn by_value(a: &str, b: &str) -> Ordering {
    match (value(a), value(b)) {
        (Some(x), Some(y)) => x.total_cmp(&y).then_with(|| a.cmp(b)),
        _ => a.cmp(b),
    }
}

/// The number of a name of digits, such as `-3` or `2.50`.
pub(crate) fn value(name: &str) -> Option<f64> {
    let digits = name.strip_prefix(['-', '+']).unwrap_or(name);
    let is_number = digits.starts_with(|c: char| c.is_ascii_digit())
        && digits.bytes().all(|byte| byte.is_ascii_digit() || byte == b'.');
    if is_number { name.parse().ok() } else { None }
}

/// Two names of the same number, if all names are numbers: `1` and `01`, or `2` and `2.0`.
pub(crate) fn same_number(names: &[String]) -> Option<(&str, &str)> {
    // Integers above 2^53 are not exact in f64. Digits without zeros at their ends are.
    let bare = |name: &str| {
        let (sign, digits) = name.strip_prefix('-').map_or(("", name.trim_start_matches('+')), |rest| ("-", rest));
        let (whole, fraction) = digits.split_once('.').unwrap_or((digits, ""));
        format!("{sign}{}.{}", whole.trim_start_matches('0'), fraction.trim_end_matches('0'))
    };
    let mut known: HashMap<String, &str> = HashMap::new();
    if names.iter().any(|name| value(name).is_none()) {
        return None;
    }
    names.iter().find_map(|name| known.insert(bare(name), name).map(|first| (first, name.as_str())))
}

/// Two names that differ in case, outer blanks or invisible characters alone, such as `Cat ` and `cat`. The case of single
/// letters counts: `A` and `a` are two names.
pub(crate) fn case_twins(names: &[String]) -> Option<(&str, &str)> {
    let mut known: HashMap<String, &str> = HashMap::new();
    names.iter().find_map(|name| known.insert(visible(name), name).map(|first| (first, name.as_str())))
}

/// A name without outer blanks and invisible characters, in lower case unless it is one letter.
fn visible(name: &str) -> String {
    let has_width = |c: &char| !matches!(c, '\u{ad}' | '\u{200b}'..='\u{200f}' | '\u{202a}'..='\u{202e}' | '\u{2060}'..='\u{2064}' | '\u{feff}');
    let visible = name.chars().filter(has_width).collect::<String>();
    let visible = visible.trim();
    if visible.chars().nth(1).is_some() { visible.to_lowercase() } else { visible.to_owned() }
}

/// A name that differs from `name` in case, blanks or leading zeros alone.
pub(crate) fn nearest(name: &str, names: &[String]) -> Option<String> {
    let folded = |name: &str| {
        let bare = name.to_lowercase().split_whitespace().collect::<Vec<_>>().join(" ");
        let digits = bare.trim_start_matches('0');
        if value(&bare).is_some() && digits.is_empty() { "0".to_owned() } else { digits.to_owned() }
    };
    names.iter().find(|known| folded(known) == folded(name)).cloned()
}

/// Whether a label is a word for "no value", as tables write it.
pub(crate) fn says_nothing(name: &str) -> bool {
    const WORDS: [&str; 8] = ["na", "n/a", "nan", "null", "none", "nil", "undefined", "#n/a"];
    WORDS.contains(&name.trim().to_lowercase().as_str())
}

/// Sorts by class name: by value if all names are numbers (`1, 2, 10`), else by name.
pub(crate) fn sort<T>(items: &mut [T], name: impl Fn(&T) -> &str) {
    if items.iter().all(|item| value(name(item)).is_some()) {
        items.sort_by(|a, b| by_value(name(a), name(b)));
    } else {
        items.sort_by(|a, b| name(a).cmp(name(b)));
    }
}

/// Letters of a text from outside that a message shows.
const SHOWN: usize = 120;

/// The start of a text from outside, as a message shows it: a field of a table may have megabytes.
pub(crate) fn shortened(text: &str) -> String {
    match text.char_indices().nth(SHOWN) {
        Some((at, _)) => format!("{}…", &text[..at]),
        None => text.to_string(),
    }
}

/// `'a'`, `'a' and 'b'`, `'a', 'b' and 'c'`; of many names the first.
pub(crate) fn quoted(names: &[impl AsRef<str>]) -> String {
    const SHOWN: usize = 6;
    let words: Vec<String> = names.iter().take(SHOWN).map(|name| format!("'{}'", name.as_ref())).collect();
    match words.as_slice() {
        _ if names.len() > SHOWN => format!("{} and {} more", words.join(", "), names.len() - SHOWN),
        [front @ .., last] if !front.is_empty() => format!("{} and {last}", front.join(", ")),
        words => words.concat(),
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
    fn numbers_sort_by_value() {
        let sorted = |names: &[&str]| {
            let mut names = names.to_vec();
            sort(&mut names, |name| name);
            names.join(" ")
        };
        assert_eq!(sorted(&["10", "2", "1", "-3"]), "-3 1 2 10");
        assert_eq!(sorted(&["10", "2", "b", "1"]), "1 10 2 b");
        assert_eq!(sorted(&["10.0", "2.5", "1.0"]), "1.0 2.5 10.0");
        assert_eq!(sorted(&["1.0.1", "1e5", "inf"]), "1.0.1 1e5 inf");
        assert_eq!(composed("cafe\u{301}"), "caf\u{e9}");
    }

    #[test]
    fn names_that_may_be_one_are_found() {
        let names = |names: &[&str]| names.iter().map(ToString::to_string).collect::<Vec<_>>();
        assert_eq!(same_number(&names(&["2", "01", "1"])), Some(("01", "1")));
        assert_eq!(same_number(&names(&["2", "1", "2.0"])), Some(("2", "2.0")));
        assert_eq!(same_number(&names(&["9007199254740992", "9007199254740993"])), None);
        assert_eq!(same_number(&names(&["1", "01", "x"])), None);
        assert_eq!(case_twins(&names(&["cat", "dog", "Cat"])), Some(("cat", "Cat")));
        assert_eq!(case_twins(&names(&["A", "a", "b"])), None);
        assert_eq!(case_twins(&names(&["a", "b", "a\u{200b}"])), Some(("a", "a\u{200b}")));
        assert_eq!(case_twins(&names(&["cat", "cat\u{200b}"])), Some(("cat", "cat\u{200b}")));
        assert_eq!(case_twins(&names(&["cat", "dog", "Cat "])), Some(("cat", "Cat ")));
    }
}
