//! A trial of the tuner: the candidates of one call run on random data, are compared with the fixed choice, and are timed.

use std::time::Instant;

use half::f16;

use super::buffers::{Range, USAGE};
use super::device::Gpu;
use super::dispatch::{Compiled, Dispatch, from_textures, work};
use super::pipelines::Pipelines;
use super::readback::Readback;
use super::textures::Textures;
use super::tune_log::TuneLog;
use crate::exec::ExecError;
use crate::exec::registry::KernelError;
use crate::exec::shader::{Shader, Tile, merged_partials, typical};
use crate::kernel::{Access, KernelCall};
use crate::plan::Slice;
use crate::random;
use crate::shape::{Element, halves};

/// A candidate must take less than this part of the fixed choice's time, or noise would decide.
const CLEARLY: f64 = 0.97;
/// Timed rounds of candidates. Each time is divided by that of the fixed choice in the same round, because the clock is slow at
/// first: an H200 that had waited for a compiler ran at 57 % of its speed.
const ROUNDS: usize = 5;
/// Numbers that operands repeat: no multiple of a map's or a tile's size.
const NOISE: usize = 65_522;
/// Candidates that are compiled before the time is checked again.
const COMPILED_AT_ONCE: usize = 16;
/// Kinds of tiles that are tried in all variants, at most.
const KINDS: usize = 2;
/// Only kinds within this factor of the best time: variants of a kind differ by less.
const NEAR: f64 = 1.25;
/// Bytes of operands that are written in one submission.
const WRITTEN_AT_ONCE: usize = 64 << 20;
/// Values of a tensor that are compared.
const COMPARED: usize = 1 << 20;
/// Largest difference, relative to the largest value: sums of thousands of terms in another order.
const TOLERANCE: f32 = 1e-3;
/// The tolerance in f16: results, and for matrix units the weights, are rounded to 11 bits.
const TOLERANCE_HALF: f32 = 4e-3;

/// One call with buffers for its trial.
pub(super) struct Trial<'a> {
    gpu: &'a Gpu,
    pipelines: &'a mut Pipelines,
    call: &'a KernelCall<Slice>,
    buffers: Vec<wgpu::Buffer>,
    /// Shared by all candidates, which run one after the other.
    scratch: Option<wgpu::Buffer>,
    textures: Textures,
    readback: Readback,
    log: TuneLog,
}

impl<'a> Trial<'a> {
    pub fn new(gpu: &'a Gpu, pipelines: &'a mut Pipelines, call: &'a KernelCall<Slice>) -> Result<Self, ExecError> {
        // Both signs, so that sums stay small, and no pattern that would let them vanish.
        let noise: Vec<f32> = (0..NOISE as u64).map(|i| random::unit(0, 0, i, 0) * 2.0 - 1.0).collect();
        let halves: Vec<u16> = noise.iter().map(|&v| f16::from_f32(v).to_bits()).collect();
        let mut buffers = vec![];
        for ((slice, _), element) in call.bindings.iter().zip(&call.elements) {
            let noise: &[u8] = match element {
                Element::F32 => bytemuck::cast_slice(&noise),
                Element::F16 => bytemuck::cast_slice(&halves),
            };
            let buffer = gpu.buffer("a kernel that is tuned", slice.len, USAGE)?;
            fill(gpu, &buffer, noise);
            buffers.push(buffer);
        }
        gpu.check("tuning kernels")?;
        Ok(Trial {
            gpu,
            pipelines,
            call,
            buffers,
            scratch: None,
            textures: Textures::default(),
            readback: Readback::default(),
            log: TuneLog::open(),
        })
    }

