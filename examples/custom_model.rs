//! A custom network in a custom training loop:
//!
//!     cargo run --release --example custom_model [-- --quick]

use std::error::Error;
use std::sync::Arc;

use shadegrad::data::scenes::{SceneDataset, SceneOptions};
use shadegrad::data::{ClassificationDataset, ClassificationSource, Loader, LoaderOptions, PrepareOptions, prepare};
use shadegrad::graph::{Graph, GraphError, Value};
use shadegrad::nn::{BatchNorm2d, Conv2d, Linear, Mode};
use shadegrad::training::{CrossEntropy, Training, TrainingOptions};
use shadegrad::{exec, ops};

const SIZE: usize = 32;

/// Four convolutions of stride 2 and a linear head. States are named by their layers: `conv1.weight`, `norm1.bias`, …
fn network(g: &mut Graph, images: Value, mode: Mode) -> Result<Value, GraphError> {
    let mut x = images;
    for (stage, channels) in [(1, 16), (2, 32), (3, 64), (4, 128)] {
        x = Conv2d::new(channels, 3).stride(2).padding(1).bias(false).apply(g, &format!("conv{stage}"), x)?;
        x = BatchNorm2d::new().apply(g, &format!("norm{stage}"), x, mode)?;
        x = ops::relu(g, x)?;
    }
    x = ops::global_avg_pool(g, x)?;
    x = ops::flatten(g, x)?;
    Linear::new(10).apply(g, "head", x)
}

/// Trains, and returns the share of correctly classified validation images.
pub(crate) fn train(quick: bool) -> Result<f64, Box<dyn Error>> {
    // Drawings of ten kinds of street object.
    let (images, epochs) = if quick { (600, 4) } else { (6000, 10) };
    let scenes = |seed, count| -> Arc<dyn ClassificationDataset> {
        Arc::new(SceneDataset::new(SceneOptions { seed, count, side: SIZE as u32 }))
    };
    let parts = prepare(&[scenes(1, images), scenes(2, 500)], &PrepareOptions::square(SIZE as u32), &|_, _| {})?;
    let normalization = parts[0].facts().normalization();
    let loader = |part| {
        let source = ClassificationSource::new(Arc::new(part), &normalization);
        Loader::new(Arc::new(source), LoaderOptions::new(20, 0))
    };
    let mut loaders = parts.into_iter().map(loader).collect::<Result<Vec<_>, _>>()?;
    let (val, train) = (loaders.remove(1), loaders.remove(0));
    let (device, options) = (exec::open("auto")?, TrainingOptions::adam(2e-3));
    let mut training = Training::new(device, [SIZE, SIZE, 3], network, CrossEntropy::new(), options)?;
    let (mut accuracy, mut loss) = (0.0, 0.0);
    for epoch in 0..epochs {
        for batch in train.epoch(epoch)? {
            loss = training.step(&batch?)?.loss;
        }
        accuracy = training.evaluate(val.epoch(0)?)?.accuracy().unwrap_or(0.0);
        println!("epoch {epoch}: last loss {loss:.3}, validation accuracy {:.1} %", 100.0 * accuracy);
    }
    Ok(accuracy)
}

fn main() -> Result<(), Box<dyn Error>> {
    train(std::env::args().any(|a| a == "--quick")).map(drop)
}
