//! A training step whose batch is cut into shards. The gradients of each shard come from a plan of its size; they are added along a
//! fixed tree ([`crate::ranks::tree`]), and one update follows. With ranks, each computes its part of the shards, and all make
//! the same update.
//!
//! With `g` the gradients of a shard's mean loss, `w` the divisor of that mean and `n` its images, the batch has the gradients
//! `Σ w·g / Σ w`. BatchNorm normalizes each shard by itself; the running statistics move by the mean of the shards' moves,
//! weighted by `n`.

use std::ops::Range;
use std::panic::resume_unwind;
use std::sync::{Arc, mpsc};
use std::thread;
use std::time::{Duration, Instant};

use super::TrainError;
use super::masks::Masks;
use super::model::LoadedModel;
use super::objective::Objective;
use super::outputs::{Outputs, StepResults, Totals};
use super::own_shards::OwnShards;
use super::reduction::{Reducer, Reduction, Timed};
use super::settings::TrainSettings;
use super::stages::StepInputs;
use super::step::{Phase, Update, port};
use super::trace::Tracer;
use crate::data::{Batch, Part, Source};
use crate::graph::{Group, StateLayout, StateTable};
use crate::plan::PlanOptions;
use crate::ranks::{Buckets, Messages, RankError, Ranks, Shares, traffic};

/// Maximum number of timed shards, and the time after which no further shard is timed.
const TIMED: (usize, Duration) = (3, Duration::from_secs(5));

/// The images of each shard of a batch of `images`; a shard of a full batch has `size`. A smaller batch has as many
/// shards as it fills; their sizes differ by at most one image. No shard is a single image, unless `size` or `images`
/// is 1.
pub(super) fn cut(images: usize, size: usize) -> Vec<Range<usize>> {
    let filled = images.div_ceil(size);
    let shards = if size > 1 && images / filled.max(1) < 2 { images / size } else { filled }.max(1);
    (0..shards).map(|shard| shard * images / shards..(shard + 1) * images / shards).collect()
}

/// The images of the shards that a rank computes.
fn own_images(cuts: &[Range<usize>], rank: usize, shares: &Shares) -> Range<usize> {
    let own = shares.part(rank, cuts.len());
    let images = cuts.last().map_or(0, |shard| shard.end);
    let start = |shard: usize| cuts.get(shard).map_or(images, |shard| shard.start);
    start(own.start)..start(own.end)
}

/// The buckets of all gradients and of the changes of the running statistics.
fn buckets(layout: &StateLayout) -> Buckets {
    let values = [Group::Parameters, Group::Statistics].map(|group| layout.group_len[group as usize]);
    Buckets::new(layout.decay_end, values.iter().sum())
}

/// Steps of batches that are cut into shards.
pub(super) struct Sharded {
    ranks: Arc<dyn Ranks>,
    shares: Shares,
    messages: Messages,
    /// Images of a shard of a full batch.
    size: usize,
    update: Update,
    /// The memory of the last mean, for the next one.
    mean: Vec<f32>,
}

/// A batch, and this rank's part of it.
pub(super) struct ShardedBatch<'a> {
    /// The images of this rank's shards.
    pub own: &'a Batch,
    /// Images of all ranks.
    pub images: usize,
    /// Whether this batch ends a step; else its gradients are accumulated.
    pub last: bool,
    /// Whether only the head is trained.
    pub head_alone: bool,
    /// Whether this rank requests a stop after the batch.
    pub stop: bool,
    /// Whether messages have 32 bits and include the rounding errors of earlier ones: true for the last batch of an
    /// epoch. A batch after which the ranks stop is exact too.
    pub exact: bool,
}

/// The results of a batch.
#[derive(Default)]
pub(super) struct Reduced {
    /// The results of all ranks together.
    pub results: StepResults,
    /// Whether some rank requests a stop.
    pub stop: bool,
    /// The first shard whose loss is not finite, and its images within this rank's part, if this rank has the shard.
    /// Such a step changes only running statistics.
    pub bad: Option<(usize, Option<Range<usize>>)>,
}

impl Sharded {
    /// The steps of a run; `None` if batches are not cut.
    pub fn of(settings: &TrainSettings, objective: &dyn Objective, ranks: &Arc<dyn Ranks>) -> Option<Self> {
        let shards = settings.shards();
        (shards > 1).then(|| Sharded {
            ranks: ranks.clone(),
            shares: Shares::equal(ranks.size()),
            messages: Messages::new(settings.wire),
            size: settings.batch_size / shards,
            update: settings.update_of(&objective.card().network),
            mean: vec![],
        })
    }

