//! Errors of engines.

use super::registry::KernelError;
use crate::kernel::KernelCall;
use crate::plan::Unfit;

/// The action of [`ExecError::OutOfMemory`] that depends on the network alone.
pub(crate) const MAKING_STATES: &str = "making the states";

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
        "the device is out of memory while {during}: it needs {bytes} bytes; {}",
        if during == MAKING_STATES { "make the network smaller" } else { "lower the batch size or the image size" }
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

impl ExecError {
    /// A kernel that was refused.
    pub(super) fn refused<B>(call: &KernelCall<B>, reason: String) -> Self {
        ExecError::Kernel { kernel: call.kernel.into(), reason }
    }
}
