//! `shadegrad devices`

use std::process::ExitCode;

use super::{CliError, print};
use crate::exec::{Engine, cpu::CpuEngine, gpu};

/// Lists adapters with the index and the names that `--device` takes, and the choice of `auto`.
pub(super) fn run() -> Result<ExitCode, CliError> {
    let devices = gpu::list();
    for (index, device) in devices.iter().enumerate() {
        print(format_args!("{index}: {device}\n"))?;
    }
    print(format_args!("cpu: {}", CpuEngine::<f32>::new().name()))?;
    match gpu::choose("auto", &devices) {
        Ok(gpu::Choice::Adapter(index)) => {
            print(format_args!("\n--device auto picks {index}: {}", devices[index].name))?;
        }
        _ => print("\n--device auto picks the cpu: there is no hardware GPU here")?,
    }
    Ok(ExitCode::SUCCESS)
}
