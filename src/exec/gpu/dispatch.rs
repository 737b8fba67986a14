//! Calls, ready to run.

use std::collections::BTreeSet;
use std::sync::Arc;

use super::buffers::Range;
use super::device::Gpu;
use super::pipelines::Pipeline;
use super::textures::{Textures, ToTexture};
use crate::exec::ExecError;
use crate::plan::Slice;

/// Workgroups along x and y.
pub(super) type Grid = [u32; 2];

/// A dispatch.
#[derive(Clone)]
pub(super) struct Step {
    pub pipeline: Arc<Pipeline>,
    pub grid: Grid,
    /// Its immediates.
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

/// A call, ready to run.
#[derive(Clone)]
pub(super) struct Dispatch {
    pub stages: Stages,
    pub bindings: Vec<Slice>,
    /// One for each stage.
    bound: Vec<wgpu::BindGroup>,
    /// Operands that are brought to textures first.
    pub copies: Vec<ToTexture>,
}

impl Dispatch {
    /// Binds what each stage uses of a call's ranges, which `bindings` stand for.
    pub fn new(
        gpu: &Gpu,
        stages: Stages,
        (bindings, ranges): (Vec<Slice>, &[Range]),
        textures: &Textures,
    ) -> Result<Dispatch, ExecError> {
        let bind = |step: &Step| step.pipeline.bind(gpu, ranges, textures);
        let bound = stages.iter().map(bind).collect::<Result<_, _>>()?;
        let copies = from_textures(&stages).into_iter().map(|i| textures.copy(i, &ranges[i as usize])).collect();
        Ok(Dispatch { stages, bindings, bound, copies })
    }

    pub fn encode(&self, pass: &mut wgpu::ComputePass<'_>) {
        let stages = self.stages.iter().zip(&self.bound);
        stages.filter(|(step, _)| step.grid[0] > 0).for_each(|(step, bound)| step.encode(pass, bound));
    }

    /// The call by itself, with its copies, between the timestamps `at` and `at + 1` of a set.
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

/// The bindings that a call reads from textures.
pub(super) fn from_textures(stages: &Stages) -> BTreeSet<u32> {
    stages.iter().flat_map(|step| step.pipeline.textures()).collect()
}

impl Gpu {
    /// Calls one after the other, among which wgpu sets barriers, in as few passes as copies allow.
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
