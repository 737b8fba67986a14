//! Ten training steps of ResNet18 against torchvision's ResNet18 with PyTorch's optimizers: the loss before every
//! update, and all weights and running statistics after the last one. A generator that exists on both sides makes
//! weights, images and labels, so only numbers are compared. tests/fixtures/generate.py describes the values and their
//! accuracy.

use serde_json::Value as Json;
use shadegrad::exec::gpu::GpuEngine;
use shadegrad::exec::{CpuEngine, Engine, PlanOptions, Session};
use shadegrad::fuse::FuseOptions;
use shadegrad::graph::{Graph, Group, StateTable};
use shadegrad::internals::tasks::classify::graphs::{StepOptions, training_graph};
use shadegrad::nn::{Mode, ResNet, ResNetDepth, Stem};
use shadegrad::ops::{AdamOptions, CrossEntropyOptions, Hyper, SgdOptions};
use shadegrad::train::step::{Optimizer, port};

use crate::common::Number;
use crate::common::compare::Failures;
use crate::common::gpu;
use crate::common::layout::{channels_last, outputs_last, transpose};
use crate::common::trace::{as_pytorch, compare_tensor, floats, k, narrow, signed, sizes, start, text};

fn trace() -> Json {
    let path = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/fixtures/resnet18_trace.json");
    serde_json::from_str(&std::fs::read_to_string(path).expect("the fixture")).expect("the fixture is JSON")
}

/// A tensor's initial values in a variant.
fn start_of(about: &Json, variant: &Json) -> Vec<f64> {
    let mut values = start(about);
    if text(about, "name").ends_with("bn2.weight") {
        values.fill(variant["bn2_weight"].as_f64().expect("a value"));
    }
    values
}

/// Images in N H W C and labels of a step.
fn batch(step: u64, [n, c, h, w]: [usize; 4], blocks: bool) -> (Vec<f64>, Vec<f64>) {
    let block = if blocks { 8 } else { 1 };
    let (rows, cols) = (h / block, w / block);
    let drawn = signed(1 + 100 * step, n * c * rows * cols);
    let pixel = |i: usize| (i / (w * h) * rows + i / w % h / block) * cols + i % w / block;
    let images: Vec<f64> = (0..n * c * h * w).map(|i| drawn[pixel(i)]).collect();
    let labels = k(2 + 100 * step, n).map(|v| (v % 10) as f64).collect();
    (channels_last(&images, &[n, c, h, w]).1, labels)
}

fn optimizer(variant: &Json) -> (Optimizer, f64) {
    let o = &variant["optimizer"];
    let float = |v: &Json| v.as_f64().unwrap_or(0.0) as f32;
    let made = if text(variant, "kind") == "sgd" {
        let (momentum, weight_decay) = (float(&o["momentum"]), float(&o["weight_decay"]));
        Optimizer::Sgd(SgdOptions { momentum, nesterov: false, weight_decay, decay_all: true })
    } else {
        Optimizer::Adam(AdamOptions {
            betas: [0, 1].map(|i| o["betas"][i].as_f64().expect("a rate")),
            eps: float(&o["eps"]),
            weight_decay: float(&o["weight_decay"]),
            decoupled: text(variant, "kind") == "adamw",
            // The fixture does not decay tensors of one axis: norms and biases, as in the library.
            decay_all: false,
        })
    };
    (made, o["lr"].as_f64().expect("a learning rate"))
}

/// A training run of the fixture on an engine.
struct Run<E: Engine> {
    session: Session<E>,
    losses: Vec<f64>,
}

fn run<E: Engine>(engine: E, trace: &Json, name: &str, steps: usize) -> Run<E>
where
    E::Scalar: Number,
{
    let variant = &trace["variants"][name];
    let images: [usize; 4] = sizes(&variant["batch"]).try_into().expect("four axes");
    let blocks = variant["blocks"].as_bool().expect("a flag");
    let (optimizer, lr) = optimizer(variant);
    let network = |g: &mut Graph, x, mode: Mode| ResNet::new(ResNetDepth::L18, 10).apply(g, x, mode);
    let [n, c, h, w] = images;
    let options = StepOptions {
        images: [n, h, w, c],
        loss: CrossEntropyOptions::default(),
        optimizer,
        clip: None,
        fuse: FuseOptions::default(),
    };
    let graph = training_graph(StateTable::default(), &network, options).expect("the network fits");
    let mut session = Session::new(Box::new(engine), &graph, 0).expect("a session");
    let plan = session.load(&graph, PlanOptions::default()).expect("a plan");
    for about in trace["tensors"].as_array().expect("tensors") {
        let (name, values) = (text(about, "name"), start_of(about, variant));
        let shape = sizes(&about["shape"]);
        let values = if shape.len() > 1 { outputs_last(&values, &shape).1 } else { values };
        session.write_state(name, &narrow::<E>(&values)).unwrap_or_else(|e| panic!("{e}"));
    }
    let mut losses = vec![];
    for step in 0..steps as u64 {
        let (pixels, labels) = batch(step, images, blocks);
        let hyper = Hyper::new(lr, optimizer.betas(), step + 1).values().map(f64::from);
        for (name, values) in [(port::IMAGES, &pixels[..]), (port::LABELS, &labels), (port::HYPER, &hyper)] {
            session.write(plan, name, &narrow::<E>(values)).unwrap_or_else(|e| panic!("{e}"));
        }
        losses.push(session.run_now(plan).expect("a step")[0][0].wide());
    }
    Run { session, losses }
}

