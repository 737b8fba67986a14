//! Builds small graphs with values: an op, alone or within other ops, and its gradients.

use std::collections::BTreeMap;

use shadegrad::autodiff::gradients_from;
use shadegrad::exec::{Plan, PlanOptions};
use shadegrad::fuse::{FuseOptions, fuse};
use shadegrad::graph::{Graph, GraphError, Group, Init, Value};
use shadegrad::internals::random::Random;
use shadegrad::ops;
use shadegrad::precision::halve;
use shadegrad::shape::TensorType;

/// Tensors by name, in logical order.
pub type Values = BTreeMap<String, Vec<f64>>;

/// A graph and its input values.
#[derive(Clone)]
pub struct Case {
    pub name: String,
    pub graph: Graph,
    pub inputs: Values,
    pub states: Values,
    /// Inputs that change between steps. Each entry is one run.
    pub steps: Vec<Values>,
    /// Inputs with a gradient.
    pub parameters: Vec<String>,
}

impl Case {
    /// The case after the rewrites.
    pub fn fused(&self) -> Case {
        let mut case = self.clone();
        case.name += " (fused)";
        // Statistics also for small maps.
        fuse(&mut case.graph, FuseOptions { conv_statistics: Some(1), ..FuseOptions::default() });
        case
    }

    /// Number of nodes, and of their inputs and outputs. Rewrites change them.
    pub fn links(&self) -> [usize; 2] {
        let nodes = self.graph.nodes();
        [nodes.len(), nodes.iter().map(|node| node.inputs.len() + node.outputs.len()).sum()]
    }

    /// The case with 16 bits for all values that accept them.
    pub fn halved(&self) -> Case {
        let mut case = self.clone();
        case.name += " (f16)";
        halve(&mut case.graph);
        case
    }

    pub fn plan(&self) -> Plan {
        Plan::new(&self.graph, PlanOptions::default())
    }

    /// Whether the tests of all ops run this case. They run all cases, or those that call a kernel of the
    /// comma-separated list `SHADEGRAD_TEST_KERNELS`.
    pub fn is_picked(&self) -> bool {
        let Ok(kernels) = std::env::var("SHADEGRAD_TEST_KERNELS") else { return true };
        self.plan().calls.iter().any(|planned| kernels.split(',').any(|kernel| kernel == planned.call.kernel))
    }
}

/// Ops around the op under test.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Context {
    /// Inputs and upstream gradient are inputs of the graph.
    Alone,
    /// The inputs are products, and `factor · (y² + y)` follows the op. No gradient that reaches the op is 1, and each
    /// depends on its result.
    Midst,
}

/// Builds a graph with its values.
pub struct Builder {
    pub graph: Graph,
    pub inputs: Values,
    pub states: Values,
    name: String,
    context: Context,
    gradients: bool,
    parameters: Vec<(String, Value)>,
}

impl Builder {
    pub fn new(name: &str, context: Context) -> Self {
        let (graph, inputs, states) = (Graph::new(), Values::new(), Values::new());
        Builder { graph, inputs, states, name: name.into(), context, gradients: true, parameters: vec![] }
    }

    /// A builder whose case has no gradients.
    pub fn forward(name: &str, context: Context) -> Self {
        Builder { gradients: false, ..Builder::new(name, context) }
    }

    /// A graph input without gradient.
    pub fn constant(&mut self, name: &str, ty: TensorType, values: Vec<f64>) -> Value {
        self.inputs.insert(name.into(), values);
        self.graph.input(name, ty)
    }

    /// A graph input with the gradient as output `grad.NAME`.
    pub fn parameter(&mut self, name: &str, ty: TensorType, values: Vec<f64>) -> Value {
        let v = self.constant(name, ty.clone(), values);
        self.parameters.push((name.into(), v));
        if self.context == Context::Alone {
            return v;
        }
        let factor = uniform(&format!("{}/{name}/factor", self.name), ty.shape.elements(), 0.5, 1.5);
        let factor = self.constant(&format!("{name}.factor"), ty, factor);
        ops::mul(&mut self.graph, v, factor).expect("equal types")
    }

