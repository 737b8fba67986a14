//! Slips in the order of words and flags, each with the line that was meant.

use std::path::Path;

use clap::error::{ContextKind, ContextValue, ErrorKind};

use crate::tasks::Task;
use crate::text::{one_of, word};

/// The message for words that are not a command, if the slip is a known one.
pub(super) fn hint(error: &clap::Error, words: &[String]) -> Option<String> {
    flags_first(words)
        .or_else(|| without_task(words))
        .or_else(|| without_verb(words))
        .or_else(|| without_data_task(error, words))
        .or_else(|| misplaced(error, words))
}

/// The names of all tasks.
fn names() -> Vec<&'static str> {
    crate::tasks::tasks().iter().map(|task| task.name()).collect()
}

/// Words for a shell.
fn line(words: &[String]) -> String {
    words.iter().map(|one| word(one)).collect::<Vec<_>>().join(" ")
}

/// The message for a task without a verb: `classify --data photos`.
fn without_verb(words: &[String]) -> Option<String> {
    let task = words.first().filter(|first| names().contains(&first.as_str()))?;
    Some(format!("`{task}` is a task, and a verb stands before it: shadegrad train {}", line(words)))
}

/// The message for `data check` and `data preview` without `--task`.
fn without_data_task(error: &clap::Error, words: &[String]) -> Option<String> {
    let [data, verb, rest @ ..] = words else { return None };
    let asks = data == "data" && ["check", "preview"].contains(&verb.as_str());
    let lacks = error.kind() == ErrorKind::MissingRequiredArgument && !rest.iter().any(|one| one.starts_with("--task"));
    let names = names();
    (asks && lacks).then(|| {
        let rest = if rest.is_empty() { "FOLDER".to_owned() } else { line(rest) };
        format!(
            "`data {verb}` needs the task of the data, --task {}; for example: shadegrad data {verb} --task {} {rest}",
            one_of(&names),
            names[0]
        )
    })
}

/// The message for settings before the verb: `--data photos train classify`.
fn flags_first(words: &[String]) -> Option<String> {
    let key = words.first()?.strip_prefix("--")?.split('=').next()?.replace('-', "_");
    let known = crate::tasks::tasks().iter().any(|task| task.settings().iter().any(|setting| setting.key == key));
    let verb = words.iter().position(|one| ["train", "lr-find"].contains(&one.as_str())).filter(|_| known)?;
    let (flags, command) = words.split_at(verb);
    Some(format!("{}: flags stand after the verb: shadegrad {} {}", flags[0], line(command), line(flags)))
}

/// The message for a verb with flags but without a task (`train --data photos`), or with flags before its task.
fn without_task(words: &[String]) -> Option<String> {
    let [verb, flag, ..] = words else { return None };
    if !["train", "lr-find"].contains(&verb.as_str()) || !flag.starts_with('-') || HELP.contains(&flag.as_str()) {
        return None;
    }
    let tasks = crate::tasks::tasks();
    if let Some(at) = words.iter().position(|one| names().contains(&one.as_str())) {
        let rest = [&words[1..at], &words[at + 1..]].concat();
        return Some(format!("{flag}: flags stand after the task: shadegrad {verb} {} {}", words[at], line(&rest)));
    }
    let known: String = tasks.iter().map(|task| format!("\n  {:<12} {}", task.name(), task.help())).collect();
    Some(format!(
        "`{verb}` needs a task before its flags:{known}\nfor example: shadegrad {verb} {} {}",
        tasks.first().map_or("TASK", |task| task.name()),
        line(&words[1..])
    ))
}

/// The message for a data set without its flag (`train classify photos`), or for a flag of another task.
fn misplaced(error: &clap::Error, words: &[String]) -> Option<String> {
    let [verb, task, ..] = words else { return None };
    let tasks = crate::tasks::tasks();
    let of_training = ["train", "lr-find"].contains(&verb.as_str());
    let known = tasks.iter().any(|one| one.name() == task);
    if !of_training || (!known && !Path::new(task).is_dir()) {
        return None;
    }
    if !known {
        let (names, data, rest) = (names(), word(task), line(&words[2..]));
        let line = format!("shadegrad {verb} {} --data {data} {rest}", names.first()?);
        return Some(format!(
            "{task} is a folder, and `{verb}` needs a task before its data: {}; for example: {}",
            one_of(&names),
            line.trim_end()
        ));
    }
    let Some(ContextValue::String(unknown)) = error.get(ContextKind::InvalidArg) else {
        return None;
    };
    if Path::new(unknown).exists() && !unknown.starts_with('-') {
        return Some(format!(
            "{unknown}: a data set is named by --data: shadegrad {verb} {task} --data {}",
            word(unknown)
        ));
    }
    let key = unknown.strip_prefix("--")?.replace('-', "_");
    let has = |one: &&&dyn Task| one.settings().iter().any(|setting| setting.key == key);
    let owners: Vec<&str> = tasks.iter().filter(has).map(|one| one.name()).collect();
    (!owners.is_empty()).then(|| format!("{unknown}: a setting of {}, which `{task}` does not have", one_of(&owners)))
}

/// Flags that need no task.
const HELP: [&str; 4] = ["-h", "--help", "-V", "--version"];
