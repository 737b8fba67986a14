//! Readback of results: reused staging buffers, and tickets for results that are not read yet.
//!
//! A device may drop a submission that takes too long or finds no memory, and continue with the next one. Metal then
//! reports the command buffer as done, and the readback would deliver results of an earlier run. So each run has a
//! number: every submission copies it one place further, and the last one returns it with the results. A wrong number
//! is an error.

use std::collections::VecDeque;
use std::sync::mpsc;

use super::buffers::{Range, USAGE};
use super::device::Gpu;
use crate::exec::{ExecError, MAX_TICKETS, Ticket};

/// Larger staging buffers, such as those for a checkpoint, are freed after one read.
const KEEP_AFTER_READ: u64 = 1 << 20;

/// Bytes of a run's number, and distance between its places.
const RECEIPT: u64 = 4;

/// Copies of slices that are encoded; they may not be submitted yet.
pub(super) struct Fetch {
    staging: wgpu::Buffer,
    lens: Vec<u64>,
    receipt: u32,
}

/// A part of a run's results, submitted.
pub(super) type Part = (Fetch, wgpu::SubmissionIndex);

/// The places of a run's number. They lie in two buffers, since wgpu allows no copy within one.
struct Receipts {
    places: [wgpu::Buffer; 2],
    number: u32,
    /// Place of the number after the work encoded so far.
    at: u64,
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
    receipts: Option<Receipts>,
}

impl Readback {
    /// Begins work that is submitted in `parts` parts.
    pub fn begin(&mut self, gpu: &Gpu, parts: usize) -> Result<(), ExecError> {
        let number = self.receipts.as_ref().map_or(0, |known| known.number).wrapping_add(1);
        let fits = |known: &Receipts| known.places[0].size() >= RECEIPT * parts as u64;
        let places = match self.receipts.take().filter(fits) {
            Some(known) => known.places,
            None => {
                let make = || gpu.buffer("a run's number", parts.next_power_of_two(), USAGE);
                [make()?, make()?]
            }
        };
        gpu.queue.write_buffer(&places[0], 0, &number.to_le_bytes());
        self.receipts = Some(Receipts { places, number, at: 0 });
        Ok(())
    }

    /// Ends a part that is not the last.
    pub fn hand_on(&mut self, encoder: &mut wgpu::CommandEncoder) {
        let Some(Receipts { places, at, .. }) = &mut self.receipts else { return };
        let [from, to] = [&places[*at as usize % 2], &places[(*at as usize + 1) % 2]];
        encoder.copy_buffer_to_buffer(from, *at * RECEIPT, to, (*at + 1) * RECEIPT, RECEIPT);
        *at += 1;
    }

    /// Ends the last part: encodes the copies of `ranges` to staging buffers.
    pub fn copy(
        &mut self,
        gpu: &Gpu,
        encoder: &mut wgpu::CommandEncoder,
        ranges: &[Range],
    ) -> Result<Fetch, ExecError> {
        let lens: Vec<u64> = ranges.iter().map(|r| r.bytes).collect();
        let staging = self.staging(gpu, RECEIPT + lens.iter().sum::<u64>())?;
        let mut at = RECEIPT;
        for range in ranges.iter().filter(|r| r.bytes > 0) {
            encoder.copy_buffer_to_buffer(&range.buffer, range.offset, &staging, at, range.bytes);
            at += range.bytes;
        }
        let Receipts { places, number, at } = self.receipts.as_ref().expect("the work was begun");
        encoder.copy_buffer_to_buffer(&places[*at as usize % 2], at * RECEIPT, &staging, 0, RECEIPT);
        Ok(Fetch { staging, lens, receipt: *number })
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
        let ticket = self.ticket();
        self.pending.push_back(Pending { ticket, fetch, submission });
        // Waiting for the oldest also keeps the host from running ahead of the device without bound.
        if self.pending.len() > MAX_TICKETS
            && let Some(oldest) = self.pending.pop_front()
        {
            self.free.push(oldest.fetch.staging);
            gpu.wait(&oldest.submission, "waiting for a run")?;
        }
        Ok(ticket)
    }

    /// Waits for a ticket's run and returns the fetched results.
    pub fn take(&mut self, gpu: &Gpu, ticket: Ticket) -> Result<Vec<Vec<f32>>, ExecError> {
        let index = self.pending.iter().position(|p| p.ticket == ticket);
        let Some(pending) = index.and_then(|i| self.pending.remove(i)) else {
            let problem = format!("was taken before, or dropped because {MAX_TICKETS} later ones were not taken");
            return Err(ExecError::Port { what: format!("ticket {}", ticket.0), problem });
        };
        let results = receive(gpu, &pending.fetch, &pending.submission)?;
        self.free.push(pending.fetch.staging);
        Ok(results)
    }

