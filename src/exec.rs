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

/// Errors of engines.
#[derive(Debug, thiserror::Error)]
pub enum ExecError {
    /// No device of this name.
    #[error("no device `{asked}` here; there are: {available}")]
    NoDevice {
        /// The name asked for.
        asked: String,
        /// The devices found.
        available: String,
    },
    /// The device refused memory.
    #[error(
        "the device is out of memory while {during}: it needs {bytes} bytes; lower the batch size or the image size"
    )]
    OutOfMemory {
        /// The action that failed.
        during: String,
        /// Bytes requested.
        bytes: u64,
    },
    /// A tensor is larger than the device can bind.
    #[error(
        "{what} needs {bytes} bytes in one buffer but the device binds at most {limit}; lower the batch size or the image size"
    )]
    TooLarge {
        /// Name of the tensor.
        what: String,
        /// Size of the tensor in bytes.
        bytes: u64,
        /// Largest binding in bytes.
        limit: u64,
    },
    /// The device was lost.
    #[error(
        "the device was lost: {reason}; the last checkpoint is intact, so resume from it. Systems reset a device when one \
         kernel runs for seconds or its memory is full: lower the batch size if it is lost again"
    )]
    DeviceLost {
        /// Message of the driver.
        reason: String,
    },
    /// A kernel that does not compile or validate, or does not fit its call.
    #[error("the kernel {kernel} was refused: {reason}")]
    Kernel {
        /// Name.
        kernel: String,
        /// Reason.
        reason: String,
    },
    /// A call of a kernel that is not registered, or that reads something the call lacks.
    #[error(transparent)]
    Registry(#[from] KernelError),
    /// Any other error of the device.
    #[error("the device reported an error while {during}: {reason}")]
    Device {
        /// The action that failed.
        during: String,
        /// Message of the driver.
        reason: String,
    },
    /// A label that is not a class, or a target that is not a probability.
    #[error("{input}: number {index} is {value}, expected {expected}")]
    Label {
        /// Name of the input.
        input: String,
        /// Index among the written numbers.
        index: usize,
        /// The number.
        value: f32,
        /// The allowed values.
        expected: String,
    },
    /// A run of a plan before one of its inputs was written.
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
        /// The fault.
        problem: String,
    },
}

impl From<Unfit> for ExecError {
    fn from(unfit: Unfit) -> Self {
        ExecError::Kernel { kernel: unfit.kernel.into(), reason: unfit.reason }
    }
}

/// Number of results that an engine keeps for [`Engine::take`]. Beyond it, the oldest are dropped.
pub const MAX_TICKETS: usize = 8;

/// Results on their way from the device, for [`Engine::take`].
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Ticket(pub u64);

/// Runs plans on a device. All lengths and offsets are in words of 32 bits, in memory order (padding included).
pub trait Engine: Send {
    /// Element type of written and read data.
    type Scalar: Copy + Default + From<f32> + Into<f64> + Send;

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

impl<T: Copy + Default> Rows<'_, T> {
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
        for (to, row) in memory.chunks_exact_mut(self.stride).zip(self.values.chunks_exact(self.len)) {
            to[..self.len].copy_from_slice(row);
            to[self.len..].fill(T::default());
        }
    }
}

/// An engine with f32 data, on any device.
pub type AnyEngine = dyn Engine<Scalar = f32>;

/// Opens a device by name: `auto`, `gpu`, `cpu`, a part of an adapter's name, or its index.
///
/// # Errors
/// When there is no such device (the message lists the devices), or it cannot be opened.
pub fn open(device: &str) -> Result<Box<AnyEngine>, ExecError> {
    if device.eq_ignore_ascii_case("cpu") {
        return Ok(Box::new(CpuEngine::<f32>::new()));
    }
    match gpu::choose(device, &gpu::list())? {
        gpu::Choice::Cpu => Ok(Box::new(CpuEngine::<f32>::new())),
        gpu::Choice::Adapter(index) => Ok(Box::new(gpu::GpuEngine::new(index, gpu::EngineOptions::default())?)),
    }
}
