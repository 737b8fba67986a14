//! Buffers that plans share. Groups of states keep their content between runs; pool slots do not.

use crate::exec::ExecError;
use crate::graph::{Group, StateLayout};
use crate::plan::{Buffer, Plan, PlannedCall, Slice};
use crate::shape::Element;

use super::device::Gpu;

/// Every buffer can be bound, written, and read back.
pub(super) const USAGE: wgpu::BufferUsages =
    wgpu::BufferUsages::STORAGE.union(wgpu::BufferUsages::COPY_SRC).union(wgpu::BufferUsages::COPY_DST);

/// The shared buffers of an engine.
#[derive(Default)]
pub(super) struct Shared {
    slots: Vec<wgpu::Buffer>,
    states: Vec<wgpu::Buffer>,
    /// Scratch memory between the dispatches of a call. All calls use the same buffer, one after the other.
    scratch: Option<wgpu::Buffer>,
}

impl Shared {
    /// Enlarges the pool for a plan, and the scratch memory to `scratch` floats. Sets `replaced` when a buffer was
    /// replaced.
    ///
    /// Slots are replaced one by one, so that the pool still fits all earlier plans after an error. Earlier plans keep
    /// their old buffers until they are bound again.
    pub fn fit_slots(&mut self, gpu: &Gpu, plan: &Plan, scratch: usize, replaced: &mut bool) -> Result<(), ExecError> {
        if self.scratch.as_ref().map_or(0, floats) < scratch {
            let grown = gpu.buffer("scratch memory", scratch, USAGE)?;
            *replaced |= self.scratch.replace(grown).is_some();
        }
        for (index, &len) in plan.slots.iter().enumerate() {
            let make = || gpu.buffer(&tensor_name(plan, Buffer::Slot(index), len), len, USAGE);
            match self.slots.get_mut(index) {
                None => self.slots.push(make()?),
                Some(slot) if floats(slot) < len => {
                    *slot = make()?;
                    *replaced = true;
                }
                Some(_) => {}
            }
        }
        Ok(())
    }

    /// Enlarges the groups for a layout and keeps their content. Sets `replaced` as [`Shared::fit_slots`].
    pub fn fit_states(&mut self, gpu: &Gpu, layout: &StateLayout, replaced: &mut bool) -> Result<(), ExecError> {
        for (index, (group, &len)) in Group::ALL.iter().zip(&layout.group_len).enumerate() {
            let make = || gpu.buffer(&group_name(*group), len, USAGE);
            match self.states.get_mut(index) {
                None => self.states.push(make()?),
                Some(old) if floats(old) < len => {
                    let grown = make()?;
                    let mut encoder = gpu.device.create_command_encoder(&Default::default());
                    encoder.copy_buffer_to_buffer(old, 0, &grown, 0, old.size());
                    gpu.queue.submit([encoder.finish()]);
                    gpu.check("growing the states")?;
                    *old = grown;
                    *replaced = true;
                }
                Some(_) => {}
            }
        }
        Ok(())
    }

    /// The range of a slice, in bytes.
    ///
    /// # Errors
    /// When the buffer does not exist or is shorter.
    pub fn range(&self, fixed: &[wgpu::Buffer], slice: Slice) -> Result<Range, ExecError> {
        let buffer = match slice.buffer {
            Buffer::Slot(i) => self.slots.get(i),
            Buffer::Fixed(i) => fixed.get(i),
            Buffer::State(group) => self.states.get(group as usize),
        };
        let end = slice.offset.checked_add(slice.len);
        match buffer {
            Some(buffer) if end.is_some_and(|end| end <= floats(buffer)) => {
                Ok(Range { buffer: buffer.clone(), offset: 4 * slice.offset as u64, bytes: 4 * slice.len as u64 })
            }
            _ => Err(ExecError::Port {
                what: format!("{:?}", slice.buffer),
                problem: format!("floats {}..{} are not on the device", slice.offset, slice.offset + slice.len),
            }),
        }
    }

