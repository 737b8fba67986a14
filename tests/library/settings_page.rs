//! `docs/settings.md` is written from the settings that the tasks declare.

use std::collections::BTreeSet;
use std::fmt::Write;
use std::fs;
use std::path::Path;

use shadegrad::internals::cli::groups::GROUPS;
use shadegrad::internals::setting::{Kind, Setting};
use shadegrad::tasks::{Task, task};

/// Writes the page instead of comparing it.
const WRITE: &str = "SHADEGRAD_WRITE_PAGES";

/// The text before the tables.
const HEAD: &str = "\
# Settings

Every setting is a flag of `train`, `lr-find` and, in a file, a key of a configuration or of a sweep: `--batch-size 16` is
`batch_size = 16`. A run's `config.toml` holds all of them. A flag overrides the file of `--config`, which overrides the default.

```toml
# run.toml, for `shadegrad train classify --config run.toml`
data = \"photos\"
image_size = 64
lr = 3e-4
epochs = 20
augment = [{ resized_crop = [0.5, 1.0] }, { flip = \"horizontal\" }, { blur = [0.0, 1.0], p = 0.2 }]
```

```toml
# sweep.toml, for `shadegrad sweep sweep.toml --out sweep`: every combination of the grid, over the base
task = \"classify\"

[base]
data = \"photos\"
epochs = 5

[grid]
optimizer = [\"adam\", \"sgd\"]
lr = [1e-3, 1e-4]
```

This page is written from the source: `SHADEGRAD_WRITE_PAGES=1 cargo test --test library settings_page`.
";

/// The built-in tasks. The example of a user's own task registers another one in this process.
fn built_in() -> Vec<&'static dyn Task> {
    let own = ["classify", "multi-label", "segment", "colorize"];
    own.iter().map(|name| task(name).expect("a built-in task")).collect()
}

/// The settings of a group, each with the tasks that have it. A key whose text differs between tasks is there several times.
fn of_group(keys: &[&str]) -> Vec<(Setting, Vec<&'static str>)> {
    let mut found: Vec<(Setting, Vec<&'static str>)> = vec![];
    for key in keys {
        let first = found.len();
        for task in built_in() {
            let Some(setting) = task.settings().iter().find(|setting| setting.key == *key) else { continue };
            let alike =
                |(other, _): &(Setting, _)| other.help == setting.help && form(&other.kind) == form(&setting.kind);
            match found[first..].iter().position(alike) {
                Some(place) => found[first + place].1.push(task.name()),
                None => found.push((*setting, vec![task.name()])),
            }
        }
    }
    found
}

/// A value's form.
fn form(kind: &Kind) -> String {
    match kind {
        Kind::Whole => "whole number".into(),
        Kind::Number => "number".into(),
        Kind::Switch => "true, false".into(),
        Kind::Text | Kind::Parsed(_) => "text".into(),
        Kind::Path => "path".into(),
        Kind::Wholes => "list of whole numbers".into(),
        Kind::Texts => "list of texts".into(),
        Kind::Choice(names) => names.iter().map(|(name, _)| format!("`{name}`")).collect::<Vec<_>>().join(", "),
    }
}

/// Help and default of a setting: `Learning rate [default: 0.001]` in two parts.
fn parts(setting: &Setting) -> (String, String) {
    let help = setting.help_text();
    match help.rsplit_once(" [default: ") {
        Some((text, default)) => (text.to_owned(), default.trim_end_matches(']').to_owned()),
        None => (help, String::new()),
    }
}

fn page() -> String {
    let all = built_in().len();
    let mut page = HEAD.to_owned();
    for (name, keys) in GROUPS {
        let _ = write!(page, "\n## {name}\n\n| key | tasks | value | default | meaning |\n|---|---|---|---|---|\n");
        for (setting, of) in of_group(keys) {
            let tasks = if of.len() == all { "all".to_owned() } else { of.join(", ") };
            let ((text, default), form) = (parts(&setting), form(&setting.kind));
            let text = text.replace('|', "\\|");
            let _ = writeln!(page, "| `{}` | {tasks} | {form} | {default} | {text} |", setting.key);
        }
    }
    page
}

#[test]
fn the_page_lists_every_setting() {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("docs/settings.md");
    let made = page();
    if std::env::var_os(WRITE).is_some() {
        fs::write(&path, &made).expect("writes");
    }
    let kept = fs::read_to_string(&path).expect("the page");
    let differs = kept.lines().zip(made.lines()).find(|(kept, made)| kept != made);
    assert!(kept == made, "docs/settings.md is old; {WRITE}=1 writes it. First difference: {differs:?}");
    let rows: BTreeSet<&str> = made.lines().filter_map(|line| line.strip_prefix("| `")?.split('`').next()).collect();
    let keys: BTreeSet<&str> = built_in().iter().flat_map(|task| task.settings().iter().map(|s| s.key)).collect();
    assert_eq!(rows, keys);
}

/// The examples of the page are accepted.
#[test]
fn the_examples_of_the_page_are_read() {
    let blocks: Vec<&str> = HEAD.split("```toml\n").skip(1).filter_map(|rest| rest.split("```").next()).collect();
    let [run, sweep] = blocks[..] else { panic!("two examples") };
    let folder = tempfile::tempdir().expect("a temporary folder");
    let file = folder.path().join("run.toml");
    fs::write(&file, run).expect("writes");
    let classify = task("classify").expect("known");
    let given = shadegrad::train::settings::Given::of_file(&file);
    assert_eq!(classify.resolve(&given).expect("settings").common.epochs, 20);
    let sweep = shadegrad::workflows::Sweep::parse(sweep, Path::new("sweep.toml")).expect("a sweep");
    assert_eq!(sweep.cells.len(), 4);
}
