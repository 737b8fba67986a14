//! Letters in the order and form in which they are drawn: Arabic letters join, and runs from right to left are
//! reversed.

/// How a letter joins its neighbors.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Join {
    /// With no neighbor.
    None,
    /// With the previous letter.
    Before,
    /// With both neighbors.
    Both,
}

/// Letters, the first of their forms in Unicode's blocks of presentation forms (isolated, final, initial, medial), and how
/// they join.
const FORMS: [(char, u32, Join); 42] = [
    ('\u{621}', 0xfe80, Join::None),
    ('\u{622}', 0xfe81, Join::Before),
    ('\u{623}', 0xfe83, Join::Before),
    ('\u{624}', 0xfe85, Join::Before),
    ('\u{625}', 0xfe87, Join::Before),
    ('\u{626}', 0xfe89, Join::Both),
    ('\u{627}', 0xfe8d, Join::Before),
    ('\u{628}', 0xfe8f, Join::Both),
    ('\u{629}', 0xfe93, Join::Before),
    ('\u{62a}', 0xfe95, Join::Both),
    ('\u{62b}', 0xfe99, Join::Both),
    ('\u{62c}', 0xfe9d, Join::Both),
    ('\u{62d}', 0xfea1, Join::Both),
    ('\u{62e}', 0xfea5, Join::Both),
    ('\u{62f}', 0xfea9, Join::Before),
    ('\u{630}', 0xfeab, Join::Before),
    ('\u{631}', 0xfead, Join::Before),
    ('\u{632}', 0xfeaf, Join::Before),
    ('\u{633}', 0xfeb1, Join::Both),
    ('\u{634}', 0xfeb5, Join::Both),
    ('\u{635}', 0xfeb9, Join::Both),
    ('\u{636}', 0xfebd, Join::Both),
    ('\u{637}', 0xfec1, Join::Both),
    ('\u{638}', 0xfec5, Join::Both),
    ('\u{639}', 0xfec9, Join::Both),
    ('\u{63a}', 0xfecd, Join::Both),
    ('\u{641}', 0xfed1, Join::Both),
    ('\u{642}', 0xfed5, Join::Both),
    ('\u{643}', 0xfed9, Join::Both),
    ('\u{644}', 0xfedd, Join::Both),
    ('\u{645}', 0xfee1, Join::Both),
    ('\u{646}', 0xfee5, Join::Both),
    ('\u{647}', 0xfee9, Join::Both),
    ('\u{648}', 0xfeed, Join::Before),
    ('\u{649}', 0xfeef, Join::Before),
    ('\u{64a}', 0xfef1, Join::Both),
    ('\u{67e}', 0xfb56, Join::Both),
    ('\u{686}', 0xfb7a, Join::Both),
    ('\u{698}', 0xfb8a, Join::Before),
    ('\u{6a9}', 0xfb8e, Join::Both),
    ('\u{6af}', 0xfb92, Join::Both),
    ('\u{6cc}', 0xfbfc, Join::Both),
];

/// Lam with an alef is drawn as one letter: the alef, and the isolated form of both.
const LAM_ALEF: [(char, u32); 4] = [('\u{622}', 0xfef5), ('\u{623}', 0xfef7), ('\u{625}', 0xfef9), ('\u{627}', 0xfefb)];
const LAM: char = '\u{644}';

fn join_of(letter: Option<&char>) -> Join {
    let known = |letter: &char| FORMS.iter().find(|(known, ..)| known == letter).map(|(.., join)| *join);
    letter.and_then(known).unwrap_or(Join::None)
}

/// Whether a letter is written from right to left.
fn is_right_to_left(letter: char) -> bool {
    matches!(letter, '\u{590}'..='\u{8ff}' | '\u{fb1d}'..='\u{fdff}' | '\u{fe70}'..='\u{fefc}')
}

/// Marks that change only the look of their neighbors.
fn is_mark(letter: char) -> bool {
    matches!(letter, '\u{200b}'..='\u{200f}' | '\u{2060}' | '\u{fe00}'..='\u{fe0f}' | '\u{feff}' | '\u{64b}'..='\u{652}')
}

