//! The separator between the labels of a list, decided from all lists of a column together.

use std::collections::BTreeSet;
use std::fmt;

use super::brackets;
use crate::data::names::quoted;

/// A separator of labels.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Separator {
    /// Nothing: a list is one label.
    None,
    /// One of `;`, `|` and `,`.
    Mark(char),
    /// One or more spaces.
    Space,
    /// Commas within brackets, as Python, JSON and Postgres write lists and sets, or blanks between quoted labels, as
    /// NumPy does.
    Brackets,
}

impl fmt::Display for Separator {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::None => f.write_str("nothing"),
            Self::Mark(mark) => write!(f, "'{mark}'"),
            Self::Space => f.write_str("spaces"),
            Self::Brackets => f.write_str("commas in brackets"),
        }
    }
}

/// A separator, and the reason if others were possible.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Decided {
    pub separator: Separator,
    pub why: Option<String>,
}

/// Lists with two readings, or without one.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Unclear {
    /// Index of a list with the fault.
    pub at: usize,
    /// Both readings, and the remedy.
    pub problem: String,
}

const MARKS: [char; 3] = [';', '|', ','];

/// The remedy for lists with spaces.
const SPELL_OUT: &str = "write ; between labels (a space then belongs to a label), or list the classes, one a line, in \
                         classes.txt beside the table";

impl Separator {
    /// The labels of a list, without empty ones as in `car;;tree;`.
    pub fn split(self, list: &str) -> Vec<&str> {
        let inside = list.trim();
        let parts: Vec<&str> = match self {
            Self::None => vec![inside],
            Self::Mark(mark) => inside.split(mark).collect(),
            Self::Space => inside.split_whitespace().collect(),
            Self::Brackets => brackets::inside(inside).and_then(brackets::labels).unwrap_or_default(),
        };
        parts.into_iter().map(str::trim).filter(|label| !label.is_empty()).collect()
    }

    /// Whether all labels of all lists are among `classes`.
    fn gives_only(self, classes: &[String], lists: &[&str]) -> bool {
        lists.iter().all(|list| self.split(list).iter().all(|label| classes.iter().any(|class| class == label)))
    }

    /// Decides for lists, with the class list if there is one.
    ///
    /// # Errors
    /// Where two readings are possible and the lists exclude neither.
    pub fn decide(lists: &[&str], classes: Option<&[String]>) -> Result<Decided, Unclear> {
        if let Some(decided) = in_brackets(lists, classes) {
            return decided;
        }
        let has_space = lists.iter().any(|list| list.trim().contains(char::is_whitespace));
        let marks: Vec<char> = MARKS.into_iter().filter(|&mark| lists.iter().any(|list| list.contains(mark))).collect();
        let mut readings: Vec<Self> = marks.iter().map(|&mark| Self::Mark(mark)).collect();
        if marks.is_empty() {
            readings.extend([Self::None].into_iter().chain(has_space.then_some(Self::Space)));
        }
        if let [only] = readings[..] {
            return Ok(Decided { separator: only, why: None });
        }
        if let Some(classes) = classes {
            let fitting: Vec<Self> = readings.iter().copied().filter(|r| r.gives_only(classes, lists)).collect();
            if let [separator] = fitting[..] {
                return Ok(Decided { separator, why: Some("only so are all labels in classes.txt".into()) });
            }
        }
        match marks[..] {
            [first, second, ..] => Err(two_marks(lists, first, second)),
            _ => space_or_name(lists),
        }
    }
}

