//! The GPU engine: plans through wgpu, on Vulkan, Metal and DX12.
//!
//! Loading a plan compiles its kernels and binds its buffers. A run only encodes dispatches, for software adapters with copies to
//! textures between them; wgpu sets the barriers. It submits them in parts, since systems reset a device that is busy for
//! long (see `dispatch.rs`).

mod buffers;
mod cache;
mod choice;
mod compile;
mod device;
mod dispatch;
mod each;
mod info;
mod options;
mod pipelines;
mod profile;
mod readback;
mod textures;
mod trial;
mod tune_log;
mod tuner;
mod uploads;
mod warm;

use rayon::prelude::*;

pub use super::shader::{Lines, Matrix, Tiling};
pub use cache::default_cache_dir;
pub use choice::{Choice, choose, choose_in_turn};
pub use device::{device_descriptor, list};
pub use info::{DeviceInfo, DeviceKind};
pub use options::EngineOptions;
#[doc(hidden)]
pub use options::Shaders;

use super::shader::{self, Shader, Target};
use super::{Engine, ExecError, MAKING_STATES, Rows, Ticket};
use crate::graph::StateLayout;
use crate::kernel::KernelCall;
use crate::plan::{Buffer, Plan, PlannedCall, Slice};
use buffers::{Range, Shared, USAGE, check_limits, tensor_name};
use device::Gpu;
use dispatch::{Compiled, Dispatch, Stages, from_textures, work};
use each::Each;
use info::DeviceKind::Software;
use pipelines::Pipelines;
use readback::Readback;
use textures::Textures;
use tuner::Tuner;
use uploads::Uploads;
use warm::Warmer;

/// Bytes that are written between two runs before the engine submits them. Until then wgpu keeps copies.
const FLUSH_AFTER: u64 = 64 << 20;

/// Runs plans on a GPU.
pub struct GpuEngine {
    gpu: Gpu,
    shaders: Shaders,
    target: Target,
    tuner: Tuner,
    pipelines: Pipelines,
    shared: Shared,
    textures: Textures,
    plans: Vec<Loaded>,
    readback: Readback,
    /// A run whose results are taken one by one.
    each: Option<Each>,
    uploads: Uploads,
    unflushed: u64,
}

/// A plan, ready to run.
struct Loaded {
    dispatches: Vec<Dispatch>,
    fixed: Vec<wgpu::Buffer>,
}

impl GpuEngine {
    /// Opens the adapter of this index in [`list`].
    ///
    /// # Errors
    /// When there is no such adapter or it cannot be opened.
    pub fn new(adapter_index: usize, options: EngineOptions) -> Result<Self, ExecError> {
        let gpu = Gpu::open(adapter_index)?;
        let warmer = Warmer::open(&gpu, adapter_index, options.cache_dir.as_deref(), options.checked);
        Ok(Self::over(gpu, warmer, options))
    }

    /// Runs on a device and queue that your program has opened and goes on to use. Open the device with
    /// [`device_descriptor`]. The engine sets no handler of uncaptured errors or of the device's loss, and
    /// [`GpuEngine::close`] does not destroy the device.
    ///
    /// # Errors
    /// When the device was opened with fewer storage buffers for a kernel than are needed.
    pub fn shared(
        adapter: &wgpu::Adapter,
        device: wgpu::Device,
        queue: wgpu::Queue,
        options: EngineOptions,
    ) -> Result<Self, ExecError> {
        Ok(Self::over(Gpu::share(adapter, device, queue)?, None, options))
    }

