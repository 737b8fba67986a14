//! `shadegrad summary MODEL`

use std::path::PathBuf;
use std::process::ExitCode;

use super::flags::choice;
use super::model::ModelArgs;
use super::{CliError, print};
use crate::interop::files::write_new;
use crate::ops::AdamOptions;
use crate::plan::{Plan, PlanOptions};
use crate::precision::Precision;
use crate::run::RunError;
use crate::train::step::{Optimizer, Update};
use crate::workflows::drawing::svg;
use crate::workflows::summary::nodes;

/// Arguments of `summary`.
#[derive(clap::Args)]
pub(super) struct Args {
    #[command(flatten)]
    model: ModelArgs,
    /// Width of activations and their gradients, which decides the memory
    #[arg(long, value_parser = choice::<Precision>(), default_value = "f32")]
    precision: Precision,
    /// Write a picture of the network as SVG into this file, which must be new
    #[arg(long, value_name = "FILE")]
    svg: Option<PathBuf>,
}

/// Prints every node that computes with its result, receptive field, parameters and FLOP, and the memory of training.
pub(super) fn run(args: &Args) -> Result<ExitCode, CliError> {
    let step = args.model.step()?;
    let [batch, height, width] = step.size;
    let nodes = nodes(&step.network, [height, width, step.channels])?;
    let columns = ["layer", "op", "result (one image)", "field", "parameters", "MFLOP"];
    let [name, op, result, field, parameters, work] = columns;
    print(format_args!("{name:<28} {op:<16} {result:>20} {field:>10} {parameters:>12} {work:>10}"))?;
    for node in &nodes {
        let shape = node.shape.iter().map(ToString::to_string).collect::<Vec<_>>().join("×");
        let [h, w] = node.field;
        let field = if h == w { format!("{h:.0}") } else { format!("{h:.0}×{w:.0}") };
        let (shape, mflop) = (format!("[{shape}]"), node.flops as f64 / 1e6);
        print(format_args!(
            "{:<28} {:<16} {shape:>20} {field:>10} {:>12} {mflop:>10.1}",
            node.name, node.op, node.parameters
        ))?;
    }
    let (parameters, flops) = nodes.iter().fold((0, 0), |(p, f), node| (p + node.parameters, f + node.flops));
    print(format_args!(
        "{:<28} {:<16} {:>20} {:>10} {parameters:>12} {:>10.1}\n",
        "all",
        "",
        "",
        "",
        flops as f64 / 1e6
    ))?;
    let plain = Update::plain(Optimizer::Adam(AdamOptions::default()), None);
    let plan = Plan::new(&step.graph(&Update { precision: args.precision, ..plain })?, PlanOptions::default());
    let memory = plan.memory;
    print(format_args!(
        "training at batch size {}: {:.1} GFLOP a step, {:.0} MB ({:.0} MB weights and moments, {:.0} MB gradients and \
         inputs, {:.0} MB activations)",
        batch,
        plan.flops() as f64 / 1e9,
        (memory.states + memory.fixed + memory.pool) as f64 / 1e6,
        memory.states as f64 / 1e6,
        memory.fixed as f64 / 1e6,
        memory.pool as f64 / 1e6
    ))?;
    if let Some(path) = &args.svg {
        let title = format!("{}, {}", step.network.name(), super::dry_run::parameters(parameters));
        let image = format!("{height}×{width}×{}", step.channels);
        let picture = svg(&title, &image, &nodes);
        write_new(path, |w| w.write_all(picture.as_bytes())).map_err(RunError::from)?;
        print(format_args!("picture: {}", path.display()))?;
    }
    Ok(ExitCode::SUCCESS)
}
