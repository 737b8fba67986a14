//! `shadegrad doctor`

use std::fmt::Display;
use std::path::PathBuf;
use std::process::ExitCode;

use super::flags::choice;
use super::{CliError, complain, print};
use crate::precision::Precision;
use crate::train::step_spec::StepSpec;
use crate::workflows::doctor::{self, Examined, RunOptions, STEPS};

/// Arguments of `doctor`.
#[derive(clap::Args)]
pub(super) struct Args {
    /// Run folders: for each, one training step from its weights with its settings and images
    #[arg(value_name = "RUN")]
    runs: Vec<PathBuf>,
    /// Training step of a batch of N images, MODEL:NxHxW[:classes=…][:base=…][:depth=…]; may be given several times
    /// [default without RUN: small steps of all models]
    #[arg(long, value_name = "STEP")]
    step: Vec<StepSpec>,
    /// Data set for the runs; that of each run when not given
    #[arg(long, value_name = "DIR", requires = "runs")]
    data: Option<PathBuf>,
    /// Images per step of the runs; the run's batch size when not given. The check keeps all values, which takes several
    /// times the memory of training
    #[arg(long, requires = "runs", value_parser = clap::value_parser!(u32).range(1..))]
    batch_size: Option<u32>,
    /// Device that computes: auto, gpu, cpu, or the name or index of an adapter (`shadegrad devices` lists them)
    #[arg(long, default_value = "auto")]
    device: String,
    /// Width of activations and their gradients in steps [default: f32, and f16 on devices that have it]
    #[arg(long, value_parser = choice::<Precision>())]
    precision: Option<Precision>,
    /// Print JSON, one object per line: each kernel of a step, then the step
    #[arg(long)]
    json: bool,
}

/// Exit code after a wrong result.
const WRONG: u8 = 1;
/// Largest number of wrong calls that are listed.
const LISTED: usize = 10;

/// Examines steps and runs.
pub(super) fn run(args: &Args) -> Result<ExitCode, CliError> {
    let mut specs = args.step.clone();
    if specs.is_empty() && args.runs.is_empty() {
        specs = STEPS.iter().map(|text| text.parse()).collect::<Result<_, _>>().map_err(CliError::Usage)?;
    }
    if specs.is_empty() && args.precision.is_some() {
        return Err(CliError::Usage("--precision applies to --step alone; a run has its own precision".into()));
    }
    let mut all_right = true;
    for precision in precisions(args, &specs)? {
        for spec in &specs {
            begin(args, &spec.text)?;
            all_right &= print_findings(args, &spec.text, &doctor::step(spec, &args.device, precision)?)?;
        }
    }
    let options = RunOptions { data: args.data.clone(), batch_size: args.batch_size.map(|n| n as usize) };
    for run in &args.runs {
        begin(args, run.display())?;
        all_right &= print_findings(args, &run.display().to_string(), &doctor::run(run, &args.device, &options)?)?;
    }
    if all_right {
        return Ok(ExitCode::SUCCESS);
    }
    complain(
        "This device computes wrong results, so models trained on it are unreliable. Update its driver. SHADEGRAD_TUNE_SECONDS=0 with \
         an empty SHADEGRAD_CACHE_DIR and --precision f32 selects the simplest kernels. --device cpu always works.",
    );
    Ok(ExitCode::from(WRONG))
}

/// Precisions in which steps are examined. Prints why f16 is left out, if it is.
fn precisions(args: &Args, specs: &[StepSpec]) -> Result<Vec<Precision>, CliError> {
    if specs.is_empty() || args.precision == Some(Precision::F32) {
        return Ok(vec![Precision::F32]);
    }
    let refused = doctor::refuses_half(&args.device)?;
    match (refused, args.precision) {
        (None, None) => Ok(vec![Precision::F32, Precision::F16]),
        (None, Some(asked)) => Ok(vec![asked]),
        (Some(line), Some(_)) => {
            Err(CliError::Usage(format!("--precision f16 cannot be examined: a run would get {line}")))
        }
        (Some(line), None) => {
            complain(line);
            Ok(vec![Precision::F32])
        }
    }
}

/// Prints the heading before the work, because compiling new kernels may take a minute.
fn begin(args: &Args, heading: impl Display) -> Result<(), CliError> {
    if args.json { Ok(()) } else { print(heading) }
}

/// Prints the findings. Returns true if all results are right.
fn print_findings(args: &Args, what: &str, examined: &Examined) -> Result<bool, CliError> {
    let (kernels, right) = (examined.kernels(), examined.is_right());
    if args.json {
        for (kernel, of) in &kernels {
            print(serde_json::json!({
                "step": what, "precision": examined.precision, "kernel": kernel, "calls": of.calls, "wrong": of.wrong,
                "error": of.error,
            }))?;
        }
        let unsteady = examined.unsteady.as_ref().map(|(name, _)| name);
        print(serde_json::json!({
            "step": what, "precision": examined.precision, "device": examined.device, "calls": examined.calls.len(),
            "wrong": examined.wrong().count(), "unknown": examined.unknown(), "unsteady": unsteady, "right": right,
        }))?;
        return Ok(right);
    }
    let worst = kernels.iter().max_by(|a, b| a.1.error.total_cmp(&b.1.error));
    let worst = worst.map_or(String::new(), |(kernel, of)| {
        format!("; the largest error is {:.0} % of the rounding bound ({kernel})", 100.0 * of.error)
    });
    let (calls, wrong) = (examined.calls.len(), examined.wrong().count());
    let device = format!("{} in {}", examined.device, examined.precision.name());
    let unknown = examined.unknown();
    if unknown > 0 {
        print(format_args!(
            "  UNKNOWN: {unknown} of {calls} calls have an input that is not finite, so they cannot be judged"
        ))?;
    }
    if wrong == 0 {
        let calls = calls - unknown;
        print(format_args!(
            "  right: on {device} {calls} calls of {} kernels agree with references in f64{worst}",
            kernels.len()
        ))?;
    } else {
        print(format_args!("  WRONG: on {device} {wrong} of {calls} calls do not agree with references in f64"))?;
        for (planned, wrong) in examined.wrong().take(LISTED) {
            print(format_args!("    {} of {} {}: {wrong}", planned.call.kernel, planned.scope, planned.shapes))?;
        }
        let of = kernels.iter().filter(|(_, of)| of.wrong > 0);
        let list: Vec<_> = of.map(|(kernel, of)| format!("{kernel} ({} of {})", of.wrong, of.calls)).collect();
        print(format_args!("    kernels: {}", list.join(", ")))?;
    }
    match &examined.unsteady {
        None => print("  right: the repeated step gives the same bits every time")?,
        Some((name, run)) => print(format_args!("  WRONG: `{name}` has other bits in run {run} of the same step"))?,
    }
    Ok(right)
}
