//! Ten training steps of the networks for dense prediction against the same networks in PyTorch: the loss before every
//! update, and all weights and running statistics after the last one. tests/fixtures/generate_models.py describes the
//! values and their accuracy.

use serde_json::Value as Json;
use shadegrad::exec::{CpuEngine, Engine, PlanOptions, Session};
use shadegrad::fuse::{FuseOptions, fuse};
use shadegrad::graph::{Graph, Group};
use shadegrad::internals::label::IGNORED;
use shadegrad::nn::{Mode, Network};
use shadegrad::ops::{AdamOptions, CrossEntropyOptions, Hyper, Regression, SgdOptions};
use shadegrad::shape::TensorType;
use shadegrad::train::step::{Optimizer, append_update, port};
use shadegrad::{nn, ops};

use crate::common::Number;
use crate::common::compare::Failures;
use crate::common::gpu;
use crate::common::layout::{channels_last, outputs_last};
use crate::common::trace::{as_pytorch, compare_tensor, floats, k, narrow, signed, sizes, start, text};

/// Allowed multiple of the recorded effect of rounding, which is two samples of a random quantity.
const ROOM: f64 = 10.0;

/// Error of the fixture's twelve digits and of the order of sums.
const DIGITS: f64 = 1e-11;

/// Number of steps on the GPU engine, which may be a slow software adapter.
const GPU_STEPS: usize = 3;

fn variant(name: &str) -> Json {
    let path = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/fixtures/models_trace.json");
    let text = std::fs::read_to_string(path).expect("the fixture");
    let mut trace: Json = serde_json::from_str(&text).expect("the fixture is JSON");
    trace["variants"][name].take()
}

fn tensors(variant: &Json) -> &[Json] {
    variant["tensors"].as_array().expect("tensors")
}

fn number(of: &Json, name: &str) -> f64 {
    of[name].as_f64().unwrap_or_else(|| panic!("no number {name}"))
}

fn largest(list: &Json) -> f64 {
    floats(list).into_iter().fold(0.0, f64::max)
}

fn is_regression(variant: &Json) -> bool {
    text(variant, "loss") == "l1"
}

fn optimizer(variant: &Json) -> (Optimizer, f64) {
    let o = &variant["optimizer"];
    let made = match text(variant, "kind") {
        "sgd" => {
            let momentum = number(o, "momentum") as f32;
            Optimizer::Sgd(SgdOptions { momentum, nesterov: false, weight_decay: 0.0, decay_all: true })
        }
        _ => Optimizer::Adam(AdamOptions {
            betas: [0, 1].map(|i| o["betas"][i].as_f64().expect("a number")),
            eps: number(o, "eps") as f32,
            weight_decay: 0.0,
            decoupled: false,
            decay_all: true,
        }),
    };
    (made, number(o, "lr"))
}

/// A training step of the variant, built as the tasks build theirs.
fn graph(variant: &Json) -> Graph {
    let mut g = Graph::new();
    let described = variant["network"].as_object().expect("a network");
    let outputs = described.get("outputs").or(described.get("classes")).and_then(Json::as_u64).expect("outputs");
    let model = described["model"].as_str().and_then(nn::architecture).expect("a model");
    let network: Network = (model.build)(outputs as usize, described).expect("a network");
    let [n, c, h, w] = sizes(&variant["batch"])[..] else { panic!("four axes") };
    let x = g.input(port::IMAGES, TensorType::channels([n, h, w, c]));
    let y = network.apply(&mut g, x, Mode::Train).expect("the network fits");
    let [loss, _] = if is_regression(variant) {
        let targets = g.input(port::TARGETS, g.ty(y).clone());
        ops::regression_loss(&mut g, y, targets, Regression::L1).expect("a loss")
    } else {
        let labels = g.input(port::LABELS, TensorType::flat(g.ty(y).shape.rows()));
        let options = CrossEntropyOptions { ignore_index: Some(IGNORED), ..Default::default() };
        ops::softmax_cross_entropy(&mut g, y, labels, None, options).expect("a loss")
    };
    g.output(port::LOSS, loss);
    append_update(&mut g, loss, optimizer(variant).0, None).expect("gradients");
    fuse(&mut g, FuseOptions::default());
    g
}

