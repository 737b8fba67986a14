//! The three directions of convolution at ResNet18's layer shapes (batch 16 of 64×64 images), on the device that
//! `SHADEGRAD_DEVICE` names (default: cpu). One iteration is one call and the wait for its end.

use std::hint::black_box;

use criterion::{BenchmarkId, Criterion, Throughput, criterion_group, criterion_main};
use shadegrad::exec::{self, Plan, PlanOptions, Slice};
use shadegrad::graph::{Graph, Value};
use shadegrad::internals::ops::{Conv2dInputGrad, Conv2dWeightGrad};
use shadegrad::ops::{ConvSpec, conv2d};
use shadegrad::shape::{TensorType, Window};

const BATCH: usize = 16;

/// Name, map size, channels in and out, kernel size, stride, padding.
const LAYERS: [(&str, usize, usize, usize, usize, usize, usize); 8] = [
    ("conv1", 64, 3, 64, 7, 2, 3),
    ("layer1", 16, 64, 64, 3, 1, 1),
    ("layer2_first", 16, 64, 128, 3, 2, 1),
    ("layer2_shortcut", 16, 64, 128, 1, 2, 0),
    ("layer2", 8, 128, 128, 3, 1, 1),
    ("layer3", 4, 256, 256, 3, 1, 1),
    ("layer4_first", 4, 256, 512, 3, 2, 1),
    ("layer4", 2, 512, 512, 3, 1, 1),
];

#[derive(Clone, Copy)]
enum Direction {
    Forward,
    InputGrad,
    WeightGrad,
}

/// A graph of one convolution in one direction, whose operands are its inputs.
fn graph(direction: Direction, x: [usize; 4], outputs: usize, window: Window) -> Graph {
    let mut g = Graph::new();
    let spec = ConvSpec::from(window);
    let [oh, ow] = window.output_size([x[1], x[2]]).expect("the window fits");
    let [kh, kw] = window.kernel_size;
    let (x, w) = (TensorType::channels(x), TensorType::kernel([kh, kw, x[3], outputs]));
    let dy = TensorType::channels([BATCH, oh, ow, outputs]);
    let mut input = |name: &str, ty: &TensorType| -> Value { g.input(name, ty.clone()) };
    let result = match direction {
        Direction::Forward => {
            let (x, w) = (input("x", &x), input("w", &w));
            conv2d(&mut g, x, w, spec)
        }
        Direction::InputGrad => {
            let (dy, w) = (input("dy", &dy), input("w", &w));
            g.add1(Conv2dInputGrad::new(spec, x), &[dy, w])
        }
        Direction::WeightGrad => {
            let (x, dy) = (input("x", &x), input("dy", &dy));
            g.add1(Conv2dWeightGrad { spec, w }, &[x, dy])
        }
    };
    g.output("result", result.expect("the shapes fit"));
    g
}

fn convolutions(c: &mut Criterion) {
    let device = std::env::var("SHADEGRAD_DEVICE").unwrap_or_else(|_| "cpu".into());
    let mut engine = exec::open(&device).unwrap_or_else(|e| panic!("{e}"));
    println!("device: {}", engine.name());
    for (name, direction) in
        [("forward", Direction::Forward), ("input_grad", Direction::InputGrad), ("weight_grad", Direction::WeightGrad)]
    {
        let mut group = c.benchmark_group(format!("conv_{name}"));
        for (layer, size, inputs, outputs, kernel_size, stride, padding) in LAYERS {
            let window = Window::square(kernel_size).stride(stride).padding(padding);
            let plan =
                Plan::new(&graph(direction, [BATCH, size, size, inputs], outputs, window), PlanOptions::default());
            engine.states(&plan.states).expect("no states");
            let id = engine.load(&plan).unwrap_or_else(|e| panic!("{layer}: {e}"));
            for port in &plan.inputs {
                // Neither 0 nor subnormal: such values compute at another speed than those of training.
                let values: Vec<f32> = (0..port.slice.len).map(|i| (i % 97) as f32 / 97.0 - 0.4).collect();
                engine.write(id, port.slice, &values).expect("it fits");
            }
            // Reading four floats waits for the call, and copies little.
            let probe = Slice { len: 4, ..plan.outputs[0].slice };
            group.throughput(Throughput::Elements(plan.flops()));
            group.bench_function(BenchmarkId::from_parameter(layer), |b| {
                b.iter(|| {
                    let ticket = engine.run(id, &[probe]).expect("it runs");
                    black_box(engine.take(ticket).expect("it runs"))
                });
            });
        }
        group.finish();
    }
}

criterion_group!(benches, convolutions);
criterion_main!(benches);
