//! `shadegrad doctor`

use std::path::PathBuf;
use std::process::ExitCode;

use super::progress::Progress;
use super::{CliError, complain, print};
use crate::precision::Precision;
use crate::train::bench::StepSpec;
use crate::train::doctor::{self, Examined, STEPS};

/// What to examine.
#[derive(clap::Args)]
pub(super) struct Args {
    /// Run directories: the first step from each one's weights, with its settings and its own images
    #[arg(value_name = "RUN")]
    runs: Vec<PathBuf>,
    /// Training step, MODEL:NxHxW[:classes=…][:base=…][:depth=…]; may be given several times [default, where no run is named:
    /// small steps of all models]
    #[arg(long, value_name = "STEP")]
    step: Vec<StepSpec>,
    /// Where to compute: auto, gpu, cpu, an adapter's name or its index
    #[arg(long, default_value = "auto")]
    device: String,
    /// Width of activations and their gradients in steps [default: f32, and f16 where runs would get it]
    #[arg(long, value_enum)]
    precision: Option<Precision>,
    /// One JSON object per line: each kernel of each step, then the step
    #[arg(long)]
    json: bool,
}

/// Exit code where something was computed wrongly.
const WRONG: u8 = 1;
/// Wrong calls that are told one by one.
const TOLD: usize = 10;

/// Examines steps and runs.
pub(super) fn run(args: &Args) -> Result<ExitCode, CliError> {
    let mut specs = args.step.clone();
    if specs.is_empty() && args.runs.is_empty() {
        specs = STEPS.iter().filter_map(|text| text.parse().ok()).collect();
    }
    let mut all_right = true;
    for precision in precisions(args, &specs)? {
        for spec in &specs {
            all_right &= tell(args, &spec.text, &doctor::step(spec, &args.device, precision)?)?;
        }
    }
    for run in &args.runs {
        let progress = Progress::new();
        let examined = doctor::run(run, &args.device, &progress)?;
        progress.end();
        all_right &= tell(args, &run.display().to_string(), &examined)?;
    }
    if all_right {
        return Ok(ExitCode::SUCCESS);
    }
    complain(
        "This device computes wrongly: what is trained on it cannot be relied on. Update its driver; SHADEGRAD_TUNE_SECONDS=0 with \
         an empty SHADEGRAD_CACHE_DIR takes the plainest kernels, and --device cpu always works.",
    );
    Ok(ExitCode::from(WRONG))
}

/// Those to examine steps in; says why where 16 bits are left out.
fn precisions(args: &Args, specs: &[StepSpec]) -> Result<Vec<Precision>, CliError> {
    if specs.is_empty() || args.precision == Some(Precision::F32) {
        return Ok(vec![Precision::F32]);
    }
    let refused = doctor::refuses_half(&args.device)?;
    match (refused, args.precision) {
        (None, None) => Ok(vec![Precision::F32, Precision::F16]),
        (None, Some(asked)) => Ok(vec![asked]),
        (Some(line), asked) => {
            complain(line);
            Ok(if asked.is_none() { vec![Precision::F32] } else { vec![] })
        }
    }
}

/// Says what was found; whether all is right.
fn tell(args: &Args, what: &str, examined: &Examined) -> Result<bool, CliError> {
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
            "wrong": examined.wrong().count(), "unsteady": unsteady, "right": right,
        }))?;
        return Ok(right);
    }
    let worst = kernels.iter().max_by(|a, b| a.1.error.total_cmp(&b.1.error));
    let worst = worst.map_or(String::new(), |(kernel, of)| {
        format!("; the largest error is {:.0} % of what rounding may leave ({kernel})", 100.0 * of.error)
    });
    let (calls, wrong) = (examined.calls.len(), examined.wrong().count());
    let precision = format!("{:?}", examined.precision).to_lowercase();
    print(format_args!("{what}, {precision}, on {}", examined.device))?;
    if wrong == 0 {
        print(format_args!("  right: {calls} calls of {} kernels agree with their references in f64{worst}", kernels.len()))?;
    } else {
        print(format_args!("  WRONG: {wrong} of {calls} calls do not agree with their references in f64"))?;
        for (planned, wrong) in examined.wrong().take(TOLD) {
            print(format_args!("    {} of {} {}: {wrong}", planned.call.kernel, planned.scope, planned.shapes))?;
        }
        let of = kernels.iter().filter(|(_, of)| of.wrong > 0);
        let list: Vec<_> = of.map(|(kernel, of)| format!("{kernel} ({} of {})", of.wrong, of.calls)).collect();
        print(format_args!("    kernels: {}", list.join(", ")))?;
    }
    match &examined.unsteady {
        None => print("  right: the same step gives the same bits every time")?,
        Some((name, run)) => print(format_args!("  WRONG: `{name}` has other bits in run {run} of the same step"))?,
    }
    Ok(right)
}