    /// A random activation or vector.
    pub fn random<const R: usize>(&mut self, name: &str, shape: [usize; R]) -> Value {
        self.random_of(name, TensorType::channels(shape))
    }

    /// A random tensor. No value is near 0, where some functions have a kink.
    pub fn random_of(&mut self, name: &str, ty: TensorType) -> Value {
        let values = normal(&format!("{}/{name}", self.name), ty.shape.elements());
        self.parameter(name, ty, values.into_iter().map(|v| v + 0.05 * v.signum()).collect())
    }

    /// A running statistic.
    pub fn statistic(&mut self, name: &str, values: Vec<f64>) -> Result<Value, GraphError> {
        let ty = TensorType::channels([values.len()]);
        self.states.insert(name.into(), values);
        self.graph.state(name, ty, Group::Statistics, Init::Constant(0.0), false)
    }

    /// Ends the case. `outputs` are named. Outputs with an upstream gradient add the gradients of all parameters.
    pub fn finish(mut self, outputs: &[(&str, Value, Option<Vec<f64>>)]) -> Result<Case, GraphError> {
        let mut seeds = vec![];
        for (name, value, upstream) in outputs {
            self.graph.output(name, *value);
            if let Some(upstream) = upstream {
                let ty = self.graph.ty(*value).clone();
                seeds.push((*value, self.constant(&format!("upstream.{name}"), ty, upstream.clone())));
            }
        }
        if self.gradients && !seeds.is_empty() {
            let wrt: Vec<Value> = self.parameters.iter().map(|(_, v)| *v).collect();
            let grads = gradients_from(&mut self.graph, &seeds, &wrt)?;
            for ((name, _), grad) in self.parameters.iter().zip(grads) {
                self.graph.output(&format!("grad.{name}"), grad);
            }
        }
        let parameters = self.parameters.into_iter().map(|(name, _)| name).collect();
        let (name, steps) = (self.name, vec![Values::new()]);
        Ok(Case { name, graph: self.graph, inputs: self.inputs, states: self.states, steps, parameters })
    }

    /// Ends the case with the single output `y`, a random upstream gradient, and the ops of its context.
    pub fn finish_op(mut self, y: Value) -> Result<Case, GraphError> {
        let (mut y, ty) = (y, self.graph.ty(y).clone());
        let upstream = normal(&format!("{}/upstream", self.name), ty.shape.elements());
        if self.context == Context::Midst {
            let factor = uniform(&format!("{}/behind", self.name), ty.shape.elements(), 0.3, 0.9);
            let factor = self.constant("behind.factor", ty, factor);
            let scaled = ops::mul(&mut self.graph, y, factor)?;
            let square = ops::mul(&mut self.graph, scaled, y)?;
            y = ops::add(&mut self.graph, square, scaled)?;
        }
        self.finish(&[("y", y, Some(upstream))])
    }
}

fn stream(name: &str) -> u64 {
    name.bytes().fold(17, |h: u64, b| (h ^ u64::from(b)).wrapping_mul(0x100_0000_01b3))
}

/// Normal numbers that f32 holds exactly, a function of the name alone.
pub fn normal(name: &str, count: usize) -> Vec<f64> {
    (0..count as u64).map(|i| Random::new(5, stream(name), i, 0).normal().into()).collect()
}

/// Uniform numbers, a function of the name alone.
pub fn uniform(name: &str, count: usize, low: f64, high: f64) -> Vec<f64> {
    let unit = |i| f64::from(shadegrad::internals::random::unit(6, stream(name), i, 0));
    (0..count as u64).map(|i| f64::from((low + (high - low) * unit(i)) as f32)).collect()
}
