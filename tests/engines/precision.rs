//! Training in 16 bits: the values with 16 bits, steps that match those in 32 bits, a gradient overflow that changes
//! only the scale of the loss, and engines without f16, which refuse 16-bit plans.

use shadegrad::exec::{CpuEngine, Engine, ExecError, Plan, PlanOptions, Session};
use shadegrad::graph::Group;
use shadegrad::internals::random;
use shadegrad::internals::train::half;
use shadegrad::internals::train::step_spec::StepSpec;
use shadegrad::ops::{AdamOptions, Hyper, SgdOptions};
use shadegrad::precision::Precision;
use shadegrad::shape::{Element, Layout};
use shadegrad::train::step::{Optimizer, Update, port};

use crate::common::updates::{LOSS_SCALES, loss_scale_case};
use crate::common::{gpu, twin};

fn step(spec: &str, precision: Precision) -> Plan {
    let spec: StepSpec = spec.parse().expect("a step");
    let update = Update { precision, ..Update::plain(Optimizer::Adam(AdamOptions::default()), None) };
    Plan::new(&spec.graph(&update).expect("it fits"), PlanOptions::default())
}

#[test]
fn activations_take_half_of_their_memory_and_nothing_else_changes() {
    for spec in ["resnet18:8x128x128", "unet:2x64x64:base=16", "resnet18-seg:4x128x128"] {
        let [wide, half] = [Precision::F32, Precision::F16].map(|p| step(spec, p));
        let ratio = half.memory.pool as f64 / wide.memory.pool as f64;
        assert!(ratio < 0.7, "{spec}: {ratio} of the memory for activations");
        let ports = half.inputs.iter().chain(&half.outputs);
        for port in ports {
            assert_eq!(port.ty.element, Element::F32, "{spec}: {} is read or written by the caller", port.name);
        }
        for planned in &half.calls {
            let (call, consts) = (&planned.call, planned.call.consts().prelude());
            // Losses, optimizers, sums and statistics.
            let wide = ["softmax", "adam", "sum_", "norm_finalize", "norm_grad_finalize", "loss", "clip"];
            if wide.iter().any(|name| call.kernel.starts_with(name)) {
                assert!(!call.elements.contains(&Element::F16), "{spec}: {} has 16 bits: {consts}", call.kernel);
            }
        }
        let matrix = |plan: &Plan| plan.calls.iter().filter(|c| c.call.kernel.starts_with("conv_")).count();
        assert_eq!(matrix(&wide), matrix(&half), "{spec}");
    }
}

#[test]
fn weights_stay_wide() {
    let spec: StepSpec = "unet:2x64x64:base=16".parse().expect("a step");
    let update = Update { precision: Precision::F16, ..Update::plain(Optimizer::Adam(AdamOptions::default()), None) };
    let graph = spec.graph(&update).expect("it fits");
    let mut halves = 0;
    for node in graph.nodes() {
        for &v in node.inputs.iter().chain(&node.outputs) {
            let ty = graph.ty(v);
            halves += usize::from(ty.element == Element::F16);
            assert!(ty.element == Element::F32 || (ty.layout == Layout::Channels && ty.shape.rank() > 1), "{ty:?}");
        }
    }
    assert!(halves > 100, "{halves}");
}

/// Gradients of a step on the CPU engine, with every weight changed by up to `noise` of its value.
fn gradients(spec: &StepSpec, noise: f32) -> Vec<f32> {
    let optimizer = Optimizer::Sgd(SgdOptions { momentum: 0.0, ..SgdOptions::default() });
    let graph = spec.graph(&Update::plain(optimizer, None)).expect("it fits");
    let mut session = Session::new(Box::new(CpuEngine::<f32>::new()), &graph, 1).expect("a session");
    let plan = session.load(&graph, PlanOptions::default()).expect("a plan");
    let unit = |stream, i| 2.0 * random::unit(1, stream, i, 3) - 1.0;
    let mut weights = session.read_group(Group::Parameters).expect("parameters");
    weights.iter_mut().zip(0..).for_each(|(w, i)| *w *= 1.0 + noise * unit(5, i));
    session.write_group(Group::Parameters, &weights).expect("as many");
    let [n, h, w] = spec.size;
    let labels: Vec<f32> = (0..n * h * w).map(|i| (i * 7 % spec.network.outputs()) as f32).collect();
    let images: Vec<f32> = (0..(n * h * w * 3) as u64).map(|i| unit(2, i)).collect();
    for (name, values) in
        [(port::IMAGES, &images[..]), (port::LABELS, &labels), (port::HYPER, &Hyper::new(1.0, [0.0; 2], 1).values())]
    {
        session.write(plan, name, values).expect("as long");
    }
    session.run_now(plan).expect("a step");
    let after = session.read_group(Group::Parameters).expect("parameters");
    after.iter().zip(weights).map(|(after, before)| after - before).collect()
}

