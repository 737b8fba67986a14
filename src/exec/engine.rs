//! The trait [`Engine`]: what a [`Session`](super::Session) needs of a device.

use rayon::prelude::*;

use super::ExecError;
use crate::graph::StateLayout;
use crate::plan::{Plan, Slice};

/// Number of results that an engine keeps for [`Engine::take`]. Beyond it, the oldest are dropped.
pub const MAX_TICKETS: usize = 8;

/// Results on their way from the device, for [`Engine::take`].
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Ticket(pub u64);

/// Runs plans on a device. All lengths and offsets are in words of 32 bits, in memory order (padding included).
pub trait Engine: Send {
    /// Element type of written and read data.
    type Scalar: Copy + Default + From<f32> + Into<f64> + Send + Sync;

    /// Name for messages.
    fn name(&self) -> String;

    /// Allocates the buffers of the states, or grows them. A group that grows keeps its contents, and new floats are 0.
    ///
    /// # Errors
    /// When memory runs out or a group is above the device's binding limit.
    fn states(&mut self, layout: &StateLayout) -> Result<(), ExecError>;

    /// Prepares a plan: pipelines, buffers, bindings. Plans are numbered from 0.
    ///
    /// # Errors
    /// When memory runs out or a kernel is refused.
    fn load(&mut self, plan: &Plan) -> Result<usize, ExecError>;

    /// Writes a slice of a plan's buffers. A slice of a state is the same in every plan.
    ///
    /// # Errors
    /// When the device is lost.
    fn write(&mut self, plan: usize, to: Slice, data: &[Self::Scalar]) -> Result<(), ExecError>;

    /// Writes rows, which may be padded in memory.
    ///
    /// # Errors
    /// When the device is lost.
    fn write_rows(&mut self, plan: usize, to: Slice, rows: &Rows<'_, Self::Scalar>) -> Result<(), ExecError> {
        self.write(plan, to, &rows.packed())
    }

    /// Runs a plan and starts to read `fetch` (slices of its outputs) after it. Does not wait.
    ///
    /// # Errors
    /// When the device is lost.
    fn run(&mut self, plan: usize, fetch: &[Slice]) -> Result<Ticket, ExecError>;

    /// Waits for the results of a run and returns them, one vector per slice. Each ticket can be taken once.
    ///
    /// # Errors
    /// When the device is lost.
    fn take(&mut self, ticket: Ticket) -> Result<Vec<Vec<Self::Scalar>>, ExecError>;

    /// Starts a plan whose results [`Engine::take_each`] takes one by one. Before that call the caller may only take
    /// results of earlier runs. An engine may defer the work.
    ///
    /// # Errors
    /// When the device is lost.
    fn run_each(&mut self, plan: usize, fetch: &[Slice]) -> Result<Ticket, ExecError> {
        self.run(plan, fetch)
    }

    /// Hands out each result of [`Engine::run_each`] with its number in `fetch`, as soon as no later call uses it. Returns after the
    /// last call of the plan.
    ///
    /// # Errors
    /// When the device is lost.
    fn take_each(&mut self, ticket: Ticket, each: &mut dyn FnMut(usize, Vec<Self::Scalar>)) -> Result<(), ExecError> {
        self.take(ticket)?.into_iter().enumerate().for_each(|(number, values)| each(number, values));
        Ok(())
    }

    /// Reads a slice and waits for it.
    ///
    /// # Errors
    /// When the device is lost.
    fn read(&mut self, plan: usize, from: Slice) -> Result<Vec<Self::Scalar>, ExecError>;

    /// Runs a plan and returns the seconds of each of its calls, in order; `None` for a device without timestamps.
    ///
    /// # Errors
    /// When the device is lost.
    fn profile(&mut self, plan: usize) -> Result<Option<Vec<f64>>, ExecError>;

    /// Whether plans may have 16-bit values.
    fn has_half(&self) -> bool {
        false
    }

    /// Bytes of device memory held.
    fn memory(&self) -> u64;
}

/// Rows of numbers that are padded in memory.
#[derive(Clone, Copy, Debug)]
pub struct Rows<'a, T> {
    /// Row by row, without the padding.
    pub values: &'a [T],
    /// Length of a row.
    pub len: usize,
    /// Length of a row in memory, with zeros at the end.
    pub stride: usize,
}

impl<T: Copy + Default + Send + Sync> Rows<'_, T> {
    /// Length of all rows in memory.
    pub fn memory_len(&self) -> usize {
        self.values.len() / self.len.max(1) * self.stride
    }

    /// The rows in memory layout.
    pub fn packed(&self) -> Vec<T> {
        let mut memory = vec![T::default(); self.memory_len()];
        self.pack_into(&mut memory);
        memory
    }

    /// Copies the rows to memory, each followed by its zeros.
    pub fn pack_into(&self, memory: &mut [T]) {
        if self.len == self.stride {
            return copy(memory, self.values);
        }
        for (to, row) in memory.chunks_exact_mut(self.stride).zip(self.values.chunks_exact(self.len)) {
            to[..self.len].copy_from_slice(row);
            to[self.len..].fill(T::default());
        }
    }
}

/// Number of values that one thread copies at a time.
const SPAN: usize = 1 << 16;

/// Copies values, on all threads where they are many. One thread uses a part of the bandwidth of memory.
pub(super) fn copy<T: Copy + Send + Sync>(to: &mut [T], from: &[T]) {
    assert_eq!(to.len(), from.len(), "values of a copy");
    match from.len() > SPAN {
        true => to.par_chunks_mut(SPAN).zip(from.par_chunks(SPAN)).for_each(|(to, from)| to.copy_from_slice(from)),
        false => to.copy_from_slice(from),
    }
}

/// An engine with f32 data, on any device.
pub type AnyEngine = dyn Engine<Scalar = f32>;

/// Number of calls up to the last one that uses a slice; 0 if no call uses it.
pub(super) fn last_use<S: Iterator<Item = Slice>>(
    calls: impl ExactSizeIterator<Item = S> + DoubleEndedIterator,
    slice: &Slice,
) -> usize {
    let len = calls.len();
    let unused = calls.rev().position(|mut slices| slices.any(|used| used.overlaps(slice)));
    unused.map_or(0, |unused| len - unused)
}
