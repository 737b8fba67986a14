//! ResNets of 34 to 152 layers, alone and as encoders, compared with torchvision's: names and shapes of the states, logits
//! in evaluation mode, the loss in training mode, and the change of every state by one step of SGD.
//! tests/fixtures/generate_encoders.py documents the numbers.

use serde_json::Value as Json;
use shadegrad::exec::{CpuEngine, Engine, PlanOptions, Session};
use shadegrad::fuse::{FuseOptions, fuse};
use shadegrad::graph::{Graph, Group, Value};
use shadegrad::nn::{Mode, Network, architecture};
use shadegrad::ops::{self, Hyper, SgdOptions};
use shadegrad::shape::TensorType;
use shadegrad::train::step::{Optimizer, append_update, port};

use crate::common::Number;
use crate::common::compare::Failures;
use crate::common::gpu;
use crate::common::layout::{channels_last, outputs_last, transpose};
use crate::common::trace::{floats, k, narrow, signed, sizes};

/// Tolerance of the loss in f64, relative: rounding, and the twelve digits of the fixture.
const DOUBLE: f64 = 1e-10;
/// Tolerance of a step in f64. A BatchNorm over few values amplifies rounding.
const STEP: f64 = 1e-8;
/// Tolerance of logits in f32, relative to the largest.
const SINGLE: f64 = 1e-4;

fn fixture(name: &str) -> Json {
    let path = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/fixtures/encoders_trace.json");
    let text = std::fs::read_to_string(path).expect("the fixture");
    let mut json: Json = serde_json::from_str(&text).expect("the fixture is JSON");
    json["networks"][name].take()
}

/// Name and shape of each state in PyTorch, sorted by name.
fn tensors(of: &Json) -> Vec<(&str, Vec<usize>)> {
    let tensors = of["tensors"].as_array().expect("tensors");
    tensors.iter().map(|t| (t[0].as_str().expect("a name"), sizes(&t[1]))).collect()
}

/// Initial values of state number `t` in PyTorch's order.
fn start(t: usize, name: &str, shape: &[usize], bottlenecks: bool) -> Vec<f64> {
    let last = if bottlenecks { "bn3.weight" } else { "bn2.weight" };
    let (bound, constant) = match *shape {
        [o, _, h, w] => ((6.0 / (o * h * w) as f64).sqrt(), 0.0),
        [_, _] => (1.0 / 16.0, 0.0),
        _ if name.ends_with("running_var") => (0.25, 1.0),
        _ if name.starts_with("layer") && name.ends_with(last) => (0.1, 0.25),
        _ if name.ends_with("weight") => (0.1, 1.0),
        _ => (0.125, 0.0),
    };
    let values = signed(1000 + t as u64, shape.iter().product());
    values.into_iter().map(|v| f64::from((v * bound + constant) as f32)).collect()
}

/// The graph of a network of the fixture, and its output.
fn network(of: &Json, mode: Mode) -> (Graph, Value) {
    let described = of["network"].as_object().expect("a network");
    let outputs = described.get("outputs").or(described.get("classes")).and_then(Json::as_u64).expect("outputs");
    let model = described["model"].as_str().and_then(architecture).expect("a model");
    let network: Network = (model.build)(outputs as usize, described).expect("a network");
    let [n, h, w] = sizes(&of["size"])[..] else { panic!("three sizes") };
    let mut g = Graph::new();
    let x = g.input(port::IMAGES, TensorType::channels([n, h, w, 3]));
    let logits = network.apply(&mut g, x, mode).expect("the network fits");
    (g, logits)
}

/// A session in which every state has its initial values, and the plan of the graph.
pub fn opened<E: Engine>(engine: E, graph: &Graph, of: &Json) -> (Session<E>, shadegrad::exec::PlanId)
where
    E::Scalar: Number,
{
    let mut session = Session::new(Box::new(engine), graph, 0).expect("a session");
    let plan = session.load(graph, PlanOptions::default()).expect("a plan");
    let mut ours: Vec<&str> =
        graph.states().iter().filter(|(_, s)| s.group != Group::Moments).map(|(_, s)| &*s.name).collect();
    ours.sort_unstable();
    let theirs = tensors(of);
    assert_eq!(ours, theirs.iter().map(|(name, _)| *name).collect::<Vec<_>>(), "the states are not PyTorch's");
    let bottlenecks = theirs.iter().any(|(name, _)| name.ends_with("bn3.weight"));
    for (t, (name, shape)) in theirs.iter().enumerate() {
        let values = start(t, name, shape, bottlenecks);
        let values = if shape.len() > 1 { outputs_last(&values, shape).1 } else { values };
        session.write_state(name, &narrow::<E>(&values)).unwrap_or_else(|e| panic!("{e}"));
    }
    let images = images(of);
    session.write(plan, port::IMAGES, &narrow::<E>(&images)).expect("the images");
    (session, plan)
}

/// Images in N H W C.
fn images(of: &Json) -> Vec<f64> {
    let [n, h, w] = sizes(&of["size"])[..] else { panic!("three sizes") };
    let drawn = signed(1, n * 3 * (h / 4) * (w / 4));
    let pixel = |i: usize| drawn[(i / (w * h) * (h / 4) + i / w % h / 4) * (w / 4) + i % w / 4];
    let values: Vec<f64> = (0..n * 3 * h * w).map(pixel).collect();
    channels_last(&values, &[n, 3, h, w]).1
}

