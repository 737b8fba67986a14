//! Results that an engine hands out while later calls run: the same bits, the gradients of the last layers first.

use std::iter::once;
use std::ops::Range;

use shadegrad::exec::{AnyEngine, CpuEngine, Final, PlanId, PlanOptions, Session};
use shadegrad::graph::{Graph, Group};
use shadegrad::nn::{Conv2d, WeightInit};
use shadegrad::ops::{self, SgdOptions};
use shadegrad::shape::TensorType;
use shadegrad::train::step::{Optimizer, Phase, Update, append_training, port};

use crate::common::gpu;

const LAYERS: usize = 4;

/// The gradients of a chain of convolutions.
fn graph() -> Graph {
    let mut g = Graph::new();
    let mut x = g.input(port::IMAGES, TensorType::channels([2, 8, 8, 4]));
    let labels = g.input(port::LABELS, TensorType::flat(2 * 8 * 8));
    for layer in 0..LAYERS {
        let conv = Conv2d::new(4, 3).padding(1).init(WeightInit::He);
        x = conv.apply(&mut g, &format!("layer{layer}"), x).expect("it fits");
    }
    let ends = ops::softmax_cross_entropy(&mut g, x, labels, None, Default::default()).expect("it fits");
    g.output(port::LOSS, ends[0]);
    g.output(port::TOTALS, ends[1]);
    let update = Update::plain(Optimizer::Sgd(SgdOptions::default()), None);
    append_training(&mut g, ends, &update, Phase::Shard).expect("gradients");
    g
}

fn session(engine: Box<AnyEngine>) -> (Session<AnyEngine>, PlanId) {
    let graph = graph();
    let mut session = Session::new(engine, &graph, 3).expect("a session");
    let plan = session.load(&graph, PlanOptions::default()).expect("a plan");
    let images: Vec<f32> = (0..2 * 8 * 8 * 4).map(|i| ((i * 37 % 101) as f32 - 50.0) / 50.0).collect();
    let labels: Vec<f32> = (0..2 * 8 * 8).map(|i| (i * 7 % 4) as f32).collect();
    session.write(plan, port::IMAGES, &images).expect("it fits");
    session.write(plan, port::LABELS, &labels).expect("it fits");
    (session, plan)
}

/// The gradients of each layer's weights, in order, and those of all biases. All layers have the same number of
/// weights.
fn parts(session: &Session<AnyEngine>) -> Vec<Range<usize>> {
    let layout = session.states().layout();
    let (len, end) = (layout.decay_end / LAYERS, layout.group_len[Group::Parameters as usize]);
    (0..LAYERS).map(|layer| layer * len..(layer + 1) * len).chain(once(layout.decay_end..end)).collect()
}

#[test]
fn parts_have_the_bits_of_a_whole_run_and_the_last_layers_come_first() {
    let engines: [Box<AnyEngine>; 2] = [Box::new(CpuEngine::<f32>::new()), Box::new(gpu::open(true))];
    for engine in engines {
        let (mut session, plan) = session(engine);
        let name = session.engine().name();
        let whole = session.run_now(plan).expect("a run");
        let ranges = parts(&session);
        let ports = session.plan(plan).outputs.clone();
        let of = |name: &str| &whole[ports.iter().position(|port| port.name == name).expect("an output")];
        // The second run finds the results of the first one in its memory.
        for _ in 0..2 {
            let parts = (port::GRADIENTS, ranges.as_slice());
            let ticket = session.run_parts(plan, parts).expect("a run");
            let (mut outputs, mut order) = (vec![], vec![]);
            let mut each = |result: Final<f32>| match result {
                Final::Outputs(found) => outputs = found,
                Final::Part(part, values) => {
                    assert!(!outputs.is_empty(), "{name}: the loss comes first");
                    assert_eq!(values, of(port::GRADIENTS)[ranges[part].clone()], "{name}: part {part}");
                    order.push(part);
                }
            };
            session.take_parts(plan, ticket, parts, &mut each).expect("results");
            assert_eq!(order, [3, 2, 1, 4, 0], "{name}");
            assert_eq!(outputs.len(), 2, "{name}");
            for (output, values) in &outputs {
                assert_eq!(values, of(output), "{name}: {output}");
            }
            let again = session.take_parts(plan, ticket, parts, &mut |_| panic!("results come once"));
            assert!(again.is_err_and(|error| error.to_string().contains("taken before")), "{name}");
        }
        let outside = [0..8, 0..1 << 20];
        let error = session.run_parts(plan, (port::GRADIENTS, &outside)).expect_err("refused").to_string();
        assert!(error.contains("lies outside"), "{error}");
        assert_eq!(session.run_now(plan).expect("a run"), whole, "{name}: a refused run changes nothing");
    }
}
