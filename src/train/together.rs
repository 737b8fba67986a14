//! A run on several ranks. Rank 0 trains as a single process does, and orders each step; the others follow: they compute their shards,
//! make the same updates, and write nothing.

use std::path::Path;
use std::sync::atomic::{AtomicBool, Ordering};

use serde::{Deserialize, Serialize};

use super::TrainError;
use super::model::LoadedModel;
use super::observer::Outcome;
use super::trainer::Trainer;
use crate::data::digest;
use crate::graph::Group;
use crate::ranks::{RankError, Ranks, all_gather, broadcast, gather};
use crate::run::fingerprint::DataPrint;

/// Settings that ranks may have of their own.
const OWN: [&str; 5] = ["device", "loader_threads", "out", "profile", "tensorboard"];

/// What rank 0 orders.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) enum Order {
    /// Begin an epoch after its first `first` batches.
    Epoch {
        /// Epoch, from 1.
        epoch: u64,
        /// Batches that are done.
        first: u64,
    },
    /// Train on the next batch.
    Step(StepOrder),
    /// Compare the weights.
    Compare {
        /// Epoch, from 1.
        epoch: u64,
        /// Optimizer step, from 1.
        step: u64,
    },
    /// Training has ended.
    End,
}

/// A batch, as rank 0 orders it.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) struct StepOrder {
    /// Number of the batch in the epoch, from 0.
    pub index: usize,
    /// Learning rate.
    pub lr: f64,
    /// Optimizer step, from 1.
    pub step: u64,
    /// Gradients of earlier batches are added.
    pub more: bool,
    /// It ends an optimizer step.
    pub last: bool,
}

/// Words of an order.
const WORDS: usize = 6;

impl Order {
    fn words(self) -> [u64; WORDS] {
        match self {
            Order::Epoch { epoch, first } => [0, epoch, first, 0, 0, 0],
            Order::Step(StepOrder { index, lr, step, more, last }) => {
                [1, index as u64, lr.to_bits(), step, more.into(), last.into()]
            }
            Order::Compare { epoch, step } => [2, epoch, step, 0, 0, 0],
            Order::End => [3, 0, 0, 0, 0, 0],
        }
    }

    fn of(words: [u64; WORDS]) -> Self {
        match words {
            [0, epoch, first, ..] => Order::Epoch { epoch, first },
            [1, index, lr, step, more, last] => {
                let (index, lr) = (index as usize, f64::from_bits(lr));
                Order::Step(StepOrder { index, lr, step, more: more > 0, last: last > 0 })
            }
            [2, epoch, step, ..] => Order::Compare { epoch, step },
            _ => Order::End,
        }
    }
}

/// Gives an order to the other ranks.
///
/// # Errors
/// When a rank does not answer.
pub(super) fn order(ranks: &dyn Ranks, order: Order) -> Result<(), RankError> {
    if ranks.size() == 1 {
        return Ok(());
    }
    broadcast(ranks, bytemuck::cast_slice_mut(&mut order.words()), false)
}

/// What must be the same on all ranks.
#[derive(Serialize, Deserialize)]
struct Identity {
    program: String,
    settings: String,
    data: DataPrint,
}

/// Refuses ranks that differ in their program, settings or data. Rank 0 finds the differences, and the others are refused without them.
///
/// # Errors
/// [`RankError::Differ`].
pub(super) fn agree(ranks: &dyn Ranks, settings: &str, data: &DataPrint) -> Result<(), TrainError> {
    if ranks.size() == 1 {
        return Ok(());
    }
    let own = Identity { program: program(), settings: settings.to_owned(), data: data.clone() };
    // Text and numbers always have a JSON form.
    let messages = gather(ranks, &serde_json::to_vec(&own).unwrap_or_default())?;
    let others = messages.iter().enumerate().skip(1);
    let differences: Vec<String> = others
        .flat_map(|(rank, message)| match serde_json::from_slice(message) {
            Ok(other) => differences(&own, &other).into_iter().map(|line| format!("rank {rank}: {line}")).collect(),
            Err(_) => vec![format!("rank {rank} is another version of the program")],
        })
        .collect();
    let mut refused = [u8::from(!differences.is_empty())];
    // A rank may still read its data.
    broadcast(ranks, &mut refused, true)?;
    if refused == [0] { Ok(()) } else { Err(RankError::Differ { differences }.into()) }
}

/// Version and digest of the running program.
fn program() -> String {
    let bytes = std::env::current_exe().and_then(std::fs::read).unwrap_or_default();
    format!("{} {:016x}", env!("CARGO_PKG_VERSION"), digest(&bytes))
}

