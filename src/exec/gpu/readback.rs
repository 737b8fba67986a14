//! Results on their way back: staging buffers that are reused, and the tickets that stand for them.

use std::collections::VecDeque;
use std::sync::mpsc;

use super::buffers::Range;
use super::device::Gpu;
use crate::exec::{ExecError, MAX_TICKETS, Ticket};

/// Staging buffers above this size are given back after a single read, such as that of a checkpoint.
const KEEP_AFTER_READ: u64 = 1 << 20;

/// Copies of slices, encoded but perhaps not yet submitted.
pub(super) struct Fetch {
    staging: Option<wgpu::Buffer>,
    lens: Vec<u64>,
}

struct Pending {
    ticket: Ticket,
    fetch: Fetch,
    submission: wgpu::SubmissionIndex,
}

/// All staging buffers and outstanding tickets of an engine.
#[derive(Default)]
pub(super) struct Readback {
    free: Vec<wgpu::Buffer>,
    pending: VecDeque<Pending>,
    next: u64,
}

impl Readback {
    /// Encodes the copies of `ranges` to the host's side.
    pub fn copy(
        &mut self,
        gpu: &Gpu,
        encoder: &mut wgpu::CommandEncoder,
        ranges: &[Range],
    ) -> Result<Fetch, ExecError> {
        let lens: Vec<u64> = ranges.iter().map(|r| r.bytes).collect();
        let total = lens.iter().sum();
        if total == 0 {
            return Ok(Fetch { staging: None, lens });
        }
        let staging = self.staging(gpu, total)?;
        let mut at = 0;
        for range in ranges.iter().filter(|r| r.bytes > 0) {
            encoder.copy_buffer_to_buffer(&range.buffer, range.offset, &staging, at, range.bytes);
            at += range.bytes;
        }
        Ok(Fetch { staging: Some(staging), lens })
    }

    /// The smallest free staging buffer that is long enough, or a new one.
    fn staging(&mut self, gpu: &Gpu, bytes: u64) -> Result<wgpu::Buffer, ExecError> {
        let fitting = self.free.iter().enumerate().filter(|(_, b)| b.size() >= bytes);
        if let Some((index, _)) = fitting.min_by_key(|(_, b)| b.size()) {
            return Ok(self.free.swap_remove(index));
        }
        let usage = wgpu::BufferUsages::MAP_READ | wgpu::BufferUsages::COPY_DST;
        gpu.buffer("the results' way back", (bytes / 4) as usize, usage)
    }

    /// A ticket for a fetch that has been submitted.
    pub fn issue(&mut self, gpu: &Gpu, fetch: Fetch, submission: wgpu::SubmissionIndex) -> Result<Ticket, ExecError> {
        let ticket = Ticket(self.next);
        self.next += 1;
        self.pending.push_back(Pending { ticket, fetch, submission });
        // Waiting for the oldest also keeps the host from running ahead of the device without bound.
        if self.pending.len() > MAX_TICKETS
            && let Some(oldest) = self.pending.pop_front()
        {
            self.free.extend(oldest.fetch.staging);
            gpu.wait(&oldest.submission, "waiting for a run")?;
        }
        Ok(ticket)
    }

    /// Waits for a ticket's run and returns what it fetched.
    pub fn take(&mut self, gpu: &Gpu, ticket: Ticket) -> Result<Vec<Vec<f32>>, ExecError> {
        let index = self.pending.iter().position(|p| p.ticket == ticket);
        let Some(pending) = index.and_then(|i| self.pending.remove(i)) else {
            let problem = format!("was taken before, or dropped because {MAX_TICKETS} later ones were not taken");
            return Err(ExecError::Port { what: format!("ticket {}", ticket.0), problem });
        };
        let results = receive(gpu, &pending.fetch, &pending.submission)?;
        self.free.extend(pending.fetch.staging);
        Ok(results)
    }

    /// Waits for a fetch that needs no ticket.
    pub fn finish(
        &mut self,
        gpu: &Gpu,
        fetch: Fetch,
        submission: &wgpu::SubmissionIndex,
    ) -> Result<Vec<Vec<f32>>, ExecError> {
        let results = receive(gpu, &fetch, submission)?;
        self.free.extend(fetch.staging.filter(|b| b.size() <= KEEP_AFTER_READ));
        Ok(results)
    }

    /// Bytes held.
    pub fn bytes(&self) -> u64 {
        let pending = self.pending.iter().filter_map(|p| p.fetch.staging.as_ref());
        self.free.iter().chain(pending).map(wgpu::Buffer::size).sum()
    }
}

fn receive(gpu: &Gpu, fetch: &Fetch, submission: &wgpu::SubmissionIndex) -> Result<Vec<Vec<f32>>, ExecError> {
    const DURING: &str = "fetching results";
    let Some(staging) = &fetch.staging else {
        gpu.wait(submission, DURING)?;
        return Ok(vec![vec![]; fetch.lens.len()]);
    };
    let total: u64 = fetch.lens.iter().sum();
    let (mapped, answer) = mpsc::channel();
    // The receiver is gone only if the wait failed, and then nobody asks.
    staging.map_async(wgpu::MapMode::Read, 0..total, move |result| drop(mapped.send(result)));
    gpu.wait(submission, DURING)?;
    let failed = |reason: String| ExecError::Device { during: DURING.into(), reason };
    match answer.try_recv() {
        Ok(Ok(())) => {}
        Ok(Err(error)) => return Err(failed(error.to_string())),
        Err(_) => return Err(failed("the results did not arrive with the end of the run".into())),
    }
    let view = staging.get_mapped_range(0..total).map_err(|error| failed(error.to_string()))?;
    let mut rest: &[u8] = &view;
    let mut results = Vec::with_capacity(fetch.lens.len());
    for &len in &fetch.lens {
        let (bytes, after) = rest.split_at(len as usize);
        results.push(bytemuck::pod_collect_to_vec(bytes));
        rest = after;
    }
    drop(view);
    staging.unmap();
    Ok(results)
}
