//! Arguments that describe a training step of a model: its settings and sizes.

use std::path::PathBuf;

use clap::{Arg, ArgMatches, Command};

use super::CliError;
use super::flags::{arg, value};
use crate::nn::{Architecture, Settings, list};
use crate::run::image_size::{MAX_IMAGE_SIZE, MIN_IMAGE_SIZE};
use crate::run::{Checkpoint, ImageSize};
use crate::setting::Setting;
use crate::text::nearest;
use crate::train::settings::MAX_BATCH_SIZE;
use crate::train::step_spec::StepSpec;

/// Default image size of an architecture.
const USUAL: ImageSize = ImageSize { height: 224, width: 224 };

/// Largest number of classes.
const MOST_CLASSES: usize = 1_000_000;

/// A model, its settings and the size of its input.
pub(super) struct ModelArgs {
    model: Described,
    image_size: Option<ImageSize>,
    batch_size: usize,
    classes: Option<usize>,
    settings: Settings,
}

/// The network that the arguments describe.
#[derive(Clone)]
enum Described {
    /// An architecture, built with the settings of the flags.
    Architecture(Architecture),
    /// The network of a trained run.
    Trained(PathBuf),
}

/// Reads a model: the name of an architecture, or a run's folder or checkpoint.
fn described(text: &str) -> Result<Described, String> {
    if let Some(known) = list::architecture(text) {
        return Ok(Described::Architecture(known));
    }
    let path = PathBuf::from(text);
    match path.exists() {
        true => Ok(Described::Trained(path)),
        false => {
            let known: Vec<&str> = list::architectures().iter().map(|model| model.name).collect();
            let meant = nearest(text, known).map_or(String::new(), |name| format!(": did you mean `{name}`?"));
            Err(format!("no model and no run{meant} Models: {}", list::names()))
        }
    }
}

impl clap::Args for ModelArgs {
    fn augment_args(command: Command) -> Command {
        let help = format!("Network: a trained run, or one of {}", list::names());
        let model = Arg::new("model").value_name("MODEL|RUN").required(true).help(help);
        let size = Arg::new("image_size").long("image-size").value_name("IMAGE_SIZE");
        let batch = Arg::new("batch_size").long("batch-size").value_name("BATCH_SIZE").default_value("16");
        let classes = Arg::new("classes").long("classes").value_name("CLASSES");
        command
            .arg(model.value_parser(described))
            .arg(
                size.value_parser(clap::value_parser!(ImageSize))
                    .help("HEIGHTxWIDTH in pixels, or one number for a square [default: 224, or that of the run]"),
            )
            .arg(batch.value_parser(clap::value_parser!(usize)).help("Images per training step"))
            .arg(
                classes
                    .value_parser(clap::value_parser!(usize))
                    .help("Number of classes [default: that of the published model]"),
            )
            .args(settings().iter().map(arg))
    }

    fn augment_args_for_update(command: Command) -> Command {
        Self::augment_args(command)
    }
}

/// The settings of all models. A key that several models share is one flag.
fn settings() -> Vec<Setting> {
    let mut settings: Vec<Setting> = vec![];
    for setting in list::architectures().iter().flat_map(|model| model.settings) {
        if !settings.iter().any(|known| known.key == setting.key) {
            settings.push(*setting);
        }
    }
    settings
}

impl clap::FromArgMatches for ModelArgs {
    fn from_arg_matches(matches: &ArgMatches) -> Result<Self, clap::Error> {
        let missing = || clap::Error::new(clap::error::ErrorKind::MissingRequiredArgument);
        let model = matches.get_one::<Described>("model").ok_or_else(missing)?.clone();
        let mut given = Settings::new();
        for setting in settings() {
            let refused = |e| clap::Error::raw(clap::error::ErrorKind::ValueValidation, format!("{e}\n"));
            let found = value(&setting, matches).map_err(refused)?;
            let json = found.and_then(|value| serde_json::to_value(value).ok());
            let has = |key: &str| matches!(&model, Described::Architecture(known) if known.has(key));
            if let Some(value) = json.filter(|_| has(setting.key)) {
                given.insert(setting.key.to_owned(), value);
            }
        }
        Ok(ModelArgs {
            model,
            image_size: matches.get_one::<ImageSize>("image_size").copied(),
            batch_size: *matches.get_one::<usize>("batch_size").ok_or_else(missing)?,
            classes: matches.get_one::<usize>("classes").copied(),
            settings: given,
        })
    }

    fn update_from_arg_matches(&mut self, matches: &ArgMatches) -> Result<(), clap::Error> {
        *self = Self::from_arg_matches(matches)?;
        Ok(())
    }
}

impl ModelArgs {
    /// A training step of the model.
    ///
    /// # Errors
    /// When a size is out of range, or the run cannot be read.
    pub(super) fn step(&self) -> Result<StepSpec, CliError> {
        let (network, own_size, channels) = match &self.model {
            Described::Architecture(model) => {
                let classes = self.classes.unwrap_or(model.published_outputs);
                self.check(USUAL)?;
                ((model.build)(classes, &self.settings).map_err(CliError::Usage)?, USUAL, 3)
            }
            Described::Trained(path) => {
                let card = Checkpoint::open(path)?.card;
                let [height, width] = card.image_size;
                let (size, channels) = (ImageSize { height, width }, card.channels());
                (card.network, size, channels)
            }
        };
        self.check(own_size)?;
        let ImageSize { height, width } = self.image_size.unwrap_or(own_size);
        Ok(StepSpec { text: String::new(), network, size: [self.batch_size, height, width], channels })
    }

    fn check(&self, own_size: ImageSize) -> Result<(), CliError> {
        let usage = |text: String| Err(CliError::Usage(text));
        let size = self.image_size.unwrap_or(own_size);
        if !size.within(MIN_IMAGE_SIZE, MAX_IMAGE_SIZE) {
            return usage(format!(
                "--image-size {size}: expected sides of {MIN_IMAGE_SIZE} to {MAX_IMAGE_SIZE} pixels"
            ));
        }
        if !(1..=MAX_BATCH_SIZE).contains(&self.batch_size) {
            return usage(format!("--batch-size {}: expected at least 1, at most {MAX_BATCH_SIZE}", self.batch_size));
        }
        let number = |key: &str| self.settings.get(key).and_then(serde_json::Value::as_u64).unwrap_or(1);
        let sizes = [
            ("classes", self.classes.unwrap_or(2) as u64, MOST_CLASSES as u64),
            ("depth", number("depth"), 8),
            ("base", number("base"), 1024),
        ];
        match sizes.into_iter().find(|(_, value, most)| !(1..=*most).contains(value)) {
            Some((name, value, most)) => usage(format!("--{name} {value}: expected 1 to {most}")),
            None => Ok(()),
        }
    }
}
