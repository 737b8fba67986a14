//! Color of the output: of `error:`, `warning:` and `note:`, and of a few headings. Everything else has the terminal's color.

use std::io::IsTerminal;
use std::sync::atomic::{AtomicU8, Ordering};

use clap::ValueEnum;

/// When the output is colored.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(super) enum Color {
    /// In a terminal, unless NO_COLOR is set
    Auto,
    /// Always
    Always,
    /// Never
    Never,
}

/// The choice of this process, as a number.
static CHOICE: AtomicU8 = AtomicU8::new(0);

impl Color {
    /// Sets the choice of this process.
    pub(super) fn set(self) {
        CHOICE.store(self as u8, Ordering::Relaxed);
    }
}

/// Whether text for a stream is colored.
fn colored(stream: &impl IsTerminal) -> bool {
    match CHOICE.load(Ordering::Relaxed) {
        choice if choice == Color::Always as u8 => true,
        choice if choice == Color::Never as u8 => false,
        // https://no-color.org: any value but the empty one.
        _ => {
            let refused = std::env::var_os("NO_COLOR").is_some_and(|value| !value.is_empty());
            let plain = std::env::var_os("TERM").is_some_and(|term| term == "dumb");
            // Consoles of Windows show escape sequences as they are, except for Windows Terminal.
            let shows = !cfg!(windows) || std::env::var_os("WT_SESSION").is_some();
            stream.is_terminal() && !refused && !plain && shows
        }
    }
}

/// The words that color a line of the standard error, and their SGR codes.
const WORDS: [(&str, &str); 3] = [("error:", "1;31"), ("warning:", "1;33"), ("note:", "1;36")];

/// A line for the standard error, with its first word in color.
pub(super) fn marked(line: &str) -> String {
    let found = WORDS.iter().find(|(word, _)| line.starts_with(word)).filter(|_| colored(&std::io::stderr()));
    found.map_or_else(|| line.to_owned(), |(word, code)| format!("\x1b[{code}m{word}\x1b[0m{}", &line[word.len()..]))
}

/// A heading for the standard output: bold if that is colored.
pub(super) fn heading(text: &str) -> String {
    if colored(&std::io::stdout()) { format!("\x1b[1m{text}\x1b[0m") } else { text.to_owned() }
}
