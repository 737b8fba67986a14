//! Devices by name.

use super::cpu::CpuEngine;
use super::{AnyEngine, ExecError, gpu};

/// Opens a device by name: `auto`, `gpu`, `cpu`, a part of an adapter's name, or its index.
///
/// # Errors
/// When there is no such device (the message lists the devices), or it cannot be opened.
pub fn open(device: &str) -> Result<Box<AnyEngine>, ExecError> {
    if device.eq_ignore_ascii_case("cpu") {
        return Ok(Box::new(CpuEngine::<f32>::new()));
    }
    match gpu::choose(device, &gpu::list())? {
        gpu::Choice::Cpu => Ok(Box::new(CpuEngine::<f32>::new())),
        gpu::Choice::Adapter(index) => Ok(Box::new(gpu::GpuEngine::new(index, gpu::EngineOptions::default())?)),
    }
}
