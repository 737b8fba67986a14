//! Text from outside, such as file names, for terminals and for tables that spreadsheets open.

#[cfg(feature = "tasks")]
use std::borrow::Borrow;
use std::path::Path;

/// Text with control characters escaped, as `\n` or `\u{1b}`. A file name then cannot break a line or control a
/// terminal.
#[cfg(feature = "tasks")]
pub fn escaped(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    for c in text.chars() {
        match is_control(c) {
            true => out.extend(c.escape_default()),
            false => out.push(c),
        }
    }
    out
}

/// Whether a character is a control character, or reverses or hides the text around it.
#[cfg(feature = "tasks")]
fn is_control(c: char) -> bool {
    c.is_control()
        || matches!(c, '\u{200b}'..='\u{200f}' | '\u{2028}'..='\u{202e}' | '\u{2066}'..='\u{2069}' | '\u{feff}')
}

/// A table cell that no spreadsheet reads as a formula: text that starts like a formula gets an apostrophe before it.
/// Numbers stay.
#[cfg(feature = "tasks")]
pub fn defused(cell: &str) -> String {
    let formula = cell.starts_with(['=', '+', '-', '@', '\t', '\r']) && cell.trim().parse::<f64>().is_err();
    if formula { format!("'{cell}") } else { cell.to_owned() }
}

/// A number in the shorter of two forms: 0.001, 1e308.
#[cfg(feature = "tasks")]
pub(crate) fn number(value: f64) -> String {
    let (plain, scientific) = (value.to_string(), format!("{value:e}"));
    if plain.len() > 12 && scientific.len() < plain.len() { scientific } else { plain }
}

/// A word for the shells of this system, quoted unless it is plain.
#[cfg(feature = "tasks")]
pub(crate) fn word(text: &str) -> String {
    word_of(text, cfg!(windows))
}

/// A word for PowerShell and cmd of Windows, or for a POSIX shell. cmd knows only double quotes; no name on Windows holds one,
/// and TOML has single quotes for texts too. PowerShell parts words at commas.
#[cfg(feature = "tasks")]
fn word_of(text: &str, windows: bool) -> String {
    let (signs, quote) = if windows { ("-_./:=+\\", '"') } else { ("-_./:=,+@%", '\'') };
    let plain = |c: char| c.is_alphanumeric() || signs.contains(c);
    match (!text.is_empty() && text.chars().all(plain), windows) {
        (true, _) => text.to_owned(),
        (false, true) => format!("{quote}{}{quote}", text.replace(quote, "'")),
        (false, false) => format!("{quote}{}{quote}", text.replace(quote, r"'\''")),
    }
}

/// The known name most similar to `word`, if any is similar.
#[cfg(feature = "data")]
pub(crate) fn nearest<'a>(word: &str, known: impl IntoIterator<Item = &'a str>) -> Option<&'a str> {
    let word = word.to_lowercase();
    let likeness = |name: &&str| strsim::jaro_winkler(&word, name);
    let nearest = known.into_iter().max_by(|a, b| likeness(a).total_cmp(&likeness(b)))?;
    (likeness(&nearest) > 0.75).then_some(nearest)
}

/// The end of a sentence about an unknown name: the known name that was probably meant.
#[cfg(feature = "data")]
pub(crate) fn meant<'a>(word: &str, known: impl IntoIterator<Item = &'a str>) -> String {
    nearest(word, known).map_or_else(String::new, |name| format!("; did you mean `{name}`?"))
}

/// The end of a sentence about a missing file: the entry of its folder that was probably meant.
#[cfg(feature = "data")]
pub(crate) fn meant_path(path: &Path) -> String {
    let folder = match path.parent() {
        Some(folder) if !folder.as_os_str().is_empty() => folder,
        _ => Path::new("."),
    };
    let entries = std::fs::read_dir(folder).into_iter().flatten().flatten();
    let names: Vec<String> = entries.filter_map(|entry| entry.file_name().into_string().ok()).collect();
    let name = path.file_name().map_or(String::new(), |name| name.to_string_lossy().into_owned());
    nearest(&name, names.iter().map(String::as_str))
        .map_or_else(String::new, |name| format!("; did you mean `{}`?", path.with_file_name(name).display()))
}

/// Nothing: names are compared where there are data sets.
#[cfg(not(feature = "data"))]
pub(crate) fn meant_path(_: &Path) -> String {
    String::new()
}

/// A number of things: `1 image`, `2 images`.
#[cfg(feature = "tasks")]
pub(crate) fn count_of(count: usize, thing: &str) -> String {
    format!("{count} {thing}{}", if count == 1 { "" } else { "s" })
}

/// A text with a capital letter, as a title.
#[cfg(feature = "tasks")]
pub(crate) fn capitalized(text: &str) -> String {
    let mut letters = text.chars();
    letters.next().map_or(String::new(), |first| first.to_uppercase().chain(letters).collect())
}

/// Names as `a, b or c`.
#[cfg(feature = "tasks")]
pub fn one_of<T: Borrow<str>>(names: &[T]) -> String {
    match names {
        [] => "none".into(),
        [one] => one.borrow().to_owned(),
        [first @ .., last] => format!("{} or {}", first.join(", "), last.borrow()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_neither_break_lines_nor_drive_terminals() {
        assert_eq!(escaped("a\nb\u{1b}[2Jc é 猫.png"), "a\\nb\\u{1b}[2Jc é 猫.png");
        assert_eq!(escaped("x\u{202e}gnp.exe"), "x\\u{202e}gnp.exe");
        assert_eq!(defused("=cmd|' /C calc'!A0"), "'=cmd|' /C calc'!A0");
        assert_eq!(["-1.5", "–", "+3e2", "@x", "a=b"].map(defused), ["-1.5", "–", "+3e2", "'@x", "a=b"]);
    }

    #[test]
    #[cfg(feature = "tasks")]
    fn words_are_quoted_as_the_shells_of_a_system_read_them() {
        let words = ["runs/a", r"runs\a", "my run", "it's", "0,1", "", "[\"a\"]"];
        let posix = ["runs/a", r"'runs\a'", "'my run'", r"'it'\''s'", "0,1", "''", "'[\"a\"]'"];
        let windows = ["runs/a", r"runs\a", "\"my run\"", "\"it's\"", "\"0,1\"", "\"\"", "\"['a']\""];
        assert_eq!(words.map(|word| word_of(word, false)), posix);
        assert_eq!(words.map(|word| word_of(word, true)), windows);
    }
}