/// Decides for lists of which one has brackets; `None` without.
fn in_brackets(lists: &[&str], classes: Option<&[String]>) -> Option<Result<Decided, Unclear>> {
    let filled = || lists.iter().enumerate().filter(|(_, list)| !list.trim().is_empty());
    if !filled().any(|(_, list)| brackets::inside(list).is_some()) {
        return None;
    }
    let unclear = |at: usize, problem: String| Some(Err(Unclear { at, problem }));
    if let Some((at, list)) = filled().find(|(_, list)| brackets::inside(list).is_none()) {
        return unclear(at, format!("'{list}' has no brackets, but other lists have; write all in one way"));
    }
    if let Some((at, list)) = filled().find(|(_, list)| brackets::inside(list).and_then(brackets::labels).is_none()) {
        let problem = format!("'{list}' has brackets, and is no list of labels that is read; write ; between labels");
        return unclear(at, problem);
    }
    // NumPy writes no commas.
    let has_blank = |list: &str| {
        !list.contains(['\'', '"']) && brackets::inside(list).is_some_and(|i| i.trim().contains(char::is_whitespace))
    };
    let has_comma = filled().any(|(_, list)| list.contains(','));
    let is_listed = classes.is_some_and(|classes| Separator::Brackets.gives_only(classes, lists));
    match filled().find(|(_, list)| has_blank(list)).filter(|_| !has_comma && !is_listed) {
        None => Some(Ok(Decided { separator: Separator::Brackets, why: None })),
        Some((at, list)) => {
            let words = Separator::Space.split(brackets::inside(list).unwrap_or_default());
            unclear(
                at,
                format!("'{list}' is one label with spaces in it, or the labels {}; {SPELL_OUT}", quoted(&words)),
            )
        }
    }
}

fn two_marks(lists: &[&str], first: char, second: char) -> Unclear {
    let both = lists.iter().position(|list| list.contains(first) && list.contains(second));
    let at = both.or_else(|| lists.iter().position(|list| list.contains(second))).unwrap_or(0);
    let list = lists[at];
    let readings = [first, second].map(|mark| quoted(&Separator::Mark(mark).split(list)));
    let problem = format!(
        "the lists hold '{first}' and '{second}', and either may stand between labels: '{list}' is {} or {}; use one of \
         them alone, or list the classes, one a line, in classes.txt beside the table",
        readings[0], readings[1]
    );
    Unclear { at, problem }
}

