//! Grad-CAM compared with PyTorch's hooks; tests/fixtures/generate_gradcam.py makes the numbers.

use serde_json::Value as Json;
use shadegrad::exec::{CpuEngine, Engine};
use shadegrad::graph::StateTable;
use shadegrad::nn::{Network, architecture};
use shadegrad::training::grad_cam::{
    FEATURE_GRADIENT, FEATURES, FeatureMap, GradCam, OUTPUT_WEIGHTS, OUTPUTS, class_pixels, grad_cam,
};

use crate::common::Number;
use crate::common::compare::Failures;
use crate::common::gpu;
use crate::common::trace::{floats, narrow, sizes};
use crate::encoders_trace::opened;

fn fixture(task: &str) -> Json {
    let path = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/fixtures/gradcam.json");
    let text = std::fs::read_to_string(path).expect("the fixture");
    let mut json: Json = serde_json::from_str(&text).expect("the fixture is JSON");
    json[task].take()
}

fn graph(of: &Json, layer: &str) -> Option<GradCam> {
    let described = of["network"].as_object().expect("a network");
    let outputs = described.get("outputs").or(described.get("classes")).and_then(Json::as_u64).expect("outputs");
    let model = described["model"].as_str().and_then(architecture).expect("a model");
    let network: Network = (model.build)(outputs as usize, described).expect("a network");
    let [n, h, w] = sizes(&of["size"])[..] else { panic!("three sizes") };
    let choose = |maps: &[FeatureMap]| maps.iter().position(|map| map.layer == layer);
    GradCam::graph(StateTable::default(), &network, [n, h, w, 3], choose).expect("the network fits")
}

/// The maps of a task's layers. The weights of the outputs come from the logits `[..,classes]` of an image and its class.
fn maps_are_pytorchs<E: Engine>(
    (task, weights_of): (&str, fn(&[f64], usize) -> Vec<f32>),
    engine: impl Fn() -> E,
    layers: &[&str],
    tolerance: f64,
) where
    E::Scalar: Number + Into<f64>,
{
    let (of, mut failures) = (fixture(task), Failures::default());
    let classes = sizes(&of["classes"]);
    for &layer in layers {
        let (expected, shape) = (floats(&of["maps"][layer]["values"]), sizes(&of["maps"][layer]["shape"]));
        let GradCam { graph, size: [h, w, c], .. } = graph(&of, layer).expect("the layer has a map");
        assert_eq!([classes.len(), h, w], shape[..], "{layer}");
        let (mut session, plan) = opened(engine(), &graph, &of);
        let output = |name| graph.outputs().iter().position(|(known, _)| known == name).expect("an output");
        let weights = session.plan(plan).input(OUTPUT_WEIGHTS).expect("the input").ty.shape.elements();
        session.write(plan, OUTPUT_WEIGHTS, &narrow::<E>(&vec![0.0; weights])).expect("no weights");
        let logits = session.run_now(plan).expect("a run").swap_remove(output(OUTPUTS));
        let logits: Vec<f64> = logits.into_iter().map(Into::into).collect();
        let images = logits.chunks(weights / classes.len()).zip(&classes);
        let weights: Vec<f64> = images.flat_map(|(row, &class)| weights_of(row, class)).map(f64::from).collect();
        session.write(plan, OUTPUT_WEIGHTS, &narrow::<E>(&weights)).expect("the weights");
        let results = session.run_now(plan).expect("a run");
        let each = |name| results[output(name)].chunks(h * w * c);
        let got: Vec<f64> =
            each(FEATURES).zip(each(FEATURE_GRADIENT)).flat_map(|(a, gradient)| grad_cam(a, gradient, c)).collect();
        let largest = expected.iter().fold(0.0, |most: f64, v| most.max(*v));
        failures.close_to_scale(layer, &got, &expected, tolerance, largest);
    }
    failures.none();
}

/// Only the logit of the class.
const CLASSIFY: (&str, fn(&[f64], usize) -> Vec<f32>) =
    ("classify", |logits, class| (0..logits.len()).map(|k| f32::from(u8::from(k == class))).collect());
/// The logits of a class at its pixels.
const SEGMENT: (&str, fn(&[f64], usize) -> Vec<f32>) =
    ("segment", |logits, class| class_pixels(logits, 5, |_| class).weights);
const LAYERS: [&str; 3] = ["layer4.1", "layer3.1", "layer2.0"];

#[test]
fn maps_of_three_stages_are_pytorchs_in_f64() {
    maps_are_pytorchs(CLASSIFY, CpuEngine::<f64>::new, &LAYERS, 1e-10);
}

#[test]
fn maps_of_a_class_of_pixels_are_pytorchs_in_f64() {
    maps_are_pytorchs(SEGMENT, CpuEngine::<f64>::new, &["layer3.1", "layer2.1"], 1e-10);
}

#[test]
fn a_class_without_a_pixel_is_explained_at_all_pixels() {
    let logits = [0.0, 2.0, 1.0, 3.0, 1.0, 1.0];
    let found = class_pixels(&logits, 3, |counts| {
        assert_eq!(counts, [1, 1, 0]);
        2
    });
    assert_eq!((found.share, &found.weights[..]), (0.0, &[0.0, 0.0, 1.0, 0.0, 0.0, 1.0][..]));
    let found = class_pixels(&logits, 3, |_| 0);
    assert_eq!((found.share, &found.weights[..]), (0.5, &[0.0, 0.0, 0.0, 1.0, 0.0, 0.0][..]));
}

#[test]
fn maps_are_pytorchs_in_f32_on_both_engines() {
    maps_are_pytorchs(CLASSIFY, CpuEngine::<f32>::new, &LAYERS, 1e-4);
    maps_are_pytorchs(CLASSIFY, || gpu::open(false), &LAYERS[1..2], 1e-4);
}

#[test]
fn a_layer_without_a_map_has_no_graph() {
    assert!(graph(&fixture("classify"), "fc").is_none());
}
