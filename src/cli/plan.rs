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
use crate::ranks::{Buckets, Forecast, Network, RankDivision, Wire};
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
    #[command(flatten)]
    ranks: RankArgs,
    /// Print the WGSL of a kernel instead of the plan: of its first call, or of the call with this number in the plan
    #[arg(long, value_name = "KERNEL[:CALL]")]
    wgsl: Option<String>,
    /// Tile of that kernel: workgroup, register, subgroup, units, winograd, or a tile as JSON; `list` prints all tiles
    #[arg(long, requires = "wgsl", default_value = "workgroup")]
    tile: String,
}

/// A training on several devices (mpirun).
#[derive(clap::Args)]
struct RankArgs {
    /// Also print what messages among 2 to N ranks (mpirun) cost a training step
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u32).range(2..=4096), conflicts_with_all = ["eval", "wgsl"])]
    ranks: Option<u32>,
    /// Speed of their network, of each rank in each direction
    #[arg(long, value_name = "GBIT_PER_S", requires = "ranks", default_value_t = 1.0)]
    bandwidth: f64,
    /// Latency of their network
    #[arg(long, value_name = "MS", requires = "ranks", default_value_t = 0.1)]
    latency: f64,
    /// Parts of a batch [default: 8, or N where that is more]
    #[arg(long, value_name = "N", requires = "ranks", value_parser = clap::value_parser!(u32).range(1..=4096))]
    shards: Option<u32>,
    /// Width of the gradients that ranks send
    #[arg(long, value_parser = choice::<Wire>(), requires = "ranks", default_value = "f32")]
    wire: Wire,
    /// Seconds of a step on one rank, as `train --dry-run` measures them, for the efficiency
    #[arg(long, value_name = "SECONDS", requires = "ranks")]
    step_seconds: Option<f64>,
}

/// Efficiency whose step time is printed if `--step-seconds` is missing.
const GOOD: f64 = 0.9;

impl RankArgs {
    /// Prints the costs of messages with these buckets of gradients and running statistics.
    fn print(&self, buckets: &Buckets) -> Result<(), CliError> {
        let Some(ranks) = self.ranks else { return Ok(()) };
        let shards = self.shards.unwrap_or(ranks.max(8));
        let numbers = [("--bandwidth", self.bandwidth), ("--step-seconds", self.step_seconds.unwrap_or(1.0))];
        if let Some((flag, number)) = numbers.iter().find(|(_, number)| !(*number > 0.0 && number.is_finite())) {
            return Err(CliError::Usage(format!("{flag} {number}: expected a number above 0")));
        }
        if !(self.latency >= 0.0 && self.latency.is_finite()) {
            return Err(CliError::Usage(format!("--latency {}: expected a number of milliseconds", self.latency)));
        }
        if ranks > shards {
            return Err(CliError::Usage(format!("--ranks {ranks}: {shards} shards are too few; raise --shards")));
        }
        let network = Network { bytes_per_s: self.bandwidth * 1e9 / 8.0, latency_s: self.latency / 1e3 };
        let last = if self.step_seconds.is_some() { "efficiency   overlapped" } else { "step for 0.90" };
        print(format_args!(
            "\nmessages of a step in {shards} shards, {} Gbit/s and {} ms, {}:",
            self.bandwidth,
            self.latency,
            self.wire.name()
        ))?;
        print(format_args!("{:>5}  {:>18}  {:>10}  {last:>13}", "ranks", "sent by a rank", "messages"))?;
        let doubled = std::iter::successors(Some(2), |n| Some(2 * n)).take_while(|n| *n < ranks);
        for n in doubled.chain([ranks]) {
            let division = RankDivision { ranks: n as usize, shards: shards as usize };
            let forecast = Forecast::new(division, buckets, self.wire, network);
            let last = match self.step_seconds {
                Some(seconds) => {
                    format!("{:>10.2}  {:>11.2}", forecast.efficiency(seconds), forecast.efficiency_overlapped(seconds))
                }
                None => forecast.step_s(GOOD).map_or("–".into(), |seconds| format!("{seconds:.3} s")),
            };
            let (megabytes, seconds) = (forecast.bytes as f64 / 1e6, forecast.message_s);
            print(format_args!(
                "{n:>5}  {:>18}  {:>10}  {last:>13}",
                format!("{megabytes:.3} MB"),
                format!("{seconds:.4} s")
            ))?;
        }
        match self.step_seconds {
            Some(_) => print(
                "efficiency: if no message overlaps with computation; overlapped: if messages travel during the backward pass of a \
                 rank's last shard",
            ),
            None => print(
                "step for 0.90: seconds of a step on one rank above which the efficiency is 0.90 or more, if no message overlaps \
                 with computation",
            ),
        }
    }
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
    let layout = graph.states().layout();
    let values = [Group::Parameters, Group::Statistics].map(|group| layout.group_len[group as usize]);
    args.ranks.print(&Buckets::new(layout.decay_end, values.iter().sum()))?;
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
