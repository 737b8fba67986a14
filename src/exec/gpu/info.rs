//! Description of an adapter, as plain data that prints.

use std::fmt;

use crate::kernel::MOST_BINDINGS;

/// Kind of an adapter, best first.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum DeviceKind {
    /// A GPU with dedicated memory.
    Discrete,
    /// A GPU that shares the CPU's memory.
    Integrated,
    /// A GPU shared by virtual machines.
    Virtual,
    /// The driver does not say.
    Other,
    /// A GPU emulated on the CPU: llvmpipe, WARP, SwiftShader.
    Software,
}

impl DeviceKind {
    /// Whether the adapter is known to be a real GPU.
    pub fn is_hardware(self) -> bool {
        self <= DeviceKind::Virtual
    }
}

impl From<wgpu::DeviceType> for DeviceKind {
    fn from(kind: wgpu::DeviceType) -> Self {
        match kind {
            wgpu::DeviceType::DiscreteGpu => DeviceKind::Discrete,
            wgpu::DeviceType::IntegratedGpu => DeviceKind::Integrated,
            wgpu::DeviceType::VirtualGpu => DeviceKind::Virtual,
            wgpu::DeviceType::Cpu => DeviceKind::Software,
            wgpu::DeviceType::Other => DeviceKind::Other,
        }
    }
}

impl fmt::Display for DeviceKind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            DeviceKind::Discrete => "discrete GPU",
            DeviceKind::Integrated => "integrated GPU",
            DeviceKind::Virtual => "virtual GPU",
            DeviceKind::Other => "unknown kind",
            DeviceKind::Software => "software",
        })
    }
}

/// Description of an adapter.
#[derive(Clone, Debug, PartialEq)]
pub struct DeviceInfo {
    /// The GPU's name.
    pub name: String,
    /// Vulkan, Metal or DX12.
    pub backend: String,
    /// Name of the driver, if it reports one.
    pub driver: String,
    /// Version of the driver, if it reports one.
    pub driver_info: String,
    /// Kind.
    pub kind: DeviceKind,
    /// Largest buffer, in bytes.
    pub max_buffer: u64,
    /// Largest range of a buffer that a kernel can bind, in bytes.
    pub max_binding: u64,
    /// Storage buffers per kernel.
    pub max_storage_buffers: u32,
    /// Workgroup memory, in bytes.
    pub workgroup_memory: u32,
    /// Invocations per workgroup.
    pub max_invocations: u32,
    /// 16-bit floats in shaders.
    pub f16: bool,
    /// Smallest and largest subgroup.
    pub subgroups: Option<(u32, u32)>,
    /// Shapes and types of matrix products in hardware, such as `16×16×16 f16→f32`.
    pub cooperative_matrix: Vec<String>,
    /// Whether single kernels can be timed.
    pub timestamps: bool,
    /// Whether compiled kernels can be kept on disk.
    pub pipeline_cache: bool,
}

impl DeviceInfo {
    /// Features and limits of an adapter.
    pub(super) fn of(adapter: &wgpu::Adapter) -> Self {
        Self::within(adapter, adapter.features(), &adapter.limits())
    }

    /// Features and limits of a device that was opened with these.
    pub(super) fn within(adapter: &wgpu::Adapter, features: wgpu::Features, limits: &wgpu::Limits) -> Self {
        let info = adapter.get_info();
        let has = |feature| features.contains(feature);
        DeviceInfo {
            name: info.name,
            backend: backend_name(info.backend).into(),
            driver: info.driver,
            driver_info: info.driver_info,
            kind: info.device_type.into(),
            max_buffer: limits.max_buffer_size,
            max_binding: limits.max_storage_buffer_binding_size,
            max_storage_buffers: limits.max_storage_buffers_per_shader_stage,
            workgroup_memory: limits.max_compute_workgroup_storage_size,
            max_invocations: limits.max_compute_invocations_per_workgroup,
            f16: has(wgpu::Features::SHADER_F16),
            subgroups: has(wgpu::Features::SUBGROUP).then_some((info.subgroup_min_size, info.subgroup_max_size)),
            cooperative_matrix: adapter.cooperative_matrix_properties().iter().map(matrix_name).collect(),
            timestamps: has(wgpu::Features::TIMESTAMP_QUERY),
            pipeline_cache: has(wgpu::Features::PIPELINE_CACHE),
        }
    }

