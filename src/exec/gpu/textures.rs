//! Operands of matrix kernels in textures. A software adapter loads from a texture for all invocations of a subgroup at
//! once, and from a buffer for one after the other. Each operand is copied to its texture before the call. All calls
//! share one texture per operand.

use super::buffers::Range;
use super::device::{Gpu, text};
use crate::exec::ExecError;
use crate::exec::shader::TEXTURE_W;

/// Bytes of a vector.
const VECTOR: u64 = 16;
const ROW: u64 = TEXTURE_W as u64 * VECTOR;

/// One texture per operand, with the rows of the largest operand so far.
#[derive(Default)]
pub(super) struct Textures([Option<wgpu::Texture>; 2]);

impl Textures {
    /// Enlarges the textures for operands, each given with its bytes. Sets `replaced` when a texture was replaced.
    pub fn fit(
        &mut self,
        gpu: &Gpu,
        operands: impl IntoIterator<Item = (u32, u64)>,
        replaced: &mut bool,
    ) -> Result<(), ExecError> {
        let mut most = [None; 2];
        for (operand, bytes) in operands {
            let largest = &mut most[operand as usize];
            *largest = (*largest).max(Some(bytes));
        }
        let mut needed = most.into_iter().enumerate().filter_map(|(operand, bytes)| Some((operand, bytes?)));
        needed.try_for_each(|(operand, bytes)| self.fit_one(gpu, operand, bytes, replaced))
    }

    /// Makes all textures with one row each.
    pub fn fit_all(&mut self, gpu: &Gpu) -> Result<(), ExecError> {
        (0..self.0.len()).try_for_each(|operand| self.fit_one(gpu, operand, ROW, &mut false))
    }

    fn fit_one(&mut self, gpu: &Gpu, operand: usize, bytes: u64, replaced: &mut bool) -> Result<(), ExecError> {
        // Mesa compiles a kernel separately for textures whose sides are powers of two, and for others.
        let rows = (bytes.div_ceil(ROW) as u32).next_power_of_two();
        let texture = &mut self.0[operand];
        if texture.as_ref().is_none_or(|texture| texture.height() < rows) {
            let larger = made(gpu, rows)?;
            *replaced |= texture.replace(larger).is_some();
        }
        Ok(())
    }

    fn of(&self, operand: u32) -> &wgpu::Texture {
        self.0[operand as usize].as_ref().expect("`fit` comes before any use")
    }

    /// The texture of an operand, as a binding.
    pub fn view(&self, operand: u32) -> wgpu::TextureView {
        self.of(operand).create_view(&Default::default())
    }

    /// Copies an operand to its texture.
    pub fn copy(&self, operand: u32, from: &Range) -> ToTexture {
        ToTexture { from: from.clone(), to: self.of(operand).clone() }
    }

    /// Bytes held.
    pub fn bytes(&self) -> u64 {
        self.0.iter().flatten().map(|texture| u64::from(texture.height()) * ROW).sum()
    }
}

/// Largest number of rows of a texture, a power of two.
pub(super) fn rows(gpu: &Gpu) -> usize {
    1 << gpu.limits.max_texture_dimension_2d.max(1).ilog2()
}

fn made(gpu: &Gpu, height: u32) -> Result<wgpu::Texture, ExecError> {
    let make = || {
        gpu.device.create_texture(&wgpu::TextureDescriptor {
            label: Some("an operand"),
            size: wgpu::Extent3d { width: TEXTURE_W as u32, height, depth_or_array_layers: 1 },
            mip_level_count: 1,
            sample_count: 1,
            dimension: wgpu::TextureDimension::D2,
            format: wgpu::TextureFormat::Rgba32Float,
            usage: wgpu::TextureUsages::TEXTURE_BINDING | wgpu::TextureUsages::COPY_DST,
            view_formats: &[],
        })
    };
    gpu.scoped(make).map_err(|error| match error {
        wgpu::Error::OutOfMemory { .. } => {
            ExecError::OutOfMemory { during: "making a texture for an operand".into(), bytes: u64::from(height) * ROW }
        }
        other => ExecError::Device { during: "making a texture for an operand".into(), reason: text(&other) },
    })
}

/// The copy of an operand from its buffer to its texture.
#[derive(Clone)]
pub(super) struct ToTexture {
    from: Range,
    to: wgpu::Texture,
}

impl ToTexture {
    pub fn encode(&self, encoder: &mut wgpu::CommandEncoder) {
        let rows = (self.from.bytes / ROW) as u32;
        let rest = (self.from.bytes % ROW / VECTOR) as u32;
        for (y, width, height) in [(0, TEXTURE_W as u32, rows), (rows, rest, 1)] {
            if width == 0 || height == 0 {
                continue;
            }
            let layout = wgpu::TexelCopyBufferLayout {
                offset: self.from.offset + u64::from(y) * ROW,
                bytes_per_row: Some(ROW as u32),
                rows_per_image: None,
            };
            encoder.copy_buffer_to_texture(
                wgpu::TexelCopyBufferInfo { buffer: &self.from.buffer, layout },
                wgpu::TexelCopyTextureInfo {
                    texture: &self.to,
                    mip_level: 0,
                    origin: wgpu::Origin3d { x: 0, y, z: 0 },
                    aspect: wgpu::TextureAspect::All,
                },
                wgpu::Extent3d { width, height, depth_or_array_layers: 1 },
            );
        }
    }
}
