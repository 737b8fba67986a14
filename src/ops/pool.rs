//! Max and average pooling. Gradients gather from the windows that cover a pixel, so that no two threads add to the
//! same place.

use super::onnx::{map, rounded_down, windowed};
use super::{expect_inputs, first, vectors};
use crate::graph::{Graph, GraphError, Lowering, NodeView, OnnxInput, OnnxNode, Op, Operand, Reach, Value};
use crate::kernel::{Access, Consts, Parameters, PoolGeometry, Work};
use crate::shape::{LANES, Padding, TensorType, Window, padded};

/// Largest value of each window; outputs the values and the tap that won.
#[derive(Clone, Copy, Debug)]
pub struct MaxPool(pub Window);

/// Mean of each window.
#[derive(Clone, Copy, Debug)]
pub struct AvgPool {
    /// The window.
    pub window: Window,
    /// Whether the divisor is the number of taps inside the padded input, not inside the input.
    pub count_include_pad: bool,
}

/// Gradient of [`MaxPool`] from dy and the winning taps. Channels of a third tensor may be added to the result: the
/// gradient of another use of the pooled value.
#[derive(Clone, Debug)]
pub(crate) struct MaxPoolGrad {
    window: Window,
    x: TensorType,
    /// The first of the channels that are added; a multiple of 4.
    addend: Option<usize>,
}

impl MaxPoolGrad {
    /// Adds the channels from `first` on of a third input, unless one is added already.
    pub(crate) fn with_addend(self, first: usize) -> Option<Self> {
        self.addend.is_none().then_some(MaxPoolGrad { addend: Some(first), ..self })
    }
}

/// Gradient of [`AvgPool`] from dy.
#[derive(Clone, Debug)]
struct AvgPoolGrad {
    pool: AvgPool,
    x: TensorType,
}

/// Appends max pooling.
///
/// Gradient: for x, at the first of the largest numbers of each window.
///
/// # Errors
/// When the window does not fit or the padding is larger than half of it.
pub fn max_pool(g: &mut Graph, x: Value, window: Window) -> Result<Value, GraphError> {
    g.add1(MaxPool(window), &[x])
}

/// Appends average pooling.
///
/// Gradient: for x.
///
/// # Errors
/// When the window does not fit.
pub fn avg_pool(g: &mut Graph, x: Value, window: Window, count_include_pad: bool) -> Result<Value, GraphError> {
    g.add1(AvgPool { window, count_include_pad }, &[x])
}

/// Appends the mean over H and W: `[N,H,W,C]` to `[N,1,1,C]`.
///
/// Gradient: for x.
///
/// # Errors
/// When x has no axes H and W, such as `[N,C]`.
pub fn global_avg_pool(g: &mut Graph, x: Value) -> Result<Value, GraphError> {
    let [_, h, w, _] = g.nhwc(x)?;
    if g.ty(x).shape.rank() != 4 {
        return Err(GraphError::Shape {
            op: "global_avg_pool",
            at: crate::graph::at(&g.layer()),
            shapes: g.ty(x).shape.to_string(),
            rule: "x must have the axes [N,H,W,C]".into(),
        });
    }
    avg_pool(g, x, Window { kernel_size: [h, w], ..Window::square(1) }, false)
}

fn pooled(window: &Window, x: &TensorType) -> Result<TensorType, String> {
    let [n, h, w, c] = x.shape.nhwc().ok_or("x must have the axes [N,H,W,C]")?;
    let [oh, ow] = window.output_size([h, w])?;
    let extent = [0, 1].map(|a| window.dilation[a] * (window.kernel_size[a] - 1) + 1);
    let p = window.padding;
    if p.top >= extent[0] || p.left >= extent[1] || p.bottom >= extent[0] || p.right >= extent[1] {
        return Err("the padding must be smaller than the window, so that each window covers a pixel".into());
    }
    Ok(TensorType::channels([n, oh, ow, c]))
}

