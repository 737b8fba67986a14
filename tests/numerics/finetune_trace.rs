//! Fine-tuning against PyTorch's parameter groups, in f64: only the head at first, then every stage with its own rate,
//! and BatchNorm with running statistics that follow the batches or stay. tests/fixtures/generate_finetune.py made the
//! values.

use serde_json::Value as Json;
use shadegrad::exec::{CpuEngine, PlanOptions, Session};
use shadegrad::fuse::{FuseOptions, fuse};
use shadegrad::graph::{Graph, GraphError, StateTable, Value};
use shadegrad::internals::train::stages::StageRates;
use shadegrad::nn::{Architecture, BatchNorm2d, Conv2d, GlobalAvgPool2d, Linear, Mode, Model, Network, Stages};
use shadegrad::ops::{self, Hyper};
use shadegrad::shape::TensorType;
use shadegrad::tasks::classify::ClassifyConfig;
use shadegrad::train::settings::{Optimizer, TaskSettings};
use shadegrad::train::step::{Phase, append_training, port};

use crate::common::layout::{channels_last, outputs_last};
use crate::common::trace::{floats, k, signed, sizes, text};

const STAGES: Stages = &[&["conv1", "bn1"], &["layer1"]];
const ARCHITECTURE: Architecture =
    Architecture { stages: STAGES, ..Architecture::new("small", "fc.bias", |_, _| Ok(network())) };

#[derive(serde::Serialize)]
struct Small {}

impl Model for Small {
    type Output = Value;

    fn apply(&self, g: &mut Graph, x: Value, mode: Mode) -> Result<Value, GraphError> {
        let x = Conv2d::new(5, 3).padding(1).bias(false).apply(g, "conv1", x)?;
        let x = BatchNorm2d::new().apply(g, "bn1", x, mode)?;
        let x = ops::relu(g, x)?;
        let x = Conv2d::new(6, 3).stride(2).padding(1).bias(false).apply(g, "layer1.conv", x)?;
        let x = BatchNorm2d::new().apply(g, "layer1.bn", x, mode)?;
        let x = ops::relu(g, x)?;
        let x = GlobalAvgPool2d.apply(g, x)?;
        let x = ops::reshape(g, x, [4, 6])?;
        Linear::new(4).apply(g, "fc", x)
    }
}

fn network() -> Network {
    Network::new(ARCHITECTURE, 4, Small {})
}

fn settings(run: &Json) -> ClassifyConfig {
    ClassifyConfig {
        optimizer: if text(run, "kind") == "sgd" { Optimizer::Sgd } else { Optimizer::AdamW },
        weight_decay: 0.1,
        // In epochs, which have one step each.
        head_epochs: Some(2.0),
        warmup: Some(2.0),
        lr_decay_layers: Some(0.5),
        ..ClassifyConfig::default()
    }
}

#[test]
fn stages_are_fine_tuned_as_with_pytorchs_parameter_groups() {
    let path = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/fixtures/finetune_trace.json");
    let trace: Json = serde_json::from_str(&std::fs::read_to_string(path).expect("the fixture")).expect("JSON");
    for run in trace["runs"].as_array().expect("runs") {
        let what = format!("{} frozen {}", run["kind"], run["frozen"]);
        let settings = settings(run).settings();
        let update = settings.update_of(&network());
        let graph = |states: StateTable, phase: Phase| {
            let mut g = Graph::with_states(states);
            let x = g.input(port::IMAGES, TensorType::channels([4, 6, 6, 3]));
            let labels = g.input(port::LABELS, TensorType::flat(4));
            let logits = network().apply(&mut g, x, Mode::Train).expect("fits");
            let ends = ops::softmax_cross_entropy(&mut g, logits, labels, None, Default::default()).expect("fits");
            g.output(port::LOSS, ends[0]);
            append_training(&mut g, ends, &update, phase).expect("an update");
            fuse(&mut g, FuseOptions::default());
            g
        };
        let fixed = if run["frozen"] == true { vec!["bn1".to_owned(), "layer1".to_owned()] } else { vec![] };
        let first = graph(StateTable::default().fixing_statistics(fixed), Phase::Update);
        let mut session = Session::new(Box::new(CpuEngine::<f64>::new()), &first, 0).expect("a session");
        let rates = StageRates::of(&settings, &network(), session.states(), 1).expect("stages").expect("rates");
        let tensors = trace["tensors"].as_array().expect("tensors");
        for about in tensors {
            let (name, shape) = (text(about, "name"), sizes(&about["shape"]));
            let is_one = ["bn1.weight", "bn.weight", "running_var"].iter().any(|end| name.ends_with(end));
            let drawn = signed(about["seed"].as_u64().expect("a seed"), shape.iter().product());
            let values: Vec<f64> = drawn.iter().map(|v| v * 0.5 + f64::from(u8::from(is_one))).collect();
            let values = if shape.len() > 1 { outputs_last(&values, &shape).1 } else { values };
            session.write_state(name, &values).unwrap_or_else(|e| panic!("{name}: {e}"));
        }
        let losses = floats(&run["losses"]);
        for (step, expected) in (1u64..).zip(&losses) {
            let lr = 0.05 * (1.0 - step as f64 / 10.0);
            let phase = Phase::Update.where_head_alone(rates.head_alone(step));
            assert_eq!(phase == Phase::HeadUpdate, step <= 2, "{what}");
            let states = session.states().clone();
            let plan = session.load(&graph(states, phase), PlanOptions::default()).expect("a plan");
            let images = channels_last(&signed(1 + step, 4 * 3 * 36), &[4, 3, 6, 6]).1;
            let labels: Vec<f64> = k(50 + step, 4).map(|v| (v % 4) as f64).collect();
            let hyper = Hyper::new(lr, update.optimizer.betas(), step).values().map(f64::from);
            let values: Vec<f64> = rates.values(lr, step).into_iter().map(f64::from).collect();
            for (name, values) in
                [(port::IMAGES, &images[..]), (port::LABELS, &labels), (port::HYPER, &hyper), (port::RATES, &values)]
            {
                session.write(plan, name, values).unwrap_or_else(|e| panic!("{name}: {e}"));
            }
            let loss = session.run_now(plan).expect("a step")[0][0];
            // Rates have 24 bits.
            assert!((loss - expected).abs() < 1e-6 * expected, "{what}, step {step}: {loss} is not {expected}");
        }
        for about in tensors {
            let (name, shape) = (text(about, "name"), sizes(&about["shape"]));
            let expected = floats(&run["tensors"][name]);
            let expected = if shape.len() > 1 { outputs_last(&expected, &shape).1 } else { expected };
            let got = session.read_state(name).expect("a state");
            for (i, (got, expected)) in got.iter().zip(&expected).enumerate() {
                assert!((got - expected).abs() < 2e-6, "{what}: {name}[{i}] is {got}, expected {expected}");
            }
        }
    }
}
