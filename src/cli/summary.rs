//! `shadegrad summary MODEL`

use std::collections::BTreeMap;
use std::process::ExitCode;

use super::flags::choice;
use super::model::ModelArgs;
use super::{CliError, print};
use crate::fuse::{FuseOptions, fuse};
use crate::graph::{Graph, Group};
use crate::nn::Mode;
use crate::ops::AdamOptions;
use crate::plan::{Plan, PlanOptions};
use crate::precision::Precision;
use crate::shape::TensorType;
use crate::train::step::{Optimizer, Update};

/// Arguments of `summary`.
#[derive(clap::Args)]
pub(super) struct Args {
    #[command(flatten)]
    model: ModelArgs,
    /// Width of activations and their gradients, which decides the memory
    #[arg(long, value_parser = choice::<Precision>(), default_value = "f32")]
    precision: Precision,
}

/// One layer: shape of its result, parameters and FLOP, for one image.
#[derive(Default)]
struct Layer {
    shape: String,
    parameters: usize,
    flops: u64,
}

/// Prints layers with shapes, parameters and FLOP, and the memory of training.
pub(super) fn run(args: &Args) -> Result<ExitCode, CliError> {
    let step = args.model.step()?;
    let [batch, height, width] = step.size;
    let mut g = Graph::new();
    let x = g.input("images", TensorType::channels([1, height, width, 3]));
    let y = step.network.apply(&mut g, x, Mode::Eval)?;
    g.output("y", y);
    fuse(&mut g, FuseOptions::default());
    let (order, layers) = layers(&g);
    print(format_args!("{:<28} {:>22} {:>12} {:>12}", "layer", "result (one image)", "parameters", "MFLOP"))?;
    for name in &order {
        let layer = &layers[name];
        let mflop = layer.flops as f64 / 1e6;
        print(format_args!("{name:<28} {:>22} {:>12} {mflop:>12.1}", layer.shape, layer.parameters))?;
    }
    let (parameters, flops) = layers.values().fold((0, 0), |(p, f), l| (p + l.parameters, f + l.flops));
    print(format_args!("{:<28} {:>22} {parameters:>12} {:>12.1}\n", "all", "", flops as f64 / 1e6))?;
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
    Ok(ExitCode::SUCCESS)
}

/// Names of the layers in order, and the layers by name.
fn layers(g: &Graph) -> (Vec<String>, BTreeMap<String, Layer>) {
    let (mut order, mut layers) = (vec![], BTreeMap::<String, Layer>::new());
    for planned in Plan::new(g, PlanOptions { reuse: false }).calls {
        let name = if planned.scope.is_empty() { planned.op.to_owned() } else { planned.scope };
        let layer = layers.entry(name.clone()).or_insert_with(|| {
            order.push(name);
            Layer::default()
        });
        layer.flops += planned.call.flops;
        if let Some((_, shape)) = planned.shapes.split_once("→ ") {
            shape.clone_into(&mut layer.shape);
        }
    }
    for (_, spec) in g.states().of(Group::Parameters) {
        let layer = spec.name.rsplit_once('.').and_then(|(layer, _)| layers.get_mut(layer));
        if let Some(layer) = layer {
            layer.parameters += spec.ty.shape.elements();
        }
    }
    (order, layers)
}