/// Requires PyTorch's logits in evaluation mode.
fn logits_are_pytorchs<E: Engine>(engine: E, name: &str)
where
    E::Scalar: Number,
{
    let of = fixture(name);
    let (mut g, logits) = network(&of, Mode::Eval);
    g.output(port::LOGITS, logits);
    fuse(&mut g, FuseOptions::default());
    let (mut session, plan) = opened(engine, &g, &of);
    let results = session.run_now(plan).expect("logits");
    let expected = floats(&of["logits"]);
    let got: Vec<f64> = k(3, expected.len()).map(|at| results[0][at as usize % results[0].len()].wide()).collect();
    let mut failures = Failures::default();
    failures.close_to_scale(name, &got, &expected, SINGLE, of["largest_logit"].as_f64().expect("a number"));
    failures.none();
}

/// Requires PyTorch's loss in training mode, and its change of every state by SGD with learning rate 1.
fn a_step_is_pytorchs(name: &str) {
    let of = fixture(name);
    let (mut g, logits) = network(&of, Mode::Train);
    let (rows, outputs) = (g.ty(logits).shape.rows(), g.ty(logits).shape.channels());
    let labels = g.input(port::LABELS, TensorType::flat(rows));
    let [loss, _] = ops::softmax_cross_entropy(&mut g, logits, labels, None, Default::default()).expect("a loss");
    g.output(port::LOSS, loss);
    let sgd = SgdOptions { momentum: 0.0, nesterov: false, weight_decay: 0.0, decay_all: true };
    append_update(&mut g, loss, Optimizer::Sgd(sgd), None).expect("gradients");
    fuse(&mut g, FuseOptions::default());
    let (mut session, plan) = opened(CpuEngine::<f64>::new(), &g, &of);
    let truth: Vec<f64> = k(2, rows).map(|v| (v % outputs as u64) as f64).collect();
    session.write(plan, port::LABELS, &truth).expect("the labels");
    let hyper: Vec<f64> = Hyper::new(1.0, Optimizer::Sgd(sgd).betas(), 1).values().map(f64::from).into();
    session.write(plan, port::HYPER, &hyper).expect("the learning rate");
    let got = session.run_now(plan).expect("a step")[0][0];
    let mut failures = Failures::default();
    failures.close("loss", &[got], &[of["loss"].as_f64().expect("a loss")], DOUBLE);
    let theirs = tensors(&of);
    let bottlenecks = theirs.iter().any(|(name, _)| name.ends_with("bn3.weight"));
    for (t, (name, shape)) in theirs.iter().enumerate() {
        let end = session.read_state(name).unwrap_or_else(|e| panic!("{e}"));
        let end = match shape[..] {
            [o, i, h, w] => transpose(&end, &[h, w, i, o], &[3, 2, 0, 1]).1,
            [o, i] => transpose(&end, &[i, o], &[1, 0]).1,
            _ => end,
        };
        let moved: Vec<f64> = start(t, name, shape, bottlenecks).iter().zip(&end).map(|(a, b)| a - b).collect();
        let magnitudes: f64 = moved.iter().map(|v| v.abs()).sum();
        let along: f64 = moved.iter().zip(signed(9000 + t as u64, moved.len())).map(|(a, b)| a * b).sum();
        let [expected, expected_along] = [2, 3].map(|i| of["tensors"][t][i].as_f64().expect("a number"));
        // The subtraction of values up to 1 has an error of 1e-16 for each.
        let scale = expected + 1e-6 * moved.len() as f64;
        failures.close_to_scale(&format!("{name}: magnitudes"), &[magnitudes], &[expected], STEP, scale);
        failures.close_to_scale(&format!("{name}: along a direction"), &[along], &[expected_along], STEP, scale);
    }
    failures.none();
}

#[test]
fn logits_of_every_encoder_are_torchvisions_in_f32() {
    for name in ["resnet34", "resnet50", "resnet101", "resnet152", "resnet50-seg", "unet-resnet34", "unet-resnet50"] {
        logits_are_pytorchs(CpuEngine::<f32>::new(), name);
    }
}

#[test]
fn logits_of_bottlenecks_and_of_an_encoder_are_torchvisions_on_the_gpu() {
    for name in ["resnet50", "unet-resnet34"] {
        logits_are_pytorchs(gpu::open(false), name);
    }
}

#[test]
fn a_step_of_resnet34_is_torchvisions() {
    a_step_is_pytorchs("resnet34");
}

#[test]
fn a_step_of_fcn8s_on_resnet50_is_pytorchs() {
    a_step_is_pytorchs("resnet50-seg");
}

#[test]
fn a_step_of_unet_on_resnet34_is_pytorchs() {
    a_step_is_pytorchs("unet-resnet34");
}

/// Parameters of the published networks for 1000 classes, as torchvision lists them.
#[test]
fn every_depth_has_the_published_number_of_parameters() {
    let published = [
        ("resnet18", 11_689_512),
        ("resnet34", 21_797_672),
        ("resnet50", 25_557_032),
        ("resnet101", 44_549_160),
        ("resnet152", 60_192_808),
    ];
    for (name, expected) in published {
        let model = architecture(name).expect("a model");
        let network = (model.build)(model.published_outputs, &Default::default()).expect("a network");
        let mut g = Graph::new();
        let x = g.input(port::IMAGES, TensorType::channels([1, 224, 224, 3]));
        network.apply(&mut g, x, Mode::Train).expect("it fits");
        let count: usize = g.states().of(Group::Parameters).map(|(_, s)| s.ty.shape.elements()).sum();
        assert_eq!(count, expected, "{name}");
    }
}
