//! `shadegrad doctor`: a correct device passes, and a faulty kernel is found and named.

use std::collections::BTreeSet;

use shadegrad::exec::gpu::EngineOptions;
use shadegrad::exec::registry::KernelError;
use shadegrad::exec::{AnyEngine, CpuEngine, Engine, ExecError, Plan, PlanId, PlanOptions, Session, Slice, Ticket};
use shadegrad::graph::{Graph, Group, StateLayout};
use shadegrad::internals::exec::shader::{Shader, Shaders, Target, Tile, shader};
use shadegrad::internals::train::step_spec::StepSpec;
use shadegrad::internals::workflows::doctor::{Examined, examine};
use shadegrad::kernel::KernelCall;
use shadegrad::ops::{Hyper, LOSS_SCALE};
use shadegrad::precision::Precision;
use shadegrad::train::TrainError;
use shadegrad::train::step::{Optimizer, Update, port};

use crate::common::gpu;
use crate::support::{Place, TRAIN};

/// Maps with more and with fewer rows than the limit of the single-workgroup norm. Odd sizes give tiles with edges.
const STEP: &str = "unet:1x42x38:base=4:depth=1:classes=5";

fn graph(precision: Precision) -> Graph {
    let spec: StepSpec = STEP.parse().expect("a step");
    let update = Update { precision, ..Update::plain(Optimizer::Adam(Default::default()), None) };
    spec.graph(&update).expect("it fits")
}

/// Writes the inputs of a step.
fn feed(session: &mut Session<AnyEngine>, plan: PlanId) -> Result<(), TrainError> {
    let wave = |i: usize| ((i * 37 % 101) as f32 / 50.0) - 1.0;
    session.write(plan, port::IMAGES, &(0..42 * 38 * 3).map(wave).collect::<Vec<_>>())?;
    session.write(plan, port::LABELS, &(0..42 * 38).map(|i| (i % 5) as f32).collect::<Vec<_>>())?;
    Ok(session.write(plan, port::HYPER, &Hyper::new(1e-3, [0.9, 0.999], 1).values())?)
}

fn examined(engine: Box<AnyEngine>, precision: Precision) -> Examined {
    let graph = graph(precision);
    let mut session = Session::new(engine, &graph, 3).expect("memory");
    // Moments of 0 would hide an optimizer that drops them.
    let moments = session.read_group(Group::Moments).expect("they are there").len();
    session.write_group(Group::Moments, &vec![1e-3; moments]).expect("room");
    if precision == Precision::F16 {
        // A scale of 2^24 overflows, as in the first steps of a run, and is then lowered.
        session.write_state(LOSS_SCALE, &[8.0, 0.0, 0.0, 0.0]).expect("it is scaled");
    }
    examine(&mut session, &graph, precision, feed).expect("it runs")
}

fn on_gpu(shaders: Shaders, precision: Precision) -> Examined {
    let options =
        EngineOptions { cache_dir: None, tune: Some(std::time::Duration::ZERO), shaders, ..Default::default() };
    examined(Box::new(gpu::open_with(options)), precision)
}

fn wrong_kernels(examined: &Examined) -> BTreeSet<&'static str> {
    examined.wrong().map(|(planned, _)| planned.call.kernel).collect()
}

#[test]
fn correct_devices_pass() {
    let mut all = vec![examined(Box::new(CpuEngine::<f32>::new()), Precision::F32), on_gpu(shader, Precision::F32)];
    if gpu::has_half("a step in 16 bits") {
        all.push(on_gpu(shader, Precision::F16));
    }
    for examined in all {
        let wrong: Vec<_> =
            examined.wrong().map(|(planned, wrong)| format!("{}: {wrong}", planned.call.kernel)).collect();
        assert!(examined.is_right() && wrong.is_empty(), "{}: {:?} {wrong:?}", examined.device, examined.unsteady);
        let kernels = examined.kernels();
        assert!(kernels.len() > 15 && kernels["conv_fwd"].calls >= 5, "{kernels:?}");
        // No kernel is compared with itself.
        assert!(kernels["conv_fwd"].error > 0.0 && kernels["norm_apply"].error > 0.0, "{kernels:?}");
        assert!(kernels.values().all(|of| of.error < 0.9), "{kernels:?}");
    }
}

