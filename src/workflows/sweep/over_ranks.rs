//! A sweep over ranks: rank 0 hands a run to each rank that is free, and trains runs itself, in a second thread. Each
//! run trains on a single rank.

use std::collections::VecDeque;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::mpsc::{Receiver, Sender, channel};
use std::thread;
use std::time::Duration;

use super::folder::{folder, found};
use super::{Sweep, SweepError, SweepObserver, SweepRunState};
use crate::data::digest;
use crate::interop::files::FileError;
use crate::ranks::{Alone, RankError, Ranks, Wait, all_gather, broadcast};
use crate::run::history::EpochRow;
use crate::train::{Observer, StepProgress, TrainError};

/// Time between two polls for free ranks.
const LOOK: Duration = Duration::from_millis(5);
/// File that shows whether the ranks share the folder.
const SEEN: &str = ".seen-by-all-ranks";

/// A message of fixed length: its kind, and two values.
type Words = [u64; 3];
/// Rank 0 hands out a run: its index, and the bits of the share of its epochs.
const TRAIN: u64 = 0;
/// Rank 0 requests a stop after the current step.
const STOP: u64 = 1;
/// Rank 0 has no more runs.
const END: u64 = 2;

/// A run that has ended on a rank.
struct Ended {
    index: usize,
    /// Why it failed, if it did.
    failed: Option<String>,
    /// Whether the rank had a request to stop.
    stopped: bool,
}

/// A run to train: its index, and a share of its epochs.
type Handed = (usize, f64);

/// The ranks of a sweep, as rank 0 sees them.
pub(super) struct Pool<'a> {
    ranks: &'a dyn Ranks,
    /// The runs of the second thread of rank 0.
    own: Sender<Handed>,
    ended: Receiver<Ended>,
    /// The run of each rank that is not free.
    busy: Vec<Option<usize>>,
}

impl Pool<'_> {
    /// Trains runs to a share of their epochs, each on the first rank that is free. `report` receives each run at its
    /// start, and at its end with the reason of a failure, if any.
    ///
    /// # Errors
    /// When a rank does not answer.
    pub(super) fn train(
        &mut self,
        indices: Vec<usize>,
        share: f64,
        stop: &AtomicBool,
        mut report: impl FnMut(usize, Option<Option<String>>),
    ) -> Result<(), RankError> {
        let mut waiting = VecDeque::from(indices);
        let mut has_asked = false;
        loop {
            if stop.load(Ordering::Relaxed) {
                waiting.clear();
                if !std::mem::replace(&mut has_asked, true) {
                    (1..self.busy.len())
                        .filter(|&rank| self.busy[rank].is_some())
                        .try_for_each(|rank| self.order(rank, [STOP, 0, 0]))?;
                }
            }
            for rank in 0..self.busy.len() {
                if self.busy[rank].is_none()
                    && let Some(index) = waiting.pop_front()
                {
                    self.busy[rank] = Some(index);
                    report(index, None);
                    match rank {
                        // This does not fail, because the thread runs as long as this sender exists.
                        0 => drop(self.own.send((index, share))),
                        _ => self.order(rank, [TRAIN, index as u64, share.to_bits()])?,
                    }
                }
            }
            if self.busy.iter().all(Option::is_none) {
                return Ok(());
            }
            while let Some((rank, ended)) = self.ended()? {
                self.busy[rank] = None;
                stop.fetch_or(ended.stopped, Ordering::Relaxed);
                report(ended.index, Some(ended.failed));
            }
            thread::sleep(LOOK);
        }
    }

    /// Sends a message to a rank.
    fn order(&self, rank: usize, words: Words) -> Result<(), RankError> {
        self.ranks.exchange(&[(rank, bytemuck::cast_slice(&words))], &mut [], Wait::Timeout)
    }

    /// A run that has ended, and its rank.
    fn ended(&self) -> Result<Option<(usize, Ended)>, RankError> {
        if let Ok(ended) = self.ended.try_recv() {
            return Ok(Some((0, ended)));
        }
        for rank in 1..self.busy.len() {
            if self.busy[rank].is_some() && self.ranks.ready(rank)? {
                return Ok(Some((rank, receive(self.ranks, rank)?)));
            }
        }
        Ok(None)
    }
}

