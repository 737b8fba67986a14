//! Pipelines: one per distinct shader text, compiled on all cores when a plan is loaded.

use std::collections::HashMap;
use std::path::Path;
use std::sync::Arc;

use rayon::prelude::*;

use super::cache::DiskCache;
use super::compile::{Pipeline, Wanted, compile};
use super::device::Gpu;
use super::dispatch::{Grid, Stages, Step};
use super::warm::Warmer;
use crate::exec::ExecError;
use crate::exec::shader::Shader;
use crate::kernel::KernelCall;
use crate::plan::Slice;

/// Workgroups per axis that WebGPU guarantees; shaders rely on no more.
const MAX_AXIS: u64 = 65_535;

/// All pipelines of an engine.
pub(super) struct Pipelines {
    by_source: HashMap<String, Arc<Pipeline>>,
    cache: DiskCache,
    warmer: Option<Warmer>,
    checked: bool,
    unsaved: bool,
}

impl Pipelines {
    pub fn new(gpu: &Gpu, checked: bool, cache_dir: Option<&Path>, warmer: Option<Warmer>) -> Self {
        let cache = DiskCache::open(gpu, cache_dir);
        Pipelines { by_source: HashMap::new(), cache, warmer, checked, unsaved: false }
    }

    /// The pipelines of kernels, in order.
    pub fn get(&mut self, gpu: &Gpu, wanted: &[&Wanted<'_>]) -> Result<Vec<Arc<Pipeline>>, ExecError> {
        let mut missing: HashMap<&str, &Wanted<'_>> = HashMap::new();
        for kernel in wanted.iter().filter(|k| !self.by_source.contains_key(&k.stage.source)) {
            missing.insert(&kernel.stage.source, kernel);
        }
        if let Some(warmer) = &mut self.warmer {
            warmer.warm(&missing.values().copied().collect::<Vec<_>>());
        }
        let made: Vec<(String, Arc<Pipeline>)> = missing
            .into_par_iter()
            .map(|(source, kernel)| {
                Ok((source.to_owned(), Arc::new(compile(gpu, kernel, self.checked, self.cache.raw())?)))
            })
            .collect::<Result<_, ExecError>>()?;
        self.unsaved |= !made.is_empty();
        self.by_source.extend(made);
        Ok(wanted.iter().map(|k| self.by_source[&k.stage.source].clone()).collect())
    }

    /// Pipelines and grids of calls with their texts.
    pub fn stages(&mut self, gpu: &Gpu, work: &[(&KernelCall<Slice>, &Shader)]) -> Result<Vec<Stages>, ExecError> {
        let limit = u64::from(gpu.limits.max_compute_workgroups_per_dimension).min(MAX_AXIS);
        let (mut grids, mut wanted) = (vec![], vec![]);
        for &(call, shader) in work {
            for stage in &shader.stages {
                let too_many = || ExecError::refused(call, format!("it needs {} workgroups", stage.workgroups));
                grids.push(grid(stage.workgroups, limit).ok_or_else(too_many)?);
                wanted.push(Wanted { call, stage });
            }
        }
        let wanted: Vec<_> = wanted.iter().collect();
        let made = self.get(gpu, &wanted)?.into_iter().zip(grids).zip(&wanted);
        let mut made =
            made.map(|((pipeline, grid), wanted)| Step { pipeline, grid, sizes: wanted.stage.sizes.clone() });
        let stages = |(_, shader): &(_, &Shader)| made.by_ref().take(shader.stages.len()).collect();
        Ok(work.iter().map(stages).collect())
    }

    /// Writes newly compiled kernels to disk.
    pub fn save(&mut self) {
        if std::mem::take(&mut self.unsaved) {
            self.cache.save();
        }
    }
}

/// Workgroups over two axes, with the fewest unused.
fn grid(workgroups: u64, limit: u64) -> Option<Grid> {
    let y = workgroups.div_ceil(limit).max(1);
    let x = workgroups.div_ceil(y);
    (y <= limit).then_some([x as u32, y as u32])
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn grids_cover_all_workgroups_and_waste_less_than_a_row() {
        for n in [0, 1, 65_535, 65_536, 65_537, 1_000_003, 65_535 * 65_535] {
            let [x, y] = grid(n, 65_535).unwrap().map(u64::from);
            assert!(x <= 65_535 && y <= 65_535 && x * y >= n && x * y - n < y.max(1), "{n}: {x} × {y}");
        }
        assert_eq!(grid(65_535 * 65_535 + 1, 65_535), None);
        assert_eq!(grid(9, 4), Some([3, 3]));
    }
}
