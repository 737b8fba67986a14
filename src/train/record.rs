//! What a run leaves on disk: weights, its position, facts, pictures and scores of the best epoch.

use std::collections::BTreeMap;
use std::path::Path;
use std::time::Instant;

use super::TrainError;
use super::diagnose::{Failure, bad_state};
use super::loaders::Loaders;
use super::log::Log;
use super::model::LoadedModel;
use super::objective::Objective;
use super::observer::Watch;
use super::results::Results;
use super::settings::TrainSettings;
use crate::data::{Decisions, Source};
use crate::interop::safetensors::TensorFile;
use crate::interop::torchvision;
use crate::precision::Precision;
use crate::run::card::ModelCard;
use crate::run::checkpoint::EpochMark;
use crate::run::facts::RunFacts;
use crate::run::history::EpochRow;
use crate::run::repair::Repairs;
use crate::run::resume::{self, Exact, Origin, Plateau, Position};
use crate::run::{Evidence, FolderLock, RunDir, Yardstick, pictures};

/// A run's folder, held by rank 0.
pub(super) type HeldRun = (RunDir, Option<FolderLock>);

/// What a run leaves on disk. Only rank 0 writes it.
pub(super) struct Record {
    pub run: RunDir,
    /// Keeps other processes out of the run's folder.
    _lock: Option<FolderLock>,
    pub log: Log,
    pub origin: Origin,
    /// How the data set was read.
    pub decisions: Decisions,
    /// Entries of the last evaluation for a checkpoint's metadata.
    pub entries: BTreeMap<String, String>,
    /// Begin of the time that no saved position includes.
    start: Instant,
}

impl Record {
    /// The record of a run that begins now, at a learning rate.
    pub fn new((run, lock): HeldRun, origin: Origin, decisions: Decisions, lr: f64) -> Self {
        let (entries, start) = (BTreeMap::new(), Instant::now());
        Record { run, _lock: lock, log: Log::new(lr), origin, decisions, entries, start }
    }

    /// Continues from a position. Rows and results beyond it are removed from the files, since the loop writes them again.
    ///
    /// # Errors
    /// When a file cannot be read or written.
    pub fn resume(&mut self, position: &Position, repairs: Repairs) -> Result<(), TrainError> {
        self.run.repair(&repairs)?;
        self.run.rewind(position.epoch, position.steps)?;
        self.run.write_json_lines(&repairs.rows)?;
        self.log.restore(repairs.rows, position.best);
        Ok(())
    }

    /// The settings of the run.
    pub fn settings(&self) -> toml::Table {
        self.origin.settings.as_deref().and_then(|text| toml::from_str(text).ok()).unwrap_or_default()
    }

    /// Seconds of the whole run.
    pub fn seconds(&self, position: &Position) -> f64 {
        position.seconds.0 + self.start.elapsed().as_secs_f64()
    }

