//! Compilation: from a stage's text to a pipeline, its layout and its bindings.

use super::buffers::Range;
use super::device::{Gpu, text};
use super::textures::Textures;
use crate::exec::ExecError;
use crate::exec::shader::{BindingKind, Stage};
use crate::kernel::KernelCall;
use crate::plan::Slice;

/// A compiled kernel.
pub(super) struct Pipeline {
    pub raw: wgpu::ComputePipeline,
    layout: wgpu::BindGroupLayout,
    bindings: Vec<(u32, wgpu::BindingType)>,
}

impl Pipeline {
    /// Binds the ranges of a call that the kernel uses. Operands that it reads from textures are bound as textures.
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

/// Compiles a kernel, `checked` or trusted, with wgpu's cache of the device.
///
/// # Errors
/// When the device refuses the text, or is lost.
pub(super) fn compile(
    gpu: &Gpu,
    wanted: &Wanted<'_>,
    checked: bool,
    cache: Option<&wgpu::PipelineCache>,
) -> Result<Pipeline, ExecError> {
    let pipeline = gpu.scoped(|| build(gpu, wanted, checked, cache));
    gpu.check("compiling kernels")?;
    pipeline.map_err(|error| ExecError::refused(wanted.call, text(&error)))
}

fn build(gpu: &Gpu, wanted: &Wanted<'_>, checked: bool, cache: Option<&wgpu::PipelineCache>) -> Pipeline {
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
    let shader =
        wgpu::ShaderModuleDescriptor { label, source: wgpu::ShaderSource::Wgsl(wanted.stage.source.as_str().into()) };
    let module = if checked {
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
            zero_initialize_workgroup_memory: checked,
            ..Default::default()
        },
        cache,
    });
    Pipeline { raw, layout, bindings }
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