/// Images in N H W C, and the name and values of the targets.
fn batch(step: u64, variant: &Json) -> (Vec<f64>, (&'static str, Vec<f64>)) {
    let [n, c, h, w] = sizes(&variant["batch"])[..] else { panic!("four axes") };
    let outputs = number(variant, "outputs") as usize;
    let (rows, columns) = (h.div_ceil(4), w.div_ceil(4));
    let drawn = signed(1 + 100 * step, n * c * rows * columns);
    let pixel = |i: usize| drawn[(i / (w * h) * rows + i / w % h / 4) * columns + i % w / 4];
    let images: Vec<f64> = (0..n * c * h * w).map(pixel).collect();
    let truth = if is_regression(variant) {
        let targets = signed(3 + 100 * step, n * outputs * h * w);
        (port::TARGETS, channels_last(&targets, &[n, outputs, h, w]).1)
    } else if text(variant, "loss") == "images" {
        (port::LABELS, k(2 + 100 * step, n).map(|v| (v % outputs as u64) as f64).collect())
    } else {
        let label =
            |v: u64| if v % (outputs as u64 + 1) == outputs as u64 { -1.0 } else { (v % (outputs as u64 + 1)) as f64 };
        (port::LABELS, k(2 + 100 * step, n * h * w).map(label).collect())
    };
    (channels_last(&images, &[n, c, h, w]).1, truth)
}

struct Run<E: Engine> {
    session: Session<E>,
    losses: Vec<f64>,
}

fn run<E: Engine>(engine: E, variant: &Json, steps: usize) -> Run<E>
where
    E::Scalar: Number,
{
    let graph = graph(variant);
    let mut session = Session::new(Box::new(engine), &graph, 0).expect("a session");
    let plan = session.load(&graph, PlanOptions::default()).expect("a plan");
    let ours: Vec<&str> =
        graph.states().iter().filter(|(_, s)| s.group != Group::Moments).map(|(_, s)| &*s.name).collect();
    let theirs: Vec<&str> = tensors(variant).iter().map(|about| text(about, "name")).collect();
    assert_eq!(sorted(ours), sorted(theirs), "the states are not those of PyTorch's module");
    for about in tensors(variant) {
        let (values, shape) = (start(about), sizes(&about["shape"]));
        let values = if shape.len() > 1 { outputs_last(&values, &shape).1 } else { values };
        session.write_state(text(about, "name"), &narrow::<E>(&values)).unwrap_or_else(|e| panic!("{e}"));
    }
    let (optimizer, lr) = optimizer(variant);
    let mut losses = vec![];
    for step in 0..steps as u64 {
        let (images, (truth, wanted)) = batch(step, variant);
        let hyper = Hyper::new(lr, optimizer.betas(), step + 1).values().map(f64::from);
        for (name, values) in [(port::IMAGES, &images[..]), (truth, &wanted), (port::HYPER, &hyper)] {
            session.write(plan, name, &narrow::<E>(values)).unwrap_or_else(|e| panic!("{e}"));
        }
        losses.push(session.run_now(plan).expect("a step")[0][0].wide());
    }
    Run { session, losses }
}

fn sorted(mut names: Vec<&str>) -> Vec<&str> {
    names.sort_unstable();
    names
}

/// The sample of rounding's effect that bounds an engine.
#[derive(Clone, Copy, PartialEq)]
enum Rounding {
    /// float64 throughout.
    Double,
    /// float32 somewhere: Adam's corrections are, on every engine.
    Single,
}

fn rounding<E: Engine>(variant: &Json) -> Rounding
where
    E::Scalar: Number,
{
    if E::Scalar::EPSILON < 1e-10 && text(variant, "kind") == "sgd" { Rounding::Double } else { Rounding::Single }
}

/// Allowed error of a state, relative to its norm.
fn state_tolerance(end: &Json, rounding: Rounding) -> f64 {
    match rounding {
        Rounding::Double => DIGITS + ROOM * number(end, "spread_f64"),
        Rounding::Single => 1e-6 + ROOM * number(end, "rel_diff").max(number(end, "spread_f32")),
    }
}

/// Allowed error of the loss of each step. Before the first update no error is amplified.
fn loss_tolerances<E: Engine>(variant: &Json) -> impl Iterator<Item = f64>
where
    E::Scalar: Number,
{
    let off = match rounding::<E>(variant) {
        Rounding::Double => largest(&variant["loss_spread_f64"]),
        Rounding::Single => largest(&variant["loss_abs_diff"]).max(largest(&variant["loss_spread_f32"])),
    };
    let unit = 20.0 * E::Scalar::EPSILON + DIGITS;
    std::iter::once(unit).chain(std::iter::repeat(unit + ROOM * off))
}

fn compare_losses<E: Engine>(failures: &mut Failures, name: &str, run: &Run<E>, variant: &Json)
where
    E::Scalar: Number,
{
    let steps = run.losses.iter().zip(floats(&variant["loss_f64"])).zip(loss_tolerances::<E>(variant));
    for (step, ((got, expected), tolerance)) in steps.enumerate() {
        failures.close_to_scale(&format!("{name}: loss of step {step}"), &[*got], &[expected], tolerance, 1.0);
    }
}

/// All ten steps on an engine.
fn follows<E: Engine>(engine: E, name: &str)
where
    E::Scalar: Number,
{
    let variant = variant(name);
    let mut run = run(engine, &variant, 10);
    let mut failures = Failures::default();
    compare_losses(&mut failures, name, &run, &variant);
    let mut telling = 0;
    for about in tensors(&variant) {
        let end = &about["end"];
        let tolerance = state_tolerance(end, rounding::<E>(&variant));
        telling += usize::from(tolerance < number(end, "moved") / 2.0);
        let got = as_pytorch(&mut run.session, about);
        compare_tensor(&mut failures, &format!("{name}: {}", text(about, "name")), &got, (about, end), tolerance);
    }
    // A tolerance above the change of ten steps would also pass the initial values.
    let all = tensors(&variant).len();
    println!(
        "{name} on {}: {telling} of {all} tensors have a tolerance below their change",
        run.session.engine().name()
    );
    assert!(10 * telling > 9 * all, "{name}: only {telling} of {all} tensors have a tolerance below their change");
    failures.none();
}

/// The first steps on the GPU engine. Losses are compared with PyTorch's. States are compared with those of the CPU
/// engine, within the recorded effect of rounding after ten steps.
fn first_steps_follow_on_the_gpu(name: &str) {
    let variant = variant(name);
    let mut on_gpu = run(gpu::open(false), &variant, GPU_STEPS);
    let mut on_cpu = run(CpuEngine::<f32>::new(), &variant, GPU_STEPS);
    let mut failures = Failures::default();
    compare_losses(&mut failures, name, &on_gpu, &variant);
    let norm = |values: &mut dyn Iterator<Item = f64>| values.map(|v| v * v).sum::<f64>().sqrt();
    for about in tensors(&variant) {
        let (got, expected) = (as_pytorch(&mut on_gpu.session, about), as_pytorch(&mut on_cpu.session, about));
        let off = norm(&mut got.iter().zip(&expected).map(|(a, b)| a - b));
        let (what, tolerance) = (text(about, "name"), state_tolerance(&about["end"], Rounding::Single));
        failures.close_to_scale(what, &[off], &[0.0], tolerance, norm(&mut expected.iter().copied()));
        let moved = norm(&mut expected.iter().zip(start(about)).map(|(a, b)| a - b));
        assert!(moved > 0.0, "{name}: {what} did not move");
    }
    failures.none();
}

#[test]
fn the_initial_values_are_those_of_the_fixture() {
    for name in ["unet_skips", "unet_l1", "fcn8s", "cnn"] {
        let variant = variant(name);
        for about in tensors(&variant) {
            // JSON's numbers may be read with an error of 1 ulp, which can change a rounding to f32.
            let equal = |(a, b): (&f64, f64)| (a - b).abs() <= f64::from(f32::EPSILON) * b.abs();
            assert!(start(about).iter().zip(floats(&about["first"])).all(equal), "{name}: {}", text(about, "name"));
        }
    }
}

/// A test of ten steps in f64, which has the smallest tolerance.
macro_rules! follow {
    ($($test:ident: $variant:literal;)*) => {$(
        #[test]
        fn $test() {
            follows(CpuEngine::<f64>::new(), $variant);
        }
    )*};
}

follow! {
    unet_follows_pytorch: "unet_skips";
    unet_without_skips_follows_pytorch: "unet_no_skips";
    unet_with_interpolation_follows_pytorch: "unet_bilinear";
    unet_on_colors_follows_pytorch: "unet_l1";
    unet_on_colors_follows_pytorch_with_adam: "unet_l1_adam";
    fcn32s_follows_pytorch: "fcn32s";
    fcn8s_follows_pytorch: "fcn8s";
    cnn_follows_pytorch: "cnn";
}

#[test]
fn unet_follows_pytorch_in_f32() {
    follows(CpuEngine::<f32>::new(), "unet_skips");
}

#[test]
fn unet_on_colors_follows_pytorch_in_f32() {
    follows(CpuEngine::<f32>::new(), "unet_l1_adam");
}

#[test]
fn fcn8s_follows_pytorch_in_f32() {
    follows(CpuEngine::<f32>::new(), "fcn8s");
}

#[test]
fn unet_follows_pytorch_on_the_gpu() {
    first_steps_follow_on_the_gpu("unet_skips");
}

#[test]
fn fcn8s_follows_pytorch_on_the_gpu() {
    first_steps_follow_on_the_gpu("fcn8s");
}
