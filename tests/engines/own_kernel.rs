//! A kernel of a library user: an op with WGSL text and a twin, registered at run time, on the CPU and through Vulkan.

use std::sync::Once;

use shadegrad::exec::registry::{self, Args, Function, Kernel, KernelError, Real, Twin};
use shadegrad::exec::{CpuEngine, ExecError};
use shadegrad::graph::{Graph, GraphError, Lowering, NodeView, Op, Operand, Value};
use shadegrad::kernel::{Access, Consts, Work};
use shadegrad::shape::{LANES, TensorType};

use crate::common::case::{Builder, Case, Context};
use crate::common::compare::{Failures, allowed};
use crate::common::{engines, gpu, run_on, twin};

/// y = x · sigmoid(β x), or its gradient from x and dy.
#[derive(Clone, Copy, Debug)]
struct Swish {
    beta: f32,
    gradient: bool,
}

const SWISH: &str = "
@group(0) @binding(0) var<storage, read> x: array<vec4<T0>>;
@group(0) @binding(1) var<storage, read_write> y: array<vec4<T1>>;

@compute @workgroup_size(WORKGROUP)
fn main(
    @builtin(workgroup_id) wid: vec3<u32>,
    @builtin(num_workgroups) count: vec3<u32>,
    @builtin(local_invocation_id) lid: vec3<u32>,
) {
    let i = item(wid, count, lid);
    if (i < ITEMS) {
        let v = vec4<f32>(x[i]);
        y[i] = vec4<T1>(v / (1.0 + exp(-BETA * v)));
    }
}
";

const SWISH_GRAD: &str = "
@group(0) @binding(0) var<storage, read> x: array<vec4<T0>>;
@group(0) @binding(1) var<storage, read> dy: array<vec4<T1>>;
@group(0) @binding(2) var<storage, read_write> d_x: array<vec4<T2>>;

@compute @workgroup_size(WORKGROUP)
fn main(
    @builtin(workgroup_id) wid: vec3<u32>,
    @builtin(num_workgroups) count: vec3<u32>,
    @builtin(local_invocation_id) lid: vec3<u32>,
) {
    let i = item(wid, count, lid);
    if (i < ITEMS) {
        let v = vec4<f32>(x[i]);
        let s = 1.0 / (1.0 + exp(-BETA * v));
        d_x[i] = vec4<T2>(vec4<f32>(dy[i]) * s * (1.0 + BETA * v * (1.0 - s)));
    }
}
";

fn swish<T: Real>(mut a: Args<'_, T>) {
    let (beta, x) = (T::of(a.consts.float("BETA")), a.input(0));
    for (y, &v) in a.output(1).iter_mut().zip(x) {
        *y = v / (T::one() + (-beta * v).exp());
    }
}

fn swish_grad<T: Real>(mut a: Args<'_, T>) {
    let (beta, x, dy) = (T::of(a.consts.float("BETA")), a.input(0), a.input(1));
    for ((dx, &v), &d) in a.output(2).iter_mut().zip(x).zip(dy) {
        let s = T::one() / (T::one() + (-beta * v).exp());
        *dx = d * s * (T::one() + beta * v * (T::one() - s));
    }
}

impl Op for Swish {
    fn name(&self) -> &'static str {
        if self.gradient { "swish_grad" } else { "swish" }
    }

    fn outputs(&self, inputs: &[&TensorType]) -> Result<Vec<TensorType>, String> {
        Ok(vec![inputs[0].clone()])
    }

    fn gradient(
        &self,
        g: &mut Graph,
        node: NodeView<'_>,
        upstream: &[Option<Value>],
    ) -> Result<Vec<Option<Value>>, GraphError> {
        let Some(dy) = upstream[0] else { return Ok(vec![None]) };
        Ok(vec![Some(g.add1(Swish { gradient: true, ..*self }, &[node.inputs[0], dy])?)])
    }

    fn lower(&self, l: &mut Lowering<'_>) {
        let (vectors, elements) = (l.outputs[0].len() / LANES, l.outputs[0].shape.elements());
        let reads = (0..l.inputs.len()).map(|i| (Operand::Input(i), Access::Read)).collect::<Vec<_>>();
        let bindings = reads.into_iter().chain([(Operand::Output(0), Access::Write)]);
        let consts = Consts::new().f("BETA", f64::from(self.beta));
        l.call(self.name(), consts, bindings, Work::Items(vectors), 4 * elements);
    }
}