/// The shader of a call, with replacements in the text of the named kernels.
fn broken(
    changes: &[[&str; 3]],
    call: &KernelCall<Slice>,
    target: Target,
    tile: Option<Tile>,
) -> Result<Shader, KernelError> {
    // All sizes are constants of the text, so the replacements find them.
    let mut made = shader(call, Target { immediates: None, ..target }, tile)?;
    for [_, from, to] in changes.iter().filter(|[kernel, ..]| *kernel == call.kernel) {
        for stage in &mut made.stages {
            stage.source = stage.source.replace(from, to);
        }
    }
    Ok(made)
}

#[test]
fn wrong_kernels_are_named_and_no_others() {
    const CHANGES: &[[&str; 3]] = &[
        // One pixel too low.
        ["conv_fwd", "i32(oh * SH) - i32(PT)", "i32(oh * SH) - i32(PT) + 1i"],
        // A row of pixels starts one too early.
        ["conv_wgrad", "let below = right >= i32(OW * SW)", "let below = right >= i32(OW * SW) - 1i"],
        // The last of equal values instead of the first.
        ["max_pool", "(v > best)", "(v >= best)"],
        ["norm_apply", "ended(i + row * ITEMS, known)", "ended(i + row * ITEMS, known) * 1.001"],
        // Drops the old second moment.
        ["adam", "BETA2 * exp_avg_sq[i]", "0.0 * exp_avg_sq[i]"],
    ];
    let found = on_gpu(|call, target, tile| broken(CHANGES, call, target, tile), Precision::F32);
    assert_eq!(wrong_kernels(&found), CHANGES.iter().map(|[kernel, ..]| *kernel).collect());
    assert_eq!((found.unknown(), &found.unsteady), (0, &None), "wrong, but always the same");
    assert!(!found.is_right());
}

#[test]
fn an_unwritten_result_is_found_at_its_kernel() {
    const CHANGES: &[[&str; 3]] = &[["concat", "i < ITEMS", "i < ITEMS && i != 7u"]];
    let found = on_gpu(|call, target, tile| broken(CHANGES, call, target, tile), Precision::F32);
    assert_eq!(wrong_kernels(&found), BTreeSet::from(["concat"]));
    assert_eq!(found.kernels()["concat"].error, f64::INFINITY);
    assert!(found.unknown() > 10, "calls after the missing result are not judged");
    assert!(!found.is_right());
}

/// A CPU engine with a fault.
struct Faulty {
    engine: CpuEngine<f32>,
    fault: Fault,
    runs: usize,
    plans: Vec<Plan>,
}

#[derive(Clone, Copy, PartialEq)]
enum Fault {
    /// Every fourth run changes the last bit of the loss.
    Unsteady,
    /// All results of the last convolution's weight gradient are 0.1 % too large.
    Off,
}

impl Faulty {
    fn new(fault: Fault) -> Box<Faulty> {
        Box::new(Faulty { engine: CpuEngine::new(), fault, runs: 0, plans: vec![] })
    }

    fn change(&mut self, plan: usize, slice: Slice, change: impl Fn(f32) -> f32) -> Result<(), ExecError> {
        let values: Vec<f32> = self.engine.read(plan, slice)?.into_iter().map(change).collect();
        self.engine.write(plan, slice, &values)
    }
}

