//! Errors of engines.

use super::registry::KernelError;
use crate::kernel::KernelCall;
use crate::plan::Unfit;

/// Why a device cannot be opened, or a plan cannot be loaded or run.
#[derive(Debug, thiserror::Error)]
pub enum ExecError {
    /// No such device.
    #[error("no device `{asked}` here; there are: {available}")]
    NoDevice {
        /// Name that was given.
        asked: String,
        /// Names of the devices here.
        available: String,
    },
    /// The device refused memory.
    #[error(
        "the device is out of memory while {during}: it needs {bytes} bytes; lower the batch size or the image size"
    )]
    OutOfMemory {
        /// The step under way.
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
    /// The driver has given the device up.
    #[error(
        "the device was lost: {reason}; the last checkpoint is intact, so resume from it. Systems reset a device when one \
         kernel runs for seconds or its memory is full: lower the batch size if it is lost again"
    )]
    DeviceLost {
        /// The driver's words.
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
        /// The step under way.
        during: String,
        /// The driver's words.
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

impl ExecError {
    /// A kernel that was refused.
    pub(super) fn refused<B>(call: &KernelCall<B>, reason: String) -> Self {
        ExecError::Kernel { kernel: call.kernel.into(), reason }
    }
}