    /// An engine over an open device.
    fn over(gpu: Gpu, warmer: Option<Warmer>, options: EngineOptions) -> Self {
        let (folder, checked) = (options.cache_dir.as_deref(), options.checked);
        let pipelines = Pipelines::new(&gpu, checked, folder, warmer);
        let tiling = options.tiling.unwrap_or_else(|| tiling_for(&gpu.info));
        // Software adapters of Vulkan. DX12 needs an alignment of copies to textures that tensors lack, and WARP is not measured.
        let on_cpu = tiling.in_registers() && gpu.adapter.backend == wgpu::Backend::Vulkan;
        let target = Target {
            tiling,
            subgroup: gpu
                .info
                .subgroups
                .filter(|(min, max)| options.subgroups && min == max)
                .map(|(min, _)| min as usize),
            texture_rows: on_cpu.then(|| textures::rows(&gpu)),
            immediates: on_cpu.then_some(gpu.limits.max_immediate_size as usize),
            // Where a device has two sizes of subgroups, only a trial shows which one a driver takes.
            units: match gpu.matrices {
                [Some(_), None] if tiling == Tiling::Workgroup => Some(tuner::limits(&gpu)),
                _ => None,
            },
        };
        let tuner = Tuner::open(&gpu, options.cache_dir.as_deref(), options.tune);
        GpuEngine {
            gpu,
            shaders: options.shaders,
            target,
            tuner,
            pipelines,
            shared: Shared::default(),
            textures: Textures::default(),
            plans: vec![],
            readback: Readback::default(),
            each: None,
            uploads: Uploads::default(),
            unflushed: 0,
        }
    }

    /// The device.
    pub fn info(&self) -> &DeviceInfo {
        &self.gpu.info
    }

    /// The main loop of matrix kernels on this device.
    pub fn tiling(&self) -> Tiling {
        self.target.tiling
    }

    /// The matrix units that kernels in 16 bits may use: none, or one for each size of subgroups.
    pub fn matrices(&self) -> impl Iterator<Item = Matrix> {
        self.gpu.matrices.into_iter().flatten()
    }

    /// Destroys the device. Every later call returns [`ExecError::DeviceLost`].
    pub fn close(&mut self) {
        self.gpu.destroy();
    }

    /// A range of a plan's buffers. A range of a state needs no loaded plan.
    fn range(&self, plan: usize, slice: Slice) -> Result<Range, ExecError> {
        let fixed = match slice.buffer {
            Buffer::State(_) => &[],
            _ => loaded(&self.plans, plan)?.fixed.as_slice(),
        };
        self.shared.range(fixed, slice)
    }

    /// Tunes the calls of a plan.
    fn tune(&mut self, plan: &Plan) -> Result<(), ExecError> {
        let calls: Vec<_> = plan.calls.iter().map(|planned| &planned.call).collect();
        self.tuner.tune(&self.gpu, &mut self.pipelines, &calls, self.target, self.shaders)
    }

    /// Makes the shared buffers large enough for a plan. Returns the pipelines and grids of its calls, and the floats of scratch
    /// memory that each needs.
    fn prepare(&mut self, plan: &Plan, tiles: Tiles) -> Result<(Vec<Stages>, Vec<usize>), ExecError> {
        let (stages, scratch) = self.compile(plan, tiles)?;
        let most = scratch.iter().copied().max().unwrap_or(0);
        let mut replaced = false;
        let operands = stages.iter().zip(&plan.calls).flat_map(|(stages, planned)| {
            let bytes = |i: u32| 4 * planned.call.bindings[i as usize].0.len as u64;
            from_textures(stages).into_iter().map(move |i| (i, bytes(i)))
        });
        let fitted = self.shared.fit_slots(&self.gpu, plan, most, &mut replaced);
        let fitted = fitted.and_then(|()| self.textures.fit(&self.gpu, operands, &mut replaced));
        if replaced {
            self.rebind()?;
        }
        fitted?;
        Ok((stages, scratch))
    }

    fn compile(&mut self, plan: &Plan, tiles: Tiles) -> Result<(Vec<Stages>, Vec<usize>), ExecError> {
        let (shaders, target) = (self.shaders, self.target);
        let calls: Vec<_> = plan.calls.iter().map(|planned| &planned.call).collect();
        let (gpu, tuner) = (&self.gpu, &self.tuner);
        let text = |call: &&KernelCall<Slice>| {
            let tile = tuner.tile(gpu, call, target, shaders)?;
            shaders(call, target, tile.filter(|tile| tiles == Tiles::All || tile.winograd == 0))
        };
        let texts = calls.par_iter().map(text).collect::<Result<Vec<Shader>, _>>()?;
        let work: Vec<_> = calls.into_iter().zip(&texts).collect();
        let stages = self.pipelines.stages(&self.gpu, &work)?;
        self.pipelines.save();
        Ok((stages, texts.iter().map(|shader| shader.scratch).collect()))
    }

