//! What holds for all tensors and ops, whatever they are.

use super::Op;
use crate::shape::{LANES, Layout, TensorType, padded};

/// Kernels index the numbers of a tensor with 32 bits, partly signed.
const MOST: usize = i32::MAX as usize;

/// A tensor must have channels, and be so small that its numbers can be counted.
pub(crate) fn check_type(ty: &TensorType) -> Result<(), String> {
    let (dims, shape) = (&ty.shape.0, &ty.shape);
    let channel_axes = match ty.layout {
        Layout::Flat => 0,
        Layout::Channels => dims.len().min(1),
        Layout::Kernel => 2,
    };
    let Some(outer) = dims.len().checked_sub(channel_axes) else {
        return Err(format!("the kernel {shape} needs the axes of input and output channels"));
    };
    if dims[outer..].contains(&0) {
        return Err(format!("{shape} has no channels"));
    }
    // Without axes of 0, so that no product of some of the others can overflow either.
    let in_memory = |(axis, &d): (usize, &usize)| match (d > MOST, axis < outer) {
        (true, _) => None,
        (false, true) => Some(d.max(1)),
        (false, false) => Some(padded(d)),
    };
    let len = dims.iter().enumerate().try_fold(1usize, |len, axis| len.checked_mul(in_memory(axis)?));
    match len.is_some_and(|len| padded(len) <= MOST) {
        true => Ok(()),
        false => Err(format!("{shape} has more than 2^31 elements: lower the batch or image size")),
    }
}

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