/// Differences of a rank from rank 0, in words.
fn differences(first: &Identity, other: &Identity) -> Vec<String> {
    let mut lines = vec![];
    if first.program != other.program {
        lines.push(format!("the program is {}, on rank 0 {}", other.program, first.program));
    }
    let table = |identity: &Identity| toml::from_str::<toml::Table>(&identity.settings).unwrap_or_default();
    let (first_table, other_table) = (table(first), table(other));
    let mut keys: Vec<&String> = first_table.keys().chain(other_table.keys()).collect();
    keys.sort_unstable();
    keys.dedup();
    for key in keys.into_iter().filter(|key| !OWN.contains(&key.as_str())) {
        let [of_first, of_other] = [&first_table, &other_table].map(|table| table.get(key));
        let value = |value: Option<&toml::Value>| value.map_or("not set".to_owned(), toml::Value::to_string);
        if of_first != of_other {
            lines.push(format!("{key} is {}, on rank 0 {}", value(of_other), value(of_first)));
        }
    }
    lines.extend(first.data.changes(&other.data).into_iter().map(|change| format!("other data than rank 0: {change}")));
    lines
}

/// Gives all ranks the states of rank 0.
///
/// # Errors
/// When the device is lost, or a rank does not answer.
pub(super) fn share_states(ranks: &dyn Ranks, model: &mut LoadedModel) -> Result<(), TrainError> {
    if ranks.size() == 1 {
        return Ok(());
    }
    for group in Group::ALL {
        let mut values = model.session.read_group(group)?;
        broadcast(ranks, bytemuck::cast_slice_mut(&mut values), false)?;
        if ranks.rank() > 0 {
            model.session.write_group(group, &values)?;
        }
    }
    Ok(())
}

/// Compares the weights and running statistics of all ranks where their devices are equal. Unlike devices compute other bits: they take
/// the states of rank 0.
///
/// # Errors
/// [`RankError::Diverged`] with the rank.
pub(super) fn compare(
    ranks: &dyn Ranks,
    model: &mut LoadedModel,
    (epoch, step): (usize, u64),
) -> Result<(), TrainError> {
    if ranks.size() == 1 {
        return Ok(());
    }
    let devices = all_gather(ranks, model.session.engine().name().as_bytes())?;
    if devices.iter().any(|device| *device != devices[0]) {
        return share_states(ranks, model);
    }
    let mut sums = vec![];
    for group in [Group::Parameters, Group::Statistics] {
        sums.push(digest(bytemuck::cast_slice(&model.session.read_group(group)?)));
    }
    let all = all_gather(ranks, bytemuck::cast_slice(&sums))?;
    match all.iter().position(|sums| *sums != all[0]) {
        Some(rank) => Err(RankError::Diverged { rank, epoch, step }.into()),
        None => Ok(()),
    }
}

impl Trainer {
    /// Follows the orders of rank 0 until it ends.
    pub(super) fn follow(mut self, stop: &AtomicBool) -> Result<Outcome, TrainError> {
        let ranks = self.ranks.clone();
        let mut batches = None;
        let mut interrupted = false;
        loop {
            let mut words = [0u64; WORDS];
            broadcast(&*ranks, bytemuck::cast_slice_mut(&mut words), true)?;
            match Order::of(words) {
                Order::Epoch { epoch, first } => batches = Some(self.loaders.train.epoch_from(epoch, first as usize)?),
                Order::Step(order) => {
                    let batch = batches.as_mut().and_then(Iterator::next).transpose()?.unwrap_or_default();
                    let reduced = self.run_shards(&order, &batch, stop.load(Ordering::Relaxed))?;
                    interrupted = reduced.stop;
                    // Rank 0 reports a loss that is not finite.
                    if reduced.bad.is_some() {
                        break;
                    }
                    self.loaders.train.recycle(batch);
                }
                Order::Compare { epoch, step } => compare(&*ranks, &mut self.model, (epoch as usize, step))?,
                Order::End => break,
            }
        }
        Ok(Outcome { interrupted, ..Outcome::nothing(self.run.path()) })
    }
}

impl Outcome {
    /// The outcome of a rank that wrote nothing.
    fn nothing(run: &Path) -> Self {
        Outcome {
            run: run.to_owned(),
            rows: vec![],
            best: None,
            verdict: None,
            pictures: vec![],
            diverged: false,
            left_out: vec![],
            interrupted: false,
            ended_early: false,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::{Order, StepOrder};

    #[test]
    fn orders_are_read_as_they_were_given() {
        let step = StepOrder { index: 7, lr: 1.5e-3, step: 9, more: true, last: false };
        for order in
            [Order::Epoch { epoch: 3, first: 5 }, Order::Step(step), Order::Compare { epoch: 1, step: 2 }, Order::End]
        {
            assert_eq!(Order::of(order.words()), order);
        }
    }
}
