//! `shadegrad train TASK --dry-run`

use std::process::ExitCode;
use std::sync::Arc;
use std::sync::atomic::Ordering;

use super::color::heading;
use super::flags::{Fitted, TaskArgs};
use super::progress::{ProgressDisplay, VERBOSE, clock};
use super::ranks::Follower;
use super::{CliError, print, shown};
use crate::data::one_line;
use crate::ranks::Ranks;
use crate::run::Next;
use crate::setting::Kind;
use crate::tasks::Task;
use crate::text::word;
use crate::train::settings::Given;
use crate::workflows::auto::Chosen;
use crate::workflows::dry_run::{From, RankWork, SettingValue, dry_run_on, follow_dry_run};
use crate::workflows::{ClassShare, DryRun};

/// Classes that are listed.
const CLASSES: usize = 12;
/// Width of a line of defaults, in characters.
const WIDTH: usize = 110;

/// Prints what the training would do. Ranks other than 0 compute their shards and print nothing.
pub(super) fn run(args: &TaskArgs, json: bool, ranks: &Arc<dyn Ranks>) -> Result<ExitCode, CliError> {
    let fitted = args.fitted(ranks.size())?;
    let given = &fitted.given;
    if given.settings.contains_key("resume") {
        let problem = "--dry-run --resume: a resumed run keeps its data and its settings; remove one of the two flags";
        return Err(CliError::Usage(problem.into()));
    }
    if ranks.rank() > 0 {
        follow_dry_run(ranks, args.task, given, &Follower)?;
        return Ok(ExitCode::SUCCESS);
    }
    let progress = ProgressDisplay::new();
    let mut found = dry_run_on(ranks, args.task, given, &progress)?;
    found.lines.extend(fitted.lines());
    name_choices(&mut found.settings, &fitted.choices);
    progress.end();
    let commands: Vec<String> = found.next.iter().map(|next| fitted_command(args.task, &fitted, next)).collect();
    if json {
        // `json!` cannot fail: the struct holds texts and numbers only.
        let mut json = serde_json::json!(found);
        json["next"] = serde_json::json!(commands);
        print(serde_json::to_string_pretty(&json).unwrap_or_default())?;
        return Ok(ExitCode::SUCCESS);
    }
    report(&found, &commands)?;
    Ok(ExitCode::SUCCESS)
}

/// The command of a next step with the flags of this command. The settings of the step override them. The new command
/// chooses settings from data and device again.
pub(super) fn fitted_command(task: &dyn Task, fitted: &Fitted, next: &Next) -> String {
    let chooses = !matches!(next, Next::CheckData);
    command(task, &fitted.own, next) + if chooses { fitted.switch() } else { "" }
}

/// The command of a next step. The settings of the step override the given ones.
pub(super) fn command(task: &dyn Task, given: &Given, next: &Next) -> String {
    let mut settings = given.settings.clone();
    let (verb, own): (_, &[(String, String)]) = match next {
        Next::Train(own) => ("train", own),
        Next::FindRate => ("lr-find", &[]),
        Next::CheckData => {
            let data = settings.get("data").and_then(toml::Value::as_str).unwrap_or("DATA");
            return format!("shadegrad data check --task {} {}", task.name(), word(data));
        }
        Next::Continue { .. } | Next::Predict => ("train", &[]),
    };
    let mut line = format!("shadegrad {verb} {}", task.name());
    if let Some(config) = &given.config {
        line += &format!(" --config {}", word(&config.to_string_lossy()));
    }
    for (key, value) in own {
        match value.as_str() {
            "" => drop(settings.remove(key)),
            value => drop(settings.insert(key.clone(), value.into())),
        }
    }
    for (key, value) in &settings {
        let kind = task.settings().iter().find(|setting| setting.key == key).map(|setting| setting.kind);
        line += &format!(" --{}", key.replace('_', "-"));
        let value = flag_value(kind, value);
        if value != "true" {
            line += &format!(" {}", word(&value));
        }
    }
    line
}

/// A value as a flag takes it.
fn flag_value(kind: Option<Kind>, value: &toml::Value) -> String {
    match (kind, value) {
        (_, toml::Value::String(text)) => text.clone(),
        (Some(Kind::Wholes | Kind::Texts), toml::Value::Array(all)) => {
            all.iter().map(|one| flag_value(None, one)).collect::<Vec<_>>().join(",")
        }
        (_, value) => value.to_string(),
    }
}

/// Names data or device as the origin of the settings that they decided.
pub(super) fn name_choices(settings: &mut [SettingValue], choices: &[Chosen]) {
    for setting in settings {
        if let Some(choice) = choices.iter().find(|choice| choice.key == setting.key) {
            setting.from = if choice.of_device { From::Device } else { From::Data };
        }
    }
}