    /// A call, bound to the buffers of its slices.
    fn dispatch(&self, call: Compiled, fixed: &[wgpu::Buffer]) -> Result<Dispatch, ExecError> {
        let own = call.bindings.iter().map(|&slice| self.shared.range(fixed, slice));
        let ranges = own.chain(self.shared.scratch(call.scratch).map(Ok)).collect::<Result<Vec<_>, _>>()?;
        Dispatch::new(&self.gpu, call, &ranges, &self.textures)
    }

    /// Binds all plans again after a shared buffer or texture was replaced.
    fn rebind(&mut self) -> Result<(), ExecError> {
        let mut plans = std::mem::take(&mut self.plans);
        let result = plans.iter_mut().try_for_each(|plan| {
            plan.dispatches.iter_mut().try_for_each(|d| {
                *d = self.dispatch(d.of.clone(), &plan.fixed)?;
                Ok(())
            })
        });
        self.plans = plans;
        result
    }

    /// Submits commands.
    fn submit(&mut self, encoder: wgpu::CommandEncoder, during: &str) -> Result<wgpu::SubmissionIndex, ExecError> {
        let submission = self.gpu.queue.submit([encoder.finish()]);
        self.unflushed = 0;
        self.gpu.check(during)?;
        Ok(submission)
    }
}

/// Which of the tuner's tiles the calls of a plan may use.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Tiles {
    All,
    /// Winograd needs scratch memory.
    WithoutWinograd,
}

fn loaded(plans: &[Loaded], plan: usize) -> Result<&Loaded, ExecError> {
    let missing = || ExecError::Port { what: format!("plan {plan}"), problem: "was not loaded".into() };
    plans.get(plan).ok_or_else(missing)
}

/// The main loop for a device. Software adapters are slow at barriers, so their main loops have none.
fn tiling_for(info: &DeviceInfo) -> Tiling {
    const LANES: u32 = shader::SUBGROUP as u32;
    match (info.kind, info.subgroups) {
        (Software, Some((LANES, LANES))) => Tiling::Subgroup,
        (Software, _) => Tiling::Register,
        _ => Tiling::Workgroup,
    }
}

impl Engine for GpuEngine {
    type Scalar = f32;

    fn name(&self) -> String {
        format!("{} ({})", self.gpu.info.name, self.gpu.info.backend)
    }

    fn states(&mut self, layout: &StateLayout) -> Result<(), ExecError> {
        self.gpu.check(MAKING_STATES)?;
        let mut replaced = false;
        let fitted = self.shared.fit_states(&self.gpu, layout, &mut replaced);
        if replaced {
            self.rebind()?;
        }
        fitted
    }

    fn load(&mut self, plan: &Plan) -> Result<usize, ExecError> {
        self.gpu.check("loading a plan")?;
        check_limits(plan, &self.gpu)?;
        self.tune(plan)?;
        let own = |(i, &len)| self.gpu.buffer(&tensor_name(plan, Buffer::Fixed(i), len), len, USAGE);
        let fixed = plan.fixed.iter().enumerate().map(own).collect::<Result<Vec<_>, _>>()?;
        let (stages, scratch) = match self.prepare(plan, Tiles::All) {
            // The copies of operands in textures, and Winograd's scratch memory, take too much.
            Err(ExecError::OutOfMemory { .. }) => {
                self.target.texture_rows = None;
                self.prepare(plan, Tiles::WithoutWinograd)?
            }
            other => other?,
        };
        let mut dispatches = Vec::with_capacity(plan.calls.len());
        for ((PlannedCall { call, .. }, stages), scratch) in plan.calls.iter().zip(stages).zip(scratch) {
            let bindings = call.bindings.iter().map(|(slice, _)| *slice).collect();
            dispatches.push(self.dispatch(Compiled { stages, bindings, scratch, work: work(call) }, &fixed)?);
        }
        self.gpu.check("loading a plan")?;
        self.plans.push(Loaded { dispatches, fixed });
        Ok(self.plans.len() - 1)
    }

