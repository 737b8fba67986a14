//! Grad-CAM compared with PyTorch's hooks; tests/fixtures/generate_gradcam.py makes the numbers.

use serde_json::Value as Json;
use shadegrad::exec::{CpuEngine, Engine};
use shadegrad::graph::StateTable;
use shadegrad::nn::{Network, architecture};
use shadegrad::training::grad_cam::{FEATURE_GRADIENT, FEATURES, GradCam, OUTPUT_WEIGHTS, OUTPUTS, grad_cam};

use crate::common::Number;
use crate::common::compare::Failures;
use crate::common::gpu;
use crate::common::trace::{floats, narrow, sizes};
use crate::encoders_trace::opened;

fn fixture() -> Json {
    let path = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/fixtures/gradcam.json");
    serde_json::from_str(&std::fs::read_to_string(path).expect("the fixture")).expect("the fixture is JSON")
}

fn graph(of: &Json, layer: &str) -> Option<GradCam> {
    let described = of["network"].as_object().expect("a network");
    let network: Network = (architecture("resnet18").expect("a model").build)(10, described).expect("a network");
    let [n, h, w] = sizes(&of["size"])[..] else { panic!("three sizes") };
    let choose = |maps: &[shadegrad::training::grad_cam::FeatureMap]| maps.iter().position(|map| map.layer == layer);
    GradCam::graph(StateTable::default(), &network, [n, h, w, 3], choose).expect("the network fits")
}

fn maps_are_pytorchs<E: Engine>(engine: impl Fn() -> E, layers: &[&str], tolerance: f64)
where
    E::Scalar: Number + Into<f64>,
{
    let (of, mut failures) = (fixture(), Failures::default());
    let classes = sizes(&of["classes"]);
    for &layer in layers {
        let (expected, shape) = (floats(&of["maps"][layer]["values"]), sizes(&of["maps"][layer]["shape"]));
        let GradCam { graph, size: [h, w, c], .. } = graph(&of, layer).expect("the layer has a map");
        assert_eq!([classes.len(), h, w], shape[..], "{layer}");
        let (mut session, plan) = opened(engine(), &graph, &of);
        let one_hot: Vec<f64> =
            classes.iter().flat_map(|&class| (0..10).map(move |k| f64::from(u8::from(k == class)))).collect();
        session.write(plan, OUTPUT_WEIGHTS, &narrow::<E>(&one_hot)).expect("the weights");
        let results = session.run_now(plan).expect("a run");
        let output = |name| graph.outputs().iter().position(|(known, _)| known == name).expect("an output");
        assert_eq!(results[output(OUTPUTS)].len(), 10 * classes.len(), "logits");
        let each = |name| results[output(name)].chunks(h * w * c);
        let got: Vec<f64> =
            each(FEATURES).zip(each(FEATURE_GRADIENT)).flat_map(|(a, gradient)| grad_cam(a, gradient, c)).collect();
        let largest = expected.iter().fold(0.0, |most: f64, v| most.max(*v));
        failures.close_to_scale(layer, &got, &expected, tolerance, largest);
    }
    failures.none();
}

const LAYERS: [&str; 3] = ["layer4.1", "layer3.1", "layer2.0"];

#[test]
fn maps_of_three_stages_are_pytorchs_in_f64() {
    maps_are_pytorchs(CpuEngine::<f64>::new, &LAYERS, 1e-10);
}

#[test]
fn maps_are_pytorchs_in_f32_on_both_engines() {
    maps_are_pytorchs(CpuEngine::<f32>::new, &LAYERS, 1e-4);
    maps_are_pytorchs(|| gpu::open(false), &LAYERS[1..2], 1e-4);
}

#[test]
fn a_layer_without_a_map_has_no_graph() {
    assert!(graph(&fixture(), "fc").is_none());
}
