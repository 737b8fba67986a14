//! Training options: gradient accumulation, averaged weights, frozen layers, early stopping, learning-rate search.

use std::sync::atomic::AtomicBool;

use shadegrad::exec::{CpuEngine, PlanId, PlanOptions, Session};
use shadegrad::graph::{Graph, Group, StateTable};
use shadegrad::internals::random::Random;
use shadegrad::interop::safetensors::{TensorData, TensorFile};
use shadegrad::nn::{Conv2d, WeightInit};
use shadegrad::ops::{self, AVERAGE, AdamOptions, CrossEntropyOptions, Hyper, SgdOptions};
use shadegrad::run::ImageSize;
use shadegrad::shape::TensorType;
use shadegrad::tasks::segment::{self, SegmentConfig};
use shadegrad::train::step::{Optimizer, Phase, Update, append_training, port, update_graph};
use shadegrad::train::{LrCurve, LrRange};

const IGNORE: i32 = -1;
const CLASSES: usize = 3;

/// A network without BatchNorm, so images are independent: per-pixel classes of 4×4 images.
fn graph(states: StateTable, n: usize, update: &Update, phase: Phase) -> Graph {
    let mut g = Graph::with_states(states);
    let x = g.input(port::IMAGES, TensorType::channels([n, 4, 4, 2]));
    let labels = g.input(port::LABELS, TensorType::flat(n * 16));
    let weights = g.input(port::CLASS_WEIGHTS, TensorType::channels([CLASSES]));
    let hidden = Conv2d::new(5, 3).padding(1).init(WeightInit::He).apply(&mut g, "hidden", x).expect("fits");
    let hidden = ops::relu(&mut g, hidden).expect("fits");
    let logits = Conv2d::new(CLASSES, 1).apply(&mut g, "head", hidden).expect("fits");
    let options = CrossEntropyOptions { ignore_index: Some(IGNORE), ..Default::default() };
    let ends = ops::softmax_cross_entropy(&mut g, logits, labels, Some(weights), options).expect("fits");
    g.output(port::LOSS, ends[0]);
    g.output(port::TOTALS, ends[1]);
    append_training(&mut g, ends, update, phase).expect("an update");
    g
}

fn numbers(stream: u64, len: usize) -> Vec<f64> {
    (0..len as u64).map(|i| f64::from(Random::new(5, stream, i, 0).normal())).collect()
}

/// Images and labels of samples `range`. Later images have more ignored pixels.
fn samples(range: std::ops::Range<usize>) -> (Vec<f64>, Vec<f64>) {
    let images = range.clone().flat_map(|i| numbers(i as u64, 32)).collect();
    let label = |i: usize, p: usize| if p < 2 * i { f64::from(IGNORE) } else { ((i + p * p) % CLASSES) as f64 };
    (images, range.flat_map(|i| (0..16).map(move |p| label(i, p))).collect())
}

struct Run {
    session: Session<CpuEngine<f64>>,
    update: Update,
}

impl Run {
    fn new(update: Update) -> Self {
        let graph = graph(StateTable::default(), 5, &update, Phase::Update);
        Run { session: Session::new(Box::new(CpuEngine::new()), &graph, 1).expect("a session"), update }
    }

    fn step(&mut self, range: std::ops::Range<usize>, t: u64, (phase, more, decay): (Phase, bool, f32)) {
        let plan = self.fed(range, phase);
        self.write_hyper(plan, t, (more, decay));
        self.session.run_now(plan).expect("a step");
    }

    /// A plan for samples `range`, with those in its inputs.
    fn fed(&mut self, range: std::ops::Range<usize>, phase: Phase) -> PlanId {
        let graph = graph(self.session.states().clone(), range.len(), &self.update, phase);
        let plan = self.session.load(&graph, PlanOptions::default()).expect("a plan");
        let (images, labels) = samples(range);
        for (name, values) in
            [(port::IMAGES, &images), (port::LABELS, &labels), (port::CLASS_WEIGHTS, &vec![1.0, 0.5, 2.0])]
        {
            self.session.write(plan, name, values).expect("it fits");
        }
        plan
    }

    fn write_hyper(&mut self, plan: PlanId, t: u64, (more, decay): (bool, f32)) {
        let hyper = Hyper::new(0.05, self.update.optimizer.betas(), t);
        let hyper = Hyper { keep: f32::from(u8::from(more)), average_decay: decay, ..hyper }.values();
        let hyper: Vec<f64> = hyper.iter().map(|&v| f64::from(v)).collect();
        self.session.write(plan, port::HYPER, &hyper).expect("it fits");
    }

