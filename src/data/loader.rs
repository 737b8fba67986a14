//! Background threads that prepare batches.
//!
//! Each thread takes the next batch number and fills that batch alone. The reader takes batches in order. A thread may
//! be at most `queue` batches ahead of the reader, so memory is bounded. The samples of each batch are chosen before
//! any thread starts, so the batches do not depend on threads.

use std::any::Any;
use std::cell::Cell;
use std::collections::BTreeMap;
use std::fmt;
use std::ops::Range;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::thread::JoinHandle;

use super::{Balance, Batch, DataError, Source};
use crate::random;

/// The samples of a batch that this process reads, if processes share the batches: a function from the number of the
/// batch and its number of samples to a range of samples.
#[derive(Clone)]
pub struct Part(pub Arc<dyn Fn(usize, usize) -> Range<usize> + Send + Sync>);

impl fmt::Debug for Part {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Part")
    }
}

/// Options of a loader.
#[derive(Debug, Clone)]
pub struct LoaderOptions {
    /// Samples per batch, at least 1. The last batch of an epoch may be smaller.
    pub batch_size: usize,
    /// Shuffles each epoch by `seed`; otherwise samples keep the order of the source.
    pub shuffle: bool,
    /// Draws samples balanced over their classes, instead of each sample once.
    pub balance: Option<Arc<Balance>>,
    /// Seed of the order.
    pub seed: u64,
    /// Number of background threads; 0 is one per core.
    pub threads: usize,
    /// The samples of a batch that are read; by default all of them.
    pub part: Option<Part>,
    /// Batches that may be ready or in preparation ahead of the reader; 0 is two per thread.
    pub queue: usize,
}

impl LoaderOptions {
    /// Shuffled batches of `batch_size` on all cores.
    pub fn new(batch_size: usize, seed: u64) -> Self {
        Self { batch_size, shuffle: true, balance: None, seed, threads: 0, part: None, queue: 0 }
    }
}

/// Loads a source epoch by epoch.
pub struct Loader {
    source: Arc<dyn Source>,
    options: LoaderOptions,
    /// Batches for reuse, which saves allocations.
    spare: Arc<Mutex<Vec<Batch>>>,
}

impl Loader {
    /// A loader of `source`.
    ///
    /// # Errors
    /// Where the batch size is 0.
    pub fn new(source: Arc<dyn Source>, mut options: LoaderOptions) -> Result<Self, DataError> {
        if options.batch_size == 0 {
            return Err(DataError::Setting { name: "batch_size", value: "0".into(), expected: "at least 1" });
        }
        if options.threads == 0 {
            options.threads = std::thread::available_parallelism().map_or(1, usize::from);
        }
        if options.queue == 0 {
            options.queue = options.threads.saturating_mul(2);
        }
        Ok(Self { source, options, spare: Arc::default() })
    }

    /// Reads a part of each batch from the next epoch on.
    pub fn read_part(&mut self, part: Option<Part>) {
        self.options.part = part;
    }

    /// Number of batches per epoch.
    pub fn batches(&self) -> usize {
        self.source.len().div_ceil(self.options.batch_size)
    }

    /// Number of samples in batch `index` of an epoch.
    pub fn images_of(&self, index: usize) -> usize {
        self.source.len().saturating_sub(index * self.options.batch_size).min(self.options.batch_size)
    }

    /// The source.
    pub fn source(&self) -> &Arc<dyn Source> {
        &self.source
    }

    /// Starts epoch `epoch`.
    ///
    /// # Errors
    /// Where the system starts no thread.
    pub fn epoch(&self, epoch: u64) -> Result<Epoch, DataError> {
        self.epoch_from(epoch, 0)
    }

    /// Starts epoch `epoch` after its first `first` batches, for a run resumed within an epoch.
    ///
    /// # Errors
    /// Where the system starts no thread.
    pub fn epoch_from(&self, epoch: u64, first: usize) -> Result<Epoch, DataError> {
        let LoaderOptions { batch_size, shuffle, ref balance, seed, threads, ref part, queue } = self.options;
        let samples = self.source.len();
        let order = match balance {
            Some(balance) => balance.order(samples, seed, epoch),
            None if shuffle => random::shuffled(samples, seed, epoch),
            None => (0..samples).collect(),
        };
        let total = self.batches();
        let first = first.min(total);
        let shared = Arc::new(Shared {
            source: Arc::clone(&self.source),
            spare: Arc::clone(&self.spare),
            epoch,
            order,
            batch_size,
            part: part.clone(),
            total,
            queue,
            state: Mutex::new(State { next: first, read: first, ready: BTreeMap::new(), stop: false }),
            changed: Condvar::new(),
        });
        let mut result = Epoch { shared, threads: Vec::new() };
        for number in 0..threads.min(total - first) {
            let shared = Arc::clone(&result.shared);
            let name = format!("loader-{number}");
            match std::thread::Builder::new().name(name).spawn(move || shared.work()) {
                Ok(thread) => result.threads.push(thread),
                // Fewer threads give the same batches, more slowly.
                Err(_) if number > 0 => break,
                Err(error) => return Err(DataError::NoThread(error)),
            }
        }
        Ok(result)
    }

