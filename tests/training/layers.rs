//! `layers.csv`: the norms of a layer's weights and gradient, compared with the checkpoints around a step of SGD.

use std::path::Path;
use std::sync::atomic::AtomicBool;

use shadegrad::interop::safetensors::{TensorData, TensorFile};
use shadegrad::run::{ImageSize, RunDir};
use shadegrad::tasks::segment::{self, SegmentConfig};
use shadegrad::train::Schedule;
use shadegrad::train::settings::Optimizer;

const LR: f64 = 0.05;

/// One step an epoch, on all images: w₂ = w₁ − lr · gradient(w₁).
fn run(out: &Path, epochs: usize) {
    let config = SegmentConfig {
        out: Some(out.to_owned()),
        device: "cpu".into(),
        scenes: 10,
        limit: Some(8),
        epochs,
        batch_size: 8,
        lr: LR,
        optimizer: Optimizer::Sgd,
        momentum: 0.0,
        schedule: Some(Schedule::Constant),
        image_size: ImageSize { height: 32, width: 32 },
        base: 4,
        depth: 1,
        ..SegmentConfig::default()
    };
    segment::train(&config, &(), &AtomicBool::new(false)).unwrap_or_else(|e| panic!("{e}"));
}

fn weights(run: &Path, layer: &str) -> Vec<f64> {
    let file = TensorFile::read(&run.join("last.safetensors")).expect("a checkpoint");
    match &file.tensors[&format!("{layer}.weight")].data {
        TensorData::F32(values) => values.iter().map(|&v| f64::from(v)).collect(),
        other @ TensorData::I64(_) => panic!("{other:?}"),
    }
}

fn norm(values: impl Iterator<Item = f64>) -> f64 {
    values.map(|v| v * v).sum::<f64>().sqrt()
}

#[test]
fn norms_are_those_of_the_weights_and_of_the_next_step() {
    let place = tempfile::tempdir().expect("a temporary folder");
    let [one, two] = [1, 2].map(|epochs| {
        let out = place.path().join(format!("{epochs}"));
        run(&out, epochs);
        out
    });
    let rows = RunDir::open(&two).expect("a run").read_layers().expect("rows");
    let layers =
        ["down0.conv1", "down0.conv2", "bottom.conv1", "bottom.conv2", "up0.enlarge", "up0.conv1", "up0.conv2", "head"];
    assert_eq!(rows.iter().map(|row| &*row.layer).collect::<Vec<_>>(), [layers, layers].concat());
    for row in rows.iter().filter(|row| row.epoch == 1) {
        let [before, after] = [&one, &two].map(|run| weights(run, &row.layer));
        let gradient = norm(before.iter().zip(&after).map(|(before, after)| (before - after) / LR));
        for (got, expected) in [(row.weight_norm, norm(before.iter().copied())), (row.gradient_norm, gradient)] {
            assert!((got - expected).abs() < 1e-3 * expected, "{row:?}: {got}, expected {expected}");
        }
        let has_relu = !["up0.enlarge", "head"].contains(&&*row.layer);
        assert_eq!(row.dead.is_some(), has_relu, "{row:?}");
    }
}