    fn write(&mut self, plan: usize, to: Slice, data: &[f32]) -> Result<(), ExecError> {
        self.gpu.check("writing")?;
        let range = self.range(plan, to)?;
        if data.len() != to.len {
            let problem = format!("{} floats for {} in memory", data.len(), to.len);
            return Err(ExecError::Port { what: format!("{:?}", to.buffer), problem });
        }
        self.gpu.queue.write_buffer(&range.buffer, range.offset, bytemuck::cast_slice(data));
        self.unflushed += range.bytes;
        if self.unflushed > FLUSH_AFTER {
            self.gpu.queue.submit([]);
            self.unflushed = 0;
        }
        self.gpu.check("writing")
    }

    fn write_rows(&mut self, plan: usize, to: Slice, rows: &Rows<'_, f32>) -> Result<(), ExecError> {
        self.gpu.check("writing")?;
        let range = self.range(plan, to)?;
        // All writes of a tensor take one of the two ways, so that they stay in order.
        let fits = rows.values.len() / rows.len * rows.stride == to.len;
        match fits && range.bytes >= uploads::LARGE && matches!(to.buffer, Buffer::Fixed(_)) {
            true => self.uploads.write(&self.gpu, &range, rows),
            false => self.write(plan, to, &rows.packed()),
        }
    }

    fn run(&mut self, plan: usize, fetch: &[Slice]) -> Result<Ticket, ExecError> {
        self.gpu.check("running")?;
        let ranges = fetch.iter().map(|&slice| self.range(plan, slice)).collect::<Result<Vec<_>, _>>()?;
        let parts = self.gpu.parts(&loaded(&self.plans, plan)?.dispatches);
        self.readback.begin(&self.gpu, parts.len())?;
        let mut encoder = self.gpu.encoded(parts[0]);
        for calls in &parts[1..] {
            self.readback.hand_on(&mut encoder);
            self.gpu.queue.submit([std::mem::replace(&mut encoder, self.gpu.encoded(calls)).finish()]);
        }
        let fetch = self.readback.copy(&self.gpu, &mut encoder, &ranges)?;
        let submission = self.submit(encoder, "running")?;
        self.readback.issue(&self.gpu, fetch, submission)
    }

    fn take(&mut self, ticket: Ticket) -> Result<Vec<Vec<f32>>, ExecError> {
        self.gpu.check("fetching results")?;
        self.readback.take(&self.gpu, ticket)
    }

    fn run_each(&mut self, plan: usize, fetch: &[Slice]) -> Result<Ticket, ExecError> {
        self.submit_each(plan, fetch)
    }

    fn take_each(&mut self, ticket: Ticket, each: &mut dyn FnMut(usize, Vec<f32>)) -> Result<(), ExecError> {
        self.receive_each(ticket, each)
    }

    fn read(&mut self, plan: usize, from: Slice) -> Result<Vec<f32>, ExecError> {
        self.gpu.check("reading")?;
        let range = self.range(plan, from)?;
        self.readback.begin(&self.gpu, 1)?;
        let mut encoder = self.gpu.device.create_command_encoder(&Default::default());
        let fetch = self.readback.copy(&self.gpu, &mut encoder, &[range])?;
        let submission = self.submit(encoder, "reading")?;
        Ok(self.readback.finish(&self.gpu, fetch, &submission)?.swap_remove(0))
    }

    fn profile(&mut self, plan: usize) -> Result<Option<Vec<f64>>, ExecError> {
        self.times(plan)
    }

    fn has_half(&self) -> bool {
        self.gpu.info.f16
    }

    fn memory(&self) -> u64 {
        let fixed = self.plans.iter().flat_map(|p| &p.fixed).map(wgpu::Buffer::size).sum::<u64>();
        self.shared.bytes() + self.textures.bytes() + fixed + self.readback.bytes()
    }
}