fn geometry(window: &Window, x: &TensorType, y: &TensorType) -> PoolGeometry {
    let ([n, h, w, c], [_, oh, ow, _]) = (x.shape.nhwc().unwrap_or([0; 4]), y.shape.nhwc().unwrap_or([0; 4]));
    let Window { kernel_size: kernel, stride, padding: p, dilation, .. } = *window;
    let (before, after) = ([p.top, p.left], [p.bottom, p.right]);
    PoolGeometry { n, h, w, oh, ow, channels: padded(c), kernel, stride, before, after, dilation }
}

/// The window as ONNX takes it: runtimes refuse padding as large as the kernel.
fn onnx_window(window: &Window, x: &TensorType) -> Result<Window, String> {
    let window = rounded_down(window, x)?;
    let (Padding { top, bottom, left, right }, [kh, kw]) = (window.padding, window.kernel_size);
    if top.max(bottom) >= kh || left.max(right) >= kw {
        return Err(format!("its padding (at the end up to {}) must be smaller than the kernel", bottom.max(right)));
    }
    Ok(window)
}

fn taps(window: &Window) -> usize {
    window.kernel_size.iter().product()
}

/// f16 holds whole numbers up to 2048 exactly.
fn index_fits(window: &Window) -> bool {
    taps(window) <= 2048
}

impl Op for MaxPool {
    fn name(&self) -> &'static str {
        "max_pool"
    }

    fn reach(&self, _: &[&TensorType]) -> Reach {
        Reach::window(&self.0)
    }

    fn outputs(&self, inputs: &[&TensorType]) -> Result<Vec<TensorType>, String> {
        let [x] = expect_inputs(inputs)?;
        let y = pooled(&self.0, x)?;
        Ok(vec![y.clone(), y])
    }

    fn gradient(
        &self,
        g: &mut Graph,
        node: NodeView<'_>,
        upstream: &[Option<Value>],
    ) -> Result<Vec<Option<Value>>, GraphError> {
        let x = g.ty(node.inputs[0]).clone();
        let op = MaxPoolGrad { window: self.0, x, addend: None };
        Ok(vec![Some(g.add1(op, &[first(upstream)?, node.outputs[1]])?)])
    }

    fn onnx(&self, inputs: &[&TensorType]) -> Result<Vec<OnnxNode>, String> {
        let window = onnx_window(&self.0, inputs[0])?;
        Ok(vec![windowed(OnnxNode::new("MaxPool", [OnnxInput::Value(0)]), &window)])
    }

    fn takes_half(&self, operand: Operand) -> bool {
        matches!(operand, Operand::Input(0) | Operand::Output(0))
            || operand == Operand::Output(1) && index_fits(&self.0)
    }

    fn lower(&self, l: &mut Lowering<'_>) {
        let y = l.outputs[0];
        let bindings = [
            (Operand::Input(0), Access::Read),
            (Operand::Output(0), Access::Write),
            (Operand::Output(1), Access::Write),
        ];
        let flops = taps(&self.0) * y.shape.elements();
        l.call("max_pool", geometry(&self.0, l.inputs[0], y), bindings, Work::Items(vectors(y)), flops);
    }
}

impl Op for MaxPoolGrad {
    fn name(&self) -> &'static str {
        "max_pool_grad"
    }

    fn outputs(&self, _: &[&TensorType]) -> Result<Vec<TensorType>, String> {
        Ok(vec![self.x.clone()])
    }

    fn takes_half(&self, operand: Operand) -> bool {
        operand != Operand::Input(1) || index_fits(&self.window)
    }

    fn lower(&self, l: &mut Lowering<'_>) {
        // Without an addend, dy is bound a second time.
        let addend = if self.addend.is_some() { 2 } else { 0 };
        let reads = [0, 1, addend].map(|i| (Operand::Input(i), Access::Read));
        let bindings = reads.into_iter().chain([(Operand::Output(0), Access::Write)]);
        let addend_consts = Consts::new()
            .b("ADD", self.addend.is_some())
            .u("ADDEND_C4", l.inputs[addend].stride() / LANES)
            .u("ADDEND_FIRST4", self.addend.unwrap_or(0) / LANES);
        let flops = taps(&self.window) * l.inputs[0].shape.elements();
        let parameters = Parameters::of(geometry(&self.window, &self.x, l.inputs[0])).and(addend_consts);
        l.call("max_pool_grad", parameters, bindings, Work::Items(vectors(&self.x)), flops);
    }
}

