//! What all training verbs do before there is any data: everything that can be refused at once, the device, and the
//! place of the run, which is made last, so that a refused run leaves none behind.

use crate::exec::{self, AnyEngine};
use crate::interop::safetensors::TensorFile;
use crate::precision::Precision;
use crate::run::run_dir::RunDir;
use crate::train::TrainError;
use crate::train::config::TrainSettings;
use crate::train::half;
use crate::train::resume::{self, Progress};

/// A run before it begins.
pub(crate) struct Launch {
    /// What all tasks share.
    pub settings: TrainSettings,
    /// The device.
    pub engine: Box<AnyEngine>,
    /// Where the run that is to go on stands.
    pub resumed: Option<(Progress, TensorFile)>,
    /// The settings as the run's `config.toml`.
    pub toml: String,
    /// A line for people about the precision, where there is something to say.
    pub precision: Option<String>,
}

impl Launch {
    /// Checks where the run is to be, reads where it stands if it goes on, and opens the device.
    ///
    /// # Errors
    /// When the folder is taken, there is nothing to resume, or the device cannot be opened.
    pub fn new(settings: TrainSettings, toml: String) -> Result<Self, TrainError> {
        let resumed = match &settings.resume {
            Some(path) => Some(resume::read(&RunDir::to_resume(path)?.resume_path())?),
            None => {
                settings.out.as_deref().map_or(Ok(()), RunDir::check_free)?;
                None
            }
        };
        let engine = exec::open(&settings.device)?;
        let (precision, line) = half::choose(settings.precision, &settings.device, engine.as_ref());
        // A run keeps the settings that it has, so that it goes on with them, wherever that is.
        let toml = match precision {
            Precision::F32 => toml.replace("precision = \"f16\"", "precision = \"f32\""),
            Precision::F16 => toml,
        };
        let settings = TrainSettings { precision, ..settings };
        Ok(Launch { settings, engine, resumed, toml, precision: line })
    }

    /// Makes the run's folder, or opens that of the run that goes on.
    ///
    /// # Errors
    /// When it cannot be made or written to.
    pub fn make_run(settings: &TrainSettings, toml: &str, stem: &str) -> Result<RunDir, TrainError> {
        let run = match &settings.resume {
            Some(path) => RunDir::to_resume(path)?,
            None => RunDir::create(settings.out.as_deref(), stem)?,
        };
        run.write_config(toml)?;
        Ok(run)
    }
}
