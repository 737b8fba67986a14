//! Every op on the CPU engine and on the GPU engine, with checked and unchecked shaders, against the f64 twins of the
//! shaders: results, gradients and updated states. All pool memory starts as NaN. Rewrites do not change results.

use std::collections::BTreeSet;

use shadegrad::exec::Slice;
use shadegrad::exec::gpu::EngineOptions;
use shadegrad::internals::kernel::ConvGeometry;
use shadegrad::kernel::{Const, KernelCall};
use shadegrad::shape::Element;

use crate::common::blocks::without_differences;
use crate::common::case::{Case, Context, Values};
use crate::common::compare::{Accuracy, Failures, allowed};
use crate::common::dense::{counted_case, probe_case};
use crate::common::table::{OpCase, op_cases};
use crate::common::updates::update_cases;
use crate::common::{OnGpu, Runner, cpu, engines, gpu, run_on, twin};

/// Large maps, after a check of the rows that an invocation of their norms takes.
fn large_cases() -> Vec<Case> {
    let cases: Vec<Case> = without_differences().into_iter().map(|op| op.case(Context::Alone).fused()).collect();
    for (case, rows) in cases.iter().zip([4, 2, 4, 4]) {
        let calls = case.plan().calls.into_iter().map(|planned| planned.call);
        let norms: Vec<_> = calls.filter(|call| ["norm_apply", "norm_grad_apply"].contains(&call.kernel)).collect();
        assert_eq!(norms.len(), 2, "{}", case.name);
        assert!(norms.iter().all(|call| call.consts().usize("ROWS_EACH") == rows), "{}", case.name);
    }
    cases
}

/// All op cases in a context, with and without rewrites.
fn op_cases_at(context: Context) -> Vec<Case> {
    let both = |op: OpCase| {
        let case = op.case(context);
        let fused = Some(case.fused()).filter(|fused| fused.links() != case.links());
        std::iter::once(case).chain(fused)
    };
    op_cases().into_iter().flat_map(both).collect()
}

/// Optimizer updates, ops without gradients, large maps.
fn other_cases() -> Vec<Case> {
    let mut cases = update_cases();
    cases.push(probe_case().expect("it fits"));
    for shape in [[2, 5, 7, 5], [1, 19, 47, 12], [3, 40, 33, 2]] {
        cases.push(counted_case(shape).expect("it fits"));
    }
    cases.extend(large_cases());
    cases
}

fn run(engine: &dyn Runner, case: &Case) -> Values {
    engine.run(case).unwrap_or_else(|e| panic!("{} on {}: {e}", case.name, engine.name()))
}

fn match_the_twin(engines: &[&dyn Runner], cases: impl IntoIterator<Item = Case>) {
    let twin = twin();
    let mut failures = Failures::default();
    for case in cases.into_iter().filter(Case::is_picked) {
        let expected = run(twin.as_ref(), &case);
        for engine in engines {
            let tolerance = allowed(&case.plan(), engine.accuracy());
            let what = format!("{} on {}", case.name, engine.name());
            failures.all_close(&what, &run(*engine, &case), &expected, tolerance);
        }
    }
    failures.none();
}

/// Unchecked shaders, the default of release builds, run each op alone and in the midst of a graph. An op has the same
/// kernels in both, so Mesa compiles each once, which is most of the time of these tests. Checked shaders run the ops that
/// have values of PyTorch (`conformance_pytorch.rs`).
fn ops_match_the_twin(engine: OnGpu, with_convolutions: bool) {
    let cases = [Context::Alone, Context::Midst].map(op_cases_at).into_iter().flatten();
    let has_convolution =
        |case: &Case| case.plan().calls.iter().any(|planned| planned.call.kernel.starts_with("conv_"));
    match_the_twin(&[&cpu(), &engine], cases.filter(|case| has_convolution(case) == with_convolutions));
}

#[test]
fn ops_with_convolutions_match_the_twin() {
    ops_match_the_twin(OnGpu::Unchecked, true);
}

#[test]
fn ops_without_convolutions_match_the_twin() {
    ops_match_the_twin(OnGpu::Beside, false);
}

#[test]
fn updates_and_large_maps_match_the_twin() {
    match_the_twin(&[&cpu(), &OnGpu::Checked, &OnGpu::Unchecked], other_cases());
}

