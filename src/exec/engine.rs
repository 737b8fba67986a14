//! What a [`Session`](super::Session) needs of a device: the trait [`Engine`].

use super::ExecError;
use crate::graph::StateLayout;
use crate::plan::{Plan, Slice};

/// Results of runs that an engine keeps for [`Engine::take`]; the oldest is dropped when there are more.
pub const MAX_TICKETS: usize = 8;

/// Results that are on their way from the device; taken with [`Engine::take`].
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Ticket(pub u64);

/// A place where plans run. All lengths and offsets are in words of 32 bits, in memory order (padding included).
pub trait Engine: Send {
    /// Element type that crosses the border.
    type Scalar: Copy + Default + From<f32> + Into<f64> + Send;

    /// Name that reports and errors show.
    fn name(&self) -> String;

    /// Makes (or grows) the buffers of the states. Contents of a group that grows are kept, new floats are 0.
    ///
    /// # Errors
    /// When memory runs out or a group is above the device's binding limit.
    fn states(&mut self, layout: &StateLayout) -> Result<(), ExecError>;

    /// Prepares a plan: pipelines, buffers, bindings. Plans are numbered from 0.
    ///
    /// # Errors
    /// When memory runs out or a kernel is refused.
    fn load(&mut self, plan: &Plan) -> Result<usize, ExecError>;

    /// Writes a slice of a plan's buffers (or of a state, whatever the plan).
    ///
    /// # Errors
    /// When the device is lost.
    fn write(&mut self, plan: usize, to: Slice, data: &[Self::Scalar]) -> Result<(), ExecError>;

    /// Writes a slice from rows, which may be padded in memory.
    ///
    /// # Errors
    /// When the device is lost.
    fn write_rows(&mut self, plan: usize, to: Slice, rows: &Rows<'_, Self::Scalar>) -> Result<(), ExecError> {
        self.write(plan, to, &rows.packed())
    }

    /// Runs a plan, and starts to fetch `fetch` (slices of its outputs) from the state after it. Does not wait.
    ///
    /// # Errors
    /// When the device is lost.
    fn run(&mut self, plan: usize, fetch: &[Slice]) -> Result<Ticket, ExecError>;

    /// Waits for the slices that a run fetches and returns a vector for each. A ticket can be taken once.
    ///
    /// # Errors
    /// When the device is lost.
    fn take(&mut self, ticket: Ticket) -> Result<Vec<Vec<Self::Scalar>>, ExecError>;

    /// Reads a slice now.
    ///
    /// # Errors
    /// When the device is lost.
    fn read(&mut self, plan: usize, from: Slice) -> Result<Vec<Self::Scalar>, ExecError>;

    /// Runs a plan and returns the seconds of each of its calls, in their order; `None` for a device
    /// without timestamps.
    ///
    /// # Errors
    /// When the device is lost.
    fn profile(&mut self, plan: usize) -> Result<Option<Vec<f64>>, ExecError>;

    /// Whether plans can have 16-bit values here.
    fn has_half(&self) -> bool {
        false
    }

    /// Bytes of device memory held.
    fn memory(&self) -> u64;
}

/// Numbers in rows that are padded in memory.
#[derive(Clone, Copy, Debug)]
pub struct Rows<'a, T> {
    /// Row by row, without the padding.
    pub values: &'a [T],
    /// Numbers of a row.
    pub len: usize,
    /// Numbers of a row in memory, with zeros at its end.
    pub stride: usize,
}

impl<T: Copy + Default> Rows<'_, T> {
    /// Numbers of all rows in memory.
    pub fn memory_len(&self) -> usize {
        self.values.len() / self.len.max(1) * self.stride
    }

    /// The rows as they lie in memory.
    pub fn packed(&self) -> Vec<T> {
        let mut memory = vec![T::default(); self.memory_len()];
        self.pack_into(&mut memory);
        memory
    }

    /// Copies the rows to memory, each followed by its zeros.
    pub fn pack_into(&self, memory: &mut [T]) {
        for (to, row) in memory.chunks_exact_mut(self.stride).zip(self.values.chunks_exact(self.len)) {
            to[..self.len].copy_from_slice(row);
            to[self.len..].fill(T::default());
        }
    }
}

/// An engine that computes in f32, on whatever device.
pub type AnyEngine = dyn Engine<Scalar = f32>;
