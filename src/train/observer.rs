//! The reports of a run under way, and its outcome.

use std::path::PathBuf;
use std::sync::atomic::{AtomicBool, Ordering};

use super::TrainError;
pub use crate::interop::pretrained::Fetching;
use crate::run::Verdict;
use crate::run::history::EpochRow;

/// Receives the reports of a run. Every method may do nothing.
pub trait Observer: Sync {
    /// Images are being read: `done` of `total`.
    fn reading(&self, done: usize, total: usize);
    /// Published weights are being fetched.
    fn fetching(&self, _progress: &Fetching<'_>) {}
    /// The run begins; the lines describe it.
    fn begins(&self, lines: &[String]);
    /// The first step is next. It takes up to a minute if the device compiles its kernels for the first time.
    fn first_step(&self) {}
    /// A step is done.
    fn step(&self, progress: &StepProgress);
    /// Images of an evaluation are done: `done` of `total`.
    fn evaluating(&self, _done: usize, _total: usize) {}
    /// An epoch is done.
    fn epoch(&self, row: &EpochRow, epochs: usize);
    /// Whether the run is to pause after this epoch, with a checkpoint.
    fn pauses_after(&self, _epoch: usize) -> bool {
        false
    }
}

/// The observer of an evaluation, and the flag that ends it.
#[derive(Clone, Copy)]
pub struct Watch<'a> {
    /// Receives the reports.
    pub observer: &'a dyn Observer,
    /// Ends the evaluation once it is set.
    pub stop: &'a AtomicBool,
}

impl Watch<'_> {
    /// No observer, and no end before the last image.
    pub fn nobody() -> Watch<'static> {
        static NEVER: AtomicBool = AtomicBool::new(false);
        Watch { observer: &(), stop: &NEVER }
    }

    /// Whether the flag is set.
    pub fn stops(&self) -> bool {
        self.stop.load(Ordering::Relaxed)
    }

    /// Reports images of an evaluation.
    ///
    /// # Errors
    /// [`TrainError::Interrupted`] when images remain and the flag is set.
    pub fn evaluated(&self, done: usize, total: usize) -> Result<(), TrainError> {
        self.observer.evaluating(done, total);
        if self.stops() && done < total { Err(TrainError::Interrupted) } else { Ok(()) }
    }
}

/// Progress of an epoch.
#[derive(Clone, Copy, Debug)]
pub struct StepProgress {
    /// Epoch, from 1.
    pub epoch: usize,
    /// Step in the epoch, from 1.
    pub step: usize,
    /// Steps of the epoch.
    pub steps: usize,
    /// Mean loss so far, once the first step has ended.
    pub loss: Option<f64>,
    /// Share of right predictions so far, if the task counts them.
    pub accuracy: Option<f64>,
    /// Images per second so far.
    pub images_per_s: f64,
}

/// No reports.
impl Observer for () {
    fn reading(&self, _: usize, _: usize) {}
    fn begins(&self, _: &[String]) {}
    fn step(&self, _: &StepProgress) {}
    fn epoch(&self, _: &EpochRow, _: usize) {}
}

/// The outcome of a run.
#[derive(Clone, Debug)]
pub struct Outcome {
    /// The run folder.
    pub run: PathBuf,
    /// All epochs.
    pub rows: Vec<EpochRow>,
    /// The best epoch, by the task's first score.
    pub best: Option<EpochRow>,
    /// The verdict, unless the run was interrupted.
    pub verdict: Option<Verdict>,
    /// Path of a validation image, if the images are files.
    pub example: Option<String>,
    /// Pictures in the run folder.
    pub pictures: Vec<&'static str>,
    /// Whether the loss grew far above that of the first batch: the weights are then useless.
    pub diverged: bool,
    /// Pictures and tables that could not be drawn or written, with the reason.
    pub left_out: Vec<String>,
    /// Whether the run was interrupted or paused: it ended before its last epoch or before its results, and can be
    /// resumed.
    pub interrupted: bool,
    /// Whether the run ended before its last epoch, because the score had not improved for `early_stop` epochs.
    pub ended_early: bool,
}
