//! `docs/settings.md` is written from the settings that the tasks declare.

use std::collections::BTreeSet;
use std::fmt::Write;
use std::fs;
use std::path::Path;

use shadegrad::tasks::{Task, task};
use shadegrad::train::settings::{Kind, Setting, SettingGroup};

/// Writes the page instead of comparing it.
const WRITE: &str = "SHADEGRAD_WRITE_PAGES";

/// The text before the tables.
const HEAD: &str = r#"# Settings and files

| file | holds | read by |
|---|---|---|
| [a configuration](#a-configuration) | settings of one training | `train`, `lr-find` with `--config` |
| [a sweep](#a-sweep) | settings of many trainings | `sweep` |
| [`classes.toml`](#classestoml) | the classes of masks | every verb that reads a segmentation set |

All are TOML. A key or a value that does not exist is refused, with the nearest one that does.

## A configuration

Every setting below is a flag of `train` and `lr-find`, and a key of a configuration and of a sweep: `--batch-size 16` is
`batch_size = 16`. A flag overrides the file of `--config`, which overrides the default. A run's `config.toml` holds all settings.
`train TASK --dry-run -v` prints each with its origin.

With `--data`, `image_size`, `base`, `batch_size`, `lr`, `epochs`, `schedule`, `augment` and `class_weights` that are not given are chosen
from data and device ([guide](guide.md#4-training)). The tables have their fixed defaults, of `--auto false`, files of `--config` and built-in scenes.

```toml
# run.toml, for `shadegrad train classify --config run.toml`
data = "photos"
image_size = 64
lr = 3e-4
epochs = 20
augment = [{ resized_crop = [0.5, 1.0] }, { flip = "horizontal" }, { blur = [0.0, 1.0], p = 0.2 }]
```

## A sweep

| entry | value | meaning |
|---|---|---|
| `task` | text | task of all runs |
| `[base]` | settings | settings of all runs |
| `[[run]]` | settings, any number of tables | one run each, over the base |
| `[grid]` | lists of values | one run for each combination, over the base; after the runs of `[[run]]` |
| `seeds` | list of whole numbers | each run once for each seed; the table gives mean ± standard deviation |
| `halving` | whole number | after each part of the epochs, the best run in this number continues; 0 switches it off |

```toml
# grid.toml, for `shadegrad sweep grid.toml --out sweep`: every combination of the grid, over the base
task = "classify"

[base]
data = "photos"
epochs = 5

[grid]
optimizer = ["adam", "sgd"]
lr = [1e-3, 1e-4]
```

```toml
# rows.toml: two rows of three seeds each, so six runs and a table of two rows
task = "segment"
seeds = [0, 1, 2]

[base]
data = "streets"
base = 16

[[run]]
lr = 1e-3

[[run]]
lr = 3e-4
class_weights = "median"
```

`--set KEY=VALUE` changes a setting of all runs. `--limit N` trains each on N images. `--scale-epochs 0.2` multiplies `epochs`,
`step_size`, `milestones`, `warmup` and `head_epochs`, and the table names the epochs that ran.

## classes.toml

The file stands in the folder of a segmentation set. Every entry is optional.

| entry | value | meaning |
|---|---|---|
| `[[classes]]` with `name`, `color`, `value` | text, three numbers, number | a class; `value` is its place in the list unless given |
| `classes`, `palette` | list of names, list of colors | the same, as two lists |
| `ignore_index` | number or list of numbers | values that are ignored; 255 is, unless it is the value of a class |
| `ignore_color` | three numbers | color that is ignored |
| `coding` | `value` (default), `color` | whether masks with palettes, or of 1, 2 or 4 bits a sample, are read by value or by color |
| `nearest` | true, false | a value or color that is not listed becomes the nearest one |
| `threshold` | 1 to 255 | two classes: values below it, and from it on |
| `orientation` | `upright`, `stored` | how pictures that EXIF turns are read, with their masks |

```toml
# classes.toml
ignore_index = 9

[[classes]]
name = "meadow"
color = [60, 160, 60]
value = 0

[[classes]]
name = "path"
color = [150, 120, 90]
value = 7
```

## Exit codes

| code | of every verb |
|---|---|
| 0 | success |
| 1 | `doctor` found a fault |
| 2 | an error |
| 75 | a rank was lost (`mpirun`) |
| 130 | a training, sweep, rate search or demo was interrupted (Ctrl-C, SIGTERM, SIGHUP) and wrote its checkpoint; a signal ends the other verbs at once, with the code of the shell (130, 143) |
| 141 | the reader of the output is gone |

## Settings

The tables below are written from the source: `SHADEGRAD_WRITE_PAGES=1 cargo test --test library settings_page`.
"#;

/// The built-in tasks. The example of a user's own task registers another one in this process.
fn built_in() -> Vec<&'static dyn Task> {
    let own = ["classify", "multi-label", "segment", "colorize"];
    own.iter().map(|name| task(name).expect("a built-in task")).collect()
}

/// The settings of a group, each with the tasks that have it. A key whose text differs between tasks appears several
/// times.
fn of_group(group: SettingGroup) -> Vec<(Setting, Vec<&'static str>)> {
    let settings = built_in().into_iter().flat_map(Task::settings);
    let placed = settings.filter_map(|setting| setting.place.map(|place| (place, setting.key)));
    let keys: BTreeSet<_> = placed.filter(|(place, _)| place.group == group).collect();
    let mut found: Vec<(Setting, Vec<&'static str>)> = vec![];
    for (_, key) in keys {
        let first = found.len();
        for task in built_in() {
            let Some(setting) = task.settings().iter().find(|setting| setting.key == key) else { continue };
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
        Some((text, default)) => (text.to_owned(), default.strip_suffix(']').unwrap_or(default).to_owned()),
        None => (help, String::new()),
    }
}

fn page() -> String {
    let all = built_in().len();
    let mut page = HEAD.to_owned();
    for group in SettingGroup::ALL {
        let name = group.heading();
        let _ = write!(page, "\n## {name}\n\n| key | tasks | value | default | meaning |\n|---|---|---|---|---|\n");
        for (setting, of) in of_group(group) {
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
    let tables = made.strip_prefix(HEAD).expect("the tables follow");
    let rows: BTreeSet<&str> = tables.lines().filter_map(|line| line.strip_prefix("| `")?.split('`').next()).collect();
    let keys: BTreeSet<&str> = built_in().iter().flat_map(|task| task.settings().iter().map(|s| s.key)).collect();
    assert_eq!(rows, keys);
}

/// The examples of the page are accepted.
#[test]
fn the_examples_of_the_page_are_read() {
    let blocks: Vec<&str> = HEAD.split("```toml\n").skip(1).filter_map(|rest| rest.split("```").next()).collect();
    let [run, grid, rows, classes] = blocks[..] else { panic!("four examples") };
    let folder = tempfile::tempdir().expect("a temporary folder");
    let file = folder.path().join("run.toml");
    fs::write(&file, run).expect("writes");
    let classify = task("classify").expect("known");
    let given = shadegrad::train::settings::Given::of_file(&file);
    assert_eq!(classify.resolve(&given).expect("settings").common.epochs, 20);
    let sweep =
        |text: &str| shadegrad::workflows::Sweep::parse(text, Path::new("sweep.toml")).expect("a sweep").cells.len();
    assert_eq!([sweep(grid), sweep(rows)], [4, 6]);
    assert_eq!(classes_of(folder.path(), classes), ["meadow", "path"]);
}

/// Names of the classes of a set with a `classes.toml`, whose masks have the values 0, 7 and 9.
fn classes_of(folder: &Path, toml: &str) -> Vec<String> {
    for part in ["images", "masks"] {
        fs::create_dir(folder.join(part)).expect("makes a folder");
    }
    fs::write(folder.join("classes.toml"), toml).expect("writes");
    for name in ["a.png", "b.png"] {
        image::RgbImage::new(3, 1).save(folder.join("images").join(name)).expect("writes");
        let mask = image::GrayImage::from_raw(3, 1, vec![0, 7, 9]).expect("three values");
        mask.save(folder.join("masks").join(name)).expect("writes");
    }
    let set = shadegrad::data::open_segmentation(folder, &shadegrad::data::SetOptions::default()).expect("a set");
    set.train.classes().names.clone()
}
