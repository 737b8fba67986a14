//! Uploads of large inputs. The engine keeps staging buffers, fills them on all cores, and copies them to the device.
//!
//! wgpu's own queue writes allocate staging memory for each write and fill it on one core: 51 MB of images took 43 ms
//! (16 cores, an H200), three quarters of a training step.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use rayon::prelude::*;

use super::buffers::Range;
use super::device::Gpu;
use crate::exec::{ExecError, Rows};

/// Smallest upload, in bytes, that is worth its own submission.
pub(super) const LARGE: u64 = 256 << 10;
/// Bytes per task of a thread.
const PIECE: usize = 16 << 10;

/// All staging buffers of an engine.
#[derive(Default)]
pub(super) struct Uploads(Vec<Staging>);

struct Staging {
    buffer: wgpu::Buffer,
    /// Whether the device has read the buffer, so that it can be filled again.
    free: Arc<AtomicBool>,
}

impl Uploads {
    /// Copies rows to a range. The copy is ordered with all submissions.
    pub fn write(&mut self, gpu: &Gpu, to: &Range, rows: &Rows<'_, f32>) -> Result<(), ExecError> {
        let staging = self.staging(gpu, to.bytes)?;
        let mut view = staging
            .buffer
            .slice(..)
            .get_mapped_range_mut()
            .map_err(|error| ExecError::Device { during: "writing".into(), reason: error.to_string() })?;
        let (mut whole, mut rest) = view.slice(..).into_chunks::<PIECE>();
        let tail = whole.len() * PIECE;
        let pieces: Vec<_> = std::iter::from_fn(|| whole.split_off_first()).enumerate().collect();
        pieces.into_par_iter().for_each(|(i, to)| {
            let bytes = between(rows, i * PIECE, (i + 1) * PIECE);
            to.write(*bytes.first_chunk().expect("as long as a piece"));
        });
        rest.copy_from_slice(&between(rows, tail, to.bytes as usize));
        drop(view);
        staging.buffer.unmap();
        let mut encoder = gpu.device.create_command_encoder(&Default::default());
        encoder.copy_buffer_to_buffer(&staging.buffer, 0, &to.buffer, to.offset, to.bytes);
        gpu.queue.submit([encoder.finish()]);
        let free = staging.free.clone();
        staging.buffer.slice(..).map_async(wgpu::MapMode::Write, move |mapped| {
            free.store(mapped.is_ok(), Ordering::Release);
        });
        gpu.check("writing")
    }

    /// A free buffer of this size; it is marked as used.
    fn staging(&mut self, gpu: &Gpu, bytes: u64) -> Result<&Staging, ExecError> {
        let find = |all: &[Staging]| {
            all.iter().position(|s| s.buffer.size() == bytes && s.free.swap(false, Ordering::Acquire))
        };
        let mut found = find(&self.0);
        if found.is_none() {
            // wgpu reports finished work only when it is polled.
            gpu.poll(wgpu::PollType::Poll, "writing")?;
            found = find(&self.0);
        }
        let index = match found {
            Some(index) => index,
            None => {
                let usage = wgpu::BufferUsages::MAP_WRITE | wgpu::BufferUsages::COPY_SRC;
                let buffer = gpu.mapped_buffer("data on its way", bytes, usage)?;
                self.0.push(Staging { buffer, free: Arc::default() });
                self.0.len() - 1
            }
        };
        Ok(&self.0[index])
    }
}

/// The bytes of the packed rows from one offset to another.
fn between(rows: &Rows<'_, f32>, from: usize, to: usize) -> Vec<u8> {
    let [first, end] = [from / 4, to / 4];
    let [row, last] = [first / rows.stride, end.div_ceil(rows.stride)];
    let memory = Rows { values: &rows.values[row * rows.len..last * rows.len], ..*rows }.packed();
    bytemuck::cast_slice(&memory[first - row * rows.stride..end - row * rows.stride]).to_vec()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pieces_put_together_are_the_whole() {
        let values: Vec<f32> = (0..21).map(|v| v as f32).collect();
        for (len, stride) in [(3, 4), (7, 8), (21, 24), (1, 4), (3, 3)] {
            let rows = Rows { values: &values, len, stride };
            let whole: Vec<u8> = bytemuck::cast_slice(&rows.packed()).to_vec();
            assert_eq!(whole.len(), 21 / len * stride * 4);
            for piece in [4, 12, 16, 20, whole.len()] {
                let starts = (0..whole.len()).step_by(piece);
                let all: Vec<u8> =
                    starts.flat_map(|from| between(&rows, from, (from + piece).min(whole.len()))).collect();
                assert_eq!(all, whole, "{len} of {stride}, pieces of {piece}");
            }
        }
    }
}