/// Registers both kernels once per process.
fn register() {
    static ONCE: Once = Once::new();
    ONCE.call_once(|| {
        let functions: fn(&Consts) -> Vec<Function> = |_| vec![Function::Exp, Function::Divide];
        let forward = Kernel::new("swish", SWISH, Twin { f32: swish, f64: swish }).functions(functions);
        let backward = Kernel::new("swish_grad", SWISH_GRAD, Twin { f32: swish_grad, f64: swish_grad });
        registry::register(forward).expect("no kernel is called so");
        registry::register(backward.functions(functions)).expect("no kernel is called so");
    });
}

fn case(beta: f32, context: Context) -> Case {
    let mut b = Builder::new("swish", context);
    let x = b.random("x", [2, 3, 5, 7]);
    let y = b.graph.add1(Swish { beta, gradient: false }, &[x]).expect("any shape fits");
    b.finish_op(y).expect("it has a gradient")
}

#[test]
fn a_registered_kernel_runs_on_every_engine() {
    register();
    let mut failures = Failures::default();
    for (beta, context) in [(1.0, Context::Alone), (0.7, Context::Midst)] {
        let case = case(beta, context);
        let exact = twin().run(&case).expect("the twin runs");
        if context == Context::Alone {
            let (x, upstream) = (&case.inputs["x"], &case.inputs["upstream.y"]);
            let sigmoid = |v: f64| 1.0 / (1.0 + (-v).exp());
            let y: Vec<f64> = x.iter().map(|&v| v * sigmoid(v)).collect();
            let slope = |v: f64| sigmoid(v) + v * sigmoid(v) * (1.0 - sigmoid(v));
            let dx: Vec<f64> = x.iter().zip(upstream).map(|(&v, d)| d * slope(v)).collect();
            failures.close("y", &exact["y"], &y, 1e-14);
            failures.close("dx", &exact["grad.x"], &dx, 1e-14);
        }
        for engine in engines() {
            let found = engine.run(&case).unwrap_or_else(|e| panic!("{}: {e}", engine.name()));
            let tolerance = allowed(&case.plan(), engine.accuracy());
            failures.all_close(&engine.name(), &found, &exact, tolerance);
        }
    }
    failures.none();
}

/// An op whose kernel is not registered, and one that calls a convolution kernel without its geometry.
#[derive(Debug)]
struct Calls(&'static str);

impl Op for Calls {
    fn name(&self) -> &'static str {
        "calls"
    }

    fn outputs(&self, inputs: &[&TensorType]) -> Result<Vec<TensorType>, String> {
        Ok(vec![inputs[0].clone()])
    }

    fn lower(&self, l: &mut Lowering<'_>) {
        let bindings = [(Operand::Input(0), Access::Read), (Operand::Output(0), Access::Write)];
        let work = match self.0 {
            "conv_fwd" => Work::Gemm { m: 4, n: 4, k: 4, batch: 1 },
            _ => Work::Items(1),
        };
        l.call(self.0, Consts::new(), bindings, work, 1);
    }
}

#[test]
fn a_call_that_no_kernel_can_serve_is_a_typed_error() {
    let refused = |kernel: &'static str, expected: KernelError, words: &str| {
        let mut b = Builder::new(kernel, Context::Alone);
        let x = b.constant("x", TensorType::channels([1, 4]), vec![1.0; 4]);
        let y = b.graph.add1(Calls(kernel), &[x]).expect("any shape fits");
        let case = b.finish(&[("y", y, None)]).expect("a graph");
        let errors = [
            run_on(&mut CpuEngine::<f32>::new(), &case).expect_err("the CPU engine has no such kernel"),
            run_on(&mut gpu::open(true), &case).expect_err("the GPU engine has no such kernel"),
        ];
        for error in errors {
            assert!(error.to_string().contains(words), "{error}");
            assert!(matches!(error, ExecError::Registry(error) if error == expected));
        }
    };
    let name = || "nobody_has_this".to_owned();
    refused("nobody_has_this", KernelError::Unknown { name: name() }, "nobody_has_this is not registered");
    let geometry = "shadegrad::kernel::conv::ConvGeometry";
    refused(
        "conv_fwd",
        KernelError::Geometry { name: "conv_fwd".into(), geometry },
        "needs the geometry shadegrad::kernel",
    );
}

#[test]
fn a_name_belongs_to_one_kernel() {
    register();
    for name in ["swish", "conv_fwd"] {
        let again = registry::register(Kernel::new(name, SWISH, Twin { f32: swish, f64: swish }));
        assert_eq!(again, Err(KernelError::Taken { name: name.into() }));
    }
}
