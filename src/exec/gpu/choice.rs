//! Resolves a device name (`--device`): a pure function over the list of adapters.

use super::info::{DeviceInfo, DeviceKind};
use crate::exec::ExecError;

/// Numbers from here on, such as 4090, are parts of names. Smaller ones are indices, and never match a name.
const MODEL_NUMBERS: usize = 100;

/// The engine that a choice leads to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Choice {
    /// The CPU engine.
    Cpu,
    /// The GPU engine on the adapter of this index in [`list`](super::list).
    Adapter(usize),
}

/// The device that `asked` names on a machine with these adapters.
///
/// - `auto`: the best hardware GPU (discrete, then integrated, then virtual) that binds enough buffers, else the CPU engine.
/// - `gpu`: the same, but an error where there is no hardware GPU.
/// - `cpu`: the CPU engine.
/// - a number below 100: the adapter of that index.
/// - anything else: the best adapter whose name contains it, in upper or lower case.
///
/// Software adapters are slower than the CPU engine, so only an index or a name selects one.
///
/// # Errors
/// [`ExecError::NoDevice`] with the list of valid names.
pub fn choose(asked: &str, devices: &[DeviceInfo]) -> Result<Choice, ExecError> {
    let wanted = asked.trim().to_lowercase();
    let best = |fits: &dyn Fn(&DeviceInfo) -> bool| {
        // Among equals `min_by_key` keeps the first, so the driver's order decides.
        devices
            .iter()
            .enumerate()
            .filter(|(_, d)| fits(d))
            .min_by_key(|(_, d)| d.rank())
            .map(|(i, _)| Choice::Adapter(i))
    };
    let hardware = |d: &DeviceInfo| d.kind.is_hardware() && d.is_sufficient();
    let found = match wanted.as_str() {
        "" => None,
        "cpu" => Some(Choice::Cpu),
        "auto" => best(&hardware).or(Some(Choice::Cpu)),
        "gpu" => best(&hardware),
        name => match name.parse::<usize>() {
            Ok(index) if index < MODEL_NUMBERS => (index < devices.len()).then_some(Choice::Adapter(index)),
            _ => best(&|d: &DeviceInfo| d.name.to_lowercase().contains(name)),
        },
    };
    found.ok_or_else(|| ExecError::NoDevice { asked: asked.into(), available: available(devices) })
}

/// The adapter of process `local` of a machine whose processes share its GPUs. The processes take the GPUs in order of
/// preference, and after the last one start over. A GPU that two backends offer counts once. `None` without a GPU.
pub fn choose_in_turn(local: usize, devices: &[DeviceInfo]) -> Option<usize> {
    let usable = |d: &DeviceInfo| d.kind.is_hardware() && d.is_sufficient();
    let on_vulkan = |d: &DeviceInfo| devices.iter().any(|other| other.name == d.name && other.backend == "Vulkan");
    let mut found: Vec<usize> = (0..devices.len()).filter(|&i| usable(&devices[i])).collect();
    found.retain(|&i| devices[i].backend == "Vulkan" || !on_vulkan(&devices[i]));
    found.sort_by_key(|&i| devices[i].rank());
    found.get(local % found.len().max(1)).copied()
}

/// All valid names, in one line.
pub(super) fn available(devices: &[DeviceInfo]) -> String {
    let adapters = devices.iter().enumerate().map(|(i, d)| format!(", {i}: {} ({}, {})", d.name, d.backend, d.kind));
    format!("cpu{}", adapters.collect::<String>())
}

impl DeviceInfo {
    /// Order of preference. Vulkan comes first where two backends offer one GPU, since it keeps pipelines on disk.
    fn rank(&self) -> (DeviceKind, bool) {
        (self.kind, self.backend != "Vulkan")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn device(name: &str, backend: &str, kind: DeviceKind) -> DeviceInfo {
        DeviceInfo { name: name.into(), backend: backend.into(), ..DeviceInfo::blank(kind) }
    }

    fn laptop() -> Vec<DeviceInfo> {
        vec![
            device("llvmpipe (LLVM 15.0.6, 256 bits)", "Vulkan", DeviceKind::Software),
            device("Intel(R) UHD Graphics", "Vulkan", DeviceKind::Integrated),
            device("NVIDIA GeForce RTX 4090", "DX12", DeviceKind::Discrete),
            device("NVIDIA GeForce RTX 4090", "Vulkan", DeviceKind::Discrete),
        ]
    }

    #[test]
    fn processes_of_a_machine_take_its_gpus_in_turn() {
        let of = |devices: &[DeviceInfo]| [0, 1, 2].map(|local| choose_in_turn(local, devices));
        assert_eq!(of(&laptop()), [Some(3), Some(1), Some(3)], "the GPU of two backends counts once");
        assert_eq!(of(&laptop()[..1]), [None; 3], "software is never chosen by itself");
        let two = ["RTX A", "RTX A"].map(|name| device(name, "Vulkan", DeviceKind::Discrete));
        assert_eq!(of(&two), [Some(0), Some(1), Some(0)]);
        assert_eq!(choose("auto", &laptop()).unwrap(), Choice::Adapter(3), "the first process has the one of `auto`");
    }

    #[test]
    fn auto_prefers_discrete_then_integrated_then_virtual_then_the_cpu() {
        assert_eq!(choose("auto", &laptop()).unwrap(), Choice::Adapter(3));
        assert_eq!(choose("auto", &laptop()[..2]).unwrap(), Choice::Adapter(1));
        assert_eq!(choose("auto", &laptop()[..1]).unwrap(), Choice::Cpu, "software is never chosen by itself");
        assert_eq!(choose("auto", &[]).unwrap(), Choice::Cpu);
        let cloud = [device("a", "Vulkan", DeviceKind::Other), device("b", "Vulkan", DeviceKind::Virtual)];
        assert_eq!(choose("auto", &cloud).unwrap(), Choice::Adapter(1));
    }

    #[test]
    fn auto_passes_over_what_binds_too_few_buffers() {
        let mut small = laptop();
        small[3].max_storage_buffers = 8;
        assert_eq!(choose("auto", &small).unwrap(), Choice::Adapter(2));
        assert!(choose("gpu", &small[3..]).is_err());
        assert_eq!(choose("auto", &small[3..]).unwrap(), Choice::Cpu);
        assert_eq!(choose("3", &small).unwrap(), Choice::Adapter(3), "refused when it is opened");
    }

    #[test]
    fn gpu_is_hardware_or_an_error_that_lists_what_there_is() {
        assert_eq!(choose("gpu", &laptop()).unwrap(), Choice::Adapter(3));
        let error = choose("gpu", &laptop()[..1]).unwrap_err().to_string();
        assert!(error.contains("`gpu`") && error.contains("cpu, 0: llvmpipe"), "{error}");
    }

    #[test]
    fn names_and_indices_reach_everything() {
        assert_eq!(choose("LLVMpipe", &laptop()).unwrap(), Choice::Adapter(0));
        assert_eq!(choose("0", &laptop()).unwrap(), Choice::Adapter(0));
        assert_eq!(choose("2", &laptop()).unwrap(), Choice::Adapter(2));
        assert_eq!(choose("4090", &laptop()).unwrap(), Choice::Adapter(3));
        assert_eq!(choose("CPU", &laptop()).unwrap(), Choice::Cpu);
        for unknown in ["radeon", "4", "", "-1"] {
            let error = choose(unknown, &laptop()).unwrap_err().to_string();
            assert!(error.contains("cpu, 0: llvmpipe") && error.contains("3: NVIDIA"), "{error}");
        }
    }
}
