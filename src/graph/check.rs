//! Rules for all tensors and ops.

use super::Op;
use crate::shape::{LANES, Layout, TensorType, padded};

/// Largest number of elements of a tensor: kernels index them with 32 bits, some of them signed.
const MOST: usize = i32::MAX as usize;

/// A tensor must have channels and at most [`MOST`] elements.
pub(crate) fn check_type(ty: &TensorType) -> Result<(), String> {
    check(ty, "lower the batch or image size")
}

/// [`check_type`] of a state, whose size depends only on the network.
pub(super) fn check_state(ty: &TensorType) -> Result<(), String> {
    check(ty, "make the network smaller")
}

fn check(ty: &TensorType, remedy: &str) -> Result<(), String> {
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
    // An axis of 0 counts as 1, so that the product of the other axes is checked too.
    let in_memory = |(axis, &d): (usize, &usize)| match (d > MOST, axis < outer) {
        (true, _) => None,
        (false, true) => Some(d.max(1)),
        (false, false) => Some(padded(d)),
    };
    let len = dims.iter().enumerate().try_fold(1usize, |len, axis| len.checked_mul(in_memory(axis)?));
    match len.is_some_and(|len| padded(len) <= MOST) {
        true => Ok(()),
        false => Err(format!("{shape} has more than 2^31 elements: {remedy}")),
    }
}

/// Refuses kernels with padded rows where the op would count the zeros between the rows as data.
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
