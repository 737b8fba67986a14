//! A network of your own in a training loop of your own:
//!
//!     cargo run --release --example custom_model [-- --quick]
//!
//! The steps: data, a graph for training, a graph for evaluation over the same states, a session on a device, a loop.

use std::error::Error;
use std::sync::Arc;

use shadegrad::autodiff;
use shadegrad::data::scenes::SceneDataset;
use shadegrad::data::{ClassificationSource, Loader, LoaderOptions, PrepareOptions, prepare};
use shadegrad::exec::{self, Session};
use shadegrad::fuse::{FuseOptions, fuse};
use shadegrad::graph::{Graph, GraphError, Value};
use shadegrad::nn::{BatchNorm2d, Conv2dLayer, Linear, Mode};
use shadegrad::ops::{self, AdamOptions, CrossEntropyOptions};
use shadegrad::plan::PlanOptions;
use shadegrad::shape::TensorType;

const BATCH: usize = 20;
const SIZE: usize = 32;

/// Four convolutions of stride 2 and a linear head. States are named by their scope: `conv1.weight`, `norm1.bias`, …
fn network(g: &mut Graph, images: Value, classes: usize, mode: Mode) -> Result<Value, GraphError> {
    let mut x = images;
    for (stage, channels) in [(1, 16), (2, 32), (3, 64), (4, 128)] {
        x = Conv2dLayer::square(channels, 3, 2, 1).apply(g, &format!("conv{stage}"), x)?;
        x = BatchNorm2d::default().apply(g, &format!("norm{stage}"), x, mode)?;
        x = ops::relu(g, x)?;
    }
    x = ops::global_avg_pool(g, x)?;
    x = ops::flatten(g, x)?;
    Linear { features: classes }.apply(g, "head", x)
}

/// The whole step: forward, gradients, update.
fn training_graph(classes: usize, adam: AdamOptions) -> Result<Graph, GraphError> {
    let mut g = Graph::new();
    let images = g.input("images", TensorType::channels([BATCH, SIZE, SIZE, 3]));
    let labels = g.input("labels", TensorType::flat(BATCH));
    let logits = network(&mut g, images, classes, Mode::Train)?;
    let [loss, _] = ops::softmax_cross_entropy(&mut g, logits, labels, None, CrossEntropyOptions::default())?;
    g.output("loss", loss);

    let parameters = g.parameters();
    let gradients = autodiff::gradients(&mut g, loss, &parameters)?;
    let packed = ops::pack_parameters(&mut g, &gradients)?;
    let hyper = g.input("hyper", ops::Hyper::ty());
    ops::adam_step(&mut g, packed, hyper, None, loss, adam)?;
    fuse(&mut g, FuseOptions::default());
    Ok(g)
}

/// Trains, and returns the share of validation images that are classified rightly.
pub fn train(quick: bool) -> Result<f64, Box<dyn Error>> {
    // Drawings of ten kinds of street object; whole batches only, to keep the example short.
    let (images, epochs) = if quick { (600, 4) } else { (6000, 10) };
    let scenes = |seed, count| Arc::new(SceneDataset::new(seed, count, SIZE as u32)) as _;
    let parts = prepare(&[scenes(1, images), scenes(2, 500)], &PrepareOptions::new(SIZE as u32), &|_, _| {})?;
    let normalization = parts[0].sums().normalization();
    let classes = parts[0].class_names().len();
    let loader = |part| {
        let source = ClassificationSource::new(Arc::new(part), &normalization);
        Loader::new(Arc::new(source), LoaderOptions::new(BATCH, 0))
    };
    let mut loaders = parts.into_iter().map(loader).collect::<Result<Vec<_>, _>>()?;
    let (val, train) = (loaders.remove(1), loaders.remove(0));

    let adam = AdamOptions::default();
    let step = training_graph(classes, adam)?;
    let mut evaluation = Graph::with_states(step.states().clone());
    let input = evaluation.input("images", TensorType::channels([BATCH, SIZE, SIZE, 3]));
    let logits = network(&mut evaluation, input, classes, Mode::Eval)?;
    evaluation.output("logits", logits);

    let mut session = Session::new(exec::open("auto")?, &step, 0)?;
    let step = session.load(&step, PlanOptions::default())?;
    let evaluation = session.load(&evaluation, PlanOptions::default())?;
    println!("device: {}", session.engine().name());

    let (mut steps, mut accuracy) = (0, 0.0);
    for epoch in 0..epochs {
        let mut loss = 0.0;
        for batch in train.epoch(epoch)? {
            let batch = batch?;
            steps += 1;
            session.write(step, "images", &batch.images)?;
            session.write(step, "labels", &batch.labels.iter().map(|&l| l as f32).collect::<Vec<_>>())?;
            session.write(step, "hyper", &ops::Hyper::new(2e-3, adam.betas, steps).values())?;
            loss = session.run_now(step)?[0][0];
        }
        let mut right = 0;
        for batch in val.epoch(0)? {
            let batch = batch?;
            session.write(evaluation, "images", &batch.images)?;
            let logits = session.run_now(evaluation)?.remove(0);
            let best = |row: &[f32]| (0..classes).max_by(|&a, &b| row[a].total_cmp(&row[b]));
            let predicted = logits.chunks_exact(classes).map(best);
            right += predicted.zip(&batch.labels).filter(|(p, l)| *p == Some(**l as usize)).count();
        }
        accuracy = right as f64 / val.source().len() as f64;
        println!("epoch {epoch}: last loss {loss:.3}, validation accuracy {:.1} %", 100.0 * accuracy);
    }
    Ok(accuracy)
}

fn main() -> Result<(), Box<dyn Error>> {
    train(std::env::args().any(|a| a == "--quick")).map(drop)
}
