//! `shadegrad plan MODEL`

use std::process::ExitCode;

use super::flags::choice;
use super::model::ModelArgs;
use super::{CliError, print};
use crate::exec::ExecError;
use crate::exec::shader::{
    Lines, Matrix, Shader, Stage, StageBinding, TILE_NAMES, Target, Tile, all_tiles, shader, tile_by_name,
};
use crate::fuse::FuseOptions;
use crate::graph::Group;
use crate::plan::{Plan, PlanOptions, PlannedCall};
use crate::precision::Precision;
use crate::train::settings::Optimizer;
use crate::train::step::Update;

/// Arguments of `plan`.
#[derive(clap::Args)]
pub(super) struct Args {
    #[command(flatten)]
    model: ModelArgs,
    /// Optimizer of the training step
    #[arg(long, value_parser = choice::<Optimizer>(), default_value = "adam")]
    optimizer: Optimizer,
    /// Width of activations and their gradients
    #[arg(long, value_parser = choice::<Precision>(), default_value = "f32", conflicts_with = "eval")]
    precision: Precision,
    /// Plan an evaluation instead of a training step
    #[arg(long)]
    eval: bool,
    /// Plan without fused kernels
    #[arg(long)]
    no_fuse: bool,
    /// Print the WGSL of a kernel instead of the plan: of its first call, or of the call with this number in the plan
    #[arg(long, value_name = "KERNEL[:CALL]")]
    wgsl: Option<String>,
    /// Tile of that kernel: workgroup, register, subgroup, units, winograd, or a tile as JSON; `list` prints all tiles
    #[arg(long, requires = "wgsl", default_value = "workgroup")]
    tile: String,
}

/// Prints the plan, or a kernel of it.
pub(super) fn run(args: &Args) -> Result<ExitCode, CliError> {
    let step = args.model.step()?;
    let rewrites = if args.no_fuse { FuseOptions::NONE } else { FuseOptions::default() };
    let (optimizer, precision) = (args.optimizer, args.precision);
    let update = Update { precision, ..Update::plain(optimizer.usual(), None) };
    let graph = step.graph_rewritten((!args.eval).then_some(&update), rewrites)?;
    let plan = Plan::new(&graph, PlanOptions::default());
    if let Some(asked) = &args.wgsl {
        print_kernel(&plan, asked, &args.tile)?;
        return Ok(ExitCode::SUCCESS);
    }
    let parameters: usize = graph.states().of(Group::Parameters).map(|(_, s)| s.ty.shape.elements()).sum();
    print(plan)?;
    print(format_args!("parameters:                               {parameters}"))?;
    Ok(ExitCode::SUCCESS)
}

/// Prints the WGSL that a device receives for a call.
fn print_kernel(plan: &Plan, asked: &str, tile: &str) -> Result<(), CliError> {
    let (number, planned) = find(plan, asked).map_err(CliError::Usage)?;
    let call = &planned.call;
    if tile == "list" {
        return list_tiles(planned);
    }
    let (target, tile) = tile_by_name(call, tile).map_err(|error| CliError::Usage(format!("--tile: {error}")))?;
    let Shader { stages, scratch } = shader(call, target, tile).map_err(ExecError::from)?;
    let scope = if planned.scope.is_empty() { String::new() } else { format!(" of {}", planned.scope) };
    print(format_args!("// {}: call {number}, {}{scope}, {}", call.kernel, planned.op, planned.shapes))?;
    print(format_args!("// {}", device(target, tile)))?;
    if scratch > 0 {
        print(format_args!("// {} bytes of scratch memory at binding {}", 4 * scratch, call.bindings.len()))?;
    }
    for (index, stage) in stages.iter().enumerate() {
        print(format_args!("\n// Stage {} of {}: {}", index + 1, stages.len(), describe(stage)))?;
        print(stage.source.trim_end())?;
    }
    Ok(())
}

/// The call that `KERNEL` or `KERNEL:CALL` names, and its number in the plan.
fn find<'a>(plan: &'a Plan, asked: &str) -> Result<(usize, &'a PlannedCall), String> {
    let (kernel, number) = asked.split_once(':').map_or((asked, None), |(kernel, number)| (kernel, Some(number)));
    let of_kernel = || plan.calls.iter().enumerate().filter(|(_, planned)| planned.call.kernel == kernel);
    let Some(first) = of_kernel().next() else {
        let mut known: Vec<&str> = plan.calls.iter().map(|planned| planned.call.kernel).collect();
        known.sort_unstable();
        known.dedup();
        return Err(format!("--wgsl: the plan has no kernel `{kernel}`; it has {}", known.join(", ")));
    };
    let Some(number) = number else { return Ok(first) };
    let found = number.parse().ok().and_then(|number: usize| of_kernel().find(|(index, _)| *index == number));
    found.ok_or_else(|| {
        let numbers: Vec<String> = of_kernel().map(|(index, _)| index.to_string()).collect();
        format!("--wgsl: `{number}` is no call of {kernel}; its calls have the numbers {}", numbers.join(", "))
    })
}

/// The device and the tile, as a comment.
fn device(target: Target, tile: Option<Tile>) -> String {
    let sizes = if target.immediates.is_some() { ", sizes at run time" } else { "" };
    let tile = tile.map_or("the fixed choice of tile".into(), |tile| format!("tile {}", serde_json::json!(tile)));
    format!("{:?}{sizes}, {tile}", target.tiling)
}

/// Workgroups and bindings of a stage.
fn describe(stage: &Stage) -> String {
    let binding = |b: &StageBinding| format!("{} {:?}", b.index, b.kind);
    let bindings: Vec<String> = stage.bindings.iter().map(binding).collect();
    let sizes = if stage.sizes.is_empty() { String::new() } else { format!("; sizes {:?}", stage.sizes) };
    format!("{} workgroups; bindings {}{sizes}", stage.workgroups, bindings.join(", "))
}

/// Prints the tiles that a call can have on any device.
fn list_tiles(planned: &PlannedCall) -> Result<(), CliError> {
    for (name, what) in TILE_NAMES {
        print(format_args!("{name:10} {what}"))?;
    }
    let units = [(16, 32), (16, 64), (8, 32)].into_iter();
    let kinds =
        units.flat_map(|(size, lanes)| [Lines::AsTheyCome, Lines::Turned].map(|lines| Matrix { size, lanes, lines }));
    let mut seen: Vec<Tile> = vec![];
    for tile in kinds.flat_map(|units| all_tiles(&planned.call, units)) {
        if !seen.contains(&tile) {
            print(serde_json::json!(tile))?;
            seen.push(tile);
        }
    }
    Ok(())
}