    /// The images of each shard of a batch of `images`.
    pub fn shards(&self, images: usize) -> Vec<Range<usize>> {
        cut(images, self.size)
    }

    /// Sets the shares of the ranks. Returns the samples of a batch that this rank reads.
    pub fn share(&mut self, shares: Shares) -> Part {
        self.shares = shares.clone();
        let (size, rank) = (self.size, self.ranks.rank());
        Part(Arc::new(move |_, images| own_images(&cut(images, size), rank, &shares)))
    }

    /// The shards that each rank computes of a batch of `shards` shards, and the bytes that it sends.
    pub fn work(&self, states: &StateTable, shards: usize) -> Vec<(usize, usize)> {
        let bytes = traffic((&self.shares, shards), &buckets(&states.layout()), self.messages.wire());
        self.shares.parts(shards).iter().map(ExactSizeIterator::len).zip(bytes).collect()
    }

    /// Seconds of a shard of a batch of `images` from a source: the minimum of several runs. The states do not change.
    ///
    /// # Errors
    /// When an image cannot be read or the device is lost.
    pub fn time(
        &self,
        model: &mut LoadedModel,
        objective: &dyn Objective,
        (source, images): (&dyn Source, usize),
    ) -> Result<f64, TrainError> {
        let images: Vec<usize> = cut(images, self.size).into_iter().next().unwrap_or_default().collect();
        let batch = Batch::load(source, &images)?;
        let plan = model.training_plan(objective, (batch.len(), Phase::Shard), PlanOptions::default())?;
        objective.feed(&mut model.session, plan, &batch, batch.len())?;
        Masks::default().write(&mut model.session, plan)?;
        let statistics = model.session.read_group(Group::Statistics)?;
        let (begin, mut least) = (Instant::now(), f64::INFINITY);
        for run in 0..=TIMED.0 {
            let start = Instant::now();
            model.session.run_now(plan)?;
            // The first run compiles kernels.
            if run > 0 {
                least = least.min(start.elapsed().as_secs_f64());
            }
            if run > 0 && begin.elapsed() > TIMED.1 {
                break;
            }
        }
        model.session.write_group(Group::Statistics, &statistics)?;
        Ok(least)
    }

    /// Prepares the plans for batches of these sizes.
    ///
    /// # Errors
    /// When memory runs out or a kernel is refused.
    pub fn load_plans(
        &self,
        model: &mut LoadedModel,
        objective: &dyn Objective,
        (images, settings): (usize, &TrainSettings),
    ) -> Result<(), TrainError> {
        for head_alone in [false, true].into_iter().take(if settings.head_epochs > 0.0 { 2 } else { 1 }) {
            for shard in cut(images, self.size) {
                let key = (shard.len(), Phase::Shard.where_head_alone(head_alone));
                model.training_plan(objective, key, PlanOptions::default())?;
            }
        }
        for last in [true, false].into_iter().take(settings.accumulate.min(2)) {
            model.update_plan(&self.update, Phase::of_batch(last))?;
        }
        Ok(())
    }

