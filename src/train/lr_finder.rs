//! The learning rate range test (Smith 2017): the rate rises by a constant factor from step to step, and the loss shows where
//! learning begins and where it ends.

use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Instant;

use super::TrainError;
use super::diagnose;
use super::masks::Masks;
use super::observer::{Observer, StepProgress};
use super::orders::{Order, StepOrder};
use super::outputs::Outputs;
use super::step::{Phase, port};
use super::trainer::Trainer;
use crate::data::Batch;
use crate::plan::PlanOptions;
use crate::run::history::LrPoint;
use crate::run::pictures;

/// Share of the past in the running mean that ends the test.
const SMOOTHING: f64 = 0.9;
/// The test ends when the running mean is this many times the lowest.
const DIVERGED: f64 = 4.0;

/// At the suggested rate the loss has fallen by this share of its whole fall. On 17 curves of six tasks and models this rate was within
/// a factor of 6 of the best. The usual rules, the steepest slope and fastai's "valley", give noise for classifiers in batches of 16
/// (docs/rejected.md).
const FALLEN: f64 = 0.75;

/// A fall of the smoothed loss counts if it is this number of its standard deviations.
const NOISE: f64 = 3.0;

/// The learning rates of a test.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct LrRange {
    /// First learning rate.
    pub from: f64,
    /// Last learning rate.
    pub to: f64,
    /// Steps between them.
    pub steps: usize,
}

impl Default for LrRange {
    /// From 1e-7 to 1 in 100 steps.
    fn default() -> Self {
        LrRange { from: 1e-7, to: 1.0, steps: 100 }
    }
}

/// The result of a test.
#[derive(Clone, Debug, PartialEq)]
pub struct LrCurve {
    /// All steps, or those until the loss exploded.
    pub points: Vec<LrPoint>,
    /// The rate at which the smoothed loss has fallen by three quarters of its whole fall: a rate to try with any optimizer.
    pub suggested: Option<f64>,
    /// The rate at which the smoothed loss is lowest. A higher rate diverges sooner or later.
    pub lowest: Option<f64>,
    /// The run folder, with `lr_find.csv` and `lr_find.png`.
    pub run: PathBuf,
}

impl LrCurve {
    /// The curve of a test, from the learning rate and the loss of each step.
    pub fn new(steps: &[(f64, f64)], run: &Path) -> Self {
        // A mean over the past alone would lag behind the rate, here by half a decade.
        let reach = (steps.len() / 20).max(2);
        let around = |i: usize| {
            let window = &steps[i.saturating_sub(reach)..(i + reach + 1).min(steps.len())];
            window.iter().map(|(_, loss)| loss).sum::<f64>() / window.len() as f64
        };
        let point = |(i, &(lr, loss)): (usize, &(f64, f64))| LrPoint { lr, loss, smoothed: around(i) };
        let points: Vec<_> = steps.iter().enumerate().map(point).collect();
        // Beyond its lowest value the loss only rises.
        let lowest = (0..points.len()).min_by(|&a, &b| points[a].smoothed.total_cmp(&points[b].smoothed));
        let before = &steps[..(steps.len() / 10).max(5).min(steps.len())];
        let mean = |values: &mut dyn Iterator<Item = f64>| values.sum::<f64>() / before.len().max(1) as f64;
        let first = mean(&mut before.iter().map(|(_, loss)| *loss));
        let spread = mean(&mut before.iter().map(|(_, loss)| (loss - first).powi(2))).sqrt();
        // If the loss does not fall, the lowest of these means is 2 to 3 of their standard deviations below their mean.
        let noise = NOISE * spread / ((2 * reach + 1) as f64).sqrt();
        let fallen = lowest.map(|l| first - points[l].smoothed).filter(|fall| *fall > noise);
        let above = |i: usize, fall: f64| points[i].smoothed > first - FALLEN * fall;
        // The last such step, since the loss fluctuates as it falls.
        let suggested = fallen.and_then(|fall| (0..lowest.unwrap_or(0)).rev().find(|&i| above(i, fall)));
        let rate = |i: Option<usize>| i.map(|i| points[i].lr);
        LrCurve { suggested: rate(suggested), lowest: rate(lowest), run: run.to_owned(), points }
    }
}

