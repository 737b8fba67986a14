//! `shadegrad summary MODEL`

use std::collections::BTreeMap;
use std::process::ExitCode;

use super::{CliError, print};
use crate::fuse::{FuseOptions, fuse};
use crate::graph::{Graph, Group};
use crate::nn::{Decoder, Mode, Network, Stem, UNet, Up};
use crate::ops::AdamOptions;
use crate::plan::{Plan, PlanOptions};
use crate::shape::TensorType;
use crate::train::bench::StepSpec;
use crate::train::config::{ImageSize, MAX_BATCH_SIZE, MAX_IMAGE_SIZE};
use crate::train::step::{Optimizer, Update};

/// The models.
#[derive(Clone, Copy, PartialEq, Eq, clap::ValueEnum)]
enum Model {
    /// Classification
    Resnet18,
    /// Segmentation with a ResNet18 body
    #[value(name = "resnet18-seg")]
    Resnet18Seg,
    /// Segmentation and colorization
    Unet,
}

/// What to summarise.
#[derive(clap::Args)]
pub(super) struct Args {
    /// Model
    model: Model,
    /// HEIGHTxWIDTH in pixels
    #[arg(long, default_value = "224")]
    image_size: ImageSize,
    /// Images per training step, for the memory
    #[arg(long, default_value_t = 16)]
    batch_size: usize,
    /// Classes [default: 1000 for resnet18, else 21]
    #[arg(long)]
    classes: Option<usize>,
    /// First layers of resnet18
    #[arg(long, value_enum, default_value = "imagenet")]
    stem: Stem,
    /// Head of resnet18-seg
    #[arg(long, value_enum, default_value = "fcn32s")]
    decoder: Decoder,
    /// Halvings of unet
    #[arg(long, default_value_t = 4)]
    depth: usize,
    /// Channels of the first level of unet
    #[arg(long, default_value_t = 64)]
    base: usize,
    /// How unet enlarges
    #[arg(long, value_enum, default_value = "transposed")]
    up: Up,
    /// Hand features across the levels of unet
    #[arg(long, num_args = 0..=1, default_value_t = true, default_missing_value = "true", action = clap::ArgAction::Set)]
    skips: bool,
}

impl Args {
    fn network(&self) -> Network {
        let classes = self.classes.unwrap_or(if self.model == Model::Resnet18 { 1000 } else { 21 });
        match self.model {
            Model::Resnet18 => Network::ResNet18 { classes, stem: self.stem },
            Model::Resnet18Seg => Network::ResNet18Seg { classes, decoder: self.decoder },
            Model::Unet => {
                let Args { depth, base, up, skips, .. } = *self;
                Network::UNet(UNet { outputs: classes, depth, base, up, skips })
            }
        }
    }

    fn check(&self) -> Result<(), CliError> {
        let usage = |text: String| Err(CliError::Usage(text));
        if !self.image_size.within(5, MAX_IMAGE_SIZE) {
            return usage(format!("--image-size {}: expected sides of 5 to {MAX_IMAGE_SIZE} pixels", self.image_size));
        }
        if !(1..=MAX_BATCH_SIZE).contains(&self.batch_size) {
            return usage(format!("--batch-size {}: expected at least 1, at most {MAX_BATCH_SIZE}", self.batch_size));
        }
        for (name, value, most) in
            [("classes", self.classes.unwrap_or(2), 1_000_000), ("depth", self.depth, 8), ("base", self.base, 1024)]
        {
            if !(1..=most).contains(&value) {
                return usage(format!("--{name} {value}: expected 1 to {most}"));
            }
        }
        Ok(())
    }
}

/// One layer: the shape of its result, its parameters and its work for one image.
#[derive(Default)]
struct Layer {
    shape: String,
    parameters: usize,
    flops: u64,
}

/// Prints layers, shapes, parameters, work, and the memory of training.
pub(super) fn run(args: &Args) -> Result<ExitCode, CliError> {
    args.check()?;
    let network = args.network();
    let ImageSize { height, width } = args.image_size;
    let mut g = Graph::new();
    let x = g.input("images", TensorType::channels([1, height, width, 3]));
    let y = network.apply(&mut g, x, Mode::Eval)?;
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
    let step = StepSpec { text: String::new(), network, size: [args.batch_size, height, width] };
    let plan =
        Plan::new(&step.graph(&Update::plain(Optimizer::Adam(AdamOptions::default()), None))?, PlanOptions::default());
    let memory = plan.memory;
    print(format_args!(
        "training at batch size {}: {:.1} GFLOP a step, {:.0} MB ({:.0} MB weights and moments, {:.0} MB gradients and \
         inputs, {:.0} MB activations)",
        args.batch_size,
        plan.flops() as f64 / 1e9,
        (memory.states + memory.fixed + memory.pool) as f64 / 1e6,
        memory.states as f64 / 1e6,
        memory.fixed as f64 / 1e6,
        memory.pool as f64 / 1e6
    ))?;
    Ok(ExitCode::SUCCESS)
}

/// Layers in their order, by name.
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
            layer.shape = shape.to_owned();
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
