//! What a run says while it goes on, and when it has ended.

use std::path::PathBuf;

use crate::run::history::EpochRow;

/// What is told while a run goes on. All methods may do nothing.
pub trait Observer: Sync {
    /// Images are being read: so many of so many.
    fn reading(&self, done: usize, total: usize);
    /// The run begins, with a line for people each.
    fn begins(&self, lines: &[String]);
    /// The first step is next: up to a minute where the device has not met the kernels and compiles them.
    fn first_step(&self) {}
    /// A step is done.
    fn step(&self, progress: &StepProgress);
    /// An epoch is done.
    fn epoch(&self, row: &EpochRow, epochs: usize);
}

/// Where an epoch stands.
#[derive(Clone, Copy, Debug)]
pub struct StepProgress {
    /// Epoch, from 1.
    pub epoch: usize,
    /// Step in the epoch, from 1.
    pub step: usize,
    /// Steps of the epoch.
    pub steps: usize,
    /// Mean loss so far, once the result of a first step is there.
    pub loss: Option<f64>,
    /// Share predicted rightly so far, where the task counts that.
    pub accuracy: Option<f64>,
    /// Images per second so far.
    pub images_per_s: f64,
}

/// Nobody watches.
impl Observer for () {
    fn reading(&self, _: usize, _: usize) {}
    fn begins(&self, _: &[String]) {}
    fn step(&self, _: &StepProgress) {}
    fn epoch(&self, _: &EpochRow, _: usize) {}
}

/// What a finished run says.
#[derive(Clone, Debug)]
pub struct Outcome {
    /// The run directory.
    pub run: PathBuf,
    /// All epochs.
    pub rows: Vec<EpochRow>,
    /// The best epoch by the task's first score.
    pub best: Option<EpochRow>,
    /// Pictures in the run directory.
    pub pictures: Vec<&'static str>,
    /// It was interrupted, and ended after a step.
    pub interrupted: bool,
    /// It ended before its last epoch, since the score had not become better for long.
    pub ended_early: bool,
}
