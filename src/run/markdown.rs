//! Text in Markdown (CommonMark, with the tables of GitHub). Names of classes, settings, paths and findings pass
//! through here, so that no character is read as markup.

use crate::data::one_line;

/// Plain text on one line, for a paragraph, an item of a list or a cell of a table. An underscore within a word is not
/// markup and stays.
pub fn escaped(text: &str) -> String {
    let line = one_line(text);
    let letters: Vec<char> = line.chars().collect();
    let is_word = |at: Option<usize>| at.and_then(|at| letters.get(at)).is_some_and(|c| c.is_alphanumeric());
    let mut out = String::with_capacity(line.len());
    for (at, &c) in letters.iter().enumerate() {
        let marks = match c {
            '_' => !is_word(at.checked_sub(1)) || !is_word(Some(at + 1)),
            _ => "\\`*[]<>|~&$".contains(c),
        };
        if marks {
            out.push('\\');
        }
        out.push(c);
    }
    out
}

/// Plain text in bold; empty text stays empty.
pub fn bold(text: &str) -> String {
    match escaped(text.trim()) {
        text if text.is_empty() => text,
        text => format!("**{text}**"),
    }
}

/// A block of code, with a fence that the code does not contain.
pub fn code(language: &str, code: &str) -> String {
    let longest = code.split(|c| c != '`').map(str::len).max().unwrap_or(0);
    let fence = "`".repeat(3.max(longest + 1));
    let end = if code.ends_with('\n') || code.is_empty() { "" } else { "\n" };
    format!("{fence}{language}\n{code}{end}{fence}\n")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn no_character_is_markup() {
        for (text, expected) in [
            ("cat|dog", r"cat\|dog"),
            ("a\\|b", r"a\\\|b"),
            ("`x` *y* <b> [l](u) ~~z~~ &lt; $e$", r"\`x\` \*y\* \<b\> \[l\](u) \~\~z\~\~ \&lt; \$e\$"),
            ("two\nlines\r\n", "two lines  "),
            ("_background_ batch_size x_", r"\_background\_ batch_size x\_"),
            ("猫 é +0.5 ± 1e-3", "猫 é +0.5 ± 1e-3"),
        ] {
            assert_eq!(escaped(text), expected);
        }
        assert_eq!([bold("a*"), bold(" ")], [r"**a\***", ""]);
    }

    #[test]
    fn a_fence_is_longer_than_those_in_the_code() {
        assert_eq!(code("sh", "ls\n"), "```sh\nls\n```\n");
        assert_eq!(code("", "a ```` b"), "`````\na ```` b\n`````\n");
    }
}
