//! A custom task and network, with a loss made of ops, in the common training loop:
//!
//!     cargo run --release --example custom_task
//!
//! The task is to predict the brightness of a picture. Once registered, it trains, resumes, reports and exports like a
//! built-in task.

use std::error::Error;
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::AtomicBool;

use shadegrad::data::{MemorySamples, Normalization, Source};
use shadegrad::graph::{Graph, GraphError, Value};
use shadegrad::nn::{Architecture, Conv2d, Dropout, Linear, Mode, Model, Network};
use shadegrad::run::{Better, Checkpoint, ModelCard, Score, TaskCard, Unit};
use shadegrad::tasks::{OnnxNetwork, OnnxOutput, Task, TaskError};
use shadegrad::train::settings::{ConfigError, Resolved, Rule};
use shadegrad::train::{Observer, Supervised, TrainError, TrainingData};
use shadegrad::{nn, ops, report, run, tasks, workflows};

const SIZE: usize = 16;
const ERROR: Score = Score::new("val_error", "mean error", Unit::Share, Better::Lower);

/// The network: a convolution, dropout, the mean of each channel, one number.
#[derive(Clone, Copy, serde::Serialize)]
struct Meter {}

const METER: Architecture = Architecture::new("meter", "head.bias", |n, _| Ok(Network::new(METER, n, Meter {})));

impl Model for Meter {
    type Output = Value;

    fn apply(&self, g: &mut Graph, images: Value, mode: Mode) -> Result<Value, GraphError> {
        let x = Conv2d::new(8, 3).padding(1).apply(g, "conv", images)?;
        let x = ops::relu(g, x)?;
        let x = Dropout::new(0.1).apply(g, "drop", x, mode)?;
        let x = ops::global_avg_pool(g, x)?;
        let x = ops::flatten(g, x)?;
        Linear::new(1).apply(g, "head", x)
    }
}

/// Mean squared error, made of ops.
fn squared_error(g: &mut Graph, predicted: Value, target: Value) -> Result<Value, GraphError> {
    let error = ops::sub(g, predicted, target)?;
    let square = ops::mul(g, error, error)?;
    ops::mean(g, square)
}

/// Loss and scores of an evaluation.
fn score(predicted: &[f32], targets: &[f32]) -> (f64, Vec<(Score, f64)>) {
    let errors = || predicted.iter().zip(targets).map(|(p, t)| f64::from(p - t));
    let n = targets.len().max(1) as f64;
    (errors().map(|e| e * e).sum::<f64>() / n, vec![(ERROR, errors().map(f64::abs).sum::<f64>() / n)])
}

shadegrad::task_settings! {
    task "brightness";
    /// Settings of the task.
    config BrightnessConfig;
    values {
        /// Training pictures [default: 64]
        scenes: usize = 64,
        /// Passes over them [default: 6]
        epochs: usize = 6,
        /// Pictures per step [default: 8]
        batch_size: usize = 8,
        /// Learning rate [default: 0.01]
        lr: f64 = 0.01,
    }
}

impl BrightnessConfig {
    fn check_own(&self, rule: Rule<'_>) -> Result<(), ConfigError> {
        rule.range("scenes", &self.scenes, self.scenes <= 10_000, "at most 10000")
    }
}

/// Numbers that cover 0 to 1 evenly: the fractional parts of multiples of an irrational number.
fn spread(k: usize, seed: u64) -> f32 {
    ((k as f64 + seed as f64) * 0.618_033_988_75).fract() as f32
}

/// Pictures of noise around a brightness, which is the target.
fn pictures(seed: u64, count: usize) -> Result<Arc<dyn Source>, TrainError> {
    let bright: Vec<f32> = (0..count).map(|i| spread(i, seed)).collect();
    let len = 3 * SIZE * SIZE;
    let value = |k: usize| bright[k / len] + spread(7 * k, seed) - 0.5;
    let images = (0..count * len).map(value).collect();
    Ok(Arc::new(MemorySamples::new([SIZE, SIZE, 3], images)?.with_targets(bright)?))
}

/// The task.
pub struct Brightness;

impl Task for Brightness {
    shadegrad::settings_of_task!(BrightnessConfig);

    fn card(&self) -> TaskCard {
        TaskCard::new("brightness", "Brightness", vec![ERROR])
    }

    fn read(&self, settings: &Resolved, _: &dyn Observer) -> Result<TrainingData, TrainError> {
        let common = &settings.common;
        let (network, classes, image_size) = (Network::new(METER, 1, Meter {}), vec!["brightness".into()], [SIZE; 2]);
        let (task, palette, normalization) = ("brightness".into(), vec![], Normalization::NONE);
        let own = Default::default();
        let card = ModelCard { task, network, classes, palette, image_size, normalization, own };
        let (task_card, loss, update) = (Task::card(self), squared_error, common.update());
        let objective = Box::new(Supervised { card, task_card, channels: 3, loss, update, score });
        let sources = [pictures(common.seed, common.scenes)?, pictures(common.seed + 1, 32)?];
        let (stem, decisions) = ("brightness-meter".into(), Default::default());
        Ok(TrainingData { objective, sources, stem, lines: vec![], decisions, skipped: vec![] })
    }

    fn export(&self, onnx: &mut OnnxNetwork<'_>) -> Result<OnnxOutput, TaskError> {
        let (value, about) = (onnx.of_normalized()?, "[N,1]: the brightness".into());
        Ok(OnnxOutput { name: "brightness", value, axes: vec![1], about, metadata: vec![] })
    }
}

/// Registers task and network.
pub fn register() {
    nn::register(METER);
    tasks::register(&Brightness);
}

/// Trains into `out`, and writes a report and an ONNX model beside the weights. Returns the mean error of the best
/// epoch.
///
/// # Errors
/// If the data or the device fail, or a file cannot be written.
pub fn run(out: &Path) -> Result<f64, Box<dyn Error>> {
    register();
    let config = BrightnessConfig { out: Some(out.to_owned()), ..Default::default() };
    let trainer = Brightness.open(&Resolved::of(&config)?, &())?;
    let outcome = trainer.train(&(), &AtomicBool::new(false))?;
    let mut page = report::Report::new("Brightness", tasks::cards());
    page.runs(&[out.to_owned()])?;
    page.write(&out.join("report.html"))?;
    workflows::export(&Checkpoint::open(out)?)?.model.write_new(&out.join("model.onnx"))?;
    Ok(outcome.best.and_then(|row| row.score(&ERROR)).unwrap_or(f64::NAN))
}

fn main() -> Result<(), Box<dyn Error>> {
    let out = run::next_numbered(Path::new("runs"), "brightness")?;
    println!("mean error {:.3}; report: {}", run(&out)?, out.join("report.html").display());
    Ok(())
}
