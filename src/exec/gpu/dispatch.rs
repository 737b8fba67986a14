//! Dispatches: compiled calls with their buffers bound.

use std::collections::BTreeSet;
use std::sync::Arc;

use super::buffers::Range;
use super::compile::Pipeline;
use super::device::Gpu;
use super::info::DeviceKind;
use super::textures::{Textures, ToTexture};
use crate::exec::ExecError;
use crate::kernel::KernelCall;
use crate::plan::Slice;

/// Most calls per submission. The device starts on them while the host encodes the next ones, at 5 µs per dispatch.
const AT_ONCE: usize = 48;

/// Most operations per submission to a discrete GPU. Other GPUs get a fifth of it, half a second's work at 0.1 TFLOP/s.
/// Windows resets a device that one submission keeps busy for two seconds, Linux drivers after five or ten.
const WORK_AT_ONCE: u64 = 250_000_000_000;

/// Workgroups along x and y.
pub(super) type Grid = [u32; 2];

/// A dispatch.
#[derive(Clone)]
pub(super) struct Step {
    pub pipeline: Arc<Pipeline>,
    pub grid: Grid,
    /// Values of its immediates.
    pub sizes: Vec<u32>,
}

impl Step {
    pub fn encode(&self, pass: &mut wgpu::ComputePass<'_>, bound: &wgpu::BindGroup) {
        pass.set_pipeline(&self.pipeline.raw);
        pass.set_bind_group(0, bound, &[]);
        if !self.sizes.is_empty() {
            pass.set_immediates(0, bytemuck::cast_slice(&self.sizes));
        }
        let [x, y] = self.grid;
        pass.dispatch_workgroups(x, y, 1);
    }
}

/// The dispatches of a call.
pub(super) type Stages = Vec<Step>;

/// A call whose kernels are compiled.
#[derive(Clone)]
pub(super) struct Compiled {
    pub stages: Stages,
    pub bindings: Vec<Slice>,
    /// Floats of scratch memory, bound after the other buffers.
    pub scratch: usize,
    /// Cost in operations: see [`work`].
    pub work: u64,
}

/// Cost of a call in operations; a byte of memory counts as ten operations.
pub(super) fn work(call: &KernelCall<Slice>) -> u64 {
    let bytes = call.bytes();
    call.flops.max(10 * bytes)
}

/// A compiled call with its buffers bound.
#[derive(Clone)]
pub(super) struct Dispatch {
    pub of: Compiled,
    /// One bind group per stage.
    bound: Vec<wgpu::BindGroup>,
    /// Operands that are copied to textures first.
    pub copies: Vec<ToTexture>,
}

impl Dispatch {
    /// Binds the ranges of a call (its bindings, then its scratch memory) that each stage uses.
    pub fn new(gpu: &Gpu, of: Compiled, ranges: &[Range], textures: &Textures) -> Result<Dispatch, ExecError> {
        let bind = |step: &Step| step.pipeline.bind(gpu, ranges, textures);
        let bound = of.stages.iter().map(bind).collect::<Result<_, _>>()?;
        let copies = from_textures(&of.stages).into_iter().map(|i| textures.copy(i, &ranges[i as usize])).collect();
        Ok(Dispatch { of, bound, copies })
    }

    pub fn encode(&self, pass: &mut wgpu::ComputePass<'_>) {
        let stages = self.of.stages.iter().zip(&self.bound);
        stages.filter(|(step, _)| step.grid[0] > 0).for_each(|(step, bound)| step.encode(pass, bound));
    }

    /// Encodes the call alone, with its copies, between the timestamps `at` and `at + 1` of a set.
    pub fn encode_between(&self, encoder: &mut wgpu::CommandEncoder, set: &wgpu::QuerySet, at: u32) {
        let descriptor = |begin: Option<u32>, end: Option<u32>| wgpu::ComputePassDescriptor {
            label: None,
            timestamp_writes: Some(wgpu::ComputePassTimestampWrites {
                query_set: set,
                beginning_of_pass_write_index: begin,
                end_of_pass_write_index: end,
            }),
        };
        let mut begin = Some(at);
        if !self.copies.is_empty() {
            drop(encoder.begin_compute_pass(&descriptor(begin.take(), None)));
            self.copies.iter().for_each(|copy| copy.encode(encoder));
        }
        self.encode(&mut encoder.begin_compute_pass(&descriptor(begin, Some(at + 1))));
    }
}

/// Bindings that a call reads from textures.
pub(super) fn from_textures(stages: &Stages) -> BTreeSet<u32> {
    stages.iter().flat_map(|step| step.pipeline.textures()).collect()
}

/// Number of calls in each submission, given their costs. A submission costs at most `most`, unless a single call costs
/// more.
fn parts(calls: impl Iterator<Item = u64>, most: u64) -> Vec<usize> {
    let (mut parts, mut sum) = (vec![], 0u64);
    for work in calls {
        sum = sum.saturating_add(work);
        match parts.last_mut() {
            Some(calls) if *calls < AT_ONCE && sum <= most => *calls += 1,
            _ => {
                parts.push(1);
                sum = work;
            }
        }
    }
    parts
}

impl Gpu {
    /// Splits calls into submissions; without calls there is one empty submission.
    pub fn parts<'a>(&self, mut calls: &'a [Dispatch]) -> Vec<&'a [Dispatch]> {
        let most = match self.info.kind {
            DeviceKind::Integrated | DeviceKind::Other => WORK_AT_ONCE / 5,
            DeviceKind::Discrete | DeviceKind::Virtual | DeviceKind::Software => WORK_AT_ONCE,
        };
        let lens = parts(calls.iter().map(|call| call.of.work), most);
        let mut next = |len| {
            let (part, rest) = calls.split_at(len);
            calls = rest;
            part
        };
        if lens.is_empty() { vec![next(0)] } else { lens.into_iter().map(next).collect() }
    }

    /// Encodes calls in order, in as few passes as the copies allow. wgpu sets the barriers between them.
    pub fn encoded(&self, calls: &[Dispatch]) -> wgpu::CommandEncoder {
        let mut encoder = self.device.create_command_encoder(&Default::default());
        for calls in calls.chunk_by(|_, next| next.copies.is_empty()) {
            calls[0].copies.iter().for_each(|copy| copy.encode(&mut encoder));
            let mut pass = encoder.begin_compute_pass(&Default::default());
            calls.iter().for_each(|call| call.encode(&mut pass));
        }
        encoder
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn no_part_takes_long_unless_a_call_does() {
        assert_eq!(parts([].into_iter(), 10), [0; 0]);
        assert_eq!(parts([4, 4, 4, 30, 1, 9, 1].into_iter(), 10), [2, 1, 1, 2, 1]);
        assert_eq!(parts([10, 10].into_iter(), 10), [1, 1]);
        assert_eq!(parts([u64::MAX, u64::MAX].into_iter(), u64::MAX), [2], "no overflow");
        let many = parts(std::iter::repeat_n(0, 2 * AT_ONCE + 1), 10);
        assert_eq!(many, [AT_ONCE, AT_ONCE, 1]);
    }
}