/// Allowed multiple of the recorded effect of rounding. The fixture has the largest of nine samples of a random
/// quantity with a long tail. In some samples a max pool or a ReLU switches. Adam's steps have equal size whatever the
/// gradient, so a gradient that rounds to the other side of 0 moves its weight the other way.
const ROOM: f64 = 5.0;

/// The recorded effect of rounding on a tensor. For Adam it is the largest over the tensors of its kind, because a
/// single one may be small by chance. A float64 engine still has its learning rate and Adam's corrections in f32, which
/// disturbs no more than a change of the weights by 1e-7.
fn recorded(variant: &Json, tensor: &str, wide: bool) -> f64 {
    let alike = |name: &str| name == tensor || (text(variant, "kind") != "sgd" && kind_of(name) == kind_of(tensor));
    let of = |end: &Json| {
        let [rounded, nudged] = ["rel_diff", "spread_f32"].map(|name| end[name].as_f64().expect("a number"));
        if wide { nudged } else { nudged.max(rounded) }
    };
    let tensors = variant["tensors"].as_object().expect("tensors");
    tensors.iter().filter(|(name, _)| alike(name)).map(|(_, end)| of(end)).fold(0.0, f64::max)
}

/// The kind of a tensor: `layer1.0.bn1.bias` and similar names are one kind, all convolutions another.
fn kind_of(tensor: &str) -> String {
    let shortcut = tensor.replace("downsample.0", "conv").replace("downsample.1", "bn");
    let mut parts = shortcut.rsplit('.');
    let (what, layer) = (parts.next().unwrap_or_default(), parts.next().unwrap_or_default());
    format!("{} {what}", layer.trim_end_matches(|c: char| c.is_ascii_digit()))
}

/// Allowed error of a loss: 0.5 ulp of a loss above 2, and the tail described at ROOM.
fn loss_tolerance<E: Engine>(variant: &Json) -> f64
where
    E::Scalar: Number,
{
    let worst = |list: &str| floats(&variant[list]).into_iter().fold(0.0, f64::max);
    let off = if E::Scalar::EPSILON < 1e-10 { 0.0 } else { worst("loss_abs_diff") };
    3.0 * E::Scalar::EPSILON + 1e-9 + 3.0 * ROOM * off.max(worst("loss_spread_f32"))
}

/// Compares a run with the trace.
fn compare<E: Engine>(mut run: Run<E>, trace: &Json, name: &str)
where
    E::Scalar: Number,
{
    let variant = &trace["variants"][name];
    let wide = E::Scalar::EPSILON < 1e-10;
    let mut failures = Failures::default();
    let tolerance = loss_tolerance::<E>(variant);
    let expected = floats(&variant["loss_f64"]);
    assert_eq!(run.losses.len(), expected.len());
    for (step, (got, expected)) in run.losses.iter().zip(expected).enumerate() {
        // The first loss precedes all updates.
        let tolerance = if step == 0 { 20.0 * E::Scalar::EPSILON + 1e-9 } else { tolerance };
        failures.close_to_scale(&format!("{name}: loss of step {step}"), &[*got], &[expected], tolerance, 1.0);
    }
    let (mut telling, mut all) = (0, 0);
    for about in trace["tensors"].as_array().expect("tensors") {
        let tensor = text(about, "name");
        let end = &variant["tensors"][tensor];
        let tolerance = 1e-6 + ROOM * recorded(variant, tensor, wide);
        telling += usize::from(tolerance < end["moved"].as_f64().expect("a number") / 2.0);
        all += 1;
        let got = as_pytorch(&mut run.session, about);
        compare_tensor(&mut failures, &format!("{name}: {tensor}"), &got, (about, end), tolerance);
    }
    // A tolerance above the change of ten steps would also pass the initial weights.
    println!(
        "{name} on {}: {telling} of {all} tensors have a tolerance below their change",
        run.session.engine().name()
    );
    assert!(10 * telling > 9 * all, "{name}: only {telling} of {all} tensors have a tolerance below their change");
    failures.none();
}