impl Trainer {
    /// Trains with a learning rate that rises over `range`, and writes the curve into the run folder. The weights are
    /// discarded. A rank other than 0 follows, and has no curve.
    ///
    /// # Errors
    /// See [`TrainError`].
    pub fn find_lr(
        mut self,
        range: LrRange,
        observer: &dyn Observer,
        stop: &AtomicBool,
    ) -> Result<LrCurve, TrainError> {
        self.rates.train_all_layers();
        if !self.work.leads() {
            return Ok(LrCurve::new(&[], &self.follow(stop)?.run));
        }
        let points = self.losses(range, observer, stop)?;
        let curve = LrCurve::new(&points, self.run().path());
        let mut csv = csv::Writer::from_writer(vec![]);
        // Writing into memory does not fail.
        curve.points.iter().for_each(|point| csv.serialize(point).unwrap_or_default());
        let text = csv.into_inner().map(|bytes| String::from_utf8_lossy(&bytes).into_owned()).unwrap_or_default();
        self.run().write_file("lr_find.csv", &text)?;
        pictures::save_png(&pictures::lr_picture(&curve.points, curve.suggested)?, &curve.run.join("lr_find.png"))?;
        Ok(curve)
    }

    /// The learning rates of a test and the loss at each.
    fn losses(
        &mut self,
        range: LrRange,
        observer: &dyn Observer,
        stop: &AtomicBool,
    ) -> Result<Vec<(f64, f64)>, TrainError> {
        let mut points = vec![];
        let (mut average, mut weight, mut best) = (0.0, 0.0, f64::INFINITY);
        let start = Instant::now();
        let (mut epoch, mut index, mut images) = (1, 0, 0);
        self.work.order(Order::Epoch { epoch, first: 0 })?;
        let mut batches = self.loaders.train.epoch(epoch)?.take(self.loaders.batches());
        observer.first_step();
        let factor = (range.to / range.from).powf(1.0 / (range.steps.max(2) - 1) as f64);
        for step in 0..range.steps {
            let lr = range.from * factor.powi(step as i32);
            let batch = match batches.next() {
                Some(batch) => batch?,
                None => {
                    (epoch, index) = (epoch + 1, 0);
                    self.work.order(Order::Epoch { epoch, first: 0 })?;
                    batches = self.loaders.train.epoch(epoch)?.take(self.loaders.batches());
                    let Some(batch) = batches.next() else { break };
                    batch?
                }
            };
            images += self.loaders.train.images_of(index);
            let step_order = StepOrder { index, lr, step: step as u64 + 1, more: false, last: true };
            let loss = self.step_at(&step_order, &batch, stop)?;
            index += 1;
            (average, weight) = (SMOOTHING * average + (1.0 - SMOOTHING) * loss, SMOOTHING * weight + 1.0 - SMOOTHING);
            let smoothed = average / weight;
            if !loss.is_finite() {
                // All ranks end at such a loss. Without a point before it there is no curve.
                return if points.is_empty() { Err(self.bad_start(loss, lr, &batch)) } else { Ok(points) };
            }
            points.push((lr, loss));
            observer.step(&StepProgress {
                epoch: epoch as usize,
                step: step + 1,
                steps: range.steps,
                loss: Some(smoothed),
                accuracy: None,
                images_per_s: images as f64 / start.elapsed().as_secs_f64(),
            });
            best = f64::min(best, smoothed);
            if smoothed > DIVERGED * best || stop.load(Ordering::Relaxed) {
                break;
            }
        }
        self.work.order(Order::End { interrupted: false })?;
        Ok(points)
    }

    /// The error of a first loss that is not finite.
    fn bad_start(&mut self, loss: f64, lr: f64, batch: &Batch) -> TrainError {
        let masks = Masks::of_batch(self.settings.seed, 1, 0);
        let layer = match self.work.sharded() {
            Some(_) => "a shard of the first batch".to_owned(),
            None => diagnose::layer_in_training(&mut self.model, &*self.objective, batch, masks),
        };
        self.record.log.lr = lr;
        self.failure(1, 1).error("loss", loss as f32, layer)
    }

    /// Runs one step on a batch, and returns the loss.
    fn step_at(&mut self, step: &StepOrder, batch: &Batch, stop: &AtomicBool) -> Result<f64, TrainError> {
        if self.work.sharded().is_some() {
            self.work.order(Order::Step(*step))?;
            let reduced = self.run_shards(step, batch, stop.load(Ordering::Relaxed))?;
            stop.fetch_or(reduced.stop, Ordering::Relaxed);
            return Ok(reduced.results.loss.into());
        }
        let inputs = self.rates.inputs(&self.settings, step);
        let plan = self.model.training_plan(&*self.objective, (batch.len(), Phase::Update), PlanOptions::default())?;
        self.model.feed(&*self.objective, plan, batch, &inputs)?;
        let values = self.model.session.run_now(plan)?;
        let loss = Outputs::new(&self.model.session, plan, values).first(port::LOSS);
        Ok(loss.map_or(f64::NAN, f64::from))
    }
}
