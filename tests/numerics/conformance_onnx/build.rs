//! Builds graphs of this crate's ops from an ONNX case, or gives the reason why it cannot.

mod dense;
mod resize;

use std::collections::BTreeMap;

use shadegrad::graph::{GraphError, Value};
use shadegrad::ops::{self, BatchNormOptions, ConvSpec, UnaryOp};
use shadegrad::shape::{Padding, Shape, TensorType, Window};

use super::case::{Node, OnnxCase};
use super::npy::Tensor;
use crate::common::case::{Builder, Case, Context};
use crate::common::layout::{channels_last, outputs_last, transpose};

/// The reason why a case is not run.
#[derive(Debug)]
pub struct Unsupported(pub String);

impl From<GraphError> for Unsupported {
    fn from(e: GraphError) -> Self {
        Unsupported(format!("refused: {e}"))
    }
}

pub fn unsupported<T>(reason: impl Into<String>) -> Result<T, Unsupported> {
    Err(Unsupported(reason.into()))
}

/// Where a result is found after the run.
pub enum Source {
    /// A range of elements of the output or state of this name, after the last step.
    Last(String, std::ops::Range<usize>),
    /// This output in every step, times a factor.
    EveryStep(String, f64),
}

/// A graph and its expected result.
pub struct Check {
    pub what: String,
    pub case: Case,
    pub from: Source,
    pub expected: Vec<f64>,
}

/// Checks of a case, and the outputs without a check.
pub type Built = Result<(Vec<Check>, Vec<String>), Unsupported>;

/// Makes the checks of a case.
pub fn build(case: &OnnxCase) -> Built {
    match case.nodes[0].op.as_str() {
        "SoftmaxCrossEntropyLoss" | "NegativeLogLikelihoodLoss" => return super::loss::build(case),
        "LogSoftmax" => return super::loss::log_softmax(case),
        "Adam" | "Momentum" => return super::optimizer::build(case),
        _ => {}
    }
    let mut network =
        Network { b: Builder::new(&case.name, Context::Alone), case, made: BTreeMap::new(), states: vec![] };
    for (i, node) in case.nodes.iter().enumerate() {
        network.node(i, node)?;
    }
    let Network { b, made, states, .. } = network;
    let mut outputs = vec![];
    let (mut from, mut left_out) = (vec![], vec![]);
    for (name, expected) in &case.expected {
        let all = 0..expected.values.len();
        if let Some((value, raw)) = made.get(name.as_str()) {
            outputs.push((name.as_str(), *value, None));
            let values = if *raw { expected.values.clone() } else { inside(expected).1 };
            from.push((name, Source::Last(name.clone(), all), values));
        } else if let Some((_, state)) = states.iter().find(|(output, _)| output == name) {
            from.push((name, Source::Last(format!("state.{state}"), all), expected.values.clone()));
        } else {
            left_out.push(format!("{}: the op has no output like {name}", case.name));
        }
    }
    let graph = b.finish(&outputs)?;
    let check = |(name, from, expected): (&String, Source, Vec<f64>)| Check {
        what: format!("{}: {name}", case.name),
        case: graph.clone(),
        from,
        expected,
    };
    Ok((from.into_iter().map(check).collect(), left_out))
}

/// Type and values of an activation or vector in the library's layout.
fn inside(t: &Tensor) -> (TensorType, Vec<f64>) {
    let (shape, values) = channels_last(&t.values, &t.shape);
    (TensorType::channels(Shape(shape)), values)
}

struct Network<'c> {
    b: Builder,
    case: &'c OnnxCase,
    /// Results by ONNX name, and whether their axes are in ONNX's order.
    made: BTreeMap<&'c str, (Value, bool)>,
    /// ONNX outputs that are states in the library.
    states: Vec<(String, String)>,
}