    /// A batch in shards, whose gradients are added here, and then only the update.
    fn step_in_shards(&mut self, shards: &[std::ops::Range<usize>], t: u64, (phase, more, decay): (Phase, bool, f32)) {
        let (mut sum, mut totals) = (vec![0.0; self.parameters().len()], [0.0; 4]);
        for shard in shards {
            let plan = self.fed(shard.clone(), Phase::Shard);
            let outputs = self.session.run_now(plan).expect("gradients");
            let ports = &self.session.plan(plan).outputs;
            let output = |name: &str| &outputs[ports.iter().position(|port| port.name == name).expect("an output")];
            let of_shard = output(port::TOTALS);
            totals.iter_mut().zip(of_shard).for_each(|(total, of_shard)| *total += of_shard);
            sum.iter_mut().zip(output(port::GRADIENTS)).for_each(|(sum, gradient)| *sum += of_shard[1] * gradient);
        }
        let graph = update_graph(self.session.states().clone(), &self.update, phase).expect("an update");
        let plan = self.session.load(&graph, PlanOptions::default()).expect("a plan");
        let mean: Vec<f64> = sum.iter().map(|sum| sum / totals[1]).collect();
        self.session.write(plan, port::GRADIENTS, &mean).expect("it fits");
        if self.update.accumulate {
            self.session.write(plan, port::TOTALS, &totals).expect("it fits");
        }
        self.write_hyper(plan, t, (more, decay));
        self.session.run_now(plan).expect("an update");
    }

    fn parameters(&mut self) -> Vec<f64> {
        self.session.read_group(Group::Parameters).expect("there are some")
    }
}

fn furthest(a: &[f64], b: &[f64]) -> f64 {
    assert_eq!(a.len(), b.len());
    a.iter().zip(b).map(|(a, b)| (a - b).abs()).fold(0.0, f64::max)
}

#[test]
fn accumulated_gradients_are_those_of_the_large_batch() {
    let sgd = Optimizer::Sgd(SgdOptions::default());
    let adam = Optimizer::Adam(AdamOptions::default());
    for (optimizer, clip) in [(sgd, None), (sgd, Some(0.1)), (adam, None)] {
        let update = Update::plain(optimizer, clip);
        let mut large = Run::new(update);
        let mut small = Run::new(Update { accumulate: true, ..update });
        let start = large.parameters();
        assert_eq!(furthest(&start, &small.parameters()), 0.0);
        for t in 1..=3 {
            large.step(0..5, t, (Phase::Update, false, 0.0));
            // Batches of different sizes, with different shares of ignored pixels.
            small.step(0..1, t, (Phase::Accumulate, false, 0.0));
            small.step(1..3, t, (Phase::Accumulate, true, 0.0));
            small.step(3..5, t, (Phase::Update, true, 0.0));
            let (a, b) = (large.parameters(), small.parameters());
            assert!(furthest(&a, &start) > 1e-3, "nothing was learned");
            assert!(furthest(&a, &b) < 1e-12, "step {t}, {optimizer:?}: {}", furthest(&a, &b));
        }
    }
}

#[test]
fn gradients_of_shards_add_up_to_those_of_the_batch() {
    let sgd = Optimizer::Sgd(SgdOptions::default());
    let adam = Optimizer::Adam(AdamOptions::default());
    for (optimizer, clip, accumulate) in
        [(sgd, None, false), (sgd, Some(0.1), false), (adam, None, false), (adam, Some(0.1), true)]
    {
        let update = Update { accumulate, average: true, ..Update::plain(optimizer, clip) };
        let (mut whole, mut cut) = (Run::new(update), Run::new(update));
        let start = whole.parameters();
        for t in 1..=3 {
            if accumulate {
                whole.step(5..8, t, (Phase::Accumulate, false, 0.5));
                cut.step_in_shards(&[5..7, 7..8], t, (Phase::Accumulate, false, 0.5));
            }
            // Shards of different sizes, with different shares of ignored pixels.
            whole.step(0..5, t, (Phase::Update, accumulate, 0.5));
            cut.step_in_shards(&[0..1, 1..3, 3..5], t, (Phase::Update, accumulate, 0.5));
            let (a, b) = (whole.parameters(), cut.parameters());
            assert!(furthest(&a, &start) > 1e-3, "nothing was learned");
            assert!(furthest(&a, &b) < 1e-12, "step {t}, {optimizer:?}, {clip:?}: {}", furthest(&a, &b));
            let [a, b] = [&mut whole, &mut cut].map(|run| run.session.read_state(AVERAGE).expect("a state"));
            assert!(furthest(&a, &b) < 1e-12, "the average of step {t}: {}", furthest(&a, &b));
        }
    }
}

