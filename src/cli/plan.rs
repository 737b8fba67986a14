//! `shadegrad plan MODEL`

use std::process::ExitCode;

use super::flags::choice;
use super::model::ModelArgs;
use super::{CliError, print};
use crate::fuse::FuseOptions;
use crate::graph::Group;
use crate::plan::{Plan, PlanOptions};
use crate::precision::Precision;
use crate::train::settings::Optimizer;
use crate::train::step::Update;

/// What to plan.
#[derive(clap::Args)]
pub(super) struct Args {
    #[command(flatten)]
    model: ModelArgs,
    /// Optimizer
    #[arg(long, value_parser = choice::<Optimizer>(), default_value = "adam")]
    optimizer: Optimizer,
    /// Width of activations and their gradients
    #[arg(long, value_parser = choice::<Precision>(), default_value = "f32", conflicts_with = "eval")]
    precision: Precision,
    /// The plan of an evaluation instead of a training step
    #[arg(long)]
    eval: bool,
    /// Without the rewrites that fuse kernels
    #[arg(long)]
    no_fuse: bool,
}

/// Prints it.
pub(super) fn run(args: &Args) -> Result<ExitCode, CliError> {
    let step = args.model.step()?;
    let rewrites = if args.no_fuse { FuseOptions::NONE } else { FuseOptions::default() };
    let (optimizer, precision) = (args.optimizer, args.precision);
    let update = Update { precision, ..Update::plain(optimizer.usual(), None) };
    let graph = step.graph_rewritten((!args.eval).then_some(&update), rewrites)?;
    let parameters: usize = graph.states().of(Group::Parameters).map(|(_, s)| s.ty.shape.elements()).sum();
    print(Plan::new(&graph, PlanOptions::default()))?;
    print(format_args!("parameters:                               {parameters}"))?;
    Ok(ExitCode::SUCCESS)
}