    /// Runs a batch to its end.
    ///
    /// # Errors
    /// When the device is lost, or a rank does not answer.
    pub fn step(
        &mut self,
        model: &mut LoadedModel,
        objective: &dyn Objective,
        batch: &ShardedBatch<'_>,
        inputs: &StepInputs,
        tracer: &mut Tracer,
    ) -> Result<Reduced, TrainError> {
        let cuts = cut(batch.images, self.size);
        let own = self.shares.part(self.ranks.rank(), cuts.len());
        let first = own_images(&cuts, self.ranks.rank(), &self.shares).start;
        let within = |shard: usize| cuts[shard].start - first..cuts[shard].end - first;
        let statistics = model.session.read_group(Group::Statistics)?;
        let layout = model.session.states().layout();
        let parameters = layout.group_len[Group::Parameters as usize];
        let work = OwnShards {
            shards: cuts.len(),
            own: own.clone().map(|shard| (shard, within(shard))).collect(),
            batch: batch.own,
            head_alone: batch.head_alone,
            masks: inputs.masks(),
            statistics: &statistics,
            parameters,
            buckets: buckets(&layout),
        };
        let Reduction { mut results, bad, stop, mean } = self.reduce(model, objective, batch, &work, tracer)?;
        if let Some(bad) = bad {
            return Ok(Reduced { results, stop, bad: Some((bad, own.contains(&bad).then(|| within(bad)))) });
        }
        let (gradients, moves) = mean.split_at(parameters);
        let moved: Vec<f32> = statistics.iter().zip(moves).map(|(before, move_by)| before + move_by).collect();
        model.session.write_group(Group::Statistics, &moved)?;
        let plan = model.update_plan(&self.update, Phase::of_batch(batch.last))?;
        model.session.write(plan, port::GRADIENTS, gradients)?;
        self.mean = mean;
        let Totals { loss, weight, right, counted } = results.totals;
        if model.session.plan(plan).input(port::TOTALS).is_some() {
            model.session.write(plan, port::TOTALS, &[loss, weight, right, counted].map(|total| total as f32))?;
        }
        inputs.write(&mut model.session, plan)?;
        let ticket = model.session.run(plan)?;
        if self.update.norms && batch.last {
            let values = model.session.take(plan, ticket)?;
            let outputs = Outputs::new(&model.session, plan, values);
            results.gradient_norm = outputs.first(port::GRADIENT_NORM);
            results.weight_norm = outputs.first(port::WEIGHT_NORM);
        }
        Ok(Reduced { results, stop, bad: None })
    }

    /// Computes this rank's shards, and the mean over those of all ranks.
    fn reduce(
        &mut self,
        model: &mut LoadedModel,
        objective: &dyn Objective,
        batch: &ShardedBatch<'_>,
        work: &OwnShards<'_>,
        tracer: &mut Tracer,
    ) -> Result<Reduction, TrainError> {
        let (finished, receiver) = mpsc::channel();
        let ranks = Timed::new(&*self.ranks);
        let reducer = Reducer {
            ranks: &ranks,
            shares: &self.shares,
            shards: work.shards,
            buckets: &work.buckets,
            messages: &mut self.messages,
            exact: batch.exact,
            images: batch.images,
            parameters: work.parameters,
            mean: std::mem::take(&mut self.mean),
            stop: batch.stop,
        };
        let compute = || {
            let result = work.compute(model, objective, tracer, &finished);
            drop(finished);
            (result, Instant::now())
        };
        let ((computed, at), reduction) = if self.ranks.size() == 1 {
            (compute(), reducer.run(&receiver))
        } else {
            thread::scope(|scope| {
                let messages = scope.spawn(move || reducer.run(&receiver));
                let computed = compute();
                (computed, messages.join().unwrap_or_else(|panic| resume_unwind(panic)))
            })
        };
        computed?;
        tracer.exchanges(&ranks.into_exchanges(), at);
        let unfinished =
            || RankError::Failed { rank: self.ranks.rank(), problem: "a shard has not all its results".into() };
        Ok(reduction?.ok_or_else(unfinished)?)
    }
}

#[cfg(test)]
mod tests {
    use super::cut;

    #[test]
    fn a_batch_is_cut_into_equal_shards() {
        let lens = |images, size| cut(images, size).iter().map(ExactSizeIterator::len).collect::<Vec<_>>();
        assert_eq!(lens(16, 4), [4; 4]);
        assert_eq!(lens(13, 4), [3, 3, 3, 4]);
        assert_eq!(lens(5, 4), [2, 3]);
        assert_eq!(lens(3, 4), [3]);
        assert_eq!(lens(1, 4), [1]);
        // No shard is a single image beside larger shards.
        assert_eq!(lens(5, 2), [2, 3]);
        assert_eq!(lens(1, 2), [1]);
        assert_eq!(lens(3, 1), [1; 3]);
        for (images, size) in (1..40).flat_map(|images| (1..=images).map(move |size| (images, size))) {
            let shards = cut(images, size);
            assert_eq!((shards[0].start, shards[shards.len() - 1].end), (0, images));
            assert!(shards.windows(2).all(|pair| pair[0].end == pair[1].start), "{images} in shards of {size}");
            assert!(shards.iter().all(|shard| shard.len() > 1 || size == 1 || images == 1), "{images} of {size}");
            assert!(shards.iter().all(|shard| shard.len() <= size.max(3)), "{images} in shards of {size}");
        }
    }
}