impl Engine for Faulty {
    type Scalar = f32;
    fn name(&self) -> String {
        "faulty".into()
    }
    fn states(&mut self, layout: &StateLayout) -> Result<(), ExecError> {
        self.engine.states(layout)
    }
    fn load(&mut self, plan: &Plan) -> Result<usize, ExecError> {
        self.plans.push(plan.clone());
        self.engine.load(plan)
    }
    fn write(&mut self, plan: usize, to: Slice, data: &[f32]) -> Result<(), ExecError> {
        self.engine.write(plan, to, data)
    }
    fn run(&mut self, plan: usize, fetch: &[Slice]) -> Result<Ticket, ExecError> {
        let ticket = self.engine.run(plan, fetch)?;
        self.runs += 1;
        let calls = &self.plans[plan].calls;
        let wgrad = calls.iter().rev().find(|planned| planned.call.kernel == "conv_wgrad").expect("there is one");
        let wgrad = wgrad.call.bindings.last().expect("its result").0;
        match (self.fault, fetch.first()) {
            (Fault::Unsteady, Some(&loss)) if self.runs.is_multiple_of(4) => self.change(plan, loss, f32::next_up)?,
            (Fault::Off, _) => self.change(plan, wgrad, |v| 1.001 * v)?,
            _ => {}
        }
        Ok(ticket)
    }
    fn take(&mut self, ticket: Ticket) -> Result<Vec<Vec<f32>>, ExecError> {
        self.engine.take(ticket)
    }
    fn read(&mut self, plan: usize, from: Slice) -> Result<Vec<f32>, ExecError> {
        self.engine.read(plan, from)
    }
    fn profile(&mut self, plan: usize) -> Result<Option<Vec<f64>>, ExecError> {
        self.engine.profile(plan)
    }
    fn memory(&self) -> u64 {
        self.engine.memory()
    }
}

#[test]
fn results_that_vary_between_runs_are_found() {
    let found = examined(Faulty::new(Fault::Unsteady), Precision::F32);
    assert_eq!(wrong_kernels(&found), BTreeSet::new());
    // The first run is the comparison with the twins.
    assert_eq!(found.unsteady, Some((port::LOSS.into(), 3)));
    assert!(!found.is_right());
}

/// The references are independent of the CPU engine.
#[test]
fn a_wrong_cpu_engine_is_found() {
    let found = examined(Faulty::new(Fault::Off), Precision::F32);
    let wrong: Vec<_> = found.wrong().map(|(planned, _)| planned.call.kernel).collect();
    // A kernel that reads the result before the change has the same error.
    assert!(wrong.contains(&"conv_wgrad") && wrong.len() <= 2, "{wrong:?}");
}

#[test]
fn a_plan_that_shares_memory_cannot_be_verified() {
    let graph = graph(Precision::F32);
    let engine: Box<AnyEngine> = Box::new(CpuEngine::<f32>::new());
    let mut session = Session::new(engine, &graph, 0).expect("memory");
    let plan = session.load(&graph, PlanOptions::default()).expect("it loads");
    let error = session.verify(plan).expect_err("its values are gone").to_string();
    assert!(error.contains("without reuse"), "{error}");
}

#[test]
fn the_doctor_checks_steps_and_runs_and_writes_nothing() {
    let place = Place::with_photos(10);
    place.run(&format!("{TRAIN} --out run --batch-size 4 --epochs 1 --accumulate 2 --ema 0.9 --clip 1")).fine();
    let before = place.list("run");
    let outcome = place.run(&format!("doctor run --step {STEP} --device cpu")).fine();
    outcome.printed(&[STEP, "\nrun\n", "in f32", "calls of", "right: the repeated step"]);
    assert_eq!(place.list("run"), before, "nothing is written");
    assert!(!place.has("runs"), "and no run begins");
    let outcome = place.run(&format!("doctor --step {STEP} --device cpu --json")).fine();
    let lines: Vec<serde_json::Value> =
        outcome.stdout.lines().map(|line| serde_json::from_str(line).expect("JSON")).collect();
    let (last, kernels) = lines.split_last().expect("lines");
    assert!(kernels.len() > 15 && kernels.iter().all(|line| line["wrong"] == 0 && line["calls"] != 0), "{lines:?}");
    assert_eq!((&last["right"], &last["step"]), (&true.into(), &STEP.into()), "{last}");
    place.run("doctor nowhere --device cpu").refused(&["nowhere"]);
    let line = format!("doctor --step {STEP} --precision f16 --device cpu");
    place.run(&line).refused(&["--precision f16", "no 16-bit floats"]);
    let alone = place.path("alone.safetensors");
    std::fs::copy(place.path("run/last.safetensors"), alone).expect("copies");
    place.run("doctor alone.safetensors --device cpu").refused(&["alone.safetensors", "no config.toml"]);
}