impl AvgPool {
    fn parameters(&self, x: &TensorType, y: &TensorType) -> Parameters {
        let counted = Consts::new().b("COUNT_INCLUDE_PAD", self.count_include_pad);
        Parameters::of(geometry(&self.window, x, y)).and(counted)
    }
}

impl Op for AvgPool {
    fn name(&self) -> &'static str {
        "avg_pool"
    }

    fn reach(&self, _: &[&TensorType]) -> Reach {
        Reach::window(&self.window)
    }

    fn outputs(&self, inputs: &[&TensorType]) -> Result<Vec<TensorType>, String> {
        let [x] = expect_inputs(inputs)?;
        Ok(vec![pooled(&self.window, x)?])
    }

    fn gradient(
        &self,
        g: &mut Graph,
        node: NodeView<'_>,
        upstream: &[Option<Value>],
    ) -> Result<Vec<Option<Value>>, GraphError> {
        let op = AvgPoolGrad { pool: *self, x: g.ty(node.inputs[0]).clone() };
        Ok(vec![Some(g.add1(op, &[first(upstream)?])?)])
    }

    fn onnx(&self, inputs: &[&TensorType]) -> Result<Vec<OnnxNode>, String> {
        let (x, given) = (inputs[0], [OnnxInput::Value(0)]);
        let [_, h, w, _] = map(x)?;
        let whole = Window { kernel_size: [h, w], ..Window::square(1) };
        if self.window == whole {
            return Ok(vec![OnnxNode::new("GlobalAveragePool", given)]);
        }
        if self.window.dilation != [1, 1] {
            return Err("average pooling with dilation needs operator set 19".into());
        }
        let window = onnx_window(&self.window, x)?;
        if self.count_include_pad && window.padding != self.window.padding {
            return Err("its size is rounded up while padding counts (count_include_pad)".into());
        }
        let mut node = windowed(OnnxNode::new("AveragePool", given), &window);
        // As above: the attribute must be absent.
        node.attributes.retain(|(name, _)| *name != "dilations");
        Ok(vec![node.int("count_include_pad", self.count_include_pad.into())])
    }

    fn takes_half(&self, operand: Operand) -> bool {
        matches!(operand, Operand::Input(0) | Operand::Output(0))
    }

    fn lower(&self, l: &mut Lowering<'_>) {
        let y = l.outputs[0];
        let parameters = self.parameters(l.inputs[0], y);
        let bindings = [(Operand::Input(0), Access::Read), (Operand::Output(0), Access::Write)];
        l.call("avg_pool", parameters, bindings, Work::Items(vectors(y)), taps(&self.window) * y.shape.elements());
    }
}

impl Op for AvgPoolGrad {
    fn name(&self) -> &'static str {
        "avg_pool_grad"
    }

    fn outputs(&self, _: &[&TensorType]) -> Result<Vec<TensorType>, String> {
        Ok(vec![self.x.clone()])
    }

    fn takes_half(&self, operand: Operand) -> bool {
        matches!(operand, Operand::Input(0) | Operand::Output(0))
    }

    fn lower(&self, l: &mut Lowering<'_>) {
        let dy = l.inputs[0];
        let parameters = self.pool.parameters(&self.x, dy);
        let bindings = [(Operand::Input(0), Access::Read), (Operand::Output(0), Access::Write)];
        let flops = taps(&self.pool.window) * dy.shape.elements();
        l.call("avg_pool_grad", parameters, bindings, Work::Items(vectors(&self.x)), flops);
    }
}