/// A NaN at any tap of a window must reach the loss, where it is noticed.
#[test]
fn a_nan_reaches_the_results() {
    let (twin, mut engines) = (twin(), engines());
    engines.push(Box::new(OnGpu::Unchecked));
    let nan = |values: &Values| -> Vec<bool> { values.values().flatten().map(|v| v.is_nan()).collect() };
    let picked = |name: &str| name.starts_with("max_pool") || name == "relu";
    let ops: Vec<_> = op_cases().into_iter().filter(|op| picked(&op.name)).collect();
    assert!(ops.len() > 3);
    for op in ops {
        let mut case = op.case(Context::Alone);
        let x = case.inputs.get_mut("x").expect("the op's input");
        x.iter_mut().skip(3).step_by(7).for_each(|v| *v = f64::NAN);
        let expected = nan(&run(twin.as_ref(), &case));
        assert!(expected.contains(&true) && expected.contains(&false), "{}", case.name);
        for engine in &engines {
            assert_eq!(nan(&run(engine.as_ref(), &case)), expected, "{} on {}", case.name, engine.name());
        }
    }
}

/// What an op in 16 bits compiles beside numbers: loads and stores of its elements with its operation and flags, and for a
/// convolution whether it has several taps, strides and groups.
fn forms(call: &KernelCall<Slice>) -> [String; 2] {
    let conv = call.geometry::<ConvGeometry>();
    let kinds = conv.map(|g| (g.taps() > 1, g.stride != [1; 2], g.groups > 1));
    let is_shown = |(name, value): &&(&str, Const)| *name == "OP" || matches!(value, Const::B(_));
    let consts: Vec<_> = call.consts().0.iter().filter(is_shown).collect();
    [format!("{} {:?} {consts:?}", call.kernel, call.elements), format!("{} {kinds:?}", call.kernel)]
}

/// The ops in the midst of a graph, as they are and with rewrites, that store values in 16 bits. x^17 of these inputs
/// exceeds 65,504, the largest number of f16.
fn cases_with_halves() -> impl Iterator<Item = Case> {
    let ops = op_cases().into_iter().chain(without_differences()).filter(|op| !op.name.starts_with("Pow(17"));
    let cases = ops.flat_map(|op| {
        let case = op.case(Context::Midst);
        let fused = Some(case.fused()).filter(|fused| fused.links() != case.links());
        std::iter::once(case).chain(fused)
    });
    cases.filter(|case| case.is_picked() && halves_of(&case.halved()).next().is_some())
}

/// The calls of a case that read or write 16 bits.
fn halves_of(case: &Case) -> impl Iterator<Item = KernelCall<Slice>> {
    case.plan().calls.into_iter().map(|planned| planned.call).filter(|call| call.elements.contains(&Element::F16))
}

/// Results with 16-bit values in the middle of a graph are those of the f64 twin within the rounding of stored values.
fn match_the_twin_in_16_bits(cases: impl IntoIterator<Item = Case>) {
    let (twin, gpu) = (twin(), OnGpu::Beside);
    let mut failures = Failures::default();
    for case in cases {
        let halved = case.halved();
        // Each call rounds stored values to 11 bits: the formula of `rounding` with half of its margin.
        let stored = halves_of(&halved).count() as f64;
        let tolerance = allowed(&case.plan(), gpu.accuracy()) + 4.0 * f64::exp2(-10.0) * stored.sqrt();
        failures.all_close(&halved.name, &run(&gpu, &halved), &run(twin.as_ref(), &case), tolerance);
    }
    failures.none();
}

/// Each of the [`forms`] of a kernel runs in one case at least. Most of the time is Mesa's, which compiles each kernel.
#[test]
fn sixteen_bits_match_the_twin() {
    if !gpu::has_half("ops in 16 bits") {
        return;
    }
    let (mut seen, mut kernels) = (BTreeSet::new(), BTreeSet::new());
    let is_new = |case: &Case| {
        let calls: Vec<_> = halves_of(&case.halved()).collect();
        kernels.extend(calls.iter().map(|call| call.kernel));
        // Each is inserted.
        calls.iter().flat_map(forms).filter(|form| seen.insert(form.clone())).count() > 0
    };
    match_the_twin_in_16_bits(cases_with_halves().filter(is_new).collect::<Vec<_>>());
    let all = std::env::var_os("SHADEGRAD_TEST_KERNELS").is_none();
    let each =
        ["conv_fwd", "conv_dgrad", "conv_wgrad", "norm_grad_apply", "max_pool_grad", "concat", "resize", "unary_grad"];
    for kernel in each.into_iter().filter(|_| all) {
        assert!(kernels.contains(kernel), "{kernel} was never given 16 bits: {kernels:?}");
    }
}

