//! Arguments that describe a training step of a model: its settings and sizes.

use clap::{Arg, ArgMatches, Command};

use super::CliError;
use super::flags::{arg, value};
use crate::nn::{Architecture, Settings, list};
use crate::run::ImageSize;
use crate::run::image_size::{MAX_IMAGE_SIZE, MIN_IMAGE_SIZE};
use crate::setting::Setting;
use crate::train::settings::MAX_BATCH_SIZE;
use crate::train::step_spec::StepSpec;

/// Largest number of classes.
const MOST_CLASSES: usize = 1_000_000;

/// A model, its settings and the size of its input.
pub(super) struct ModelArgs {
    model: Architecture,
    image_size: ImageSize,
    batch_size: usize,
    classes: Option<usize>,
    settings: Settings,
}

impl clap::Args for ModelArgs {
    fn augment_args(command: Command) -> Command {
        let models = list::architectures();
        let names = models.iter().map(|model| clap::builder::PossibleValue::new(model.name).help(model.help));
        let model = Arg::new("model").value_name("MODEL").required(true).help("Network");
        let size = Arg::new("image_size").long("image-size").value_name("IMAGE_SIZE").default_value("224");
        let batch = Arg::new("batch_size").long("batch-size").value_name("BATCH_SIZE").default_value("16");
        let classes = Arg::new("classes").long("classes").value_name("CLASSES");
        command
            .arg(model.value_parser(clap::builder::PossibleValuesParser::new(names)))
            .arg(
                size.value_parser(clap::value_parser!(ImageSize))
                    .help("HEIGHTxWIDTH in pixels, or one number for a square"),
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

/// The settings of all models. A key that several models have is one flag.
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
        let name = matches.get_one::<String>("model").ok_or_else(missing)?;
        let model = list::architecture(name).ok_or_else(missing)?;
        let mut given = Settings::new();
        for setting in settings() {
            let refused = |e| clap::Error::raw(clap::error::ErrorKind::ValueValidation, format!("{e}\n"));
            let found = value(&setting, matches).map_err(refused)?;
            let json = found.and_then(|value| serde_json::to_value(value).ok());
            if let Some(value) = json.filter(|_| model.has(setting.key)) {
                given.insert(setting.key.to_owned(), value);
            }
        }
        Ok(ModelArgs {
            model,
            image_size: *matches.get_one::<ImageSize>("image_size").ok_or_else(missing)?,
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
    /// When a size is out of range.
    pub(super) fn step(&self) -> Result<StepSpec, CliError> {
        self.check()?;
        let ImageSize { height, width } = self.image_size;
        let classes = self.classes.unwrap_or(self.model.published_outputs);
        let network = (self.model.build)(classes, &self.settings).map_err(CliError::Usage)?;
        Ok(StepSpec { text: String::new(), network, size: [self.batch_size, height, width] })
    }

    fn check(&self) -> Result<(), CliError> {
        let usage = |text: String| Err(CliError::Usage(text));
        if !self.image_size.within(MIN_IMAGE_SIZE, MAX_IMAGE_SIZE) {
            let size = self.image_size;
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
