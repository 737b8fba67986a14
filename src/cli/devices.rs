//! `shadegrad devices`

use crate::exec::{Engine, cpu::CpuEngine, gpu};

/// Lists adapters with the index and the names that `--device` takes, and what `auto` would pick.
pub(super) fn run() {
    let devices = gpu::list();
    for (index, device) in devices.iter().enumerate() {
        println!("{index}: {device}\n");
    }
    println!("cpu: {}", CpuEngine::<f32>::new().name());
    match gpu::choose("auto", &devices) {
        Ok(gpu::Choice::Adapter(index)) => println!("\n--device auto picks {index}: {}", devices[index].name),
        _ => println!("\n--device auto picks the cpu: there is no hardware GPU here"),
    }
}