#[test]
fn the_moving_average_follows_its_formula() {
    let optimizer = Optimizer::Sgd(SgdOptions::default());
    let mut run = Run::new(Update { average: true, ..Update::plain(optimizer, None) });
    let mut expected = run.parameters();
    run.session.write_state(AVERAGE, &expected).expect("it is as long");
    for (t, decay) in [(1, 0.5f32), (2, 0.75), (3, 0.875)] {
        run.step(0..5, t, (Phase::Update, false, decay));
        let decay = f64::from(decay);
        expected = expected.iter().zip(run.parameters()).map(|(e, p)| decay * e + (1.0 - decay) * p).collect();
        let average = run.session.read_state(AVERAGE).expect("a state");
        assert!(furthest(&average, &expected) < 1e-14, "step {t}");
    }
    assert!(furthest(&expected, &run.parameters()) > 1e-4, "the weights have moved on");
}

fn config(out: &std::path::Path) -> SegmentConfig {
    SegmentConfig {
        out: Some(out.to_owned()),
        device: "cpu".into(),
        scenes: 10,
        epochs: 2,
        batch_size: 5,
        lr: 1e-3,
        image_size: ImageSize { height: 32, width: 32 },
        base: 4,
        depth: 2,
        ..SegmentConfig::default()
    }
}

fn tensors(run: &std::path::Path) -> Vec<(String, Vec<f32>)> {
    let file = TensorFile::read(&run.join("last.safetensors")).expect("a checkpoint");
    let floats = |data| if let TensorData::F32(values) = data { values } else { vec![] };
    file.tensors.into_iter().map(|(name, tensor)| (name, floats(tensor.data))).collect()
}

#[test]
fn frozen_layers_keep_their_values() {
    let place = tempfile::tempdir().expect("a temporary folder");
    let path = |name: &str| place.path().join(name);
    let stop = AtomicBool::new(false);
    let start = SegmentConfig { epochs: 1, lr: 1e-30, ..config(&path("start")) };
    segment::train(&start, &(), &stop).unwrap_or_else(|e| panic!("{e}"));
    let first = tensors(&path("start"));
    let layer = first.iter().find(|(name, _)| name.ends_with("weight")).expect("a layer").0.clone();
    let top = layer.split('.').next().expect("a name").to_owned();
    let frozen = SegmentConfig { freeze: vec![top.clone(), "*.bias".into()], ..config(&path("frozen")) };
    segment::train(&frozen, &(), &stop).unwrap_or_else(|e| panic!("{e}"));
    let mut counts = [0, 0];
    for ((name, a), (_, b)) in first.iter().zip(&tensors(&path("frozen"))) {
        if name.contains("running") || name.ends_with("tracked") {
            continue;
        }
        let still = name.starts_with(&format!("{top}.")) || name.ends_with(".bias");
        // The first run's rate of 1e-30 keeps the initial values.
        let moved = a.iter().zip(b).any(|(a, b)| (a - b).abs() > 1e-20);
        assert_eq!(!moved, still, "{name}");
        counts[usize::from(still)] += 1;
    }
    assert!(counts[0] > 3 && counts[1] > 3, "{counts:?}");
    // A misspelled pattern, and a pattern that freezes everything.
    for (pattern, said) in [("encodr", "names no parameter"), ("*", "nothing left to train")] {
        let wrong = SegmentConfig { freeze: vec![pattern.into()], ..config(&path("wrong")) };
        let error = segment::train(&wrong, &(), &stop).unwrap_err().to_string();
        assert!(error.contains(said) && !path("wrong").exists(), "{error}");
    }
}

