//! The files that the loop writes into the run's folder: weights, its position, facts, pictures and scores of the best epoch.

use std::collections::BTreeMap;
use std::path::Path;
use std::time::Instant;

use super::TrainError;
use super::model::LoadedModel;
use super::observer::Watch;
use super::results::Results;
use super::trainer::Trainer;
use crate::graph::Group;
use crate::interop::safetensors::TensorFile;
use crate::interop::torchvision;
use crate::run::checkpoint::EpochMark;
use crate::run::damage::text_digest;
use crate::run::facts::RunFacts;
use crate::run::fingerprint::DataPrint;
use crate::run::history::EpochRow;
use crate::run::repair::Repairs;
use crate::run::resume::{self, Exact, Position};
use crate::run::{Evidence, RunDir, Yardstick, pictures};

impl Trainer {
    /// Facts of the run, for `run.json`.
    pub(super) fn facts(&self) -> RunFacts {
        let (card, states) = (self.objective.card(), self.model.session.states());
        RunFacts {
            version: env!("CARGO_PKG_VERSION").into(),
            task: card.task.clone(),
            device: self.model.session.engine().name(),
            parameters: states.of(Group::Parameters).map(|(_, state)| state.ty.shape.elements()).sum(),
            outputs: card.classes.clone(),
            image_size: card.image_size,
            training_images: self.loaders.train.source().len(),
            validation_images: self.loaders.val.source().len(),
            data: self.origin.data.as_ref().map(DataPrint::summary),
            example: self.example(),
            decisions: Some(self.decisions.clone()),
            settings_digest: self.origin.settings.as_deref().map(text_digest),
            metrics_digest: None,
            result_digests: BTreeMap::new(),
            yardstick: None,
            verdict: None,
            shown: Some(self.objective.task_card().clone()),
            ranks: self.work.facts().cloned(),
            rates: self.rates.of_stages(),
        }
    }

    /// Path of the first validation image, if it is a file.
    pub(super) fn example(&self) -> Option<String> {
        let first = self.loaders.val.source().identity(0)?;
        Path::new(&first.name).is_file().then_some(first.name)
    }

    /// Continues from a position. Rows and results beyond it are removed from the files, since the loop writes them again.
    pub(super) fn resume(&mut self, position: Position, repairs: Repairs) -> Result<(), TrainError> {
        self.run.repair(&repairs)?;
        self.run.rewind(position.epoch, position.steps)?;
        self.run.write_json_lines(&repairs.rows)?;
        self.log.restore(repairs.rows, position.best);
        self.rates.set_plateau(position.plateau);
        self.position = Position { order: self.position.order, ..position };
        Ok(())
    }

    /// Calls `run` with the moving average instead of the parameters, if there is an average.
    pub(super) fn with_average<R>(
        &mut self,
        run: impl FnOnce(&mut Self) -> Result<R, TrainError>,
    ) -> Result<R, TrainError> {
        if self.settings.ema == 0.0 {
            return run(self);
        }
        let parameters = self.model.use_average()?;
        let result = run(self);
        self.model.set_parameters(&parameters)?;
        result
    }

    /// Writes the weights, and the epoch after which they are written.
    pub(super) fn save(&mut self, path: &Path, epoch: Option<EpochMark>) -> Result<(), TrainError> {
        let mut metadata = self.objective.card().to_metadata();
        metadata.extend(self.entries.clone());
        metadata.extend(epoch.into_iter().flat_map(EpochMark::entries));
        let file = torchvision::collect(&mut self.model.session, self.position.steps, metadata)?;
        Ok(file.write_atomic(path)?)
    }

    /// Writes weights and position after all or some steps of an epoch, before its validation.
    pub(super) fn save_unvalidated(&mut self, epoch: usize) -> Result<(), TrainError> {
        self.require_finite(epoch)?;
        self.with_average(|trainer| trainer.save(&trainer.run.last_path(), None))?;
        self.save_position()
    }

    /// Writes the state of the unfinished run, which replaces that of a finished one.
    pub(super) fn save_position(&mut self) -> Result<(), TrainError> {
        (self.position.plateau, self.position.seconds) = (self.rates.plateau(), Exact(self.seconds()));
        self.start = Instant::now();
        self.origin.epochs = Some(EpochRow::csv(self.log.rows()));
        resume::save(&mut self.model.session, &self.position, &self.origin, &self.run.resume_path())?;
        Ok(self.run.forget_finished()?)
    }

    /// Seconds of the whole run.
    pub(super) fn seconds(&self) -> f64 {
        self.position.seconds.0 + self.start.elapsed().as_secs_f64()
    }

    /// Adds yardstick and verdict to the facts. A failure is noted in `left_out`, and the run goes on.
    pub(super) fn judge(&self, facts: &mut RunFacts, diverged: bool, left_out: &mut Vec<String>) {
        let (Some(best), Some(found)) = (self.log.best_row(), self.log.found()) else { return };
        let yardstick = found.yardstick().unwrap_or_else(|error| {
            left_out.push(format!("the uncertainty of the score is left out: {error}"));
            Yardstick::default()
        });
        let settings = self.origin.settings.as_deref().and_then(|text| toml::from_str(text).ok()).unwrap_or_default();
        let confusion = self.run.read_confusion().ok().flatten().map(|(_, matrix)| matrix);
        let trust = found.trust();
        let (class_counts, pixels) = (self.class_counts(facts.outputs.len()), self.part_pixels());
        let evidence = Evidence {
            task: self.objective.task_card(),
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
            batch_norm: self.model.has_batch_norm(),
            diverged,
        };
        facts.verdict = evidence.verdict();
        facts.yardstick = Some(yardstick);
    }

    /// Writes the curves, and the task's pictures and tables of the best epoch. Returns the names of the written files, and a line
    /// for each failure: the weights are on disk, so a picture that cannot be drawn does not end the run with an error. Once
    /// `watch` stops, only the curves are drawn: a resumed run writes the others.
    pub(super) fn write_results(&mut self, watch: Watch<'_>) -> Result<(Vec<&'static str>, Vec<String>), TrainError> {
        let Some(epoch) = self.log.best_epoch() else { return Ok((vec![], vec![])) };
        if self.log.found().is_none() && !watch.stops() {
            // The best epoch was before the run was resumed.
            restore(&mut self.model, &self.run)?;
            match self.evaluate(watch) {
                Ok(found) => self.log.set_found(found),
                Err(TrainError::Interrupted) => {}
                Err(error) => return Err(error),
            }
        }
        let panel = self.objective.task_card().panels.first();
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
        if self.objective.explains()
            && !watch.stops()
            && let Some(found) = self.log.found()
        {
            let (val, model) = (self.loaders.val.source(), &mut self.model);
            let batch = self.settings.batch_size.min(val.len());
            let explained = restore(model, &self.run)
                .and_then(|()| self.objective.explain(&mut model.session, found, (&**val, batch)));
            if let Some(picture) = explained.transpose() {
                results.picture("gradcam.png", || picture);
            }
        }
        let (written, left_out) = results.finish();
        if let Some(last) = self.log.rows().last().filter(|_| self.settings.tensorboard) {
            self.run.append_pictures(&written, last.epoch)?;
        }
        Ok((written, left_out))
    }
}

/// Gives a model the weights of the best epoch.
fn restore(model: &mut LoadedModel, run: &RunDir) -> Result<(), TrainError> {
    let path = run.best_path();
    Ok(torchvision::restore(&mut model.session, &TensorFile::read(&path)?, &path)?)
}
