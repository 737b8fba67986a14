//! The memory of a training stays constant over 200 steps, by the count of the engine and by that of the system. This
//! binary has one test, so nothing else runs in the process.

#[path = "common/mod.rs"]
mod common;

use shadegrad::exec::{AnyEngine, CpuEngine, PlanOptions, Session};
use shadegrad::fuse::FuseOptions;
use shadegrad::graph::{Graph, GraphError, StateTable, Value};
use shadegrad::internals::tasks::classify::graphs::{Network, StepOptions, training_graph};
use shadegrad::nn::{BatchNorm2d, Conv2d, Linear, Mode, ResNet, ResNetDepth};
use shadegrad::ops::{self, AdamOptions, CrossEntropyOptions, Hyper};
use shadegrad::train::step::{Optimizer, port};

const STEPS: u64 = 200;
/// The first measurement of the process follows this step. Allocators and drivers have filled their caches by then.
const SETTLED: u64 = 40;
/// Upper bound on the growth of the process over the following 160 steps. A leak of 25 KiB per step exceeds it.
const SLACK: u64 = 4 << 20;

/// Resident memory of this process in bytes; `None` on systems without /proc.
fn resident() -> Option<u64> {
    let status = std::fs::read_to_string("/proc/self/statm").ok()?;
    Some(status.split(' ').nth(1)?.parse::<u64>().ok()? * 4096)
}

fn stays_flat(engine: Box<AnyEngine>, network: Network<'_>, images: [usize; 4]) {
    let adam = AdamOptions { betas: [0.9, 0.999], eps: 1e-8, weight_decay: 0.0, decoupled: false, decay_all: true };
    let optimizer = Optimizer::Adam(adam);
    let (loss, fuse) = (CrossEntropyOptions::default(), FuseOptions::default());
    let options = StepOptions { images, loss, optimizer, clip: Some(1.0), fuse };
    let graph = training_graph(StateTable::default(), network, options).expect("the network fits");
    let mut session = Session::new(engine, &graph, 0).expect("a session");
    let plan = session.load(&graph, PlanOptions::default()).expect("a plan");
    let name = session.engine().name();
    let (mut held, mut early) = (0, None);
    let mut pending = None;
    for step in 1..=STEPS {
        // As in training, the loss of a step is taken while the next step runs.
        let shade = |i: usize| ((i as u64 * 7919 + step * 104_729) % 1000) as f32 / 500.0 - 1.0;
        session.write(plan, port::IMAGES, &(0..images.iter().product()).map(shade).collect::<Vec<_>>()).expect("fits");
        session.write(plan, port::LABELS, &(0..images[0]).map(|i| (i % 3) as f32).collect::<Vec<_>>()).expect("fits");
        session.write(plan, port::HYPER, &Hyper::new(1e-3, optimizer.betas(), step).values()).expect("fits");
        let ticket = session.run(plan).expect("a step");
        if let Some(before) = pending.replace(ticket) {
            let loss = session.take(plan, before).expect("a loss")[0][0];
            assert!(loss.is_finite(), "{name}: the loss of step {} is {loss}", step - 1);
        }
        if step == 2 {
            held = session.engine().memory();
        }
        if step == SETTLED {
            early = resident();
        }
    }
    let late = resident();
    assert!(held > 0);
    assert_eq!(session.engine().memory(), held, "{name}: memory after step {STEPS}, and after step 2");
    if let (Some(early), Some(late)) = (early, late) {
        println!("{name}: {held} bytes held, the process has {early} after step {SETTLED}, {late} after step {STEPS}");
        assert!(late < early + SLACK, "{name}: the process grew from {early} to {late} bytes");
    }
}

/// A convolution, a norm, a pooling and a head.
fn small(g: &mut Graph, x: Value, mode: Mode) -> Result<Value, GraphError> {
    let y = Conv2d::new(8, 3).stride(2).padding(1).bias(false).apply(g, "conv", x)?;
    let y = BatchNorm2d::default().apply(g, "norm", y, mode)?;
    let y = ops::relu(g, y)?;
    let y = ops::global_avg_pool(g, y)?;
    let y = ops::flatten(g, y)?;
    Linear::new(3).apply(g, "head", y)
}

#[test]
fn training_holds_no_more_after_200_steps() {
    let resnet = |g: &mut Graph, x: Value, mode| ResNet::new(ResNetDepth::L18, 3).apply(g, x, mode);
    stays_flat(Box::new(CpuEngine::<f32>::new()), &resnet, [4, 32, 32, 3]);
    stays_flat(Box::new(common::gpu::open(false)), &small, [4, 16, 16, 3]);
}
