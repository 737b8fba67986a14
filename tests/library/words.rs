//! The library's messages name no flag and no verb of the command line. `src/cli` adds them. Nor does the help of settings, which
//! names other settings by their keys; `src/cli/flags.rs` shows the keys as flags.

use std::fs;
use std::path::{Path, PathBuf};

use shadegrad::train::settings::Kind;

/// Verbs of the command line.
const VERBS: [&str; 18] = [
    "bench",
    "compare",
    "completions",
    "data",
    "demo",
    "devices",
    "doctor",
    "eval",
    "export",
    "lr-find",
    "man",
    "plan",
    "predict",
    "report",
    "summary",
    "sweep",
    "train",
    "watch",
];

/// Allowed words: file, words (`*` for any) and reason.
const EXCEPTIONS: [(&str, &str, &str); 5] = [
    ("src/train/settings/read.rs", "shadegrad train", "a comment in config.toml for users of the command"),
    ("src/train/settings/read.rs", "--config", "the same comment"),
    ("src/train/settings/read.rs", "--out", "the same comment"),
    ("src/report/commands.rs", "*", "commands to paste"),
    ("src/workflows/demo.rs", "shadegrad demo", "the title of the demo's report"),
];

/// Rust files below a folder, without the command line.
fn sources(folder: &Path, found: &mut Vec<PathBuf>) {
    for entry in fs::read_dir(folder).expect("a folder") {
        let path = entry.expect("an entry").path();
        match path.is_dir() {
            true if !path.ends_with("src/cli") => sources(&path, found),
            false if path.extension().is_some_and(|e| e == "rs") && !path.ends_with("src/cli.rs") => found.push(path),
            _ => {}
        }
    }
}

/// The string literals of a source file, with the line on which each begins. Comments and characters are skipped.
fn literals(source: &str) -> Vec<(usize, String)> {
    let text: Vec<char> = source.chars().collect();
    let (mut at, mut line, mut found) = (0, 1, vec![]);
    let ahead = |at: usize, word: &str| word.chars().enumerate().all(|(i, c)| text.get(at + i) == Some(&c));
    let named = |c: char| c.is_alphanumeric() || c == '_';
    while at < text.len() {
        let hashes = text[at + 1..].iter().take_while(|&&c| c == '#').count();
        let raw = text[at] == 'r' && text.get(at + 1 + hashes) == Some(&'"');
        if ahead(at, "//") {
            at += text[at..].iter().take_while(|&&c| c != '\n').count();
        } else if text[at] == '\'' && text.get(at + 1) == Some(&'\\') {
            at += 3 + text[at + 3..].iter().take_while(|&&c| c != '\'').count() + 1;
        } else if text[at] == '\'' && text.get(at + 2) == Some(&'\'') {
            at += 3;
        } else if raw && (at == 0 || !named(text[at - 1]) || text[at - 1] == 'b') {
            let (begin, end) = (at + 2 + hashes, format!("\"{}", "#".repeat(hashes)));
            let length = (begin..text.len()).take_while(|&i| !ahead(i, &end)).count();
            let literal: String = text[begin..begin + length].iter().collect();
            let lines = literal.matches('\n').count();
            found.push((line, literal));
            (at, line) = (begin + length + end.len(), line + lines);
        } else if text[at] == '"' {
            let (begin, first) = (at + 1, line);
            at = begin;
            while text[at] != '"' {
                line += usize::from(text[at] == '\n');
                at += usize::from(text[at] == '\\');
                line += usize::from(text[at] == '\n' && text[at - 1] == '\\');
                at += 1;
            }
            found.push((first, text[begin..at].iter().collect()));
            at += 1;
        } else {
            line += usize::from(text[at] == '\n');
            at += 1;
        }
    }
    found
}

/// Flags in a text, and verbs after the program's name. A property of CSS (`--s:`) is not a flag.
fn words(text: &str) -> Vec<String> {
    let named = |c: char| c.is_ascii_alphanumeric() || c == '-' || c == '_';
    let mut found = vec![];
    for (at, _) in text.match_indices("--") {
        let before = text[..at].chars().next_back();
        let word: String = text[at..].chars().take_while(|&c| named(c)).collect();
        let letter = word[2..].starts_with(|c: char| c.is_ascii_lowercase());
        let property = text[at + word.len()..].starts_with(':') && word.len() == 3;
        if letter && !property && !before.is_some_and(named) {
            found.push(word);
        }
    }
    for (at, program) in text.match_indices("shadegrad ") {
        let verb: String = text[at + program.len()..].chars().take_while(|&c| named(c)).collect();
        if VERBS.contains(&verb.as_str()) {
            found.push(format!("{program}{verb}"));
        }
    }
    found
}

#[test]
fn texts_of_the_library_hold_no_flags_and_no_verbs() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let (mut paths, mut wrong, mut met, mut read) = (vec![], vec![], vec![], 0);
    sources(&root.join("src"), &mut paths);
    for path in paths {
        let file = path.strip_prefix(root).expect("in the repository").display().to_string().replace('\\', "/");
        for (line, literal) in literals(&fs::read_to_string(&path).expect("a text file")) {
            read += 1;
            for word in words(&literal) {
                match EXCEPTIONS.iter().position(|(of, known, _)| *of == file && [word.as_str(), "*"].contains(known)) {
                    Some(exception) => met.push(exception),
                    None => wrong.push(format!("{file}:{line}: {word}")),
                }
            }
        }
    }
    assert!(wrong.is_empty(), "the command line adds these words, in src/cli/advice.rs:\n{}", wrong.join("\n"));
    assert!(read > 3000, "only {read} literals were found");
    let unused: Vec<_> = (0..EXCEPTIONS.len()).filter(|i| !met.contains(i)).map(|i| EXCEPTIONS[i]).collect();
    assert!(unused.is_empty(), "exceptions that nothing needs: {unused:?}");
}

/// Help is doc comments, which are not literals of the source.
#[test]
fn the_help_of_settings_names_no_flags_and_no_verbs() {
    let (tasks, mut read) = (shadegrad::tasks::tasks(), 0);
    for setting in tasks.iter().flat_map(|task| task.settings()) {
        let mut texts = vec![setting.help_text()];
        if let Kind::Choice(names) = setting.kind {
            texts.extend(names.iter().map(|(_, help)| help.join(" ")));
        }
        read += texts.len();
        let found: Vec<String> = texts.iter().flat_map(|text| words(text)).collect();
        // The only list of devices is that of the command.
        let allowed: &[&str] = if setting.key == "device" { &["shadegrad devices"] } else { &[] };
        assert_eq!(found, allowed, "the help of {}", setting.key);
    }
    assert!(read > 200, "only {read} texts were found");
}

#[test]
fn literals_are_found_among_comments_and_characters() {
    let source = "// \"no\"\nlet a = '\"'; let b = \"--one\\\"\\\n  x\"; let c: &'static str = r#\"say \"--two\"\"#; '\\'' \"three\"";
    let found = literals(source);
    let texts: Vec<_> = found.iter().map(|(line, text)| (*line, text.as_str())).collect();
    assert_eq!(texts, [(2, "--one\\\"\\\n  x"), (3, "say \"--two\""), (3, "three")]);
    assert_eq!(
        words("give --batch-size 4, a--b, ----, --s:1 or run shadegrad train"),
        ["--batch-size", "shadegrad train"]
    );
}
