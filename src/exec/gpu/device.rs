//! Adapters and the one open device: limits, features, errors.

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::{Arc, OnceLock};

use super::choice;
use super::info::DeviceInfo;
use crate::exec::ExecError;
use crate::exec::shader::{Lines, Matrix};
use crate::kernel::MOST_BINDINGS;

/// The adapters of this machine, found once: indices stay valid, and drivers are loaded a single time.
fn adapters() -> &'static [wgpu::Adapter] {
    static ADAPTERS: OnceLock<Vec<wgpu::Adapter>> = OnceLock::new();
    ADAPTERS.get_or_init(|| {
        // Not GL: probing it prints noise on machines without a display, and it lacks the limits that training needs.
        let backends = wgpu::Backends::PRIMARY & wgpu::Instance::enabled_backend_features();
        let instance = wgpu::Instance::new(wgpu::InstanceDescriptor {
            backends,
            // No kernel is dispatched indirectly, so no device needs the shader that would check it.
            flags: (wgpu::InstanceFlags::default() - wgpu::InstanceFlags::VALIDATION_INDIRECT_CALL).with_env(),
            ..wgpu::InstanceDescriptor::new_without_display_handle()
        });
        pollster::block_on(instance.enumerate_adapters(backends))
    })
}

/// All adapters, hardware and software, in the order of their indices.
pub fn list() -> Vec<DeviceInfo> {
    adapters().iter().map(DeviceInfo::of).collect()
}

/// Limits and features that an engine asks an adapter for: all limits, and the features that make kernels faster or measurable.
/// Open a device for [`GpuEngine::shared`](super::GpuEngine::shared) with it, and add what else you need.
///
/// Matrix units are left out: they need wgpu's experimental features, which only unsafe code can enable.
pub fn device_descriptor(adapter: &wgpu::Adapter) -> wgpu::DeviceDescriptor<'static> {
    let wanted = wgpu::Features::PIPELINE_CACHE
        | wgpu::Features::TIMESTAMP_QUERY
        | wgpu::Features::TIMESTAMP_QUERY_INSIDE_ENCODERS
        | wgpu::Features::SUBGROUP
        | wgpu::Features::IMMEDIATES
        | wgpu::Features::SHADER_F16;
    let mut limits = adapter.limits();
    // DX12 reserves memory for this many bindings up front.
    limits.max_non_sampler_bindings =
        limits.max_non_sampler_bindings.min(wgpu::Limits::default().max_non_sampler_bindings);
    let found = wanted & adapter.features();
    if !found.contains(wgpu::Features::IMMEDIATES) {
        limits.max_immediate_size = 0;
    }
    wgpu::DeviceDescriptor {
        label: Some("shadegrad"),
        required_features: found,
        required_limits: limits,
        // A plan makes its buffers once, so blocks of spare memory for quick allocation would be wasted.
        memory_hints: wgpu::MemoryHints::MemoryUsage,
        ..Default::default()
    }
}

/// An open device.
pub(super) struct Gpu {
    pub device: wgpu::Device,
    pub queue: wgpu::Queue,
    pub info: DeviceInfo,
    pub adapter: wgpu::AdapterInfo,
    pub limits: wgpu::Limits,
    /// Matrix units that shaders may use.
    pub matrices: [Option<Matrix>; 2],
    /// Whether the device was opened here; else it belongs to the caller.
    own: bool,
    health: Arc<Health>,
}

const MATRICES: wgpu::Features = wgpu::Features::EXPERIMENTAL_COOPERATIVE_MATRIX;

/// PCI vendor ID.
const NVIDIA: u32 = 0x10de;

/// Invocations of a SIMD group on Apple's GPUs. Metal does not report them: wgpu reports 4 to 64, the range of all its
/// devices.
const APPLE_LANES: u32 = 32;

