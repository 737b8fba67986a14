//! An observer that stops a training.

use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};

use shadegrad::run::EpochRow;
use shadegrad::train::{Observer, StepProgress};

/// Stops a run after a number of steps.
pub struct StopAfter<'a> {
    left: AtomicUsize,
    stop: &'a AtomicBool,
}

impl<'a> StopAfter<'a> {
    pub fn new(steps: usize, stop: &'a AtomicBool) -> Self {
        StopAfter { left: steps.into(), stop }
    }
}

impl Observer for StopAfter<'_> {
    fn reading(&self, _: usize, _: usize) {}
    fn begins(&self, _: &[String]) {}
    fn step(&self, _: &StepProgress) {
        if self.left.fetch_sub(1, Ordering::Relaxed) == 1 {
            self.stop.store(true, Ordering::Relaxed);
        }
    }
    fn epoch(&self, _: &EpochRow, _: usize) {}
}