fn report(found: &DryRun, commands: &[String]) -> Result<(), CliError> {
    print("dry run: no folder is made, no weights are kept")?;
    print(format_args!("device:  {}", found.device))?;
    found.lines.iter().map(shown).try_for_each(print)?;
    if let Some(line) = balance(&found.classes) {
        print(format_args!("balance: {}", shown(line)))?;
    }
    let out = found.out.as_ref().map_or("a new folder in runs/".into(), |out| out.display().to_string());
    print(format_args!("run:     {out}"))?;
    let [height, width] = found.image_size;
    let parameters = parameters(found.parameters);
    print(format_args!("network: {}, {parameters}, images of {height}x{width}", found.network))?;
    for (rank, RankWork { device, shards, bytes }) in found.ranks.iter().enumerate() {
        let (shard, megabytes) = (if *shards == 1 { "shard" } else { "shards" }, *bytes as f64 / 1e6);
        print(format_args!("rank {rank}:  {device}, {shards} {shard} of a batch, sends {megabytes:.3} MB"))?;
    }
    let memory = found.memory;
    let mb = |bytes: usize| bytes as f64 / 1e6;
    print(format_args!(
        "memory:  {:.0} MB a step: {:.0} MB weights and moments, {:.0} MB gradients and inputs, {:.0} MB activations",
        mb(memory.states + memory.fixed + memory.activations),
        mb(memory.states),
        mb(memory.fixed),
        mb(memory.activations)
    ))?;
    print(format_args!("time:    {}", time(found)))?;
    if VERBOSE.load(Ordering::Relaxed) {
        print_settings(&found.settings)?;
    } else {
        print_choices(&found.settings)?;
    }
    let none = if found.doubts.is_empty() { "  none" } else { "" };
    print(format_args!("{}{none}", heading("doubts:")))?;
    found.doubts.iter().try_for_each(|doubt| print(format_args!("  {}", shown(&doubt.text))))?;
    for (index, next) in commands.iter().enumerate() {
        let title = if index == 0 { format!("{}   ", heading("next:")) } else { " ".repeat(8) };
        print(format_args!("{title} {next}"))?;
    }
    Ok(())
}

/// A number of parameters in words.
pub(super) fn parameters(count: usize) -> String {
    if count < 1_000_000 {
        format!("{count} parameters")
    } else {
        format!("{:.2} million parameters", count as f64 / 1e6)
    }
}

/// The images of each class, or its share of the pixels.
fn balance(classes: &[ClassShare]) -> Option<String> {
    let text = |class: &ClassShare| {
        let name = one_line(&class.name);
        match (class.training_images.zip(class.validation_images), class.pixels) {
            (Some((training, validation)), _) => Some(format!("{name} {training} + {validation}")),
            (None, Some(share)) => Some(format!("{name} {:.1} %", 100.0 * share)),
            (None, None) => None,
        }
    };
    let mut texts: Vec<String> = classes.iter().take(CLASSES).filter_map(text).collect();
    if texts.is_empty() {
        return None;
    }
    if classes.len() > CLASSES {
        texts.push(format!("{} more", classes.len() - CLASSES));
    }
    let unit = if classes[0].pixels.is_some() {
        "share of the pixels in the first batches"
    } else {
        "training + validation images"
    };
    Some(format!("{} ({unit})", texts.join(", ")))
}

/// The expected time, and the times of a batch and of the validation after it.
fn time(found: &DryRun) -> String {
    let time = found.time;
    let validation = match time.validation_seconds {
        Some(seconds) => format!("{} of validation", clock(seconds)),
        None => "validation, which is not counted".into(),
    };
    format!(
        "about {} for {} steps: an epoch has {} x {:.3} s ({}) and {validation}",
        clock(time.seconds),
        found.steps,
        found.batches_per_epoch,
        time.batch_seconds,
        match time.timed_batches {
            1 => "one timed batch".to_owned(),
            count => format!("mean of {count} timed batches"),
        }
    )
}

/// Origins of settings, in the order of the table.
const ORIGINS: [(From, &str); 7] = [
    (From::Given, "flag"),
    (From::File, "config file"),
    (From::Finetuning, "with --finetune"),
    (From::Weights, "as the weights were trained"),
    (From::Data, "chosen from the data"),
    (From::Device, "chosen from the device"),
    (From::Default, "default"),
];

/// Prints all settings with their origins.
pub(super) fn print_settings(settings: &[SettingValue]) -> Result<(), CliError> {
    print("settings:")?;
    ORIGINS.iter().try_for_each(|&origin| print_origin(settings, origin))
}

/// Prints the settings that are not defaults with their origins, and the others in a few lines.
fn print_choices(settings: &[SettingValue]) -> Result<(), CliError> {
    print("settings:")?;
    let (default, own) = ORIGINS.split_last().unwrap_or((&ORIGINS[0], &[]));
    own.iter().try_for_each(|&origin| print_origin(settings, origin))?;
    let mut line = String::from("  defaults:");
    for setting in settings.iter().filter(|setting| setting.from == default.0) {
        let item = format!(" {} {},", setting.key, value_text(setting));
        if line.len() + item.len() > WIDTH {
            print(&line)?;
            line = "           ".into();
        }
        line += &item;
    }
    print(line.trim_end_matches(','))
}

fn print_origin(settings: &[SettingValue], (from, name): (From, &str)) -> Result<(), CliError> {
    settings
        .iter()
        .filter(|setting| setting.from == from)
        .try_for_each(|setting| print(format_args!("  {:<20} {:<28} {name}", setting.key, value_text(setting))))
}

fn value_text(setting: &SettingValue) -> String {
    let value = setting.value.as_str().map_or_else(|| setting.value.to_string(), str::to_owned);
    one_line(&value)
}