    /// The first `len` floats of scratch memory; nothing for 0.
    pub fn scratch(&self, len: usize) -> Option<Range> {
        let buffer = self.scratch.as_ref().filter(|_| len > 0)?;
        Some(Range { buffer: buffer.clone(), offset: 0, bytes: 4 * len as u64 })
    }

    /// Bytes held.
    pub fn bytes(&self) -> u64 {
        self.slots.iter().chain(&self.states).chain(&self.scratch).map(wgpu::Buffer::size).sum()
    }
}

/// A range of a buffer, in bytes.
#[derive(Clone)]
pub(super) struct Range {
    pub buffer: wgpu::Buffer,
    pub offset: u64,
    pub bytes: u64,
}

impl Range {
    /// The range as a binding. An empty range binds the whole buffer, which is never empty.
    pub fn entry(&self, binding: u32) -> wgpu::BindGroupEntry<'_> {
        let size = wgpu::BufferSize::new(self.bytes);
        let offset = if size.is_some() { self.offset } else { 0 };
        let buffer = wgpu::BufferBinding { buffer: &self.buffer, offset, size };
        wgpu::BindGroupEntry { binding, resource: wgpu::BindingResource::Buffer(buffer) }
    }
}

fn floats(buffer: &wgpu::Buffer) -> usize {
    usize::try_from(buffer.size() / 4).unwrap_or(usize::MAX)
}

/// Checks the device's limits for a plan before anything is allocated.
pub(super) fn check_limits(plan: &Plan, gpu: &Gpu) -> Result<(), ExecError> {
    let limits = &gpu.limits;
    let half = plan.calls.iter().find(|planned| planned.call.elements.contains(&Element::F16));
    if let Some(planned) = half.filter(|_| !gpu.info.f16) {
        let reason = format!("its operands have 16 bits, and {} has no 16-bit floats", gpu.info.name);
        return Err(ExecError::refused(&planned.call, reason));
    }
    let align = u64::from(limits.min_storage_buffer_offset_alignment);
    for planned in &plan.calls {
        for (i, (slice, _)) in planned.call.bindings.iter().enumerate() {
            let (bytes, offset) = (4 * slice.len as u64, 4 * slice.offset as u64);
            if bytes > limits.max_storage_buffer_binding_size {
                let what = call_name(planned);
                return Err(ExecError::TooLarge { what, bytes, limit: limits.max_storage_buffer_binding_size });
            }
            if !offset.is_multiple_of(align) {
                let reason =
                    format!("its binding {i} starts at byte {offset}, this device needs a multiple of {align}");
                return Err(ExecError::refused(&planned.call, reason));
            }
        }
    }
    Ok(())
}

/// A tensor's description for errors: the input in the buffer, or the first call that binds `len` words of it.
pub(super) fn tensor_name(plan: &Plan, buffer: Buffer, len: usize) -> String {
    if let Some(port) = plan.inputs.iter().find(|p| p.slice.buffer == buffer) {
        return format!("the input {} {}", port.name, port.ty.shape);
    }
    let uses = |(s, _): &(Slice, _)| s.buffer == buffer && s.len == len;
    match plan.calls.iter().find(|c| c.call.bindings.iter().any(uses)) {
        Some(planned) => call_name(planned),
        None => "a tensor".into(),
    }
}

fn call_name(planned: &PlannedCall) -> String {
    let at = if planned.scope.is_empty() { String::new() } else { format!(" in {}", planned.scope) };
    format!("a tensor of {}{at} ({})", planned.op, planned.shapes)
}

fn group_name(group: Group) -> String {
    let name = match group {
        Group::Parameters => "parameters",
        Group::Frozen => "frozen weights",
        Group::Statistics => "running statistics",
        Group::Moments => "optimizer moments",
    };
    format!("the buffer of all {name}")
}
