//! `shadegrad bench`

use std::process::ExitCode;

use super::flags::choice;
use super::{CliError, print};
use crate::precision::Precision;
use crate::train::step_spec::StepSpec;
use crate::workflows::bench::{time_kernels, time_step};
use crate::workflows::limits::{Limits, limits};

/// Arguments of `bench`.
#[derive(clap::Args)]
pub(super) struct Args {
    /// Models whose training step and kernels are timed against the limits of the device. Sizes may follow a model as in
    /// --step [default without --step: resnet18 and unet]
    #[arg(value_name = "MODEL")]
    models: Vec<StepSpec>,
    /// Training step to time without its kernels, MODEL:NxHxW[:classes=…][:base=…][:depth=…] for N images of H×W pixels; may
    /// be given several times
    #[arg(long, value_name = "STEP")]
    step: Vec<StepSpec>,
    /// Device that computes: auto, gpu, cpu, or the name or index of an adapter (`shadegrad devices` lists them)
    #[arg(long, default_value = "auto")]
    device: String,
    /// Width of activations and their gradients
    #[arg(long, value_parser = choice::<Precision>(), default_value = "f32")]
    precision: Precision,
    /// Timed steps
    #[arg(long, default_value_t = 20, value_parser = clap::value_parser!(u32).range(1..))]
    steps: u32,
    /// Untimed steps before them; more if these take less than a second
    #[arg(long, default_value_t = 3)]
    warmup: u32,
    /// Print JSON, one object per line: the limits of the device, each step, each kernel of a step
    #[arg(long)]
    json: bool,
    /// Time the kernels of --step too, against the limits of the device (GFLOP/s of multiply-adds, GB/s of copying)
    #[arg(long)]
    kernels: bool,
}

/// Models that are timed by default.
const DEFAULT: [&str; 2] = ["resnet18", "unet"];

/// Times training steps.
pub(super) fn run(args: &Args) -> Result<ExitCode, CliError> {
    let mut specs = [&args.models[..], &args.step[..]].concat();
    if specs.is_empty() {
        specs = DEFAULT.iter().filter_map(|text| text.parse().ok()).collect();
    }
    let with_kernels = |index: usize| args.kernels || args.step.is_empty() || index < args.models.len();
    let limits = (0..specs.len()).any(with_kernels).then(|| limits(&args.device)).transpose()?;
    if let Some(limits) = limits {
        match args.json {
            true => print(serde_json::json!({ "limit_gflops": limits.gflops, "limit_gbytes": limits.gbytes }))?,
            false => print(format_args!(
                "limits measured: {:.0} GFLOP/s of multiply-adds, {:.1} GB/s of copying",
                limits.gflops, limits.gbytes
            ))?,
        }
    }
    for (index, spec) in specs.iter().enumerate() {
        let timing = time_step(spec, &args.device, args.precision, [args.warmup, args.steps].map(|n| n as usize))?;
        if args.json {
            print(serde_json::json!({
                "step": spec.text,
                "device": timing.device,
                "precision": args.precision,
                "ms_median": timing.ms_median,
                "ms_min": timing.ms_min,
                "ms_data": timing.ms_data,
                "ms_submit": timing.ms_submit,
                "images_per_s": timing.images_per_s,
                "gflop": timing.flops as f64 / 1e9,
                "peak_bytes": timing.peak_bytes,
            }))?;
        } else {
            print(format_args!(
                "{}: {:.1} ms a step (fastest {:.1}; {:.1} % waiting for data, {:.1} % for submission), {:.1} images/s, {:.1} \
                 GFLOP/s, {:.0} MB on {}",
                spec.text,
                timing.ms_median,
                timing.ms_min,
                100.0 * timing.ms_data / timing.ms_median,
                100.0 * timing.ms_submit / timing.ms_median,
                timing.images_per_s,
                timing.flops as f64 / timing.ms_median / 1e6,
                timing.peak_bytes as f64 / 1e6,
                timing.device
            ))?;
        }
        if let Some(limits) = limits.filter(|_| with_kernels(index)) {
            kernels(spec, args, limits, timing.ms_median)?;
        }
    }
    Ok(ExitCode::SUCCESS)
}

/// Prints a line per distinct kernel, the slowest first, with its share of the limit that bounds it.
fn kernels(spec: &StepSpec, args: &Args, limits: Limits, ms_step: f64) -> Result<(), CliError> {
    let Some(times) = time_kernels(spec, &args.device, args.precision, args.steps.min(5) as usize)? else {
        return print("this device has no timestamps, so its kernels cannot be timed one by one");
    };
    let all: f64 = times.iter().map(|k| k.ms).sum();
    if !args.json {
        if args.precision == Precision::F16 {
            print("the arithmetic limit is that of f32; matrix units may exceed it")?;
        }
        let (floor, share) = (times.iter().map(|k| limits.floor(k.flops, k.bytes).0).sum::<f64>(), 100.0 / ms_step);
        print(format_args!(
            "kernels: {all:.2} ms on the device ({:.0} % of the step); at the limits they would take {floor:.2} ms ({:.0} %)",
            all * share,
            floor * share
        ))?;
        print(format_args!(
            "{:<26} {:<44} {:>5} {:>9} {:>6} {:>9} {:>8} {:>16}",
            "kernel", "shapes", "calls", "ms", "share", "GFLOP/s", "GB/s", "of its limit"
        ))?;
    }
    for k in times {
        let (gflops, gbytes) = (k.flops as f64 / k.ms / 1e6, k.bytes as f64 / k.ms / 1e6);
        let (floor, by_memory) = limits.floor(k.flops, k.bytes);
        let limit = if by_memory { "memory" } else { "arithmetic" };
        if args.json {
            print(serde_json::json!({
                "step": spec.text, "kernel": k.kernel, "shapes": k.shapes, "calls": k.calls, "ms": k.ms,
                "gflops": gflops, "gbytes": gbytes, "limit": limit, "of_limit": floor / k.ms,
            }))?;
            continue;
        }
        print(format_args!(
            "{:<26} {:<44} {:>5} {:>9.2} {:>5.1}% {gflops:>9.1} {gbytes:>8.1} {:>4.0}% {limit}",
            k.kernel,
            k.shapes,
            k.calls,
            k.ms,
            100.0 * k.ms / all,
            100.0 * floor / k.ms
        ))?;
    }
    Ok(())
}
