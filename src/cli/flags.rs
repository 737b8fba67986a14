//! Flags of the command line. They follow from the settings that tasks and models declare.

use std::path::PathBuf;

use clap::builder::{PossibleValue, PossibleValuesParser, TypedValueParser};
use clap::{Arg, ArgAction, ArgMatches, Command, value_parser};

use super::{CliError, groups};
use crate::run::image_size::MAX_IMAGE_SIZE;
use crate::run::{Checkpoint, ImageSize};
use crate::setting::{Choice, Kind, Setting, paragraph};
use crate::tasks::Task;
use crate::train::settings::{ConfigError, Given, Resolved, with_reasons};
use crate::workflows::auto::{self, Chosen};

/// A subcommand with the flags of a task's settings.
pub fn command(task: &dyn Task) -> Command {
    let command = Command::new(task.name()).about(task.help()).allow_negative_numbers(true);
    let config = Arg::new("config").long("config").value_name("FILE").value_parser(value_parser!(PathBuf));
    let command = command.arg(config.help("TOML file of settings; a flag overrides the file"));
    let grouped = |setting: &Setting| {
        let heading = setting.place.map(|place| place.group.heading());
        arg(setting).help(with_choice(task, setting)).help_heading(heading).hide_short_help(groups::is_long(setting))
    };
    command.args(groups::in_order(task).into_iter().map(grouped)).after_help(groups::examples(task))
}

/// The help of a training's setting. It says whether data and device choose the default.
fn with_choice(task: &dyn Task, setting: &Setting) -> String {
    let help = with_flags(&setting.help_text(), task.settings());
    match auto::chooses(task, setting.key) {
        true => help.replacen("[default: ", "[default: chosen with --data, else ", 1),
        false => help,
    }
}

/// A help text with flags for the settings that it names: `--lr` for `` `lr` ``, `--optimizer sgd` for `` `optimizer = sgd` ``.
fn with_flags(help: &str, settings: &[Setting]) -> String {
    let flag = |name: &str| {
        let (key, value) = name.split_once(" = ").map_or((name, None), |(key, value)| (key, Some(value)));
        let flag = settings.iter().find(|setting| setting.key == key)?.key.replace('_', "-");
        Some(value.map_or_else(|| format!("--{flag}"), |value| format!("--{flag} {value}")))
    };
    let parts = help.split('`').enumerate().map(|(place, part)| match place % 2 {
        0 => part.to_owned(),
        _ => flag(part).unwrap_or_else(|| format!("`{part}`")),
    });
    parts.collect()
}

/// The flag of a setting.
pub(super) fn arg(setting: &Setting) -> Arg {
    let arg = Arg::new(setting.key).long(setting.key.replace('_', "-")).help(setting.help_text());
    let arg = match setting.value {
        Some(name) => arg.value_name(name),
        None => arg.value_name(setting.key.to_uppercase()),
    };
    match setting.kind {
        Kind::Whole => arg.value_parser(whole),
        Kind::Number => arg.value_parser(number),
        Kind::Switch => arg.num_args(0..=1).default_missing_value("true").value_parser(value_parser!(bool)),
        Kind::Text => arg,
        Kind::Path => arg.value_parser(value_parser!(PathBuf)),
        Kind::Wholes => arg.value_parser(whole).value_delimiter(',').action(ArgAction::Append),
        Kind::Texts => arg.value_delimiter(',').action(ArgAction::Append),
        Kind::Choice(names) => arg.value_parser(one_of(names)),
        Kind::Parsed(parse) => arg.value_parser(move |text: &str| parse(text).map(|()| text.to_owned())),
    }
}

fn whole(text: &str) -> Result<u64, String> {
    text.parse().map_err(|_| "expected a whole number, 0 or more, such as 10".into())
}

fn number(text: &str) -> Result<f64, String> {
    text.parse().map_err(|_| "expected a number, such as 0.001 or 1e-3".into())
}

/// A parser for one of several names, for flags that a verb declares itself.
pub(super) fn choice<T: Choice>() -> impl TypedValueParser<Value = T> {
    let Kind::Choice(names) = T::KIND else { unreachable!("a choice has names") };
    // The parser lets only known names through.
    one_of(names).try_map(|name| T::of_name(&name).ok_or("unknown name"))
}