    /// The place of a failure.
    pub fn failure(&self, precision: Precision, (step, epoch): (usize, usize)) -> Failure<'_> {
        Failure { run: &self.run, precision, lr: self.log.lr, step, epoch }
    }

    /// Refuses states that are not finite: they must not replace good ones in a checkpoint.
    ///
    /// # Errors
    /// [`TrainError::NotFinite`], or when the device is lost.
    pub fn require_finite(
        &self,
        model: &mut LoadedModel,
        precision: Precision,
        place: (usize, usize),
    ) -> Result<(), TrainError> {
        match bad_state(model, precision)? {
            Some((what, state)) => Err(self.failure(precision, place).error(what, f32::NAN, state)),
            None => Ok(()),
        }
    }

    /// Writes the weights after `steps` optimizer steps, and the epoch after which they are written.
    ///
    /// # Errors
    /// When the device is lost or the disk is full.
    pub fn save(
        &self,
        model: &mut LoadedModel,
        (card, steps): (&ModelCard, u64),
        path: &Path,
        epoch: Option<EpochMark>,
    ) -> Result<(), TrainError> {
        let mut metadata = card.to_metadata();
        metadata.extend(self.entries.clone());
        metadata.extend(epoch.into_iter().flat_map(EpochMark::entries));
        let file = torchvision::collect(&mut model.session, steps, metadata)?;
        Ok(file.write_atomic(path)?)
    }

    /// Writes the state of the unfinished run, which replaces that of a finished one.
    ///
    /// # Errors
    /// When the device is lost or the disk is full.
    pub fn save_position(
        &mut self,
        model: &mut LoadedModel,
        position: &mut Position,
        plateau: Plateau,
    ) -> Result<(), TrainError> {
        (position.plateau, position.seconds) = (plateau, Exact(self.seconds(position)));
        self.start = Instant::now();
        self.origin.epochs = Some(EpochRow::csv(self.log.rows()));
        resume::save(&mut model.session, position, &self.origin, &self.run.resume_path())?;
        Ok(self.run.forget_finished()?)
    }

    /// Gives a model the weights of the best epoch.
    ///
    /// # Errors
    /// When they cannot be read.
    pub fn restore_best(&self, model: &mut LoadedModel) -> Result<(), TrainError> {
        let path = self.run.best_path();
        Ok(torchvision::restore(&mut model.session, &TensorFile::read(&path)?, &path)?)
    }

    /// Adds yardstick and verdict to the facts. A failure is noted in `left_out`, and the run goes on.
    pub fn judge(
        &self,
        facts: &mut RunFacts,
        (model, objective, loaders): (&LoadedModel, &dyn Objective, &Loaders),
        diverged: bool,
        left_out: &mut Vec<String>,
    ) {
        let (Some(best), Some(found)) = (self.log.best_row(), self.log.found()) else { return };
        let yardstick = found.yardstick().unwrap_or_else(|error| {
            left_out.push(format!("the uncertainty of the score is left out: {error}"));
            Yardstick::default()
        });
        let settings = self.settings();
        let confusion = self.run.read_confusion().ok().flatten().map(|(_, matrix)| matrix);
        let trust = found.trust();
        let (class_counts, pixels) = (loaders.class_counts(facts.outputs.len()), loaders.part_pixels(objective.card()));
        let evidence = Evidence {
            task: objective.task_card(),
            training_images: facts.training_images,
            validation_images: facts.validation_images,
            outputs: &facts.outputs,
            settings: &settings,
            rows: self.log.rows(),
            best,
            yardstick: &yardstick,
            confusion: confusion.as_ref(),
            calibration: trust.as_ref().and_then(|trust| trust.calibration.as_ref()),
            class_counts: class_counts.as_deref(),
            pixels: pixels.as_ref(),
            image_size: facts.image_size,
            picture: self.decisions.picture,
            batch_norm: model.has_batch_norm(),
            diverged,
        };
        facts.verdict = evidence.verdict();
        facts.yardstick = Some(yardstick);
    }

    /// Writes the curves, and the task's pictures and tables of the best epoch. Returns the names of the written files, and a line
    /// for each failure: the weights are on disk, so a picture that cannot be drawn does not end the run with an error. Once
    /// `watch` stops, only the curves are drawn: a resumed run writes the others.
    ///
    /// # Errors
    /// When the pictures cannot be added to TensorBoard's events.
    pub fn write_results(
        &self,
        (model, objective): (&mut LoadedModel, &dyn Objective),
        validation: &dyn Source,
        settings: &TrainSettings,
        watch: Watch<'_>,
    ) -> Result<(Vec<&'static str>, Vec<String>), TrainError> {
        let Some(epoch) = self.log.best_epoch() else { return Ok((vec![], vec![])) };
        let panel = objective.task_card().panels.first();
        let mut results = Results::new(&self.run);
        results.picture("curves.png", || Ok(pictures::curves_picture(self.log.rows(), panel, Some(epoch))?));
        // The list of results omits it, because it shows the same as the picture.
        let svg = || Ok::<_, TrainError>(pictures::curves_svg(self.log.rows(), panel, Some(epoch))?);
        results.file("curves.svg", |run| Ok(run.write_file("curves.svg", &svg()?).map(|()| false)?));
        let mut results = results.until(watch.stop);
        if let Some(found) = self.log.found().filter(|_| !watch.stops()) {
            let written = found.write(&mut results, epoch);
            results.done("results", written);
            if let Some(trust) = found.trust() {
                results.file("trust.json", |run| Ok(run.write_trust(&trust).map(|()| true)?));
            }
        }
        if objective.explains()
            && !watch.stops()
            && let Some(found) = self.log.found()
        {
            let batch = settings.batch_size.min(validation.len());
            let explained = self
                .restore_best(model)
                .and_then(|()| objective.explain(&mut model.session, found, (validation, batch)));
            if let Some(picture) = explained.transpose() {
                results.picture("gradcam.png", || picture);
            }
        }
        let (written, left_out) = results.finish();
        if let Some(last) = self.log.rows().last().filter(|_| settings.tensorboard) {
            self.run.append_pictures(&written, last.epoch)?;
        }
        Ok((written, left_out))
    }
}