/// The error of a failed run. A panic ends only its run.
fn failure<R>(run: impl FnOnce() -> Result<R, TrainError>) -> Option<String> {
    match catch_unwind(AssertUnwindSafe(run)) {
        Ok(trained) => trained.err().map(|error| error.to_string()),
        Err(_) => Some("it ended with a panic, which is a bug; the standard error has its place".into()),
    }
}

/// Receives the end of a run.
fn receive(ranks: &dyn Ranks, from: usize) -> Result<Ended, RankError> {
    let mut words: Words = [0; 3];
    ranks.exchange(&[], &mut [(from, bytemuck::cast_slice_mut(&mut words))], Wait::Timeout)?;
    let [index, stopped, len] = words;
    let mut reason = vec![0; len as usize];
    ranks.exchange(&[], &mut [(from, &mut reason)], Wait::Timeout)?;
    let failed = (len > 0).then(|| String::from_utf8_lossy(&reason).into_owned());
    Ok(Ended { index: index as usize, failed, stopped: stopped > 0 })
}

/// Sends the end of a run to rank 0.
fn send(ranks: &dyn Ranks, ended: &Ended) -> Result<(), RankError> {
    let reason = ended.failed.as_deref().unwrap_or_default().as_bytes();
    let words: Words = [ended.index as u64, ended.stopped.into(), reason.len() as u64];
    ranks.exchange(&[(0, bytemuck::cast_slice(&words)), (0, reason)], &mut [], Wait::Timeout)
}

impl Sweep {
    /// Hands the runs to ranks that are free. Returns what [`Sweep::halve`] does.
    pub(super) fn train_over(
        &self,
        ranks: &dyn Ranks,
        (out, device): (&Path, Option<&str>),
        (observer, stop): (&dyn SweepObserver, &AtomicBool),
    ) -> Result<(Vec<SweepRunState>, Vec<usize>), SweepError> {
        let show = |index: usize, state: &SweepRunState| {
            observer.run(index + 1, self.cells.len(), &self.cells[index].name, state);
        };
        self.with_pool(ranks, (out, device), (observer.steps(), stop), |pool| {
            self.halve(stop, |indices, share, states| {
                let mut due = vec![];
                for index in indices {
                    match self.settled(index, share, out) {
                        Ok(None) => due.push(index),
                        Ok(Some(state)) => states[index] = state,
                        Err(error) => states[index] = SweepRunState::Failed(error.to_string()),
                    }
                    if !due.contains(&index) {
                        show(index, &states[index]);
                    }
                }
                Ok(pool.train(due, share, stop, |index, ended| {
                    if let Some(failed) = ended {
                        states[index] = self.state_of(index, out, failed);
                        // The table is written again at the end, and only then is a failure an error.
                        let _ = self.record(out, states);
                    }
                    show(index, &states[index]);
                })?)
            })
        })
    }