    /// Waits for a part of a run's results.
    pub fn take_part(&mut self, gpu: &Gpu, (fetch, submission): Part) -> Result<Vec<Vec<f32>>, ExecError> {
        let results = receive(gpu, &fetch, &submission)?;
        self.free.push(fetch.staging);
        Ok(results)
    }

    /// The number of a run whose parts are taken one by one.
    pub fn ticket(&mut self) -> Ticket {
        self.next += 1;
        Ticket(self.next - 1)
    }

    /// Waits for a fetch that needs no ticket.
    pub fn finish(
        &mut self,
        gpu: &Gpu,
        fetch: Fetch,
        submission: &wgpu::SubmissionIndex,
    ) -> Result<Vec<Vec<f32>>, ExecError> {
        let results = receive(gpu, &fetch, submission)?;
        if fetch.lens.iter().sum::<u64>() <= KEEP_AFTER_READ {
            self.free.push(fetch.staging);
        }
        Ok(results)
    }

    /// Bytes held.
    pub fn bytes(&self) -> u64 {
        let pending = self.pending.iter().map(|p| &p.fetch.staging);
        let places = self.receipts.iter().flat_map(|receipts| &receipts.places);
        self.free.iter().chain(pending).chain(places).map(wgpu::Buffer::size).sum()
    }
}

fn receive(gpu: &Gpu, fetch: &Fetch, submission: &wgpu::SubmissionIndex) -> Result<Vec<Vec<f32>>, ExecError> {
    const DURING: &str = "fetching results";
    let (staging, total) = (&fetch.staging, RECEIPT + fetch.lens.iter().sum::<u64>());
    let (mapped, answer) = mpsc::channel();
    // The receiver is gone only if the wait failed, whose error is then returned.
    staging.map_async(wgpu::MapMode::Read, 0..total, move |result| drop(mapped.send(result)));
    gpu.wait(submission, DURING)?;
    let failed = |reason: String| ExecError::Device { during: DURING.into(), reason };
    match answer.try_recv() {
        Ok(Ok(())) => {}
        Ok(Err(error)) => return Err(failed(error.to_string())),
        Err(_) => return Err(failed("the results did not arrive with the end of the run".into())),
    }
    let view = staging.get_mapped_range(0..total).map_err(|error| failed(error.to_string()))?;
    let (receipt, mut rest) = view.split_at(RECEIPT as usize);
    if *receipt != fetch.receipt.to_le_bytes() {
        let reason = "the device gave up a part of the work: a kernel ran for seconds, or memory ran out; lower \
                      the batch size";
        return Err(failed(reason.into()));
    }
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

#[cfg(test)]
mod tests {
    use super::super::choice::{Choice, choose};
    use super::super::device::list;
    use super::*;

    #[test]
    fn a_part_that_is_given_up_is_noticed() {
        let asked = std::env::var("SHADEGRAD_TEST_DEVICE").unwrap_or_else(|_| "llvmpipe".into());
        let Ok(Choice::Adapter(index)) = choose(&asked, &list()) else { panic!("there is no GPU {asked}") };
        let gpu = Gpu::open(index).expect("it opens");
        let mut readback = Readback::default();
        let buffer = gpu.buffer("results", 4, USAGE).expect("a buffer");
        // More parts than before: the places must grow.
        for (given_up, parts) in [(None, 3), (Some(0), 3), (Some(1), 3), (None, 3), (Some(7), 12), (None, 12)] {
            readback.begin(&gpu, parts).expect("places");
            for part in 0..parts - 1 {
                let mut encoder = gpu.device.create_command_encoder(&Default::default());
                readback.hand_on(&mut encoder);
                if given_up != Some(part) {
                    gpu.queue.submit([encoder.finish()]);
                }
            }
            let mut encoder = gpu.device.create_command_encoder(&Default::default());
            let range = Range { buffer: buffer.clone(), offset: 0, bytes: 16 };
            let fetch = readback.copy(&gpu, &mut encoder, &[range]).expect("staging memory");
            let submission = gpu.queue.submit([encoder.finish()]);
            match readback.finish(&gpu, fetch, &submission) {
                Ok(results) => assert!(given_up.is_none() && results == [[0.0; 4]], "part {given_up:?} of {parts}"),
                Err(error) => assert!(given_up.is_some() && error.to_string().contains("gave up"), "{error}"),
            }
        }
    }
}