#[test]
#[ignore = "compiles kernels for minutes; the test above runs each form of them once"]
fn sixteen_bits_match_the_twin_in_every_case() {
    if gpu::has_half("all ops in 16 bits") {
        match_the_twin_in_16_bits(cases_with_halves());
    }
}

#[test]
fn rewrites_change_nothing() {
    let twin = twin();
    let mut failures = Failures::default();
    let mut rewritten = 0;
    for op in op_cases() {
        let case = op.case(Context::Midst);
        let fused = case.fused();
        if fused.links() == case.links() {
            continue;
        }
        rewritten += 1;
        failures.all_close(&fused.name, &run(twin.as_ref(), &fused), &run(twin.as_ref(), &case), 1e-10);
    }
    assert!(rewritten >= 30, "the rewrites were found in only {rewritten} cases");
    failures.none();
}

/// Each rewrite must be found in the cases made for it. Otherwise the test above compares nothing.
#[test]
fn rewrites_are_found() {
    let nodes = |c: &Case, name: &str| c.graph.nodes().iter().filter(|n| n.op.name() == name).count();
    for (case, gone) in [
        ("norm_relu", &["relu", "activation_grad"][..]),
        ("norm_relu_eval", &["relu", "activation_grad"]),
        ("group_norm_relu", &["relu", "activation_grad"]),
        ("norm_add_relu_first", &["relu", "add", "activation_grad"]),
        ("norm_add_relu_second", &["relu", "add", "activation_grad"]),
        ("norm_add_relu_eval", &["relu", "add", "activation_grad"]),
        ("conv2d_3x3", &["add"]),
        ("conv_transpose2d_2x2_s2", &["add"]),
        ("conv_add_relu_3x3", &["relu", "add"]),
        ("conv_transpose_bias_relu", &["relu", "add"]),
    ] {
        let op = op_cases().into_iter().find(|op| op.name == case).expect("a case of this name");
        let fused = op.case(Context::Alone).fused();
        for name in gone {
            assert_eq!(nodes(&fused, name), 0, "{case}: `{name}` is still there");
        }
    }
    for (case, adds, cuts) in [("whole_vectors", 0, 3), ("others", 0, 4)] {
        let op =
            op_cases().into_iter().find(|op| op.name == format!("pool_beside_{case}")).expect("a case of this name");
        let fused = op.case(Context::Alone).fused();
        assert_eq!([nodes(&fused, "add"), nodes(&fused, "crop_pad")], [adds, cuts], "{case}");
    }
    let calls = |case: Case| case.plan().calls.into_iter().map(|c| c.call.kernel).collect::<Vec<_>>();
    for op in op_cases().iter().filter(|op| op.name.starts_with("conv_norm")) {
        let passes = |case: Case| calls(case).into_iter().filter(|&kernel| kernel == "norm_stats").count();
        let case = op.case(Context::Alone);
        assert_eq!((passes(case.fused()), passes(case)), (0, 1), "{}: passes over the convolution's result", op.name);
    }
    for op in op_cases().iter().filter(|op| op.name.starts_with("norm_conv")) {
        let passes = |case: Case| calls(case).into_iter().filter(|&kernel| kernel == "norm_grad_reduce").count();
        let case = op.case(Context::Alone);
        assert_eq!((passes(case.fused()), passes(case)), (0, 1), "{}: passes over the gradient", op.name);
    }
}

/// Software adapters compile new kernels on one device per core. The first run, and a run that finds all kernels in the
/// record, match the twin.
#[test]
fn kernels_compiled_ahead_change_nothing() {
    let folder = tempfile::tempdir().expect("a folder");
    let case = op_cases().into_iter().find(|op| op.name == "norm_add_relu_many_rows").expect("there is one");
    let case = case.case(Context::Midst);
    let expected = run(twin().as_ref(), &case);
    let mut failures = Failures::default();
    for what in ["nothing recorded", "all recorded"] {
        let (cache_dir, tune) = (Some(folder.path().to_owned()), Some(std::time::Duration::ZERO));
        let mut engine = gpu::open_with(EngineOptions { cache_dir, tune, ..EngineOptions::default() });
        let found = run_on(&mut engine, &case).expect("it runs").pop().expect("a step");
        failures.all_close(what, &found, &expected, allowed(&case.plan(), Accuracy::Wgsl));
        let recorded = std::fs::read_dir(folder.path())
            .expect("the folder")
            .filter_map(|f| f.ok()?.path().extension().map(|e| e == "list"));
        let wanted = engine.info().name.contains("llvmpipe") && rayon::current_num_threads() > 1;
        assert_eq!(recorded.filter(|list| *list).count(), usize::from(wanted), "records of what is compiled");
    }
    failures.none();
}