#[test]
fn the_generator_is_that_of_the_fixture() {
    let trace = trace();
    for about in trace["tensors"].as_array().expect("tensors") {
        // JSON's numbers may be read with an error of 1 ulp, which can change a rounding to f32.
        let equal = |(a, b): (&f64, f64)| (a - b).abs() <= f64::from(f32::EPSILON) * b.abs();
        assert!(start(about).iter().zip(floats(&about["first"])).all(equal), "{}", text(about, "name"));
    }
    for (name, images) in [("noise", [4, 3, 32, 32]), ("blocks", [8, 3, 64, 64])] {
        let (pixels, labels) = batch(1, images, name == "blocks");
        let check = &trace["step1_batches"][name];
        let [n, c, h, w] = images;
        let (_, pixels) = transpose(&pixels, &[n, h, w, c], &[0, 3, 1, 2]);
        for (got, list) in [(&pixels[..4], "first"), (&pixels[pixels.len() - 4..], "last")] {
            let off = got.iter().zip(floats(&check[list])).fold(0.0, |m: f64, (a, b)| m.max((a - b).abs()));
            assert!(off < 1e-12, "{name}: the {list} pixels are {got:?}");
        }
        assert_eq!(labels, floats(&check["labels"]));
    }
}

#[test]
fn sgd_follows_pytorch() {
    let trace = trace();
    compare(run(CpuEngine::<f32>::new(), &trace, "sgd_steady", 10), &trace, "sgd_steady");
}

/// The first steps on the GPU engine. Losses are compared with PyTorch's. Weights are compared with those of the CPU
/// engine after three steps, within the recorded effect of rounding after ten steps.
#[test]
fn sgd_follows_pytorch_on_the_gpu() {
    const STEPS: usize = 3;
    let (name, trace) = ("sgd_steady", trace());
    let variant = &trace["variants"][name];
    let (mut gpu, mut cpu) =
        (run(gpu::open(false), &trace, name, STEPS), run(CpuEngine::<f32>::new(), &trace, name, STEPS));
    let mut failures = Failures::default();
    for (step, (got, expected)) in gpu.losses.iter().zip(floats(&variant["loss_f64"])).enumerate() {
        let tolerance = if step == 0 { 20.0 * f64::from(f32::EPSILON) } else { loss_tolerance::<GpuEngine>(variant) };
        failures.close_to_scale(&format!("loss of step {step}"), &[*got], &[expected], tolerance, 1.0);
    }
    for about in trace["tensors"].as_array().expect("tensors") {
        let tensor = text(about, "name");
        let (got, expected) = (as_pytorch(&mut gpu.session, about), as_pytorch(&mut cpu.session, about));
        let norm = |values: &mut dyn Iterator<Item = f64>| values.map(|v| v * v).sum::<f64>().sqrt();
        let off = norm(&mut got.iter().zip(&expected).map(|(a, b)| a - b));
        let tolerance = 1e-6 + ROOM * recorded(variant, tensor, false);
        failures.close_to_scale(tensor, &[off], &[0.0], tolerance, norm(&mut expected.iter().copied()));
        let moved = norm(&mut expected.iter().zip(start_of(about, variant)).map(|(a, b)| a - b));
        assert!(moved > 0.0, "{tensor} did not move");
    }
    failures.none();
}

#[test]
fn adam_follows_pytorch() {
    let trace = trace();
    compare(run(CpuEngine::<f32>::new(), &trace, "adam_steady", 10), &trace, "adam_steady");
}

#[test]
fn adamw_follows_pytorch() {
    let trace = trace();
    compare(run(CpuEngine::<f32>::new(), &trace, "adamw_steady", 10), &trace, "adamw_steady");
}

#[test]
fn the_twin_follows_pytorch_in_f64() {
    let trace = trace();
    compare(run(CpuEngine::<f64>::new(), &trace, "sgd_steady", 10), &trace, "sgd_steady");
}

/// The unsteady variants are chaotic from the second step on. Their first loss is not, and float64's first steps are
/// not.
#[test]
fn first_losses_follow_pytorch() {
    let trace = trace();
    let expected = floats(&trace["variants"]["adam"]["loss_f64"]);
    let narrow = run(CpuEngine::<f32>::new(), &trace, "adam", 1).losses;
    assert!((narrow[0] - expected[0]).abs() < 3e-5, "{} instead of {}", narrow[0], expected[0]);
    let wide = run(CpuEngine::<f64>::new(), &trace, "sgd", 2).losses;
    let expected = floats(&trace["variants"]["sgd"]["loss_f64"]);
    // The second step's learning rate is an f32. A change of 1e-7 in the weights moves its loss by 3e-4.
    for (step, tolerance) in [(0, 1e-10), (1, 3e-4)] {
        let off = (wide[step] - expected[step]).abs();
        assert!(off < tolerance, "step {step}: {} instead of {}", wide[step], expected[step]);
    }
}

#[test]
fn resnet18_has_the_published_number_of_parameters() {
    for (stem, images) in [(Stem::ImageNet, 224), (Stem::Cifar, 32)] {
        let mut graph = Graph::new();
        let x = graph.input("x", shadegrad::shape::TensorType::channels([1, images, images, 3]));
        ResNet::new(ResNetDepth::L18, 1000).stem(stem).apply(&mut graph, x, Mode::Train).expect("it fits");
        let count: usize = graph.states().of(Group::Parameters).map(|(_, s)| s.ty.shape.elements()).sum();
        // The CIFAR stem has a 3×3 kernel instead of 7×7.
        let expected = if stem == Stem::ImageNet { 11_689_512 } else { 11_689_512 - 40 * 3 * 64 };
        assert_eq!(count, expected);
    }
}
