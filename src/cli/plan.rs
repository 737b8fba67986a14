//! `shadegrad plan MODEL`

use std::process::ExitCode;

use super::{CliError, print};
use crate::fuse::FuseOptions;
use crate::nn::{ResNet18, Stem};
use crate::plan::{Plan, PlanOptions};
use crate::train::config::{ClassifyConfig, Model, Optimizer};
use crate::train::step::{evaluation_graph, training_graph};

/// What to plan.
#[derive(clap::Args)]
pub(super) struct Args {
    /// Model
    model: Model,
    /// Images per step
    #[arg(long, default_value_t = 16)]
    batch_size: usize,
    /// Height and width in pixels
    #[arg(long, default_value_t = 64)]
    image_size: usize,
    /// Number of classes
    #[arg(long, default_value_t = 1000)]
    classes: usize,
    /// First layers
    #[arg(long, value_enum, default_value = "imagenet")]
    stem: Stem,
    /// Optimizer
    #[arg(long, value_enum, default_value = "adam")]
    optimizer: Optimizer,
    /// The plan of an evaluation instead of a training step
    #[arg(long)]
    eval: bool,
    /// Without the rewrites that fuse kernels
    #[arg(long)]
    no_fuse: bool,
}

/// Most classes that a plan is made for: no data set has more, and products of sizes stay far from overflowing.
const MAX_CLASSES: usize = 1_000_000;

/// Prints it.
pub(super) fn run(args: &Args) -> Result<ExitCode, CliError> {
    let config = ClassifyConfig {
        model: args.model,
        batch_size: args.batch_size,
        image_size: args.image_size,
        stem: args.stem,
        optimizer: args.optimizer,
        ..ClassifyConfig::default()
    };
    config.validate()?;
    config.require_large_images()?;
    if !(2..=MAX_CLASSES).contains(&args.classes) {
        return Err(CliError::Usage(format!("--classes {}: expected 2 to {MAX_CLASSES}", args.classes)));
    }
    let network = ResNet18 { classes: args.classes, stem: config.stem };
    let mut options = config.step_options();
    if args.no_fuse {
        options.fuse = FuseOptions::NONE;
    }
    let apply: crate::train::step::Network<'_> = &|g, x, mode| network.apply(g, x, mode);
    let graph = match args.eval {
        true => evaluation_graph(Default::default(), apply, options.images, options.fuse)?,
        false => training_graph(Default::default(), apply, options)?,
    };
    let parameters: usize =
        (graph.states().of(crate::graph::Group::Parameters)).map(|(_, s)| s.ty.shape.elements()).sum();
    print(Plan::new(&graph, PlanOptions::default()))?;
    print(format_args!("parameters:                               {parameters}"))?;
    Ok(ExitCode::SUCCESS)
}