/// Matrix units for f16 with sums in f32, for each size that subgroups have. Needs f16 in shaders too.
fn matrices(adapter: &wgpu::Adapter, info: &DeviceInfo) -> [Option<Matrix>; 2] {
    let (true, Some((least, most))) = (info.f16 && adapter.features().contains(MATRICES), info.subgroups) else {
        return [None; 2];
    };
    let fits = |p: &wgpu::CooperativeMatrixProperties, size| {
        let types = (p.ab_type, p.cr_type) == (wgpu::CooperativeScalarType::F16, wgpu::CooperativeScalarType::F32);
        types && [p.m_size, p.n_size, p.k_size] == [size; 3]
    };
    let known = adapter.cooperative_matrix_properties();
    let Some(size) = [16, 8].into_iter().find(|&size| known.iter().any(|p| fits(p, size))) else { return [None; 2] };
    let (vendor, backend) = (adapter.get_info().vendor, adapter.get_info().backend);
    let [least, most] = if backend == wgpu::Backend::Metal { [APPLE_LANES; 2] } else { [least, most] };
    let lines = if vendor == NVIDIA && size == 16 { Lines::AsTheyCome } else { Lines::Turned };
    let of = |lanes: u32| Some(Matrix { size: size as usize, lanes: lanes as usize, lines });
    [of(least), if most == least { None } else { of(most) }]
}

/// Errors outside of any call. Each is kept for good, since no later result can be trusted.
#[derive(Default)]
struct Health {
    lost: OnceLock<String>,
    fault: OnceLock<wgpu::Error>,
}

impl Gpu {
    /// Opens the adapter of this index in [`list`] with all that it offers.
    pub fn open(index: usize) -> Result<Gpu, ExecError> {
        let no_device = || ExecError::NoDevice { asked: index.to_string(), available: choice::available(&list()) };
        let adapter = adapters().get(index).ok_or_else(no_device)?;
        let info = DeviceInfo::of(adapter);
        if !info.is_sufficient() {
            let (has, needed) = (info.max_storage_buffers, MOST_BINDINGS);
            let reason =
                format!("its kernels bind {has} buffers and {needed} are needed; the device `cpu` computes without it");
            return Err(ExecError::Device { during: format!("opening {}", info.name), reason });
        }
        let plain = device_descriptor(adapter);
        let (found, limits) = (plain.required_features, plain.required_limits.clone());
        let request = |features: wgpu::Features| {
            let request = adapter.request_device(&wgpu::DeviceDescriptor {
                required_features: features,
                experimental_features: match features.contains(MATRICES) {
                    // SAFETY: the only experimental feature requested is matrix units. Only kernels of this crate use
                    // them, and their results are verified on the device (see `exec/verify.rs`).
                    true => unsafe { wgpu::ExperimentalFeatures::enabled() },
                    false => wgpu::ExperimentalFeatures::disabled(),
                },
                ..plain.clone()
            });
            pollster::block_on(request)
        };
        let mut matrices = matrices(adapter, &info);
        // A driver that fails with matrix units must still train without them.
        let with = matrices.iter().any(Option::is_some).then(|| request(found | MATRICES).ok()).flatten();
        if with.is_none() {
            matrices = [None; 2];
        }
        let (device, queue) = with.map_or_else(|| request(found), Ok).map_err(|error| ExecError::Device {
            during: format!("opening {}", info.name),
            reason: error.to_string(),
        })?;
        let health = Arc::new(Health::default());
        let keep = health.clone();
        device.set_device_lost_callback(move |reason, text| {
            let text = if text.is_empty() { format!("{reason:?}") } else { text };
            let _ = keep.lost.set(text);
        });
        let keep = health.clone();
        device.on_uncaptured_error(Arc::new(move |error| {
            let _ = keep.fault.set(error);
        }));
        Ok(Gpu { device, queue, info, adapter: adapter.get_info(), limits, matrices, own: true, health })
    }

    /// Shares a device that somebody else has opened on this adapter. Its handlers of errors and of its loss stay theirs.
    pub fn share(adapter: &wgpu::Adapter, device: wgpu::Device, queue: wgpu::Queue) -> Result<Gpu, ExecError> {
        let (features, limits) = (device.features(), device.limits());
        let info = DeviceInfo::within(adapter, features, &limits);
        if !info.is_sufficient() {
            let (has, needed) = (info.max_storage_buffers, MOST_BINDINGS);
            let reason = format!(
                "it was opened for {has} storage buffers in a kernel and {needed} are needed: open it with the limits of \
                 `exec::gpu::device_descriptor`"
            );
            return Err(ExecError::Device { during: format!("sharing {}", info.name), reason });
        }
        let matrices = if features.contains(MATRICES) { matrices(adapter, &info) } else { [None; 2] };
        let (adapter, health) = (adapter.get_info(), Arc::default());
        Ok(Gpu { device, queue, info, adapter, limits, matrices, own: false, health })
    }