#[test]
fn a_trace_shows_every_kernel_and_changes_nothing() {
    let place = tempfile::tempdir().expect("a temporary folder");
    let path = |name: &str| place.path().join(name);
    for profile in [false, true] {
        let config = SegmentConfig { profile, batch_size: 1, ..config(&path(&profile.to_string())) };
        segment::train(&config, &(), &AtomicBool::new(false)).unwrap_or_else(|e| panic!("{e}"));
    }
    assert!(tensors(&path("true")) == tensors(&path("false")), "the same bits with and without");
    assert!(!path("false").join("trace.json").exists());
    let text = std::fs::read_to_string(path("true").join("trace.json")).expect("a trace");
    let trace: serde_json::Value = serde_json::from_str(&text).expect("JSON");
    let events = trace["traceEvents"].as_array().expect("events");
    let spans = |tid: u64| events.iter().filter(move |e| e["ph"] == "X" && e["tid"] == tid);
    // 10 images, one per step. One step runs kernel by kernel.
    assert_eq!(spans(1).filter(|e| e["name"] == "wait for data").count(), 10);
    assert_eq!(spans(1).filter(|e| e["name"] == "submit").count(), 9);
    let end = |e: &serde_json::Value| e["ts"].as_f64().expect("a time") + e["dur"].as_f64().expect("a time");
    let step = spans(1).find(|e| e["name"] == "run kernel by kernel").expect("a step kernel by kernel");
    let kernels: Vec<_> = spans(2).collect();
    assert!(kernels.iter().filter(|e| e["name"] == "conv_fwd").count() > 5 && kernels.len() > 50);
    assert!(kernels.windows(2).all(|pair| end(pair[0]) <= pair[1]["ts"].as_f64().expect("a time") + 1e-3));
    assert!(end(kernels[kernels.len() - 1]) <= end(step) + 1e-3, "kernels lie within their step");
}

#[test]
fn a_run_ends_early_when_its_score_stops_improving() {
    let place = tempfile::tempdir().expect("a temporary folder");
    // The weights do not move. The running statistics settle.
    let still = SegmentConfig { epochs: 60, lr: 1e-30, early_stop: 3, ..config(&place.path().join("run")) };
    let outcome = segment::train(&still, &(), &AtomicBool::new(false)).unwrap_or_else(|e| panic!("{e}"));
    let best = outcome.best.expect("a best epoch").epoch as usize;
    assert!(outcome.ended_early && !outcome.interrupted);
    assert_eq!(outcome.rows.len(), best + 3);
}

/// A typical loss curve: flat, falling, flat at its lowest, rising.
#[test]
fn the_range_test_suggests_a_rate_only_for_a_falling_curve() {
    let point = |i: usize| {
        let lr = 1e-6 * 10f64.powf(i as f64 / 20.0);
        let x = lr.log10();
        let loss = 2.3 - 1.5 / (1.0 + (-4.0 * (x + 3.5)).exp()) + (4.0 * (x + 1.0)).exp();
        (lr, loss)
    };
    let curve = LrCurve::new(&(0..110).map(point).collect::<Vec<_>>(), std::path::Path::new("run"));
    let (suggested, lowest) = (curve.suggested.expect("it falls"), curve.lowest.expect("it has a foot"));
    // 1 / (1 + exp(-4 (x + 3.5))) is 3/4 at x = -3.5 + ln 3 / 4.
    assert!((suggested.log10() + 3.225).abs() < 0.1, "{suggested}");
    assert!((-2.5..-1.5).contains(&lowest.log10()), "{lowest}");
    // The smallest mean of noise is below the first means, but the curve does not fall.
    for seed in 0..20u32 {
        let noise = |i: u32| f64::from((i + 1000 * seed).wrapping_mul(2_654_435_761) >> 8) / f64::from(1 << 24);
        let flat: Vec<_> = (0..100).map(|i| (1e-7 * 1.17f64.powi(i as i32), 2.3 + 0.4 * noise(i))).collect();
        let curve = LrCurve::new(&flat, std::path::Path::new("run"));
        assert_eq!(curve.suggested, None, "seed {seed}");
    }
    let rising: Vec<_> = (0..50).map(|i| (f64::from(i + 1), f64::from(i))).collect();
    assert_eq!(LrCurve::new(&rising, std::path::Path::new("run")).suggested, None);
}

#[test]
fn a_range_test_writes_its_curve() {
    let place = tempfile::tempdir().expect("a temporary folder");
    let run = place.path().join("run");
    let range = LrRange { from: 1e-5, to: 1e-1, steps: 12 };
    let trainer = segment::open(&config(&run), &()).unwrap_or_else(|e| panic!("{e}"));
    let curve = trainer.find_lr(range, &(), &AtomicBool::new(false)).unwrap_or_else(|e| panic!("{e}"));
    assert!(curve.points.len() > 5 && (curve.points[0].lr - 1e-5).abs() < 1e-12);
    let text = std::fs::read_to_string(run.join("lr_find.csv")).expect("the curve");
    assert_eq!(text.lines().count(), curve.points.len() + 1);
    assert!(image::open(run.join("lr_find.png")).is_ok());
}
