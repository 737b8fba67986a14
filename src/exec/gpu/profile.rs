//! Times of single kernels, by the device's own clock.

use super::GpuEngine;
use super::buffers::Range;
use crate::exec::ExecError;

/// Calls per query set: each takes two of a set's [`wgpu::QUERY_SET_MAX_QUERIES`] queries.
const CALLS_PER_SET: usize = wgpu::QUERY_SET_MAX_QUERIES as usize / 2;

impl GpuEngine {
    /// Runs a plan with every call in a pass of its own and returns the seconds of each, in the order of the plan's
    /// calls, the barrier before it included. `None` where the device has no timestamps.
    ///
    /// # Errors
    /// When there is no such plan or the device is lost.
    pub(super) fn times(&mut self, plan: usize) -> Result<Option<Vec<f64>>, ExecError> {
        self.gpu.check("profiling")?;
        if !self.gpu.info.timestamps {
            return Ok(None);
        }
        let count = self.loaded(plan)?.dispatches.len();
        let mut seconds = Vec::with_capacity(count);
        for first in (0..count).step_by(CALLS_PER_SET) {
            let ticks = self.profile_part(plan, first..count.min(first + CALLS_PER_SET))?;
            let period = f64::from(self.gpu.queue.get_timestamp_period()) * 1e-9;
            // Clocks of some devices step back between passes.
            seconds.extend(ticks.chunks_exact(2).map(|t| t[1].saturating_sub(t[0]) as f64 * period));
        }
        Ok(Some(seconds))
    }

    /// Start and end of each call, in ticks.
    fn profile_part(&mut self, plan: usize, calls: std::ops::Range<usize>) -> Result<Vec<u64>, ExecError> {
        let queries = 2 * calls.len() as u32;
        let device = &self.gpu.device;
        let set = device.create_query_set(&wgpu::QuerySetDescriptor {
            label: Some("profile"),
            ty: wgpu::QueryType::Timestamp,
            count: queries,
        });
        let usage = wgpu::BufferUsages::QUERY_RESOLVE | wgpu::BufferUsages::COPY_SRC;
        let resolved = self.gpu.buffer("the times of kernels", 2 * queries as usize, usage)?;
        let mut encoder = device.create_command_encoder(&Default::default());
        for (dispatch, at) in self.loaded(plan)?.dispatches[calls].iter().zip((0..).step_by(2)) {
            let mut pass = encoder.begin_compute_pass(&wgpu::ComputePassDescriptor {
                label: None,
                timestamp_writes: Some(wgpu::ComputePassTimestampWrites {
                    query_set: &set,
                    beginning_of_pass_write_index: Some(at),
                    end_of_pass_write_index: Some(at + 1),
                }),
            });
            dispatch.encode(&mut pass);
        }
        encoder.resolve_query_set(&set, 0..queries, &resolved, 0);
        let range = Range { buffer: resolved.clone(), offset: 0, bytes: 8 * u64::from(queries) };
        let fetch = self.readback.copy(&self.gpu, &mut encoder, &[range])?;
        let submission = self.gpu.queue.submit([encoder.finish()]);
        let words = self.readback.finish(&self.gpu, fetch, &submission)?.remove(0);
        Ok(words.chunks_exact(2).map(|w| u64::from(w[1].to_bits()) << 32 | u64::from(w[0].to_bits())).collect())
    }
}