/// Decides for lists with spaces and no other separator: `traffic light` is one label or two.
fn space_or_name(lists: &[&str]) -> Result<Decided, Unclear> {
    let words: Vec<Vec<&str>> = lists.iter().map(|list| Separator::Space.split(list)).collect();
    let several: BTreeSet<&[&str]> = words.iter().filter(|w| w.len() > 1).map(Vec::as_slice).collect();
    let separated = |why: String| Ok(Decided { separator: Separator::Space, why: Some(why) });
    // The words of a name always have the same order.
    let in_order = |words: &[&str]| {
        let mut sorted: Vec<String> = words.iter().map(|word| (*word).to_owned()).collect();
        sorted.sort();
        sorted
    };
    let orders: BTreeSet<Vec<String>> = several.iter().map(|words| in_order(words)).collect();
    if orders.len() < several.len() {
        return separated("the same words occur in several orders".into());
    }
    let alone: BTreeSet<&str> = words.iter().filter(|w| w.len() == 1).map(|w| w[0]).collect();
    if several.iter().all(|words| words.iter().all(|word| alone.contains(word))) {
        return separated("each word is also a list by itself".into());
    }
    let vocabulary: BTreeSet<&str> = words.iter().flatten().copied().collect();
    if several.len() > 2 * vocabulary.len() {
        return separated(format!("{} words make {} different lists", vocabulary.len(), several.len()));
    }
    let at = words.iter().position(|w| w.len() > 1).unwrap_or(0);
    let problem = format!(
        "'{}' is one label with spaces in it, or the labels {}; {SPELL_OUT}",
        lists[at].trim(),
        quoted(&words[at])
    );
    Err(Unclear { at, problem })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn decided(lists: &[&str]) -> Separator {
        Separator::decide(lists, None).unwrap().separator
    }

    #[test]
    fn one_mark_is_the_separator() {
        assert_eq!(decided(&["car;traffic light", "tree", ""]), Separator::Mark(';'));
        assert_eq!(decided(&["car|tree", "traffic light"]), Separator::Mark('|'));
        assert_eq!(decided(&["car, tree"]), Separator::Mark(','));
        assert_eq!(decided(&["car", "tree", ""]), Separator::None);
        assert_eq!(decided(&["['car', \"traffic light\"]", "[]", ""]), Separator::Brackets);
        assert_eq!(Separator::Mark(';').split(" car;; traffic light ; "), ["car", "traffic light"]);
        assert_eq!(Separator::Brackets.split("['car', \"traffic light\"]"), ["car", "traffic light"]);
        assert!(Separator::Brackets.split("[]").is_empty() && Separator::None.split(" ").is_empty());
    }

    #[test]
    fn lists_in_brackets_are_those_of_python_postgres_and_numpy() {
        for (lists, labels) in [
            (["{'car', 'tree'}", "{'car'}", "set()"], [&["car", "tree"] as &[&str], &["car"], &[]]),
            (["{car,\"traffic light\"}", "{car}", "{}"], [&["car", "traffic light"], &["car"], &[]]),
            (["['car' 'traffic light']", "['car']", "[]"], [&["car", "traffic light"], &["car"], &[]]),
            (["['car'\n 'tree']", "[\"a, b\"]", "('car',)"], [&["car", "tree"], &["a, b"], &["car"]]),
            (["[traffic light, car]", "[traffic light]", ""], [&["traffic light", "car"], &["traffic light"], &[]]),
        ] {
            let separator = decided(&lists);
            assert_eq!(lists.map(|list| separator.split(list)), labels, "{lists:?}");
        }
        for (list, word) in [
            ("[car tree]", "one label with spaces in it, or the labels 'car' and 'tree'"),
            ("{\"car\": 1}", "no list of labels"),
            ("[['car']]", "no list of labels"),
        ] {
            let unclear = Separator::decide(&[list, "[]"], None).unwrap_err();
            assert!(unclear.problem.contains(word), "{}", unclear.problem);
        }
    }

    #[test]
    fn spaces_are_separators_where_the_lists_prove_it() {
        assert_eq!(decided(&["car tree", "tree car"]), Separator::Space, "another order");
        assert_eq!(decided(&["car tree", "tree", "car"]), Separator::Space, "words alone");
        let pairs: Vec<String> = (0..4).flat_map(|a| (0..a).map(move |b| format!("{a} {b} x"))).collect();
        let triples = (0..4).flat_map(|a| (0..a).flat_map(move |b| (0..b).map(move |c| format!("{a} {b} {c}"))));
        let lists: Vec<String> = pairs.into_iter().chain(triples).chain(["3 2 1 0".into()]).collect();
        let lists: Vec<&str> = lists.iter().map(String::as_str).collect();
        assert_eq!(decided(&lists), Separator::Space, "more lists than words");
    }

    #[test]
    fn what_can_be_read_twice_is_refused_or_settled_by_the_class_list() {
        let lists = ["car", "traffic light", "traffic sign"];
        let unclear = Separator::decide(&lists, None).unwrap_err();
        assert_eq!(unclear.at, 1);
        for word in ["'traffic light' is one label", "'traffic' and 'light'", "classes.txt"] {
            assert!(unclear.problem.contains(word), "{}", unclear.problem);
        }
        let with = |classes: &[&str]| {
            let classes: Vec<String> = classes.iter().map(|&class| class.to_owned()).collect();
            Separator::decide(&lists, Some(&classes)).map(|decided| decided.separator)
        };
        assert_eq!(with(&["car", "traffic light", "traffic sign"]), Ok(Separator::None));
        assert_eq!(with(&["car", "light", "sign", "traffic"]), Ok(Separator::Space));
        assert!(with(&["car", "bus"]).is_err());
        let unclear = Separator::decide(&["car;red, green"], None).unwrap_err();
        assert!(unclear.problem.contains("'car;red' and 'green'"), "{}", unclear.problem);
        assert!(unclear.problem.contains("'car' and 'red, green'"), "{}", unclear.problem);
        assert!(Separator::decide(&["[car]", "tree"], None).unwrap_err().problem.contains("'tree' has no brackets"));
    }
}