    /// Calls `lead` with the ranks of a sweep. Afterwards the ranks end.
    fn with_pool<R>(
        &self,
        ranks: &dyn Ranks,
        (out, device): (&Path, Option<&str>),
        (steps, stop): (&dyn Observer, &AtomicBool),
        lead: impl FnOnce(&mut Pool<'_>) -> Result<R, SweepError>,
    ) -> Result<R, SweepError> {
        let seen = out.join(SEEN);
        std::fs::write(&seen, "").map_err(|e| FileError::writing(&seen, e))?;
        let same = self.same(ranks, out);
        std::fs::remove_file(&seen).map_err(|e| FileError::writing(&seen, e))?;
        same?;
        let ((own, handed), (sender, ended)) = (channel::<Handed>(), channel());
        thread::scope(|scope| {
            let train = move || {
                for (index, share) in handed {
                    let run = || self.train_part(index, share, (out, device), (steps, stop), Arc::new(Alone(0)));
                    let failed = failure(run);
                    // Rank 0 may have ended with an error.
                    let _ = sender.send(Ended { index, failed, stopped: stop.load(Ordering::Relaxed) });
                }
            };
            thread::Builder::new().name("sweep".into()).spawn_scoped(scope, train).map_err(SweepError::NoThread)?;
            let mut pool = Pool { ranks, own, ended, busy: vec![None; ranks.size()] };
            let result = lead(&mut pool)?;
            (1..ranks.size()).try_for_each(|rank| pool.order(rank, [END, 0, 0]))?;
            Ok(result)
        })
    }

    /// Refuses ranks that have another sweep, or do not see its folder.
    fn same(&self, ranks: &dyn Ranks, out: &Path) -> Result<(), SweepError> {
        // Rank 0 has made the folder, and the file in it.
        broadcast(ranks, &mut [0], Wait::Unlimited)?;
        let cells = digest(format!("{:?}", self.cells).as_bytes());
        let own = [cells, out.join(SEEN).is_file().into()];
        let all = all_gather(ranks, bytemuck::cast_slice(&own))?;
        let mut differences = vec![];
        for (rank, message) in all.iter().enumerate() {
            match bytemuck::pod_collect_to_vec::<u8, u64>(message).as_slice() {
                [other, _] if *other != cells => differences.push(format!("rank {rank} has other runs than this rank")),
                [_, 0] => differences.push(format!("rank {rank} does not see the folder {}", out.display())),
                _ => {}
            }
        }
        if differences.is_empty() { Ok(()) } else { Err(RankError::Differ { differences }.into()) }
    }

    /// Trains the runs that rank 0 hands to this rank, until it has no more.
    ///
    /// # Errors
    /// When rank 0 does not answer, has another sweep, or writes into a folder that this rank does not see.
    pub fn serve(
        &self,
        ranks: &dyn Ranks,
        out: &Path,
        device: Option<&str>,
        stop: &AtomicBool,
    ) -> Result<(), SweepError> {
        self.same(ranks, out)?;
        loop {
            let mut words: Words = [0; 3];
            ranks.exchange(&[], &mut [(0, bytemuck::cast_slice_mut(&mut words))], Wait::Unlimited)?;
            match words {
                [TRAIN, index, share] => {
                    let (index, share) = (index as usize, f64::from_bits(share));
                    let steps = Serving { ranks, stop };
                    let alone = Arc::new(Alone(ranks.local()));
                    let failed = failure(|| self.train_part(index, share, (out, device), (&steps, stop), alone));
                    send(ranks, &Ended { index, failed, stopped: stop.load(Ordering::Relaxed) })?;
                }
                [STOP, ..] => stop.store(true, Ordering::Relaxed),
                _ => return Ok(()),
            }
        }
    }

    /// The state of a run that has ended on a rank.
    pub(super) fn state_of(&self, index: usize, out: &Path, failed: Option<String>) -> SweepRunState {
        match failed {
            Some(reason) => SweepRunState::Failed(reason),
            None => found(&folder(out, index)).unwrap_or_else(|error| SweepRunState::Failed(error.to_string())),
        }
    }
}

/// Checks between steps, and between batches of an evaluation, whether rank 0 requests a stop.
struct Serving<'a> {
    ranks: &'a dyn Ranks,
    stop: &'a AtomicBool,
}

impl Observer for Serving<'_> {
    fn reading(&self, _: usize, _: usize) {}
    fn begins(&self, _: &[String]) {}
    fn step(&self, _: &StepProgress) {
        self.look();
    }
    fn evaluating(&self, _: usize, _: usize) {
        self.look();
    }
    fn epoch(&self, _: &EpochRow, _: usize) {}
}

impl Serving<'_> {
    fn look(&self) {
        // While a run trains, rank 0 sends only this message.
        if self.ranks.ready(0).unwrap_or(false) {
            let mut words: Words = [0; 3];
            let received = self.ranks.exchange(&[], &mut [(0, bytemuck::cast_slice_mut(&mut words))], Wait::Timeout);
            self.stop.fetch_or(received.is_err() || words[0] == STOP, Ordering::Relaxed);
        }
    }
}