    /// The fastest of the tiles, of which the first is the fixed choice, and whether the time sufficed for all. Compiling takes
    /// most of the time, so one tile of each kind is tried first, then the other tiles of the fastest kinds.
    pub fn fastest(
        &mut self,
        tiles: &[Tile],
        text: impl Fn(&Tile) -> Result<Shader, KernelError>,
        until: Instant,
    ) -> Result<(Tile, bool), ExecError> {
        let fixed = self.dispatch(&text(&tiles[0])?)?;
        let expected = self.run_and_read(&fixed)?;
        debug_assert!(
            expected.iter().flatten().all(|v| v.is_finite()),
            "{}: the fixed choice gives NaN or infinity",
            self.call.kernel
        );
        let reference = Reference { fixed, expected, until };
        let mut timed = vec![(tiles[0], CLEARLY)];
        let first = typical(self.call, &tiles[1..]);
        timed.extend(self.ratios(&first, &text, &reference)?);
        let mut kinds: Vec<Tile> = vec![];
        timed.sort_by(|a, b| a.1.total_cmp(&b.1));
        let near = timed[0].1 * NEAR;
        for (tile, ratio) in &timed {
            if !kinds.contains(&tile.kind()) && kinds.len() < KINDS && *ratio <= near {
                kinds.push(tile.kind());
            }
        }
        let others = tiles[1..].iter().filter(|tile| kinds.contains(&tile.kind()) && !first.contains(tile));
        let others: Vec<Tile> = others.copied().collect();
        timed.extend(self.ratios(&others, &text, &reference)?);
        let best = timed.into_iter().min_by(|a, b| a.1.total_cmp(&b.1)).map_or(tiles[0], |(tile, _)| tile);
        Ok((best, Instant::now() <= until))
    }

    /// The times of tiles, divided by that of the fixed choice, until the time is over. A tile is dropped if the driver refuses
    /// it or computes it wrongly, or if memory runs out.
    fn ratios(
        &mut self,
        tiles: &[Tile],
        text: impl Fn(&Tile) -> Result<Shader, KernelError>,
        reference: &Reference,
    ) -> Result<Vec<(Tile, f64)>, ExecError> {
        let half = self.call.elements.contains(&Element::F16);
        let tolerance = if half { TOLERANCE_HALF } else { TOLERANCE };
        let mut found = vec![];
        for tiles in tiles.chunks(COMPILED_AT_ONCE) {
            if Instant::now() > reference.until {
                break;
            }
            // Compiles on all cores. If one is refused, each is compiled alone below.
            let texts = tiles.iter().map(&text).collect::<Result<Vec<Shader>, _>>()?;
            let work: Vec<_> = texts.iter().map(|shader| (self.call, shader)).collect();
            let _ = self.pipelines.stages(self.gpu, &work);
            let (mut right, mut dispatches) = (vec![], vec![]);
            for (tile, shader) in tiles.iter().zip(&texts) {
                if Instant::now() > reference.until {
                    break;
                }
                let computed = self.dispatch(shader).and_then(|d| Ok((self.run_and_read(&d)?, d)));
                match computed {
                    Ok((values, dispatch)) if agree(&reference.expected, &values, tolerance) => {
                        right.push(*tile);
                        dispatches.push(dispatch);
                    }
                    Ok(_) => self.log.dropped(self.call, tile, "computes something else"),
                    Err(why @ (ExecError::Kernel { .. } | ExecError::OutOfMemory { .. })) => {
                        self.log.dropped(self.call, tile, &why.to_string());
                    }
                    Err(other) => return Err(other),
                }
            }
            let (fixed, ratios) = self.race(&reference.fixed, dispatches)?;
            for (tile, ratio) in right.into_iter().zip(ratios) {
                self.log.timed(self.call, &tile, ratio, fixed);
                found.push((tile, ratio));
            }
        }
        Ok(found)
    }

    /// The fixed choice's time in seconds, and the times of some variants divided by it. All are medians over several
    /// rounds.
    fn race(&mut self, fixed: &Dispatch, variants: Vec<Dispatch>) -> Result<(f64, Vec<f64>), ExecError> {
        let mut all = vec![fixed.clone()];
        all.extend(variants);
        let (mut least, mut rounds) = (f64::INFINITY, vec![vec![]; all.len() - 1]);
        for _ in 0..ROUNDS {
            let times = self.times(&all)?;
            least = least.min(times[0]);
            for (ratios, time) in rounds.iter_mut().zip(&times[1..]) {
                // Some clocks return 0 for such a short time.
                ratios.push(time.max(1e-9) / times[0].max(1e-9));
            }
        }
        let median = |mut ratios: Vec<f64>| {
            ratios.sort_by(f64::total_cmp);
            ratios[ROUNDS / 2]
        };
        Ok((least, rounds.into_iter().map(median).collect()))
    }

