//! Pipelines: one per distinct shader text, compiled on all cores when a plan is loaded.

use std::collections::HashMap;
use std::path::Path;
use std::sync::Arc;

use rayon::prelude::*;

use super::buffers::Range;
use super::cache::DiskCache;
use super::device::{Gpu, text};
use super::dispatch::{Grid, Stages, Step};
use super::textures::Textures;
use super::warm::Warmer;
use crate::exec::ExecError;
use crate::exec::shader::{BindingKind, Shader, Stage};
use crate::kernel::KernelCall;
use crate::plan::Slice;

/// Workgroups per axis that WebGPU guarantees; shaders rely on no more.
const MAX_AXIS: u64 = 65_535;

/// A compiled kernel.
pub(super) struct Pipeline {
    pub raw: wgpu::ComputePipeline,
    layout: wgpu::BindGroupLayout,
    bindings: Vec<(u32, wgpu::BindingType)>,
}

impl Pipeline {
    /// Binds the ranges of a call that the kernel uses; operands read as textures are bound as these.
    pub fn bind(&self, gpu: &Gpu, ranges: &[Range], textures: &Textures) -> Result<wgpu::BindGroup, ExecError> {
        let views: Vec<_> = self.textures().map(|i| (i, textures.view(i))).collect();
        let buffers = self.bindings.iter().filter(|(_, ty)| !is_texture(ty)).map(|&(i, _)| ranges[i as usize].entry(i));
        let textures = views
            .iter()
            .map(|(i, view)| wgpu::BindGroupEntry { binding: *i, resource: wgpu::BindingResource::TextureView(view) });
        let entries: Vec<_> = buffers.chain(textures).collect();
        let descriptor = wgpu::BindGroupDescriptor { label: None, layout: &self.layout, entries: &entries };
        let group = gpu.scoped(|| gpu.device.create_bind_group(&descriptor));
        group.map_err(|error| ExecError::Device { during: "binding buffers".into(), reason: text(&error) })
    }

    /// The bindings that are textures.
    pub fn textures(&self) -> impl Iterator<Item = u32> {
        self.bindings.iter().filter(|(_, ty)| is_texture(ty)).map(|&(i, _)| i)
    }
}

fn is_texture(ty: &wgpu::BindingType) -> bool {
    matches!(ty, wgpu::BindingType::Texture { .. })
}

/// A kernel that a plan needs.
pub(super) struct Wanted<'a> {
    pub call: &'a KernelCall<Slice>,
    pub stage: &'a Stage,
}

impl Wanted<'_> {
    /// The bindings of the stage, as wgpu describes them.
    pub fn bindings(&self) -> impl Iterator<Item = (u32, wgpu::BindingType)> {
        let ty = |kind| match kind {
            BindingKind::Read => buffer(true),
            BindingKind::ReadWrite => buffer(false),
            BindingKind::Texture => TEXTURE,
        };
        self.stage.bindings.iter().map(move |binding| (binding.index, ty(binding.kind)))
    }
}

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
            .map(|(source, kernel)| Ok((source.to_owned(), Arc::new(self.compile(gpu, kernel)?))))
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
                let too_many = || kernel_error(call, format!("it needs {} workgroups", stage.workgroups));
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

    fn compile(&self, gpu: &Gpu, wanted: &Wanted<'_>) -> Result<Pipeline, ExecError> {
        let pipeline = gpu.scoped(|| self.build(gpu, wanted));
        gpu.check("compiling kernels")?;
        pipeline.map_err(|error| kernel_error(wanted.call, text(&error)))
    }

    fn build(&self, gpu: &Gpu, wanted: &Wanted<'_>) -> Pipeline {
        let label = Some(wanted.call.kernel);
        let bindings: Vec<_> = wanted.bindings().collect();
        let entry = |&(binding, ty)| wgpu::BindGroupLayoutEntry {
            binding,
            visibility: wgpu::ShaderStages::COMPUTE,
            ty,
            count: None,
        };
        let entries: Vec<_> = bindings.iter().map(entry).collect();
        let layout = gpu.device.create_bind_group_layout(&wgpu::BindGroupLayoutDescriptor { label, entries: &entries });
        let pipeline_layout = gpu.device.create_pipeline_layout(&wgpu::PipelineLayoutDescriptor {
            label,
            bind_group_layouts: &[Some(&layout)],
            immediate_size: size_of_val(wanted.stage.sizes.as_slice()) as u32,
        });
        let shader = wgpu::ShaderModuleDescriptor {
            label,
            source: wgpu::ShaderSource::Wgsl(wanted.stage.source.as_str().into()),
        };
        let module = if self.checked {
            gpu.device.create_shader_module(shader)
        } else {
            // SAFETY: the shaders are this crate's own and guard every access; the tests run them checked as well.
            unsafe { gpu.device.create_shader_module_trusted(shader, wgpu::ShaderRuntimeChecks::unchecked()) }
        };
        let raw = gpu.device.create_compute_pipeline(&wgpu::ComputePipelineDescriptor {
            label,
            layout: Some(&pipeline_layout),
            module: &module,
            entry_point: Some("main"),
            compilation_options: wgpu::PipelineCompilationOptions {
                zero_initialize_workgroup_memory: self.checked,
                ..Default::default()
            },
            cache: self.cache.raw(),
        });
        Pipeline { raw, layout, bindings }
    }
}

fn buffer(read_only: bool) -> wgpu::BindingType {
    wgpu::BindingType::Buffer {
        ty: wgpu::BufferBindingType::Storage { read_only },
        has_dynamic_offset: false,
        min_binding_size: None,
    }
}

const TEXTURE: wgpu::BindingType = wgpu::BindingType::Texture {
    sample_type: wgpu::TextureSampleType::Float { filterable: false },
    view_dimension: wgpu::TextureViewDimension::D2,
    multisampled: false,
};

/// The error of a refused kernel.
pub(super) fn kernel_error(call: &KernelCall<Slice>, reason: String) -> ExecError {
    ExecError::Kernel { kernel: call.kernel.into(), reason }
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
