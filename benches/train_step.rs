//! A whole training step of ResNet18 with Adam: 16 images of 64×64, on the device that `SHADEGRAD_DEVICE` names
//! (default: cpu). `benches/peers/pytorch.py` times the same step in PyTorch.

use std::hint::black_box;

use criterion::{Criterion, Throughput, criterion_group, criterion_main};
use shadegrad::exec::{self, PlanOptions, Session};
use shadegrad::fuse::FuseOptions;
use shadegrad::graph::{Graph, StateTable, Value};
use shadegrad::internals::tasks::classify::graphs::{StepOptions, training_graph};
use shadegrad::nn::{Mode, ResNet, ResNetDepth};
use shadegrad::ops::{AdamOptions, CrossEntropyOptions, Hyper};
use shadegrad::train::step::{Optimizer, port};

const BATCH: usize = 16;
const SIZE: usize = 64;
const CLASSES: usize = 10;

fn step(c: &mut Criterion) {
    let device = std::env::var("SHADEGRAD_DEVICE").unwrap_or_else(|_| "cpu".into());
    let optimizer = Optimizer::Adam(AdamOptions::default());
    let options = StepOptions {
        images: [BATCH, SIZE, SIZE, 3],
        loss: CrossEntropyOptions::default(),
        optimizer,
        clip: None,
        fuse: FuseOptions::default(),
    };
    let resnet = ResNet::new(ResNetDepth::L18, CLASSES);
    let network = |g: &mut Graph, x: Value, mode: Mode| resnet.apply(g, x, mode);
    let graph = training_graph(StateTable::default(), &network, options).expect("the network fits");
    let engine = exec::open(&device).unwrap_or_else(|e| panic!("{e}"));
    println!("device: {}", engine.name());
    let mut session = Session::new(engine, &graph, 0).expect("a session");
    let plan = session.load(&graph, PlanOptions::default()).unwrap_or_else(|e| panic!("{e}"));
    let images: Vec<f32> = (0..BATCH * SIZE * SIZE * 3).map(|i| (i * 7919 % 1000) as f32 / 500.0 - 1.0).collect();
    let labels: Vec<f32> = (0..BATCH).map(|i| (i % CLASSES) as f32).collect();
    session.write(plan, port::LABELS, &labels).expect("it fits");
    let mut count = 0;
    let mut group = c.benchmark_group("train_step");
    group.throughput(Throughput::Elements(BATCH as u64));
    group.bench_function("resnet18_16x64x64", |b| {
        b.iter(|| {
            count += 1;
            session.write(plan, port::IMAGES, &images).expect("it fits");
            session.write(plan, port::HYPER, &Hyper::new(1e-4, optimizer.betas(), count).values()).expect("it fits");
            black_box(session.run_now(plan).expect("it runs"))
        });
    });
    group.finish();
}

criterion_group!(benches, step);
criterion_main!(benches);
