//! Picks a tile for each matrix kernel on this device. Candidates run on random data, are compared with the fixed choice, and
//! are timed; the fastest is kept on disk for this adapter and driver. Without a record the fixed choice is taken.
//!
//! The same record gives the same tiles, hence the same bits. `SHADEGRAD_TUNE_SECONDS=0` with an empty cache folder keeps the
//! records of other runs out.

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use super::cache::{self, checksum};
use super::device::Gpu;
use super::info::DeviceKind;
use super::options::Shaders;
use super::pipelines::Pipelines;
use super::trial::Trial;
use crate::exec::ExecError;
use crate::exec::registry::KernelError;
use crate::exec::shader::{Target, Tile, TileLimits, candidates};
use crate::kernel::KernelCall;
use crate::plan::Slice;

/// Bytes of scratch memory that a tile may take; all calls share them.
const MOST_SCRATCH: u64 = 512 << 20;

/// The record of a device.
pub(super) struct Tuner {
    path: Option<PathBuf>,
    tiles: BTreeMap<String, Tile>,
    /// Keys of calls that an earlier plan had no time for. They keep the fixed choice while the process lasts, so that a call has
    /// one tile, and one result to the bit, in all plans.
    passed: BTreeSet<String>,
    budget: Duration,
}

impl Tuner {
    /// Reads the record of this adapter and driver. `budget` is the time for the trials of one plan.
    pub(super) fn open(gpu: &Gpu, folder: Option<&Path>, budget: Option<Duration>) -> Tuner {
        let a = &gpu.adapter;
        let device = format!("{} {} {} {:x} {:x}", a.name, a.driver, a.driver_info, a.vendor, a.device);
        let path =
            folder.map(|f| f.join(format!("tiles-{}-{:016x}.tuned", gpu.info.backend, checksum(device.as_bytes()))));
        let tiles = path.as_deref().map(recorded).unwrap_or_default();
        Tuner { path, tiles, passed: BTreeSet::new(), budget: budget.unwrap_or_else(|| default_budget(gpu.info.kind)) }
    }

    /// The tile recorded for a call, if it is a candidate here.
    pub(super) fn tile(
        &self,
        gpu: &Gpu,
        call: &KernelCall<Slice>,
        target: Target,
        shaders: Shaders,
    ) -> Result<Option<Tile>, KernelError> {
        if self.tiles.is_empty() {
            return Ok(None);
        }
        let allowed = candidates(call, target.tiling, limits(gpu));
        let found = key(&allowed, call, target, shaders)?.and_then(|key| self.tiles.get(&key).copied());
        Ok(found.filter(|tile| allowed.contains(tile)))
    }

    /// Tunes the calls that have no record, those with the most work first, until the time is over. A call whose trial does not
    /// fit into memory keeps the fixed choice. No call is tried twice by one process.
    ///
    /// # Errors
    /// When the device is lost; the call that was being tried then is not tried again. When a kernel is not registered.
    pub(super) fn tune(
        &mut self,
        gpu: &Gpu,
        pipelines: &mut Pipelines,
        calls: &[&KernelCall<Slice>],
        target: Target,
        shaders: Shaders,
    ) -> Result<(), ExecError> {
        let start = Instant::now();
        let mut open: BTreeMap<String, (u64, &KernelCall<Slice>, Vec<Tile>)> = BTreeMap::new();
        for &call in calls.iter().filter(|_| !self.budget.is_zero()) {
            let tiles = candidates(call, target.tiling, limits(gpu));
            if tiles.len() > 1
                && let Some(key) = key(&tiles, call, target, shaders)?
                && !self.tiles.contains_key(&key)
                && !self.passed.contains(&key)
            {
                open.entry(key).or_insert((0, call, tiles)).0 += call.flops;
            }
        }
        let mut open: Vec<_> = open.into_iter().collect();
        open.sort_by_key(|(_, (flops, ..))| std::cmp::Reverse(*flops));
        self.passed.extend(open.iter().map(|(key, _)| key.clone()));
        let mut found = BTreeMap::new();
        let mut lost = None;
        for (key, (_, call, tiles)) in open {
            // Every start records at least one call, however little time there is.
            if start.elapsed() > self.budget && !found.is_empty() {
                break;
            }
            let text = |tile: &Tile| shaders(call, target, Some(*tile));
            let trial = Trial::new(gpu, pipelines, call);
            match trial.and_then(|mut trial| trial.fastest(&tiles, text, start + self.budget)) {
                // An incomplete trial is recorded only if it is the first, so that the next start does not begin with the
                // same call.
                Ok((tile, whole)) if whole || found.is_empty() => found.insert(key, tile),
                Ok(_) | Err(ExecError::OutOfMemory { .. } | ExecError::Kernel { .. }) => None,
                Err(why) => {
                    lost = Some(why);
                    found.insert(key, tiles[0]);
                    break;
                }
            };
        }
        if !found.is_empty() {
            self.tiles.extend(found);
            self.save();
        }
        lost.map_or(Ok(()), Err)
    }

    /// Adds the tiles to those that other processes have recorded meanwhile.
    fn save(&self) {
        let Some(path) = &self.path else { return };
        let mut all = recorded(path);
        all.extend(self.tiles.iter().map(|(key, tile)| (key.clone(), *tile)));
        if let Ok(text) = serde_json::to_vec_pretty(&all) {
            // A full disk or a read-only home only makes the next start slower.
            let _ = cache::write(path, &text);
        }
    }
}

/// The tiles of a record; empty if the record cannot be read.
fn recorded(path: &Path) -> BTreeMap<String, Tile> {
    cache::read(path).and_then(|text| serde_json::from_slice(&text).ok()).unwrap_or_default()
}

/// Real GPUs are tuned for up to 10 seconds per plan. Software adapters are not tuned: compiling one candidate takes
/// them half a second, and the fixed choice was made for them.
fn default_budget(kind: DeviceKind) -> Duration {
    let asked = std::env::var("SHADEGRAD_TUNE_SECONDS").ok().and_then(|text| text.trim().parse().ok());
    let seconds: f64 = asked.unwrap_or(if kind == DeviceKind::Software { 0.0 } else { 10.0 });
    Duration::try_from_secs_f64(seconds).unwrap_or_default()
}

/// The limits of tiles on a device.
pub(super) fn limits(gpu: &Gpu) -> TileLimits {
    TileLimits {
        invocations: gpu.limits.max_compute_invocations_per_workgroup as usize,
        bytes: gpu.limits.max_compute_workgroup_storage_size as usize,
        scratch: gpu.limits.max_storage_buffer_binding_size.min(MOST_SCRATCH) as usize,
        cooperative: gpu.matrices,
    }
}

/// The key of a call's class: its text and sizes with the fixed choice, and the candidates, so that a version with other
/// candidates tries them.
fn key(
    tiles: &[Tile],
    call: &KernelCall<Slice>,
    target: Target,
    shaders: Shaders,
) -> Result<Option<String>, KernelError> {
    let Some(&fixed) = tiles.first() else { return Ok(None) };
    let made = shaders(call, target, Some(fixed))?;
    let class = format!("{}{:?}{tiles:?}", made.stages[0].source, made.stages[0].sizes);
    Ok(Some(format!("{}-{:016x}", call.kernel, checksum(class.as_bytes()))))
}
