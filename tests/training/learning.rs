//! ResNet18 fits one batch with every optimizer, and trains at every image size that it accepts.

use shadegrad::exec::{CpuEngine, PlanOptions, Session};
use shadegrad::fuse::FuseOptions;
use shadegrad::graph::{Graph, StateTable, Value};
use shadegrad::internals::random::Random;
use shadegrad::internals::tasks::classify::graphs::{StepOptions, training_graph};
use shadegrad::nn::{Mode, ResNet, ResNetDepth, Stem};
use shadegrad::ops::{AdamOptions, CrossEntropyOptions, Hyper, SgdOptions};
use shadegrad::shape::TensorType;
use shadegrad::train::step::{Optimizer, port};

const CLASSES: usize = 8;

fn adam(decoupled: bool, weight_decay: f32) -> Optimizer {
    Optimizer::Adam(AdamOptions { betas: [0.9, 0.999], eps: 1e-8, weight_decay, decoupled, decay_all: !decoupled })
}

/// Noise, which only identifies the image.
fn noise(count: usize) -> Vec<f32> {
    (0..count as u64).map(|i| Random::new(3, 1, i, 0).normal()).collect()
}

/// Losses of `steps` steps on one batch.
fn losses(stem: Stem, [n, size]: [usize; 2], (optimizer, lr): (Optimizer, f64), steps: u64) -> Vec<f32> {
    let network =
        |g: &mut Graph, x: Value, mode: Mode| ResNet::new(ResNetDepth::L18, CLASSES).stem(stem).apply(g, x, mode);
    let options = StepOptions {
        images: [n, size, size, 3],
        loss: CrossEntropyOptions::default(),
        optimizer,
        clip: None,
        fuse: FuseOptions::default(),
    };
    let graph = training_graph(StateTable::default(), &network, options).expect("the network fits");
    let mut session = Session::new(Box::new(CpuEngine::<f32>::new()), &graph, 0).expect("a session");
    let plan = session.load(&graph, PlanOptions::default()).expect("a plan");
    session.write(plan, port::IMAGES, &noise(n * size * size * 3)).expect("images fit");
    let labels: Vec<f32> = (0..n).map(|i| (i * 5 % CLASSES) as f32).collect();
    session.write(plan, port::LABELS, &labels).expect("labels fit");
    let mut step = |t| {
        session.write(plan, port::HYPER, &Hyper::new(lr, optimizer.betas(), t).values()).expect("settings fit");
        session.run_now(plan).expect("a step")[0][0]
    };
    (1..=steps).map(&mut step).collect()
}

/// The loss starts near ln 8 = 2.08 (chance) and ends below 1 % of it.
fn overfits(optimizer: Optimizer, lr: f64) {
    let losses = losses(Stem::ImageNet, [8, 32], (optimizer, lr), 30);
    assert!((1.5..4.0).contains(&losses[0]), "{losses:?}");
    assert!(losses[29] < 0.02, "{losses:?}");
}

#[test]
fn adam_fits_one_batch() {
    overfits(adam(false, 0.0), 1e-3);
}

#[test]
fn adamw_fits_one_batch() {
    overfits(adam(true, 0.01), 1e-3);
}

#[test]
fn sgd_fits_one_batch() {
    let momentum = SgdOptions { momentum: 0.9, nesterov: false, weight_decay: 1e-4, decay_all: true };
    overfits(Optimizer::Sgd(momentum), 0.02);
}

/// Height of the first stage's map.
fn first_stage(stem: Stem, size: usize) -> usize {
    let mut g = Graph::new();
    let x = g.input("x", TensorType::channels([2, size, size, 3]));
    ResNet::new(ResNetDepth::L18, CLASSES).stem(stem).apply(&mut g, x, Mode::Train).expect("it fits");
    let node = g.nodes().iter().find(|n| n.scope.starts_with("layer1.0")).expect("a first stage");
    g.dims(node.outputs[0])[1]
}

#[test]
fn training_works_at_the_smallest_image_size() {
    const LEAST: usize = ResNet::MIN_IMAGE_SIZE;
    assert_eq!(first_stage(Stem::ImageNet, LEAST - 1), 1, "one pixel, which the limit excludes");
    for stem in [Stem::ImageNet, Stem::Cifar] {
        assert!(first_stage(stem, LEAST) > 1);
        for size in LEAST..LEAST + 4 {
            let losses = losses(stem, [4, size], (adam(false, 0.0), 1e-3), 4);
            assert!(losses.iter().all(|l| l.is_finite()) && losses[3] < losses[0], "{stem:?} {size}: {losses:?}");
        }
    }
}
