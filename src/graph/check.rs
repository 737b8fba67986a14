//! What holds for all ops, whatever they are.

use super::Op;
use crate::shape::{LANES, TensorType};

/// Most ops see rows of channels, among which the zeros between a kernel's rows would count.
pub(super) fn check_kernels(op: &impl Op, inputs: &[&TensorType]) -> Result<(), String> {
    match inputs.iter().enumerate().find(|(i, t)| t.has_padded_rows() && !op.takes_padded_kernel(*i)) {
        Some((i, t)) => Err(format!(
            "input {i} is a kernel {} whose input channels are padded to a multiple of {LANES} in memory, which this op \
             would count as data",
            t.shape
        )),
        None => Ok(()),
    }
}
