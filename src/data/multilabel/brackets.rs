//! Lists of labels in brackets, as languages and databases write them.
//!
//! | list | written by |
//! |---|---|
//! | `['car', 'tree']`, `["car", "tree"]`, `[car, tree]` | Python, JSON |
//! | `{'car', 'tree'}`, `set()`, `('car', 'tree')` | Python |
//! | `{car,"traffic light"}` | Postgres |
//! | `['car' 'tree']` | NumPy |

const QUOTES: [char; 2] = ['\'', '"'];

/// The text within the brackets of a list; `None` for a list without brackets. Parentheses count only around a quoted
/// label or nothing, because names may have parentheses too.
pub(super) fn inside(list: &str) -> Option<&str> {
    let list = list.trim();
    let list =
        ["frozenset(", "set("].into_iter().find_map(|word| list.strip_prefix(word)?.strip_suffix(')')).unwrap_or(list);
    if list.is_empty() {
        return Some(list);
    }
    let between = |[start, end]: [char; 2]| list.strip_prefix(start)?.strip_suffix(end);
    let of_tuple = || between(['(', ')']).filter(|text| text.trim().is_empty() || text.trim().starts_with(QUOTES));
    between(['[', ']']).or_else(|| between(['{', '}'])).or_else(of_tuple)
}

/// The labels in the text within brackets; `None` for a text of another form.
pub(super) fn labels(inside: &str) -> Option<Vec<&str>> {
    let (mut labels, mut rest) = (Vec::new(), inside.trim_start());
    while let Some(first) = rest.chars().next() {
        let (label, after) = if QUOTES.contains(&first) { quoted(rest, first)? } else { bare(rest)? };
        labels.push(label.trim());
        let next = after.trim_start();
        rest = match next.strip_prefix(',') {
            Some(next) => next.trim_start(),
            // NumPy's blanks stand between quoted labels.
            None if next.is_empty() || (next.len() < after.len() && next.starts_with(QUOTES)) => next,
            None => return None,
        };
    }
    Some(labels)
}

/// A label between quotation marks at the start of a text, and the text after it.
fn quoted(text: &str, quote: char) -> Option<(&str, &str)> {
    let (label, after) = text[1..].split_once(quote)?;
    // Escapes are not read.
    (!label.contains('\\')).then_some((label, after))
}

/// A label without quotation marks at the start of a text, and the text from the comma after it.
fn bare(text: &str) -> Option<(&str, &str)> {
    let (label, after) = text.split_at(text.find(',').unwrap_or(text.len()));
    (!label.contains(['"', '[', ']', '{', '}', ':'])).then_some((label, after))
}
