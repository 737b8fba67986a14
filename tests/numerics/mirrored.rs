//! Predictions averaged over an image and its mirror image, against two predictions averaged by hand.

use shadegrad::exec::{CpuEngine, PlanOptions, Session};
use shadegrad::graph::{Graph, GraphError, Value};
use shadegrad::nn::{Architecture, Averaged, Conv2d, Linear, Mode, Model, Network};
use shadegrad::ops;
use shadegrad::shape::TensorType;

use crate::common::trace::signed;

const IMAGES: [usize; 4] = [2, 3, 5, 3];
const OUTPUTS: usize = 4;

/// Outputs for each pixel, or for the image.
#[derive(Clone, Copy, serde::Serialize)]
struct Small {
    dense: bool,
}

impl Model for Small {
    type Output = Value;

    fn apply(&self, g: &mut Graph, x: Value, _: Mode) -> Result<Value, GraphError> {
        let x = Conv2d::new(OUTPUTS, 3).padding(1).apply(g, "conv", x)?;
        if self.dense {
            return ops::scale(g, x, 3.0);
        }
        let x = ops::flatten(g, x)?;
        Linear::new(OUTPUTS).apply(g, "fc", x)
    }
}

fn outputs(network: &Network, mode: Mode, images: &[f64]) -> Vec<f64> {
    let mut g = Graph::new();
    let x = g.input("x", TensorType::channels(IMAGES));
    let y = network.apply(&mut g, x, mode).expect("fits");
    g.output("y", y);
    let mut session = Session::new(Box::new(CpuEngine::<f64>::new()), &g, 7).expect("a session");
    let plan = session.load(&g, PlanOptions::default()).expect("a plan");
    session.write(plan, "x", images).expect("it fits");
    session.run_now(plan).expect("runs").swap_remove(0)
}

/// Rows of five pixels, mirrored.
fn mirrored(values: &[f64], channels: usize) -> Vec<f64> {
    let row = |row: &[f64]| row.chunks(channels).rev().flatten().copied().collect::<Vec<_>>();
    values.chunks(IMAGES[2] * channels).flat_map(row).collect()
}

fn softmax(logits: &[f64]) -> Vec<f64> {
    let row = |row: &[f64]| {
        let sum: f64 = row.iter().map(|v| v.exp()).sum();
        row.iter().map(|v| v.exp() / sum).collect::<Vec<_>>()
    };
    logits.chunks(OUTPUTS).flat_map(row).collect()
}

fn sigmoid(logits: &[f64]) -> Vec<f64> {
    logits.iter().map(|v| 1.0 / (1.0 + (-v).exp())).collect()
}

#[test]
fn predictions_are_averaged_as_by_hand() {
    let images = signed(3, IMAGES.iter().product());
    for dense in [false, true] {
        let architecture = Architecture::new("small", "fc.bias", |_, _| Err("never read".into()));
        let network = Network::new(architecture, OUTPUTS, Small { dense });
        let plain = outputs(&network, Mode::Eval, &images);
        let other = outputs(&network, Mode::Eval, &mirrored(&images, 3));
        let other = if dense { mirrored(&other, OUTPUTS) } else { other };
        let kinds: [(Averaged, fn(&[f64]) -> Vec<f64>); 3] =
            [(Averaged::Softmax, softmax), (Averaged::Sigmoid, sigmoid), (Averaged::Outputs, <[f64]>::to_vec)];
        for (averaged, probabilities) in kinds {
            let twice = network.clone().mirrored(averaged);
            let got = probabilities(&outputs(&twice, Mode::Eval, &images));
            let by_hand = probabilities(&plain).into_iter().zip(probabilities(&other)).map(|(a, b)| (a + b) / 2.0);
            for (got, expected) in got.iter().zip(by_hand) {
                assert!((got - expected).abs() < 1e-12, "{averaged:?}, dense {dense}: {got} is not {expected}");
            }
            assert_eq!(outputs(&twice, Mode::Train, &images), plain, "training sees each image once");
        }
        let differs = plain.iter().zip(&other).any(|(a, b)| (a - b).abs() > 0.1);
        assert!(differs, "the mirror images have other outputs");
    }
}
