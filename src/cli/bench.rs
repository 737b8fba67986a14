//! `shadegrad bench`

use std::process::ExitCode;

use super::{CliError, print};
use crate::train::bench::{StepSpec, time_kernels, time_step};

/// What to time.
#[derive(clap::Args)]
pub(super) struct Args {
    /// Training step, MODEL:NxHxW[:classes=…][:base=…][:depth=…]; may be given several times
    /// [default: resnet18:16x64x64 and unet:4x128x128:base=16]
    #[arg(long, value_name = "STEP")]
    step: Vec<StepSpec>,
    /// Where to compute: auto, gpu, cpu, an adapter's name or its index
    #[arg(long, default_value = "auto")]
    device: String,
    /// Timed steps
    #[arg(long, default_value_t = 20, value_parser = clap::value_parser!(u32).range(1..))]
    steps: u32,
    /// Steps before them
    #[arg(long, default_value_t = 3)]
    warmup: u32,
    /// One JSON object per step
    #[arg(long)]
    json: bool,
    /// Also the time of each distinct kernel of the step
    #[arg(long, conflicts_with = "json")]
    kernels: bool,
}

/// Steps that are timed when none is named.
const DEFAULT: [&str; 2] = ["resnet18:16x64x64", "unet:4x128x128:base=16"];

/// Times training steps.
pub(super) fn run(args: &Args) -> Result<ExitCode, CliError> {
    let specs = match args.step.is_empty() {
        true => DEFAULT.iter().filter_map(|text| text.parse().ok()).collect(),
        false => args.step.clone(),
    };
    for spec in &specs {
        let timing = time_step(spec, &args.device, args.warmup as usize, args.steps as usize)?;
        if args.json {
            print(serde_json::json!({
                "step": spec.text,
                "device": timing.device,
                "ms_median": timing.ms_median,
                "ms_min": timing.ms_min,
                "images_per_s": timing.images_per_s,
                "gflop": timing.flops as f64 / 1e9,
                "peak_bytes": timing.peak_bytes,
            }))?;
        } else {
            print(format_args!(
                "{}: {:.1} ms a step (fastest {:.1}), {:.1} images/s, {:.1} GFLOP/s, {:.0} MB on {}",
                spec.text,
                timing.ms_median,
                timing.ms_min,
                timing.images_per_s,
                timing.flops as f64 / timing.ms_median / 1e6,
                timing.peak_bytes as f64 / 1e6,
                timing.device
            ))?;
        }
        if args.kernels {
            kernels(spec, args)?;
        }
    }
    Ok(ExitCode::SUCCESS)
}

/// A line for each distinct kernel, the slowest first.
fn kernels(spec: &StepSpec, args: &Args) -> Result<(), CliError> {
    let Some(times) = time_kernels(spec, &args.device, args.steps.min(5) as usize)? else {
        return print("this device has no timestamps, so its kernels cannot be timed one by one");
    };
    print(format_args!(
        "{:<26} {:<44} {:>5} {:>9} {:>6} {:>9} {:>8}",
        "kernel", "shapes", "calls", "ms", "share", "GFLOP/s", "GB/s"
    ))?;
    let all: f64 = times.iter().map(|k| k.ms).sum();
    for k in times {
        let (gflops, gbytes) = (k.flops as f64 / k.ms / 1e6, k.bytes as f64 / k.ms / 1e6);
        print(format_args!(
            "{:<26} {:<44} {:>5} {:>9.2} {:>5.1}% {gflops:>9.1} {gbytes:>8.1}",
            k.kernel,
            k.shapes,
            k.calls,
            k.ms,
            100.0 * k.ms / all
        ))?;
    }
    Ok(())
}