impl<'c> Network<'c> {
    fn given(&self, node: &Node, i: usize) -> Result<&'c Tensor, Unsupported> {
        let name = node.input(i).unwrap_or("nothing");
        self.case.given.get(name).ok_or_else(|| Unsupported(format!("input {i} ({name}) must be given as data")))
    }

    /// A graph input for tensor `i` of a node.
    fn constant(&mut self, at: usize, i: usize, (ty, values): (TensorType, Vec<f64>)) -> Value {
        self.b.constant(&format!("{at}.{i}"), ty, values)
    }

    fn image(&mut self, at: usize, node: &Node) -> Result<Value, Unsupported> {
        let t = self.given(node, 0)?;
        if t.shape.len() != 4 {
            return unsupported(format!("{} of {} axes", node.op, t.shape.len()));
        }
        Ok(self.constant(at, 0, inside(t)))
    }

    fn vector(&mut self, at: usize, node: &Node, i: usize) -> Result<Value, Unsupported> {
        let t = self.given(node, i)?;
        Ok(self.constant(at, i, inside(t)))
    }

    fn node(&mut self, at: usize, node: &'c Node) -> Result<(), Unsupported> {
        let (mut raw, mut y) = (false, None);
        match node.op.as_str() {
            "Relu" | "LeakyRelu" | "Sigmoid" | "Flatten" => {
                y = Some(self.raw(at, node)?);
                raw = true;
            }
            "Gemm" => y = Some(self.gemm(at, node)?),
            "Conv" => y = Some(self.conv(at, node)?),
            "BatchNormalization" => y = Some(self.batch_norm(at, node)?),
            "GroupNormalization" | "InstanceNormalization" => y = Some(self.group_norm(at, node)?),
            "ConvTranspose" => y = Some(self.conv_transpose(at, node)?),
            "Concat" => {
                let (joined, order) = self.concat(at, node)?;
                (raw, y) = (order, Some(joined));
            }
            "Resize" => y = Some(self.resize(at, node)?),
            "Pad" => y = Some(self.pad(at, node)?),
            "MaxPool" | "AveragePool" | "GlobalAveragePool" | "GlobalMaxPool" => y = Some(self.pool(at, node)?),
            _ => {}
        }
        let Some(y) = y else { return unsupported(format!("there is no op {}", node.op)) };
        self.made.insert(node.outputs[0].as_str(), (y, raw));
        Ok(())
    }

    /// Ops that do not depend on the order of axes.
    fn raw(&mut self, at: usize, node: &Node) -> Result<Value, Unsupported> {
        let t = self.given(node, 0)?;
        let x = self.constant(at, 0, (TensorType::channels(Shape(t.shape.clone())), t.values.clone()));
        let g = &mut self.b.graph;
        Ok(match node.op.as_str() {
            "Relu" => ops::relu(g, x)?,
            "LeakyRelu" => ops::unary(g, x, UnaryOp::LeakyRelu(node.float("alpha").unwrap_or(0.01) as f32))?,
            "Sigmoid" => ops::unary(g, x, UnaryOp::Sigmoid)?,
            _ if node.int("axis").unwrap_or(1) == 1 => ops::flatten(g, x)?,
            _ => return unsupported("flatten from another axis than 1"),
        })
    }

    /// `alpha · A' · B' + beta · C`.
    fn gemm(&mut self, at: usize, node: &Node) -> Result<Value, Unsupported> {
        let operand = |t: &Tensor, name: &str| match node.int(name).unwrap_or(0) {
            0 => (t.shape.clone(), t.values.clone()),
            _ => transpose(&t.values, &t.shape, &[1, 0]),
        };
        let (a_shape, a) = operand(self.given(node, 0)?, "transA");
        let (b_shape, b) = operand(self.given(node, 1)?, "transB");
        let [rows, columns] = [a_shape[0], b_shape[1]];
        let a = self.constant(at, 0, (TensorType::channels(Shape(a_shape)), a));
        let b = self.constant(at, 1, (TensorType::kernel(Shape(b_shape)), b));
        let mut y = ops::linear(&mut self.b.graph, a, b)?;
        if let Some(alpha) = node.float("alpha").filter(|&v| v != 1.0) {
            y = ops::scale(&mut self.b.graph, y, alpha as f32)?;
        }
        let Some(name) = node.input(2) else { return Ok(y) };
        let mut c = match self.made.get(name) {
            Some((value, _)) => *value,
            None => {
                let t = self.given(node, 2)?;
                let (shape, values) = match t.values.len() {
                    1 => (vec![columns], vec![t.values[0]; columns]),
                    n if n == columns && t.shape != [rows, 1] => (vec![columns], t.values.clone()),
                    n if n == rows * columns => (vec![rows, columns], t.values.clone()),
                    _ => return unsupported(format!("C of shape {:?}", t.shape)),
                };
                self.constant(at, 2, (TensorType::channels(Shape(shape)), values))
            }
        };
        if let Some(beta) = node.float("beta").filter(|&v| v != 1.0) {
            c = ops::scale(&mut self.b.graph, c, beta as f32)?;
        }
        Ok(ops::add(&mut self.b.graph, y, c)?)
    }

    fn conv(&mut self, at: usize, node: &Node) -> Result<Value, Unsupported> {
        let x = self.image(at, node)?;
        let w = self.given(node, 1)?;
        let kernel_size = [w.shape[2], w.shape[3]];
        let (shape, values) = outputs_last(&w.values, &w.shape);
        let w = self.constant(at, 1, (TensorType::kernel(Shape(shape)), values));
        let window = self.window(node, x, kernel_size)?;
        let groups = node.int("group").unwrap_or(1) as usize;
        let y = ops::conv2d(&mut self.b.graph, x, w, ConvSpec { window, groups })?;
        if node.input(2).is_none() {
            return Ok(y);
        }
        let bias = self.vector(at, node, 2)?;
        Ok(ops::add_bias(&mut self.b.graph, y, bias)?)
    }

    fn batch_norm(&mut self, at: usize, node: &Node) -> Result<Value, Unsupported> {
        let x = self.image(at, node)?;
        let (gamma, beta) = (self.vector(at, node, 1)?, self.vector(at, node, 2)?);
        let mean = self.b.statistic("mean", self.given(node, 3)?.values.clone())?;
        let var = self.b.statistic("var", self.given(node, 4)?.values.clone())?;
        // In ONNX `momentum` is the share of the old statistics, and the running variance is divided by n.
        let momentum = (1.0 - node.float("momentum").unwrap_or(0.9)) as f32;
        let training = node.int("training_mode") == Some(1);
        for (output, state) in node.outputs.iter().skip(1).zip(["mean", "var"]) {
            self.states.push((output.clone(), state.into()));
        }
        let eps = node.float("epsilon").unwrap_or(1e-5) as f32;
        let options = training.then_some(BatchNormOptions { momentum, unbiased: false });
        Ok(ops::batch_norm(&mut self.b.graph, [x, gamma, beta, mean, var], eps, options)?)
    }

    fn group_norm(&mut self, at: usize, node: &Node) -> Result<Value, Unsupported> {
        let x = self.image(at, node)?;
        let channels = self.given(node, 0)?.shape[1];
        let groups = node.int("num_groups").map_or(channels, |g| g as usize);
        if self.given(node, 1)?.shape != [channels] {
            return unsupported("scale and bias per group (opset 18)");
        }
        let (gamma, beta) = (self.vector(at, node, 1)?, self.vector(at, node, 2)?);
        let eps = node.float("epsilon").unwrap_or(1e-5) as f32;
        Ok(ops::group_norm(&mut self.b.graph, [x, gamma, beta], ops::GroupNormOptions { groups, eps })?)
    }

    fn pool(&mut self, at: usize, node: &Node) -> Result<Value, Unsupported> {
        let x = self.image(at, node)?;
        if node.op == "GlobalAveragePool" {
            return Ok(ops::global_avg_pool(&mut self.b.graph, x)?);
        }
        let [_, h, w, _] = self.b.graph.nhwc(x)?;
        if node.op == "GlobalMaxPool" {
            let whole = Window { kernel_size: [h, w], ..Window::square(1) };
            return Ok(ops::max_pool(&mut self.b.graph, x, whole)?);
        }
        let kernel_size = node.pair("kernel_shape", 1).ok_or(Unsupported("a window of other than 2 axes".into()))?;
        let window = self.window(node, x, kernel_size)?;
        if node.op == "MaxPool" {
            return Ok(ops::max_pool(&mut self.b.graph, x, window)?);
        }
        let include = node.int("count_include_pad") == Some(1);
        Ok(ops::avg_pool(&mut self.b.graph, x, window, include)?)
    }

    fn window(&self, node: &Node, x: Value, kernel_size: [usize; 2]) -> Result<Window, Unsupported> {
        let two = |name| node.pair(name, 1).ok_or_else(|| Unsupported(format!("{name} of other than 2 axes")));
        let (stride, dilation) = (two("strides")?, two("dilations")?);
        let [_, h, w, _] = self.b.graph.nhwc(x)?;
        let automatic = node.text("auto_pad").unwrap_or("NOTSET");
        // The output has ceil(input / stride) elements. An odd row or column of padding is on the named side.
        let same = |axis: usize| {
            let (input, s) = ([h, w][axis], stride[axis]);
            let extent = (kernel_size[axis] - 1) * dilation[axis] + 1;
            let total = ((input.div_ceil(s) - 1) * s + extent).saturating_sub(input);
            if automatic == "SAME_UPPER" { [total / 2, total.div_ceil(2)] } else { [total.div_ceil(2), total / 2] }
        };
        let [[top, bottom], [left, right]] = match (automatic, node.sizes("pads")) {
            ("SAME_UPPER" | "SAME_LOWER", _) => [same(0), same(1)],
            ("NOTSET", Some(pads)) if pads.len() == 4 => [[pads[0], pads[2]], [pads[1], pads[3]]],
            ("NOTSET" | "VALID", _) => [[0; 2]; 2],
            (other, _) => return unsupported(format!("auto_pad {other}")),
        };
        let padding = Padding { top, bottom, left, right };
        Ok(Window { kernel_size, stride, padding, dilation, ceil_mode: node.int("ceil_mode") == Some(1) })
    }
}