/// A parser for one of several names, each with its help.
fn one_of(names: &[(&'static str, &[&str])]) -> PossibleValuesParser {
    let value = |(name, help): &(&'static str, &[&str])| PossibleValue::new(*name).help(paragraph(help));
    PossibleValuesParser::new(names.iter().map(value))
}

/// The height and width of tiles.
pub(super) fn tile(text: &str) -> Result<ImageSize, String> {
    let size = ImageSize::parse(text)?;
    if size.within(1, MAX_IMAGE_SIZE) { Ok(size) } else { Err("expected sides of 1 to 8192 pixels".into()) }
}

/// A model with the size of its tiles, if one is given.
///
/// # Errors
/// When the model has no tiles.
pub(super) fn tiled(mut model: Checkpoint, tile: Option<ImageSize>) -> Result<Checkpoint, CliError> {
    if let Some(tile) = tile.filter(|_| !model.card.sees_own_pixels()) {
        let problem =
            "the model sees resized pictures; --tile is for segmentation models that were trained with --crop";
        return Err(CliError::Usage(format!("--tile {tile}: {problem}")));
    }
    model.card = model.card.with_tile(tile);
    Ok(model)
}

/// The settings that flags set.
///
/// # Errors
/// A value that a config file cannot hold.
pub fn given(settings: &[Setting], matches: &ArgMatches) -> Result<Given, ConfigError> {
    let mut given = Given { config: matches.get_one::<PathBuf>("config").cloned(), ..Given::default() };
    for setting in settings {
        if let Some(value) = value(setting, matches)? {
            given.settings.insert(setting.key.to_owned(), value);
        }
    }
    Ok(given)
}

/// The value of a flag, if it is given.
pub(super) fn value(setting: &Setting, matches: &ArgMatches) -> Result<Option<toml::Value>, ConfigError> {
    let key = setting.key;
    let refused =
        |value: String, problem: &str| ConfigError::NotKept { key: key.to_owned(), value, problem: problem.to_owned() };
    let whole = |v: u64| i64::try_from(v).map_err(|_| refused(v.to_string(), "expected at most 9223372036854775807"));
    Ok(match setting.kind {
        Kind::Whole => matches.get_one::<u64>(key).map(|v| whole(*v)).transpose()?.map(Into::into),
        Kind::Number => matches.get_one::<f64>(key).map(|v| (*v).into()),
        Kind::Switch => matches.get_one::<bool>(key).map(|v| (*v).into()),
        Kind::Text | Kind::Choice(_) => matches.get_one::<String>(key).map(|v| v.clone().into()),
        Kind::Path => match matches.get_one::<PathBuf>(key) {
            Some(path) => Some(
                path.to_str()
                    .ok_or_else(|| refused(path.display().to_string(), "expected a path that is valid Unicode"))?
                    .into(),
            ),
            None => None,
        },
        Kind::Wholes => match matches.get_many::<u64>(key) {
            Some(values) => Some(values.map(|v| whole(*v)).collect::<Result<Vec<_>, _>>()?.into()),
            None => None,
        },
        Kind::Texts => matches.get_many::<String>(key).map(|values| values.cloned().collect::<Vec<_>>().into()),
        // As in a config file, text in brackets is a list.
        Kind::Parsed(_) => matches.get_one::<String>(key).map(|text| parsed(text)),
    })
}

/// A value that is text, or a list in TOML's form.
fn parsed(text: &str) -> toml::Value {
    let list = toml::from_str::<toml::Table>(&format!("value = {text}")).ok().and_then(|mut t| t.remove("value"));
    match list {
        Some(list @ toml::Value::Array(_)) => list,
        _ => text.to_owned().into(),
    }
}

/// A task and its flags, as a subcommand of `train` and `lr-find`.
#[derive(Clone)]
pub struct TaskArgs {
    /// The task.
    pub task: &'static dyn Task,
    /// All flags of the subcommand.
    pub matches: ArgMatches,
}

impl TaskArgs {
    /// The settings that the flags set.
    pub(super) fn given(&self) -> Result<Given, ConfigError> {
        given(self.task.settings(), &self.matches)
    }

    /// The settings that the flags set, and those that data and device decide. Data and device decide nothing without a
    /// data set, with `--auto false`, with `--resume`, or with a config file without `--auto`.
    pub(super) fn fitted(&self, ranks: usize) -> Result<Fitted, CliError> {
        let own = self.given()?;
        let asked = self.matches.get_one::<bool>(AUTO).copied();
        let resumes = own.settings.contains_key("resume");
        if asked == Some(true) && resumes {
            return Err(CliError::Usage(
                "--auto --resume: a resumed run keeps its settings; remove one of the two".into(),
            ));
        }
        let choices = match asked {
            Some(false) => vec![],
            Some(true) => auto::choose(self.task, &own, ranks)?,
            None if resumes || own.config.is_some() => vec![],
            // Data that cannot be read is an error of the training, which checks its settings first.
            None => auto::choose(self.task, &own, ranks).unwrap_or_default(),
        };
        let mut given = own.clone();
        given.settings.extend(choices.iter().map(|choice| (choice.key.to_owned(), choice.value.clone())));
        Ok(Fitted { given, own, choices, asked })
    }

    /// Whether a flag without a value is given.
    pub(super) fn switch(&self, name: &str) -> bool {
        self.matches.try_get_one::<bool>(name).ok().flatten().copied().unwrap_or(false)
    }

    /// The task that a subcommand names.
    pub(super) fn of(matches: &ArgMatches) -> Result<Self, clap::Error> {
        let missing = || clap::Error::new(clap::error::ErrorKind::MissingSubcommand);
        let (name, matches) = matches.subcommand().ok_or_else(missing)?;
        let task = crate::tasks::task(name).map_err(|_| missing())?;
        Ok(TaskArgs { task, matches: matches.clone() })
    }
}

/// Key of the switch for settings that data and device decide.
const AUTO: &str = "auto";

/// Settings of a training, and who decided them.
pub(super) struct Fitted {
    /// All settings: those of the flags, and the choices.
    pub(super) given: Given,
    /// The settings of the flags alone.
    pub(super) own: Given,
    /// Those that data and device decide.
    pub(super) choices: Vec<Chosen>,
    /// The value of `--auto`, if given.
    asked: Option<bool>,
}

impl Fitted {
    /// `--auto` as given, for the next command.
    pub(super) fn switch(&self) -> &'static str {
        match self.asked {
            None => "",
            Some(true) => " --auto",
            Some(false) => " --auto false",
        }
    }

    /// All settings, with the reasons of the choices.
    pub(super) fn resolve(&self, task: &dyn Task) -> Result<Resolved, ConfigError> {
        let mut settings = task.resolve(&self.given)?;
        settings.toml = with_reasons(settings.toml, self.choices.iter().map(|choice| (choice.key, &*choice.reason)));
        Ok(settings)
    }

    /// A line for each choice.
    pub(super) fn lines(&self) -> Vec<String> {
        let line = |Chosen { key, value, reason, .. }: &Chosen| {
            let value = value.as_str().map_or_else(|| value.to_string(), str::to_owned);
            format!("auto:    {key} = {value}: {reason}")
        };
        let mut lines: Vec<String> = self.choices.iter().map(line).collect();
        match self.asked {
            None if !lines.is_empty() => lines.push("auto:    --auto false keeps the fixed defaults".into()),
            Some(true) if lines.is_empty() && !self.own.settings.contains_key("data") => {
                lines.push("auto:    nothing to choose without --data: the defaults fit the built-in scenes".into());
            }
            Some(true) if lines.is_empty() => lines.push("auto:    the defaults fit this data".into()),
            _ => {}
        }
        lines
    }
}

/// The switch for settings that data and device decide.
pub(super) fn auto_switch() -> Arg {
    let arg = Arg::new(AUTO).long(AUTO).help_heading("Run").value_name("AUTO").num_args(0..=1);
    arg.default_missing_value("true").value_parser(value_parser!(bool)).help(
        "Choose image size, UNet's width, batch size, learning rate, epochs, schedule, augmentation and class weights from data and device, unless they are \
         given, and print each with its reason [default: true with --data, false with --config]",
    )
}

/// The flags of `train` that are not settings.
fn of_train() -> [Arg; 3] {
    let dry_run = Arg::new("dry_run").long("dry-run").action(ArgAction::SetTrue).help_heading("Run");
    let json = Arg::new("json").long("json").action(ArgAction::SetTrue).help_heading("Run");
    [
        auto_switch(),
        dry_run.help(
            "Print what the training would do, and do nothing: data, settings with their origins, memory, time, doubts",
        ),
        json.requires("dry_run").hide_short_help(true).help("Print the result of --dry-run as JSON"),
    ]
}

impl clap::FromArgMatches for TaskArgs {
    fn from_arg_matches(matches: &ArgMatches) -> Result<Self, clap::Error> {
        Self::of(matches)
    }

    fn update_from_arg_matches(&mut self, matches: &ArgMatches) -> Result<(), clap::Error> {
        *self = Self::of(matches)?;
        Ok(())
    }
}

impl clap::Subcommand for TaskArgs {
    fn augment_subcommands(with: Command) -> Command {
        crate::tasks::tasks()
            .into_iter()
            .fold(with, |with, task| with.subcommand(command(task).args(of_train())))
            .subcommand_required(true)
            .arg_required_else_help(true)
    }

    fn augment_subcommands_for_update(with: Command) -> Command {
        Self::augment_subcommands(with)
    }

    fn has_subcommand(name: &str) -> bool {
        crate::tasks::task(name).is_ok()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_help_names_settings_as_flags() {
        let settings = [Setting::new("batch_size", &[], Kind::Whole), Setting::new("loss", &[], Kind::Text)];
        let help = with_flags("`auto` for `loss = focal`, beside `batch_size`", &settings);
        assert_eq!(help, "`auto` for --loss focal, beside --batch-size");
    }
}
