//! Lists of class names whose lines hold numbers: values, or parts of the names.
//!
//! | each line | reading |
//! |---|---|
//! | `3 road`, `3: road`, `3. road`, `[3] road` | value and name |
//! | `road 3`, `road=3`, `road (3)`, with numbers and names that differ | the same |
//! | `road 128 64 128` | refused: a color |
//! | `road-2`, `car1` whose numbers count the lines in another order | refused: a value, or a part of the name |
//! | `id,name` above such lines | the titles of two columns |
//! | all but one begin with a number | refused: a value, or a part of the name |
//! | other | a name |

use std::collections::BTreeSet;
use std::path::Path;

use crate::data::DataError;
use crate::data::names::shortened;

/// Characters between a number and the name after it.
const AFTER: [char; 9] = [' ', ':', ',', ';', '\t', '=', '.', ')', ']'];
/// Characters between a name and the number after it.
const BEFORE: [char; 8] = [' ', ':', ',', ';', '\t', '=', '(', '['];

/// The number at the start of a line, and the rest.
fn first_number(line: &str) -> Option<(u8, &str)> {
    let line = line.trim_start_matches(['[', '(']);
    let digits = line.len() - line.trim_start_matches(|c: char| c.is_ascii_digit()).len();
    Some((line[..digits].parse().ok()?, &line[digits..]))
}

/// The number at the end of a line, and the text before it.
fn last_number(line: &str) -> Option<(&str, u8)> {
    let line = line.trim_end_matches([']', ')']);
    let (name, digits) = line.split_at(line.trim_end_matches(|c: char| c.is_ascii_digit()).len());
    Some((name, digits.parse().ok()?))
}

/// The value and the name of `3 road` or `3: road`.
fn with_number(line: &str) -> Option<(u8, String)> {
    let (number, rest) = first_number(line)?;
    let is_fraction = rest.starts_with('.') && rest[1..].starts_with(|c: char| c.is_ascii_digit());
    let name = rest.trim_start_matches(AFTER);
    Some((number, name.to_string())).filter(|_| rest.starts_with(AFTER) && !is_fraction && !name.is_empty())
}

/// The values and the names of lines that all begin with a number, or all end with one after names that differ. A name
/// that differs in its number alone, such as `grade 1`, has no value.
///
/// # Errors
/// Where the lines end in colors, or where numbers that are part of a word count the lines in another order.
pub(super) fn with_numbers<S: AsRef<str>>(path: &Path, lines: &[S]) -> Result<Option<Vec<(u8, String)>>, DataError> {
    if lines.is_empty() {
        return Ok(None);
    }
    let in_front: Option<Vec<(u8, String)>> = lines.iter().map(|line| with_number(line.as_ref())).collect();
    let at_end = || {
        let read = |line: &S| {
            let (name, number) = last_number(line.as_ref().trim_end())?;
            let bare = name.trim_end_matches(BEFORE);
            Some((number, bare.to_string())).filter(|_| name.ends_with(BEFORE) && !bare.is_empty())
        };
        let numbered = lines.iter().map(read).collect::<Option<Vec<(u8, String)>>>()?;
        let values: BTreeSet<u8> = numbered.iter().map(|(value, _)| *value).collect();
        let names: BTreeSet<String> = numbered.iter().map(|(_, name)| name.to_lowercase()).collect();
        (values.len() == lines.len() && names.len() == lines.len()).then_some(numbered)
    };
    if lines.iter().all(|line| ends_in_color(line.as_ref())) {
        let problem = "its lines end in three numbers, as colors do, and a list of names has none; write the lines as r g b name in \
                       label_colors.txt, or list the classes in a classes.toml";
        return Err(DataError::malformed(path, problem));
    }
    match in_front.or_else(at_end) {
        Some(numbered) => Ok(Some(numbered)),
        None if is_title(lines[0].as_ref()) => with_numbers(path, &lines[1..]),
        None => {
            require_all_or_none(path, lines)?;
            require_order(path, lines).map(|()| None)
        }
    }
}

/// Whether a line holds the titles of two columns, one of numbers and one of names.
fn is_title(line: &str) -> bool {
    const NUMBERS: [&str; 10] =
        ["id", "ids", "value", "index", "number", "label", "pixel", "pixel_value", "train_id", "class_id"];
    const NAMES: [&str; 7] = ["name", "names", "class", "class_name", "label", "category", "label_name"];
    let words: Vec<String> =
        line.split([',', ';', '\t', ':', ' ', '|']).map(|word| word.trim().to_lowercase()).collect();
    let is = |place: usize, known: &[&str]| known.contains(&words[place].as_str());
    words.len() == 2 && ((is(0, &NUMBERS) && is(1, &NAMES)) || (is(0, &NAMES) && is(1, &NUMBERS)))
}

/// Refuses lines that all begin with a number, apart from one: the numbers can be values, or parts of the names.
fn require_all_or_none<S: AsRef<str>>(path: &Path, lines: &[S]) -> Result<(), DataError> {
    let bare: Vec<&str> = lines.iter().map(AsRef::as_ref).filter(|line| with_number(line).is_none()).collect();
    let &[bare] = &bare[..] else { return Ok(()) };
    if lines.len() < 3 {
        return Ok(());
    }
    let problem = format!(
        "all its lines begin with a number, apart from '{}': the numbers can be the values of the classes, or parts of the names; \
         write a value, a blank and a name in each line, or list the classes in a classes.toml",
        shortened(bare)
    );
    Err(DataError::malformed(path, problem))
}

/// Whether a line is a name and three numbers from 0 to 255.
fn ends_in_color(line: &str) -> bool {
    let words: Vec<&str> = line.split([' ', ',', ';', '\t']).filter(|word| !word.is_empty()).collect();
    words.len() > 3 && words[words.len() - 3..].iter().all(|word| word.parse::<u8>().is_ok())
}

/// Refuses lines whose numbers count them in another order: the numbers can be the values, or parts of the names.
fn require_order<S: AsRef<str>>(path: &Path, lines: &[S]) -> Result<(), DataError> {
    let first = lines.iter().map(|line| first_number(line.as_ref()).map(|(number, _)| number));
    let last = lines.iter().map(|line| last_number(line.as_ref().trim_end()).map(|(_, number)| number));
    let number = |number: Option<u8>| number.map(usize::from);
    let numbers: [Option<Vec<usize>>; 2] = [first.map(number).collect(), last.map(number).collect()];
    let are_shuffled = |numbers: &Vec<usize>| {
        let mut sorted = numbers.clone();
        sorted.sort_unstable();
        let is_count = (0..=1).any(|from| sorted.iter().zip(from..).all(|(number, place)| *number == place));
        is_count && sorted != *numbers
    };
    let Some(numbers) = numbers.into_iter().flatten().find(are_shuffled) else { return Ok(()) };
    let at =
        numbers.iter().zip(numbers.iter().min().copied().unwrap_or(0)..).position(|(number, place)| *number != place);
    let line = at.and_then(|at| lines.get(at)).map_or("", AsRef::as_ref);
    let problem = format!(
        "the numbers in its lines count them in another order, as in '{}': they can be the values of the classes, or parts of the \
         names; write a value, a blank and a name in each line, or list the classes in a classes.toml",
        shortened(line)
    );
    Err(DataError::malformed(path, problem))
}