#[test]
fn gradients_differ_from_those_in_32_bits_by_rounding_alone() {
    if !gpu::has_half("gradients in 16 bits") {
        return;
    }
    let device = std::env::var("SHADEGRAD_TEST_DEVICE").unwrap_or_else(|_| "llvmpipe".into());
    assert!(half::overflows(&device).unwrap_or_else(|e| panic!("{e}")), "10⁶ was stored as a number");
    let error = half::difference(&device).unwrap_or_else(|e| panic!("{e}"));
    // Effect of rounding the weights alone to 11 bits: some ReLUs switch (3 %; in 16 bits 4 %).
    let spec: StepSpec = half::STEP.parse().expect("a step");
    let [exact, rounded] = [0.0, f32::exp2(-11.0)].map(|noise| gradients(&spec, noise));
    let rounding = half::distance(&exact, &rounded);
    assert!(error > 0.1 * rounding, "{error}: nothing was in 16 bits");
    assert!(error < 3.0 * rounding, "the gradients are {error} off, rounding weights leaves {rounding}");
}

#[test]
fn a_step_that_overflows_changes_nothing_but_the_scale() {
    let case = loss_scale_case(LOSS_SCALES[0]).expect("it fits");
    let twin = twin();
    let scales: Vec<f64> = twin.run_steps(&case).expect("it runs").iter().map(|step| step["scale"][0]).collect();
    assert_eq!(scales, [65536.0, 65536.0, 32768.0], "halved after the step that overflowed");
    let weights = |steps: &[usize]| {
        let mut some = case.clone();
        some.steps = steps.iter().map(|&t| case.steps[t].clone()).collect();
        twin.run(&some).expect("it runs")
    };
    assert_eq!(weights(&[0])["state.w"], weights(&[0, 1])["state.w"]);
    assert_ne!(weights(&[0])["state.w"], weights(&[0, 0])["state.w"]);
    // Exponent, good steps since the last change, skipped steps.
    assert_eq!(weights(&[0, 1, 2])["state.optimizer.loss_scale"][..3], [-1.0, 1.0, 1.0]);
    let many = vec![0; 2001];
    assert_eq!(weights(&many)["state.optimizer.loss_scale"][..3], [1.0, 1.0, 0.0], "doubled after 2000 good steps");
}

#[test]
fn the_scale_stays_within_its_bounds() {
    let state = |start: [f64; 4], steps: usize| {
        let mut case = loss_scale_case(start).expect("it fits");
        case.steps.truncate(steps);
        twin().run(&case).expect("it runs")["state.optimizer.loss_scale"][..3].to_vec()
    };
    let [_, highest, lowest, _] = LOSS_SCALES;
    assert_eq!(state(highest, 1), [8.0, 0.0, 0.0], "2000 good steps at 2^24");
    assert_eq!(state(highest, 2), [7.0, 0.0, 1.0], "halved after a step that overflowed");
    assert_eq!(state(lowest, 2), [-30.0, 0.0, 1.0], "a step that overflowed at 2^-14");
}

#[test]
fn the_cpu_engine_refuses_a_plan_in_16_bits() {
    let plan = step("unet:1x16x16:base=4:depth=1", Precision::F16);
    match CpuEngine::<f32>::new().load(&plan) {
        Err(ExecError::Kernel { reason, .. }) => assert!(reason.contains("operands are f16"), "{reason}"),
        other => panic!("{other:?}"),
    }
}