    /// The seconds of each, measured in turn.
    fn times(&mut self, all: &[Dispatch]) -> Result<Vec<f64>, ExecError> {
        if self.gpu.info.timestamps {
            return self.gpu.times(all, &mut self.readback);
        }
        let alone = |dispatch: &Dispatch| {
            let start = Instant::now();
            self.run_and_read(dispatch)?;
            Ok(start.elapsed().as_secs_f64())
        };
        all.iter().map(alone).collect()
    }

    /// A variant, ready to run.
    fn dispatch(&mut self, shader: &Shader) -> Result<Dispatch, ExecError> {
        let stages = self.pipelines.stages(self.gpu, &[(self.call, shader)])?.remove(0);
        if self.scratch.as_ref().map_or(0, wgpu::Buffer::size) < 4 * shader.scratch as u64 {
            self.scratch = None;
            self.scratch = Some(self.gpu.buffer("scratch memory", shader.scratch, USAGE)?);
        }
        let range = |buffer: &wgpu::Buffer| Range { buffer: buffer.clone(), offset: 0, bytes: buffer.size() };
        let scratch = self.scratch.iter().filter(|_| shader.scratch > 0);
        let ranges: Vec<Range> = self.buffers.iter().chain(scratch).map(range).collect();
        let operands = from_textures(&stages).into_iter().map(|i| (i, ranges[i as usize].bytes));
        self.textures.fit(self.gpu, operands, &mut false)?;
        let compiled = Compiled { stages, bindings: vec![], scratch: shader.scratch, work: work(self.call) };
        Dispatch::new(self.gpu, compiled, &ranges, &self.textures)
    }

    /// Runs a call and fetches the beginning of each tensor that it writes, or the merge of its partial results.
    fn run_and_read(&mut self, dispatch: &Dispatch) -> Result<Vec<Vec<f32>>, ExecError> {
        let written = || (0..self.buffers.len()).filter(|&i| self.call.bindings[i].1 != Access::Read);
        let start = |i: usize| {
            let (buffer, whole) = (&self.buffers[i], merged_partials(self.call, i).is_some());
            let bytes = if whole { buffer.size() } else { buffer.size().min(4 * COMPARED as u64) };
            Range { buffer: buffer.clone(), offset: 0, bytes }
        };
        let ranges: Vec<Range> = written().map(start).collect();
        self.readback.begin(self.gpu, 1)?;
        let mut encoder = self.gpu.encoded(std::slice::from_ref(dispatch));
        let fetch = self.readback.copy(self.gpu, &mut encoder, &ranges)?;
        let submission = self.gpu.queue.submit([encoder.finish()]);
        self.gpu.check("tuning kernels")?;
        let tensors = self.readback.finish(self.gpu, fetch, &submission)?.into_iter().zip(written());
        let numbers = |(words, i): (Vec<f32>, usize)| {
            let values = match self.call.elements[i] {
                Element::F32 => words,
                Element::F16 => words.into_iter().flat_map(halves).collect(),
            };
            match merged_partials(self.call, i) {
                Some(of_all) => of_all(&values),
                None => values,
            }
        };
        Ok(tensors.map(numbers).collect())
    }
}

/// The results that candidates are compared with.
struct Reference {
    fixed: Dispatch,
    expected: Vec<Vec<f32>>,
    until: Instant,
}

/// Fills a buffer with repeated bytes, in several submissions: wgpu keeps a copy of all writes until the next one.
fn fill(gpu: &Gpu, buffer: &wgpu::Buffer, bytes: &[u8]) {
    for part in (0..buffer.size()).step_by(bytes.len()).collect::<Vec<_>>().chunks(WRITTEN_AT_ONCE / bytes.len()) {
        for &at in part {
            let len = (buffer.size() - at).min(bytes.len() as u64) as usize;
            gpu.queue.write_buffer(buffer, at, &bytes[..len]);
        }
        gpu.queue.submit([]);
    }
}

/// Whether two runs agree within a tolerance, relative to the largest number of each tensor.
fn agree(a: &[Vec<f32>], b: &[Vec<f32>], tolerance: f32) -> bool {
    let close = |(a, b): (&Vec<f32>, &Vec<f32>)| {
        let scale = a.iter().fold(0.0f32, |scale, v| scale.max(v.abs()));
        a.len() == b.len() && a.iter().zip(b).all(|(a, b)| (a - b).abs() <= tolerance * scale)
    };
    a.len() == b.len() && a.iter().zip(b).all(close)
}