    /// Whether kernels can bind all their buffers: up to 10.
    pub fn is_sufficient(&self) -> bool {
        self.max_storage_buffers as usize >= MOST_BINDINGS
    }

    /// A device with a known kind and no other properties.
    #[cfg(test)]
    pub(super) fn blank(kind: DeviceKind) -> Self {
        DeviceInfo {
            name: String::new(),
            backend: String::new(),
            driver: String::new(),
            driver_info: String::new(),
            kind,
            max_buffer: 0,
            max_binding: 0,
            max_storage_buffers: MOST_BINDINGS as u32,
            workgroup_memory: 0,
            max_invocations: 0,
            f16: false,
            subgroups: None,
            cooperative_matrix: vec![],
            timestamps: false,
            pipeline_cache: false,
        }
    }
}

fn backend_name(backend: wgpu::Backend) -> &'static str {
    match backend {
        wgpu::Backend::Vulkan => "Vulkan",
        wgpu::Backend::Metal => "Metal",
        wgpu::Backend::Dx12 => "DX12",
        other => other.to_str(),
    }
}

fn matrix_name(p: &wgpu::CooperativeMatrixProperties) -> String {
    let (ab, cr) = (format!("{:?}", p.ab_type).to_lowercase(), format!("{:?}", p.cr_type).to_lowercase());
    format!("{}×{}×{} {ab}→{cr}", p.m_size, p.n_size, p.k_size)
}

/// Bytes with a binary unit.
pub(super) fn bytes(n: u64) -> String {
    let (mut value, mut unit) = (n as f64, 0);
    while value >= 1024.0 && unit < 4 {
        (value, unit) = (value / 1024.0, unit + 1);
    }
    let digits = usize::from(unit > 0 && value < 10.0 && value.fract() != 0.0);
    format!("{value:.digits$} {}", ["B", "KiB", "MiB", "GiB", "TiB"][unit])
}

impl fmt::Display for DeviceInfo {
    /// Several lines; the first has the name.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let yes = |b: bool| if b { "yes" } else { "no" };
        let subgroups = match self.subgroups {
            Some((min, max)) if min == max => format!("{min}"),
            Some((min, max)) => format!("{min}–{max}"),
            None => "no".into(),
        };
        let matrix = if self.cooperative_matrix.is_empty() { "no".into() } else { self.cooperative_matrix.join(", ") };
        writeln!(f, "{} ({}, {})", self.name, self.backend, self.kind)?;
        let driver: Vec<_> = [&self.driver, &self.driver_info].into_iter().filter(|s| !s.is_empty()).cloned().collect();
        if !driver.is_empty() {
            writeln!(f, "  driver              {}", driver.join(", "))?;
        }
        writeln!(f, "  largest buffer      {}, {} per binding", bytes(self.max_buffer), bytes(self.max_binding))?;
        writeln!(f, "  per kernel          {} storage buffers", self.max_storage_buffers)?;
        let memory = bytes(self.workgroup_memory.into());
        writeln!(f, "  per workgroup       {} invocations, {memory} memory", self.max_invocations)?;
        writeln!(f, "  f16                 {}", yes(self.f16))?;
        writeln!(f, "  subgroups           {subgroups}")?;
        writeln!(f, "  cooperative matrix  {matrix}")?;
        writeln!(f, "  timestamps          {}", yes(self.timestamps))?;
        write!(f, "  pipeline cache      {}", yes(self.pipeline_cache))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn bytes_are_readable() {
        let cases = [(0, "0 B"), (1023, "1023 B"), (32768, "32 KiB"), (3 << 29, "1.5 GiB"), (u64::MAX, "16777216 TiB")];
        for (n, text) in cases {
            assert_eq!(bytes(n), text);
        }
    }
}