/// The letters of `text` from left to right. A text without letters from right to left loses only its marks.
pub(super) fn in_drawing_order(text: &str) -> Vec<char> {
    let letters: Vec<char> = text.chars().filter(|letter| !is_mark(*letter)).collect();
    if !letters.iter().any(|letter| is_right_to_left(*letter)) {
        return letters;
    }
    let mut runs: Vec<(bool, Vec<char>)> = Vec::new();
    for letter in joined(&letters) {
        let is_right = is_right_to_left(letter);
        match runs.last_mut() {
            // A blank between two words of a run belongs to the run.
            Some((run_is_right, run)) if *run_is_right == is_right || (*run_is_right && letter == ' ') => {
                run.push(letter);
            }
            Some((true, run)) => {
                let blanks = run.len() - run.iter().rposition(|known| *known != ' ').map_or(0, |last| last + 1);
                let mut next = run.split_off(run.len() - blanks);
                next.push(letter);
                runs.push((false, next));
            }
            _ => runs.push((is_right, vec![letter])),
        }
    }
    let starts_right = runs.first().is_some_and(|(is_right, _)| *is_right);
    if starts_right {
        runs.reverse();
    }
    let turned = |(is_right, mut run): (bool, Vec<char>)| {
        if is_right {
            run.reverse();
        }
        run
    };
    runs.into_iter().flat_map(turned).collect()
}

/// Arabic letters in the forms that their neighbors demand.
fn joined(letters: &[char]) -> Vec<char> {
    let mut forms = Vec::with_capacity(letters.len());
    let mut at = 0;
    while let Some(&letter) = letters.get(at) {
        let is_joined_before =
            at > 0 && join_of(letters.get(at - 1)) == Join::Both && join_of(Some(&letter)) != Join::None;
        let next = letters.get(at + 1);
        let ligature = LAM_ALEF.iter().find(|(alef, _)| letter == LAM && next == Some(alef));
        if let Some((_, isolated)) = ligature {
            forms.extend(char::from_u32(isolated + u32::from(is_joined_before)));
            at += 2;
            continue;
        }
        at += 1;
        let Some((_, isolated, join)) = FORMS.iter().find(|(known, ..)| *known == letter) else {
            forms.push(letter);
            continue;
        };
        let is_joined_after = *join == Join::Both && join_of(next) != Join::None;
        let form = match (is_joined_before, is_joined_after) {
            (false, false) => 0,
            (true, false) => 1,
            (false, true) => 2,
            (true, true) => 3,
        };
        forms.push(char::from_u32(isolated + form).unwrap_or(letter));
    }
    forms
}

#[cfg(test)]
mod tests {
    use super::*;

    fn drawn(text: &str) -> String {
        in_drawing_order(text).into_iter().collect()
    }

    /// `arabic_reshaper.reshape` and `bidi.algorithm.get_display` of Python give the same letters.
    #[test]
    fn arabic_joins_and_runs_are_turned() {
        // qitt (cat): initial qaf, final ta marbuta; the middle letter is medial.
        assert_eq!(drawn("\u{642}\u{637}\u{629}"), "\u{fe94}\u{fec4}\u{fed7}");
        // salam (peace) has lam and alef in one.
        assert_eq!(drawn("\u{633}\u{644}\u{627}\u{645}"), "\u{fee1}\u{fefc}\u{feb3}");
        // dar (house): neither letter joins the next.
        assert_eq!(drawn("\u{62f}\u{627}\u{631}"), "\u{fead}\u{fe8d}\u{fea9}");
        assert_eq!(drawn("a \u{5d0}\u{5d1} b"), "a \u{5d1}\u{5d0} b");
        assert_eq!(drawn("naïve 猫 Ω"), "naïve 猫 Ω");
        assert_eq!(drawn("\u{2708}\u{fe0f}"), "\u{2708}");
    }
}
