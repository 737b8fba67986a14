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
/// It is not a total order on a list of numbers and other names; see [`sort`].
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

/// Two names of one value in two notations: `1` and `01`, `2` and `2.0`, `1e0`, `1,000` and `1000`, `True` and `true`
/// or `1`.
pub(crate) fn same_value(names: &[String]) -> Option<(&str, &str)> {
    let mut known: HashMap<String, &str> = HashMap::new();
    let keys = names.iter().filter_map(|name| Some((canonical(name)?, name)));
    keys.into_iter().find_map(|(key, name)| known.insert(key, name).map(|first| (first, name.as_str())))
}

/// The digits of a number without zeros at their ends, or those of a truth value; `None` for another name.
fn canonical(name: &str) -> Option<String> {
    let text: String = name.trim().nfkc().collect::<String>().to_lowercase();
    match text.as_str() {
        "true" => return Some("1.".into()),
        "false" => return Some(".".into()),
        _ => {}
    }
    let text = without_thousands(&text).unwrap_or(text);
    if let Some((digits, exponent)) = text.split_once('e') {
        let number = value(digits).and_then(|_| exponent.parse::<i32>().ok()).and_then(|_| text.parse::<f64>().ok());
        return number.filter(|number| number.is_finite()).and_then(|number| canonical(&number.to_string()));
    }
    value(&text)?;
    // Integers above 2^53 are not exact in f64. Digits without zeros at their ends are.
    let (sign, digits) = text.strip_prefix('-').map_or(("", text.trim_start_matches('+')), |rest| ("-", rest));
    let (whole, fraction) = digits.split_once('.').unwrap_or((digits, ""));
    Some(format!("{sign}{}.{}", whole.trim_start_matches('0'), fraction.trim_end_matches('0')))
}

/// `1000` for `1,000`.
fn without_thousands(text: &str) -> Option<String> {
    let (whole, fraction) = text.split_once('.').map_or((text, None), |(whole, fraction)| (whole, Some(fraction)));
    let mut groups = whole.trim_start_matches(['-', '+']).split(',');
    let first = groups.next()?;
    let is_group = |group: &str| group.len() == 3 && group.bytes().all(|byte| byte.is_ascii_digit());
    let is_first = (1..=3).contains(&first.len()) && first.bytes().all(|byte| byte.is_ascii_digit());
    let whole = (whole.contains(',') && is_first && groups.all(is_group)).then(|| whole.replace(',', ""))?;
    Some(fraction.map_or(whole.clone(), |fraction| format!("{whole}.{fraction}")))
}

/// Pairs of names that differ in case, width, outer blanks or invisible characters alone, such as `Cat ` and `cat`.
/// Names of one letter, such as `A` and `a`, are not such a pair.
pub(crate) fn case_twins(names: &[String]) -> Vec<(&str, &str)> {
    let mut known: HashMap<String, &str> = HashMap::new();
    names.iter().filter_map(|name| known.insert(visible(name), name).map(|first| (first, name.as_str()))).collect()
}

/// A name in usual width, without outer blanks and without characters of no width; in lower case unless it is one
/// letter.
fn visible(name: &str) -> String {
    let has_width = |c: &char| !matches!(c, '\u{ad}' | '\u{200b}'..='\u{200f}' | '\u{202a}'..='\u{202e}' | '\u{2060}'..='\u{2064}' | '\u{feff}');
    let visible = name.nfkc().filter(has_width).collect::<String>();
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
    const WORDS: [&str; 15] = [
        "na",
        "n/a",
        "nan",
        "null",
        "none",
        "nil",
        "undefined",
        "#n/a",
        "?",
        "-",
        "--",
        "tbd",
        "todo",
        "unlabeled",
        "unlabelled",
    ];
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

/// Number of characters of a text from outside that a message shows.
const SHOWN: usize = 120;

/// The start of a text from outside, as a message shows it: a field of a table may have megabytes.
pub(crate) fn shortened(text: &str) -> String {
    match text.char_indices().nth(SHOWN) {
        Some((at, _)) => format!("{}…", &text[..at]),
        None => text.to_string(),
    }
}

/// `a b` for `a%20b`. Other percent signs stay.
pub(crate) fn percent_decoded(text: &str) -> String {
    let bytes = text.as_bytes();
    let (mut out, mut at) = (Vec::with_capacity(bytes.len()), 0);
    while at < bytes.len() {
        let code = bytes.get(at + 1..at + 3).filter(|code| code.iter().all(u8::is_ascii_hexdigit));
        let code = code.filter(|_| bytes[at] == b'%').and_then(|code| std::str::from_utf8(code).ok());
        match code.and_then(|code| u8::from_str_radix(code, 16).ok()) {
            Some(byte) => (out.push(byte), at += 3).0,
            None => (out.push(bytes[at]), at += 1).0,
        }
    }
    String::from_utf8(out).unwrap_or_else(|_| text.to_string())
}

/// `'a'`, `'a' and 'b'`, `'a', 'b' and 'c'`; of many names, only the first.
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
        assert_eq!(same_value(&names(&["2", "01", "1"])), Some(("01", "1")));
        assert_eq!(same_value(&names(&["2", "1", "2.0"])), Some(("2", "2.0")));
        assert_eq!(same_value(&names(&["9007199254740992", "9007199254740993"])), None);
        assert_eq!(same_value(&names(&["1", "01", "x"])), Some(("1", "01")));
        assert_eq!(same_value(&names(&["1e0", "2", "1"])), Some(("1e0", "1")));
        assert_eq!(same_value(&names(&["1,000", "2000", "1000"])), Some(("1,000", "1000")));
        assert_eq!(same_value(&names(&["1", "2", "\u{ff11}"])), Some(("1", "\u{ff11}")));
        assert_eq!(same_value(&names(&["False", "True", "true"])), Some(("True", "true")));
        assert_eq!(same_value(&names(&["True", "False", "1"])), Some(("True", "1")));
        assert_eq!(same_value(&names(&["1,00", "1.0.1", "1e", "e1", "yes", "0", "x,000"])), None);
        assert_eq!(case_twins(&names(&["cat", "dog", "Cat", "Dog"])), [("cat", "Cat"), ("dog", "Dog")]);
        assert_eq!(case_twins(&names(&["A", "a", "b"])), []);
        assert_eq!(case_twins(&names(&["a", "b", "a\u{200b}"])), [("a", "a\u{200b}")]);
        assert_eq!(case_twins(&names(&["cat", "cat\u{200b}"])), [("cat", "cat\u{200b}")]);
        assert_eq!(case_twins(&names(&["cat", "dog", "Cat "])), [("cat", "Cat ")]);
    }
}
