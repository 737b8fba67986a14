//! Times of single kernels by the device's timestamps.

use super::buffers::Range;
use super::device::Gpu;
use super::dispatch::Dispatch;
use super::readback::Readback;
use super::{GpuEngine, loaded};
use crate::exec::ExecError;

/// Calls per query set: each takes two of a set's [`wgpu::QUERY_SET_MAX_QUERIES`] queries.
const CALLS_PER_SET: usize = wgpu::QUERY_SET_MAX_QUERIES as usize / 2;

impl GpuEngine {
    /// Runs a plan with a separate pass per call and returns the seconds of each call, in the plan's order. The time
    /// includes the barrier before the call and copies of its operands. `None` on devices without timestamps.
    ///
    /// # Errors
    /// When there is no such plan or the device is lost.
    pub(super) fn times(&mut self, plan: usize) -> Result<Option<Vec<f64>>, ExecError> {
        self.gpu.check("profiling")?;
        if !self.gpu.info.timestamps {
            return Ok(None);
        }
        let dispatches = &loaded(&self.plans, plan)?.dispatches;
        let mut seconds = Vec::with_capacity(dispatches.len());
        for part in dispatches.chunks(CALLS_PER_SET) {
            seconds.extend(self.gpu.times(part, &mut Readback::default())?);
        }
        Ok(Some(seconds))
    }
}

impl Gpu {
    /// Runs at most [`CALLS_PER_SET`] calls one after the other and returns the seconds of each.
    pub(super) fn times(&self, calls: &[Dispatch], readback: &mut Readback) -> Result<Vec<f64>, ExecError> {
        let queries = 2 * calls.len() as u32;
        let device = &self.device;
        let set = device.create_query_set(&wgpu::QuerySetDescriptor {
            label: Some("profile"),
            ty: wgpu::QueryType::Timestamp,
            count: queries,
        });
        let usage = wgpu::BufferUsages::QUERY_RESOLVE | wgpu::BufferUsages::COPY_SRC;
        let resolved = self.buffer("the times of kernels", 2 * queries as usize, usage)?;
        let parts = self.parts(calls);
        readback.begin(self, parts.len())?;
        let mut encoder = device.create_command_encoder(&Default::default());
        let mut at = 0;
        for (index, part) in parts.into_iter().enumerate() {
            if index > 0 {
                readback.hand_on(&mut encoder);
                let next = device.create_command_encoder(&Default::default());
                self.queue.submit([std::mem::replace(&mut encoder, next).finish()]);
            }
            for dispatch in part {
                dispatch.encode_between(&mut encoder, &set, at);
                at += 2;
            }
        }
        encoder.resolve_query_set(&set, 0..queries, &resolved, 0);
        let range = Range { buffer: resolved.clone(), offset: 0, bytes: 8 * u64::from(queries) };
        let fetch = readback.copy(self, &mut encoder, &[range])?;
        let submission = self.queue.submit([encoder.finish()]);
        let words = readback.finish(self, fetch, &submission)?.remove(0);
        let ticks = words.chunks_exact(2).map(|w| u64::from(w[1].to_bits()) << 32 | u64::from(w[0].to_bits()));
        let period = f64::from(self.queue.get_timestamp_period()) * 1e-9;
        // Clocks of some devices step back between passes.
        let ticks: Vec<u64> = ticks.collect();
        Ok(ticks.chunks_exact(2).map(|t| t[1].saturating_sub(t[0]) as f64 * period).collect())
    }
}
