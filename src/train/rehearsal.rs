//! A rehearsal of a run: its settings, memory and speed, from a few steps whose weights are discarded.

use std::time::Instant;

use serde::Serialize;

use super::TrainError;
use super::orders::{Order, StepOrder};
use super::step::Phase;
use super::trainer::Trainer;
use crate::plan::{MemoryUse, PlanOptions};
use crate::run::PartPixels;
use crate::run::facts::RunFacts;
use crate::run::task_card::TaskCard;

/// Steps that are timed.
const STEPS: usize = 5;
/// Seconds after which no further step is timed.
const SECONDS: f64 = 10.0;

/// A run as it would begin.
pub(crate) struct Rehearsal {
    /// Facts of the run.
    pub facts: RunFacts,
    /// The description of the task.
    pub task: TaskCard,
    /// Name of the architecture.
    pub network: &'static str,
    /// Whether the network has BatchNorm layers.
    pub batch_norm: bool,
    /// The settings, with those that data, weights and device decide.
    pub settings: toml::Table,
    /// Training and validation images of each class, if images have classes.
    pub class_counts: Option<Vec<[usize; 2]>>,
    /// Pixels of both parts, if they can be compared.
    pub pixels: Option<PartPixels>,
    /// Shares of the classes among the pixels of the timed batches, if labels are of pixels.
    pub pixel_shares: Option<Vec<f64>>,
    /// The ranks; empty if there is only one.
    pub ranks: Vec<RankWork>,
    /// Memory of the plan of a training step, in bytes.
    pub memory: MemoryUse,
    /// Floating-point operations of a training step.
    pub flops: u64,
    /// Batches of an epoch.
    pub batches: usize,
    /// Optimizer steps of the whole training.
    pub steps: usize,
    /// Measured speed.
    pub speed: Speed,
}

/// The share of a rank in a full batch.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct RankWork {
    /// Name of its device.
    pub device: String,
    /// Shards that it computes.
    pub shards: usize,
    /// Bytes that it sends.
    pub bytes: usize,
}

/// Seconds of batches, measured after an untimed one.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) struct Speed {
    /// Timed training batches.
    pub timed: usize,
    /// Mean seconds of a training batch, including the wait for its images.
    pub batch: f64,
    /// Seconds of the validation after an epoch; `None` if pictures differ in size.
    pub validation: Option<f64>,
}

impl Trainer {
    /// Rehearses the run: a few steps, and a batch of the validation. The weights are discarded.
    ///
    /// # Errors
    /// When an image cannot be read or the device is lost.
    pub(crate) fn rehearse(mut self) -> Result<Rehearsal, TrainError> {
        let facts = self.facts();
        let settings = self.record.settings();
        let batches = self.loaders.batches();
        let steps = batches.div_ceil(self.settings.accumulate) * self.settings.epochs;
        let mut pixels = vec![0_u64; facts.outputs.len()];
        let (timed, batch) = self.time_batches(&mut pixels)?;
        let all = pixels.iter().sum::<u64>() as f64;
        let validation = self.time_validation()?;
        self.work.order(Order::End { interrupted: false })?;
        let size = self.settings.batch_size.min(facts.training_images);
        let shards = self.work.shards(size);
        let (key, shards) = match shards.as_deref() {
            Some([first, ..]) => ((first.len(), Phase::Shard), shards.as_ref().map_or(1, Vec::len)),
            _ => ((size, Phase::Update), 1),
        };
        let plan = self.model.training_plan(&*self.objective, key, PlanOptions::default())?;
        let ranks = self.rank_work(shards);
        let plan = self.model.session.plan(plan);
        Ok(Rehearsal {
            task: self.objective.task_card().clone(),
            network: self.objective.card().network.architecture().name,
            batch_norm: self.model.has_batch_norm(),
            class_counts: self.loaders.class_counts(facts.outputs.len()),
            pixels: self.loaders.part_pixels(self.objective.card()),
            ranks,
            pixel_shares: (all > 0.0).then(|| pixels.iter().map(|&count| count as f64 / all).collect()),
            memory: plan.memory,
            flops: plan.flops() * shards as u64,
            facts,
            settings,
            batches,
            steps,
            speed: Speed { timed, batch, validation },
        })
    }

    /// Number and mean seconds of timed training batches. The first batch is not timed, unless it is the only one. Also
    /// counts the classes of their pixels.
    fn time_batches(&mut self, pixels: &mut [u64]) -> Result<(usize, f64), TrainError> {
        let of_pixels = self.objective.task_card().confusion.as_ref().is_some_and(|card| card.unit == "pixels");
        self.work.order(Order::Epoch { epoch: 1, first: 0 })?;
        let mut epoch = self.loaders.train.epoch(1)?.take(self.loaders.batches());
        let (mut seconds, mut last) = (vec![], Instant::now());
        let begin = Instant::now();
        for number in 1..=STEPS + 1 {
            let Some(batch) = epoch.next().transpose()? else { break };
            let (index, lr) = (number - 1, self.settings.lr);
            let step = StepOrder { index, lr, step: number as u64, more: false, last: true };
            if self.work.sharded().is_some() {
                self.work.order(Order::Step(step))?;
                self.run_shards(&step, &batch, false)?;
            } else {
                let (inputs, key) = (self.rates.inputs(&self.settings, &step), (batch.len(), Phase::Update));
                let plan = self.model.training_plan(&*self.objective, key, PlanOptions::default())?;
                self.model.feed(&*self.objective, plan, &batch, &inputs)?;
                self.model.session.run_now(plan)?;
            }
            seconds.push(last.elapsed().as_secs_f64());
            for &class in batch.labels.iter().filter(|_| of_pixels) {
                if let Some(count) = pixels.get_mut(class as usize) {
                    *count += 1;
                }
            }
            last = Instant::now();
            if begin.elapsed().as_secs_f64() > SECONDS {
                break;
            }
        }
        let timed = &seconds[usize::from(seconds.len() > 1)..];
        Ok((timed.len(), timed.iter().sum::<f64>() / timed.len().max(1) as f64))
    }

    /// The share of each rank in a batch of `shards` shards.
    fn rank_work(&self, shards: usize) -> Vec<RankWork> {
        let of_ranks = self.work.of_ranks(self.model.session.states(), shards).into_iter();
        of_ranks.map(|(device, (shards, bytes))| RankWork { device, shards, bytes }).collect()
    }

    /// Seconds of the validation, from one batch. Ranks share its batches.
    fn time_validation(&mut self) -> Result<Option<f64>, TrainError> {
        if self.objective.card().sees_own_pixels() {
            return Ok(None);
        }
        let size = self.settings.batch_size.min(self.loaders.val.source().len());
        let Some(batch) = self.loaders.val.epoch(0)?.next().transpose()? else { return Ok(None) };
        self.model.forward(&*self.objective, size, &batch)?;
        let start = Instant::now();
        self.model.forward(&*self.objective, size, &batch)?;
        let all = start.elapsed().as_secs_f64() * self.loaders.val.batches() as f64;
        Ok(Some(all * self.work.first_share()))
    }
}