    /// Returns a batch that is no longer needed, so that its memory is reused.
    pub fn recycle(&self, batch: Batch) {
        let mut spare = lock(&self.spare);
        if spare.len() < self.options.queue {
            spare.push(batch);
        }
    }
}

/// The batches of one epoch in order. A batch that fails yields its error. Dropping the epoch early stops its threads
/// after their current sample.
pub struct Epoch {
    shared: Arc<Shared>,
    threads: Vec<JoinHandle<()>>,
}

struct Shared {
    source: Arc<dyn Source>,
    spare: Arc<Mutex<Vec<Batch>>>,
    epoch: u64,
    order: Vec<usize>,
    batch_size: usize,
    part: Option<Part>,
    total: usize,
    queue: usize,
    state: Mutex<State>,
    changed: Condvar,
}

struct State {
    /// First batch that no thread has taken.
    next: usize,
    /// First batch that the reader has not taken.
    read: usize,
    ready: BTreeMap<usize, Result<Batch, DataError>>,
    stop: bool,
}

impl Shared {
    /// Runs a thread until the epoch ends or its reader is dropped.
    fn work(&self) {
        while let Some(number) = self.take() {
            // A panic of a source is caught, because the reader waits for this batch.
            let index = Cell::new(self.order[number * self.batch_size]);
            let batch = catch_unwind(AssertUnwindSafe(|| self.fill(number, &index)));
            let batch = batch
                .unwrap_or_else(|panic| Err(DataError::Panicked { index: index.get(), message: message(&*panic) }));
            lock(&self.state).ready.insert(number, batch);
            self.changed.notify_all();
        }
    }

    /// The next batch number, once it is within `queue` of the reader.
    fn take(&self) -> Option<usize> {
        let ahead = |state: &State| state.next - state.read >= self.queue;
        let far = |state: &mut State| !state.stop && state.next < self.total && ahead(state);
        let state = lock(&self.state);
        let mut state = self.changed.wait_while(state, far).unwrap_or_else(PoisonError::into_inner);
        if state.stop || state.next >= self.total {
            return None;
        }
        state.next += 1;
        Some(state.next - 1)
    }

    /// Fills a batch. `at` is the index of its current sample.
    fn fill(&self, number: usize, at: &Cell<usize>) -> Result<Batch, DataError> {
        let start = number * self.batch_size;
        let mut indices = &self.order[start..(start + self.batch_size).min(self.order.len())];
        if let Some(Part(part)) = &self.part {
            indices = &indices[part(number, indices.len())];
        }
        let layout = self.source.layout();
        let mut batch = lock(&self.spare).pop().unwrap_or_default();
        batch.resize(indices, layout);
        for (slot, &index) in indices.iter().enumerate() {
            if lock(&self.state).stop {
                break;
            }
            at.set(index);
            self.source.load(self.epoch, index, batch.sample_mut(slot, layout))?;
        }
        Ok(batch)
    }
}

impl Iterator for Epoch {
    type Item = Result<Batch, DataError>;

    fn next(&mut self) -> Option<Self::Item> {
        let state = lock(&self.shared.state);
        if state.read >= self.shared.total {
            return None;
        }
        let waiting = |state: &mut State| !state.ready.contains_key(&state.read);
        let mut state = self.shared.changed.wait_while(state, waiting).unwrap_or_else(PoisonError::into_inner);
        let number = state.read;
        let batch = state.ready.remove(&number);
        state.read += 1;
        drop(state);
        self.shared.changed.notify_all();
        batch
    }

    fn size_hint(&self) -> (usize, Option<usize>) {
        let left = self.shared.total - lock(&self.shared.state).read;
        (left, Some(left))
    }
}

impl ExactSizeIterator for Epoch {}

impl Drop for Epoch {
    fn drop(&mut self) {
        lock(&self.shared.state).stop = true;
        self.shared.changed.notify_all();
        for thread in self.threads.drain(..) {
            // Panics of a source were caught and reported by their thread.
            let _ = thread.join();
        }
    }
}

/// A poisoned lock guards valid data: no holder panics between two dependent writes.
fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

fn message(panic: &(dyn Any + Send)) -> String {
    let text = panic.downcast_ref::<&str>().map(ToString::to_string);
    text.or_else(|| panic.downcast_ref::<String>().cloned()).unwrap_or_else(|| "no message".into())
}
