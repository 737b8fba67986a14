//! Compiles new kernels on all cores for Mesa's software adapter.
//!
//! Mesa compiles a kernel when it first runs, on the one thread of the device's queue, and keeps the result on disk. So
//! new kernels first run without workgroups on several devices, one per core. The real device then finds them compiled:
//! 10 s instead of 18 s on 2 cores.

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use rayon::prelude::*;

use super::buffers::{Range, USAGE};
use super::cache::{self, checksum};
use super::compile::{Wanted, compile};
use super::device::Gpu;
use super::dispatch::Step;
use super::info::DeviceKind;
use super::textures::Textures;
use crate::exec::ExecError;

/// Smallest number of new kernels per device that is worth opening one.
const FEW: usize = 4;

/// A record of the kernels that the driver has on disk.
pub(super) struct Warmer {
    adapter: usize,
    record: PathBuf,
    known: BTreeSet<u64>,
    checked: bool,
}

impl Warmer {
    /// `None` for devices other than Mesa's, on a single core, or without a cache folder.
    pub fn open(gpu: &Gpu, adapter: usize, folder: Option<&Path>, checked: bool) -> Option<Warmer> {
        // WARP and SwiftShader keep nothing on disk.
        let mesa = gpu.info.kind == DeviceKind::Software && gpu.adapter.name.contains("llvmpipe");
        if !mesa || rayon::current_num_threads() == 1 {
            return None;
        }
        let device = format!("{} {} {checked}", gpu.adapter.name, gpu.adapter.driver_info);
        let record = folder?.join(format!("compiled-{}-{:016x}.list", gpu.info.backend, checksum(device.as_bytes())));
        let known = cache::read(&record).and_then(|text| serde_json::from_slice(&text).ok()).unwrap_or_default();
        Some(Warmer { adapter, record, known, checked })
    }

    /// Compiles the kernels that are not in the record. A failure is ignored: the real device compiles the kernel again
    /// and reports it.
    pub fn warm(&mut self, kernels: &[&Wanted<'_>]) {
        let key = |kernel: &Wanted<'_>| checksum(kernel.stage.source.as_bytes());
        let mut new: Vec<&Wanted<'_>> = kernels.iter().copied().filter(|k| !self.known.contains(&key(k))).collect();
        let devices = rayon::current_num_threads().min(new.len() / FEW);
        if devices < 2 {
            return;
        }
        // Long texts take long to compile, so each device gets its share of long and short ones.
        new.sort_by_key(|kernel| std::cmp::Reverse(kernel.stage.source.len()));
        let shares = (0..devices).map(|first| new.iter().copied().skip(first).step_by(devices).collect::<Vec<_>>());
        let (adapter, checked) = (self.adapter, self.checked);
        let shares: Vec<_> = shares.collect();
        let done = std::thread::scope(|scope| {
            let threads: Vec<_> =
                shares.iter().map(|share| scope.spawn(|| run_empty(adapter, checked, share))).collect();
            threads.into_iter().all(|thread| matches!(thread.join(), Ok(Ok(()))))
        });
        if done {
            self.known.extend(new.into_iter().map(key));
            if let Ok(text) = serde_json::to_vec(&self.known) {
                // A failed write only makes the next start slower.
                let _ = cache::write(&self.record, &text);
            }
        }
    }
}

/// Runs kernels without a single workgroup.
fn run_empty(adapter: usize, checked: bool, kernels: &[&Wanted<'_>]) -> Result<(), ExecError> {
    let gpu = Gpu::open(adapter)?;
    let made = kernels.par_iter().map(|kernel| compile(&gpu, kernel, checked, None).map(Arc::new));
    let made = made.collect::<Result<Vec<_>, _>>()?;
    let most = kernels.iter().flat_map(|kernel| kernel.bindings()).map(|(i, _)| i + 1).max().unwrap_or(0);
    let buffers = (0..most).map(|_| gpu.buffer("nothing", 64, USAGE)).collect::<Result<Vec<_>, _>>()?;
    let mut textures = Textures::default();
    textures.fit_all(&gpu)?;
    let ranges: Vec<Range> =
        buffers.into_iter().map(|buffer| Range { bytes: buffer.size(), buffer, offset: 0 }).collect();
    let mut encoder = gpu.device.create_command_encoder(&Default::default());
    let mut pass = encoder.begin_compute_pass(&Default::default());
    for (kernel, pipeline) in kernels.iter().zip(made) {
        let bound = pipeline.bind(&gpu, &ranges, &textures)?;
        Step { pipeline, grid: [0, 1], sizes: kernel.stage.sizes.clone() }.encode(&mut pass, &bound);
    }
    drop(pass);
    let submission = gpu.queue.submit([encoder.finish()]);
    gpu.wait(&submission, "compiling kernels")
}
