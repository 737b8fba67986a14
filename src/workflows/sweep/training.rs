//! The training of one run of a sweep.

use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::AtomicBool;

use super::folder::folder;
use super::halving::Until;
use super::{DIVERGED, Sweep, SweepRun, SweepRunState};
use crate::interop::files::FileError;
use crate::ranks::Ranks;
use crate::run::{RunDir, RunError};
use crate::train::{Observer, Outcome, TrainError};

impl Sweep {
    /// Trains a run up to a share of its epochs.
    pub(super) fn train_part(
        &self,
        index: usize,
        share: f64,
        (out, device): (&Path, Option<&str>),
        (steps, stop): (&dyn Observer, &AtomicBool),
        ranks: Arc<dyn Ranks>,
    ) -> Result<SweepRunState, TrainError> {
        let (cell, folder) = (&self.cells[index], folder(out, index));
        let (epochs, limit) = self.limit(index, share)?;
        let until = Until { epoch: limit, inner: steps };
        let observer: &dyn Observer = if limit < epochs { &until } else { steps };
        let trained = self.train(cell, &folder, device, (observer, stop), ranks);
        match trained {
            Ok(outcome) if outcome.interrupted => Ok(SweepRunState::Paused(outcome.rows)),
            Ok(outcome) => {
                // To save space: a sweep can have many runs, and few of them are trained further.
                RunDir::open(&folder)?.forget_finished()?;
                Ok(SweepRunState::Done(outcome.rows))
            }
            Err(TrainError::NotFinite { .. }) => {
                let marked = std::fs::write(folder.join(DIVERGED), "").map_err(|e| FileError::writing(&folder, e));
                marked.map_err(RunError::from)?;
                Ok(SweepRunState::Diverged)
            }
            Err(error) => Err(error),
        }
    }

    fn train(
        &self,
        cell: &SweepRun,
        folder: &Path,
        device: Option<&str>,
        (observer, stop): (&dyn Observer, &AtomicBool),
        ranks: Arc<dyn Ranks>,
    ) -> Result<Outcome, TrainError> {
        let mut settings = cell.settings.clone();
        let place = if RunDir::to_resume(folder).is_ok_and(|run| run.is_unfinished()) { "resume" } else { "out" };
        settings.insert(place.into(), folder.display().to_string().into());
        if let Some(device) = device {
            settings.insert("device".into(), device.into());
        }
        let mut settings = self.resolve(settings)?;
        settings.ranks = ranks;
        self.task.open(&settings, observer)?.train(observer, stop)
    }
}
