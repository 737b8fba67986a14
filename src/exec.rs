//! Engines run plans: [`gpu`] through wgpu, [`CpuEngine`] through the Rust twin of every shader. A [`Session`] keeps the
//! states and the plans of one training run on one engine.

pub(crate) mod accuracy;
pub(crate) mod cpu;
pub mod gpu;
pub mod registry;
mod session;
pub(crate) mod shader;
mod verify;
mod winograd;

pub use crate::plan::{Buffer, MemoryUse, Plan, PlanOptions, PlannedCall, Port, Slice};
pub use cpu::CpuEngine;
pub use session::{PlanId, Session};
pub use verify::{Verdict, Verified, Wrong};

use crate::graph::StateLayout;
use crate::plan::Unfit;
use registry::KernelError;

/// What can go wrong while running.
#[derive(Debug, thiserror::Error)]
pub enum ExecError {
    /// No such device.
    #[error("no device `{asked}` here; there are: {available}")]
    NoDevice {
        /// What was asked for.
        asked: String,
        /// What there is.
        available: String,
    },
    /// The device refused memory.
    #[error(
        "the device is out of memory while {during}: it needs {bytes} bytes; lower the batch size or the image size"
    )]
    OutOfMemory {
        /// What was being done.
        during: String,
        /// Bytes asked for.
        bytes: u64,
    },
    /// A tensor is larger than the device can bind.
    #[error(
        "{what} needs {bytes} bytes in one buffer but the device binds at most {limit}; lower the batch size or the image size"
    )]
    TooLarge {
        /// Which tensor.
        what: String,
        /// Its size.
        bytes: u64,
        /// The limit.
        limit: u64,
    },
    /// The device went away.
    #[error(
        "the device was lost: {reason}; the last checkpoint is intact, so resume from it. Systems reset a device when one \
         kernel runs for seconds or its memory is full: lower the batch size if it is lost again"
    )]
    DeviceLost {
        /// What the driver said.
        reason: String,
    },
    /// A kernel did not compile or validate, or cannot run on what it was given.
    #[error("the kernel {kernel} was refused: {reason}")]
    Kernel {
        /// Name.
        kernel: String,
        /// Why.
        reason: String,
    },
    /// A call names a kernel that is not registered, or lacks what the kernel reads.
    #[error(transparent)]
    Registry(#[from] KernelError),
    /// The device refused something else.
    #[error("the device reported an error while {during}: {reason}")]
    Device {
        /// What was being done.
        during: String,
        /// What the driver said.
        reason: String,
    },
    /// A label that is no class, or a target that is no probability.
    #[error("{input}: number {index} is {value}, expected {expected}")]
    Label {
        /// Name of the input.
        input: String,
        /// Its place among the numbers written.
        index: usize,
        /// The number.
        value: f32,
        /// What it must be.
        expected: String,
    },
    /// A run of a plan that reads an input which holds nothing yet.
    #[error("the input `{input}` was never written: write it before the plan runs")]
    NotWritten {
        /// Name of the input.
        input: String,
    },
    /// A name that the plan does not have, or data of the wrong length.
    #[error("{what}: {problem}")]
    Port {
        /// Input, output or state.
        what: String,
        /// What is wrong.
        problem: String,
    },
}

impl From<Unfit> for ExecError {
    fn from(unfit: Unfit) -> Self {
        ExecError::Kernel { kernel: unfit.kernel.into(), reason: unfit.reason }
    }
}

/// Results of runs that an engine keeps for [`Engine::take`]; the oldest is dropped when there are more.
pub const MAX_TICKETS: usize = 8;

/// Results that are on their way from the device; taken with [`Engine::take`].
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Ticket(pub u64);

/// A place where plans run. All lengths and offsets are in words of 32 bits, in memory order (padding included).
pub trait Engine: Send {
    /// Element type that crosses the border.
    type Scalar: Copy + Default + From<f32> + Into<f64> + Send;

    /// Name for people.
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

    /// The same with rows that may be padded in memory.
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

    /// Waits for what a run fetches and returns it, one vector a slice. Each ticket can be taken once.
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

    /// Can plans have 16-bit values here?
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
    /// The same in memory, with zeros at the end.
    pub stride: usize,
}

impl<T: Copy + Default> Rows<'_, T> {
    /// How many numbers they are in memory.
    pub fn memory_len(&self) -> usize {
        self.values.len() / self.len.max(1) * self.stride
    }

    /// As they lie in memory.
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

/// Opens the device that `--device` names: `auto`, `gpu`, `cpu`, a part of an adapter's name, or its index.
///
/// # Errors
/// When there is no such device (the message lists those there are) or it cannot be opened.
pub fn open(device: &str) -> Result<Box<AnyEngine>, ExecError> {
    if device.eq_ignore_ascii_case("cpu") {
        return Ok(Box::new(CpuEngine::<f32>::new()));
    }
    match gpu::choose(device, &gpu::list())? {
        gpu::Choice::Cpu => Ok(Box::new(CpuEngine::<f32>::new())),
        gpu::Choice::Adapter(index) => Ok(Box::new(gpu::GpuEngine::new(index, gpu::EngineOptions::default())?)),
    }
}