    /// An error if the device is lost or has reported one outside of any scope.
    pub fn check(&self, during: &str) -> Result<(), ExecError> {
        if let Some(reason) = self.health.lost.get() {
            return Err(ExecError::DeviceLost { reason: reason.clone() });
        }
        match self.health.fault.get() {
            Some(error) => Err(ExecError::Device { during: during.into(), reason: text(error) }),
            None => Ok(()),
        }
    }

    /// Calls the device and collects its first complaint. Scopes belong to the calling thread.
    pub fn scoped<T>(&self, call: impl FnOnce() -> T) -> Result<T, wgpu::Error> {
        let scopes = [wgpu::ErrorFilter::OutOfMemory, wgpu::ErrorFilter::Internal, wgpu::ErrorFilter::Validation]
            .map(|filter| self.device.push_error_scope(filter));
        let result = call();
        let errors = scopes.into_iter().rev().map(|scope| pollster::block_on(scope.pop()));
        match errors.reduce(Option::or).flatten() {
            Some(error) => Err(error),
            None => Ok(result),
        }
    }

    /// A buffer of at least `floats`, zeroed.
    pub fn buffer(&self, what: &str, floats: usize, usage: wgpu::BufferUsages) -> Result<wgpu::Buffer, ExecError> {
        // An empty buffer cannot be bound, and shaders see whole `vec4`s.
        self.made(what, (floats as u64 * 4).max(16), usage, false)
    }

    /// A buffer of the given size in bytes, mapped for writing.
    pub fn mapped_buffer(&self, what: &str, size: u64, usage: wgpu::BufferUsages) -> Result<wgpu::Buffer, ExecError> {
        self.made(what, size, usage, true)
    }

    fn made(&self, what: &str, size: u64, usage: wgpu::BufferUsages, mapped: bool) -> Result<wgpu::Buffer, ExecError> {
        if size > self.limits.max_buffer_size {
            return Err(ExecError::TooLarge { what: what.into(), bytes: size, limit: self.limits.max_buffer_size });
        }
        let make = || {
            self.device.create_buffer(&wgpu::BufferDescriptor {
                label: Some(what),
                size,
                usage,
                mapped_at_creation: mapped,
            })
        };
        let buffer = self.scoped(make).map_err(|error| match error {
            wgpu::Error::OutOfMemory { .. } => ExecError::OutOfMemory { during: format!("making {what}"), bytes: size },
            other => ExecError::Device { during: format!("making {what}"), reason: text(&other) },
        })?;
        // Making a buffer on a lost device is silent.
        self.check("making a buffer")?;
        Ok(buffer)
    }

    /// Waits until a submission is done.
    pub fn wait(&self, submission: &wgpu::SubmissionIndex, during: &str) -> Result<(), ExecError> {
        self.check(during)?;
        self.poll(wgpu::PollType::Wait { submission_index: Some(submission.clone()), timeout: None }, during)
    }

    /// Lets wgpu process the work that the device has finished.
    pub fn poll(&self, poll: wgpu::PollType, during: &str) -> Result<(), ExecError> {
        // wgpu panics here, and only here, when the driver reports the loss of the device.
        let polled = catch_unwind(AssertUnwindSafe(|| self.device.poll(poll)));
        self.check(during)?;
        match polled {
            Ok(Ok(_)) => Ok(()),
            Ok(Err(error)) => Err(ExecError::Device { during: during.into(), reason: error.to_string() }),
            Err(_) => Err(ExecError::DeviceLost { reason: "the driver gave up while waiting for it".into() }),
        }
    }

    /// Destroys the device. Every later call fails with [`ExecError::DeviceLost`]. A shared device stays usable for its owner.
    pub fn destroy(&self) {
        if !self.own {
            let _ = self.health.lost.set("the engine was closed".into());
            return;
        }
        self.device.destroy();
        // wgpu reports the loss after the running work has ended.
        let _ = self.poll(wgpu::PollType::wait_indefinitely(), "giving the device back");
    }
}

/// The driver's message of an error, without wgpu's frame.
pub(super) fn text(error: &wgpu::Error) -> String {
    match error {
        wgpu::Error::OutOfMemory { .. } => "out of memory".into(),
        wgpu::Error::Validation { description, .. } | wgpu::Error::Internal { description, .. } => {
            description.trim().into()
        }
    }
}
