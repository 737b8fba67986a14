//! Convolution in three directions over one implicit matrix product (see `shaders/conv_*.wgsl`), and linear layers,
//! which are 1×1 convolutions of 1×1 maps.
//!
//! `y[n,oh,ow,co] = b[co] + Σ x[n, oh·SH + kh·DH − PT, ow·SW + kw·DW − PL, ci] · w[kh,kw,ci,co]`

use super::conv_geometry::{ConvShapes, ConvSpec};
use super::epilogue::Epilogue;
use super::norm_geometry::{statistics_of, statistics_type};
use super::norm_grad::NormGrad;
use super::onnx::{followed, map, rounded_down, windowed};
use super::unary::UnaryOp;
use super::{all_some, expect_first, expect_inputs, first};
use crate::graph::{Graph, GraphError, Lowering, NodeView, OnnxNode, Op, Operand, Reach, Value, check_type};
use crate::kernel::{Access, Consts, ConvDirection, ConvGeometry, Work};
use crate::shape::{AxisWindow, Element, LANES, Padding, TensorType, Window, phases};

/// Convolution of x `[N,H,W,I]` with w `[KH,KW,I/groups,O]`, or the product of x `[N,I]` and w `[I,O]`.
#[derive(Clone, Copy, Debug)]
pub struct Conv2d {
    /// Window and groups.
    pub spec: ConvSpec,
    /// The fused epilogue.
    pub epilogue: Epilogue,
    /// Adds a second output for a BatchNorm that reads y: mean and sum of squared deviations of each segment and channel,
    /// `[segments, C/4, 2, 4]`.
    pub statistics: bool,
}

/// Gradient of [`Conv2d`] with respect to its input, from dy and w. It also computes the transposed convolution.
#[derive(Clone, Debug)]
pub struct Conv2dInputGrad {
    /// The convolution.
    pub spec: ConvSpec,
    /// Type of its input.
    pub x: TensorType,
    /// Whether the node is a network's transposed convolution (see [`super::conv_transpose2d`]), not a gradient.
    pub transposed: bool,
    /// The fused epilogue.
    pub epilogue: Epilogue,
    /// Adds a second output for the gradient of the BatchNorm whose result the convolution reads: Σ g and Σ g·x̂ of each
    /// segment and channel, `[segments, C/4, 2, 4]`. The inputs of that [`NormGrad`], without dy, follow the node's other
    /// inputs.
    pub sums: Option<NormGrad>,
}

impl Conv2dInputGrad {
    /// The gradient for an input of the type `x`.
    pub fn new(spec: ConvSpec, x: TensorType) -> Self {
        Conv2dInputGrad { spec, x, transposed: false, epilogue: Epilogue::default(), sums: None }
    }

    /// Whether the kernel can also write the partial sums of a norm's gradient. The rows of its tiles must be the pixels in
    /// order (one group, stride 1). A bias would exceed [`crate::kernel::MOST_BINDINGS`].
    pub fn can_leave_sums(&self) -> bool {
        let plain = !self.epilogue.relu && !self.epilogue.bias && self.sums.is_none();
        plain && self.spec.groups == 1 && self.spec.window.stride == [1, 1]
    }

    /// Adds the partial sums for the gradient of `norm`. Returns the node and the type of the sums.
    pub fn with_sums(self, norm: NormGrad) -> (Conv2dInputGrad, TensorType) {
        let ty = statistics_type(&self.x);
        (Conv2dInputGrad { sums: Some(norm), ..self }, ty)
    }

    /// Position of the norm's x among the inputs.
    fn norm_index(&self) -> usize {
        2 + usize::from(self.epilogue.bias) + usize::from(self.epilogue.addend)
    }

    /// Bindings of the partial sums: the tensors they are computed from, and the output.
    fn bind_sums(&self, dy: Operand) -> impl Iterator<Item = (Operand, Access)> {
        let first = self.norm_index();
        let reads = self.sums.map(|norm| {
            let [x, gamma, mean, invstd] = [0, 1, 2, 3].map(|i| Operand::Input(first + i));
            [x, mean, invstd, gamma, if norm.0.relu { Operand::Input(first + 4) } else { dy }]
        });
        let written = reads.map(|_| (Operand::Output(1), Access::Write));
        reads.into_iter().flatten().map(|o| (o, Access::Read)).chain(written)
    }
}

impl From<ConvSpec> for Conv2d {
    fn from(spec: ConvSpec) -> Self {
        Conv2d { spec, epilogue: Epilogue::default(), statistics: false }
    }
}

/// Gradient of [`Conv2d`] with respect to its weight, from x and dy.
#[derive(Clone, Debug)]
pub struct Conv2dWeightGrad {
    /// The convolution.
    pub spec: ConvSpec,
    /// Type of its weight.
    pub w: TensorType,
}

/// Appends a convolution without bias. [`crate::fuse::fuse`] moves a following [`super::add_bias`] into its kernel.
///
/// Gradient: for x and w.
///
/// # Errors
/// When channels, groups or sizes do not fit.
pub fn conv2d(g: &mut Graph, x: Value, w: Value, spec: impl Into<ConvSpec>) -> Result<Value, GraphError> {
    g.add1(Conv2d::from(spec.into()), &[x, w])
}

/// Appends `x · w` for x `[N,I]` and w `[I,O]`.
///
/// Gradient: for x and w.
///
/// # Errors
/// When the inner sizes differ.
pub fn linear(g: &mut Graph, x: Value, w: Value) -> Result<Value, GraphError> {
    g.add1(Conv2d::from(ConvSpec::from(Window::square(1))), &[x, w])
}

impl Op for Conv2d {
    fn name(&self) -> &'static str {
        "conv2d"
    }

    fn reach(&self, _: &[&TensorType]) -> Reach {
        Reach::window(&self.spec.window)
    }

    fn outputs(&self, inputs: &[&TensorType]) -> Result<Vec<TensorType>, String> {
        let &[x, w] = expect_first(inputs)?;
        let shapes = ConvShapes::new(self.spec, x, w)?;
        let [n, oh, ow, co] = shapes.y;
        let y = if x.shape.rank() == 2 { TensorType::channels([n, co]) } else { TensorType::channels([n, oh, ow, co]) };
        self.epilogue.check(inputs, &y)?;
        let statistics = self.statistics.then(|| statistics_type(&y));
        Ok(std::iter::once(y).chain(statistics).collect())
    }

    fn gradient(
        &self,
        g: &mut Graph,
        node: NodeView<'_>,
        upstream: &[Option<Value>],
    ) -> Result<Vec<Option<Value>>, GraphError> {
        self.epilogue.expect_none()?;
        let (dy, x, w) = (first(upstream)?, node.inputs[0], node.inputs[1]);
        let dx = g.add1(Conv2dInputGrad::new(self.spec, g.ty(x).clone()), &[dy, w])?;
        let dw = g.add1(Conv2dWeightGrad { spec: self.spec, w: g.ty(w).clone() }, &[x, dy])?;
        Ok(all_some([dx, dw]))
    }

    fn onnx(&self, inputs: &[&TensorType]) -> Result<Vec<OnnxNode>, String> {
        let given = self.epilogue.onnx_inputs();
        let product = if inputs[0].shape.rank() == 4 {
            let window = rounded_down(&self.spec.window, inputs[0])?;
            windowed(OnnxNode::new("Conv", given), &window).int("group", self.spec.groups as i64)
        } else if self.spec == Window::square(1).into() && inputs[1].shape.rank() == 2 {
            OnnxNode::new("Gemm", given).int("transB", 1)
        } else {
            return Err("of x [N,I] only a plain product with w [I,O] can be exported".into());
        };
        Ok(followed(vec![product], self.epilogue.addend_index(), self.epilogue.relu))
    }

    fn takes_half(&self, operand: Operand) -> bool {
        let addend = self.epilogue.addend_index().map(Operand::Input);
        let activation = matches!(operand, Operand::Input(0) | Operand::Output(0)) || Some(operand) == addend;
        self.spec.groups == 1 && activation
    }

    fn takes_padded_kernel(&self, input: usize) -> bool {
        input == 1
    }

    fn lower(&self, l: &mut Lowering<'_>) {
        let geo = ConvShapes::new(self.spec, l.inputs[0], l.inputs[1]).expect("checked when the node was added");
        let x = geo.aligned(l, Operand::Input(0), geo.x_rows(), 0);
        let w = geo.aligned(l, Operand::Input(1), geo.w_rows(), 1);
        let [gi, go] = geo.group_padded();
        let w = rounded(l, w, geo.w_rows() * go, l.inputs[0].element);
        let [bias, addend] = self.epilogue.bind(l, &geo, geo.y_rows(), 1, w);
        let k = geo.w_rows() / gi * gi;
        let work = Work::Gemm { m: geo.y_rows(), n: go, k, batch: geo.spec.groups };
        let geometry = ConvGeometry {
            epilogue: self.epilogue.of_kernel(),
            statistics: self.statistics.then(|| statistics_of(l.outputs[0], None)),
            ..geo.geometry(ConvDirection::Forward, 0)
        };
        let statistics = self.statistics.then_some((Operand::Output(1), Access::Write));
        let flops = geo.flops() + if self.statistics { 4 * l.outputs[0].len() } else { 0 };
        geo.with_output(l, geo.y_rows(), 1, |l, y| {
            let bindings = [x, w, bias, addend].map(|o| (o, Access::Read)).into_iter().chain([(y, Access::Write)]);
            l.call("conv_fwd", geometry, bindings.chain(statistics), work, flops);
        });
    }
}

impl Conv2d {
    /// Whether the kernel can also write the moments of its result. There must be one group and no epilogue, so that the
    /// stored values are the sums themselves.
    pub fn can_leave_statistics(&self) -> bool {
        self.spec.groups == 1 && self.epilogue == Epilogue::default() && !self.statistics
    }

    /// Adds the moments of the result `y`. Returns the node and the type of the moments.
    pub fn with_statistics(self, y: &TensorType) -> (Conv2d, TensorType) {
        (Conv2d { statistics: true, ..self }, statistics_type(y))
    }
}

/// The weight rounded to the element type of the activations. A GPU reads the whole weight about once per 128 rows of the
/// result; 16 bits halve that traffic, and matrix units accept only operands of one type.
fn rounded(l: &mut Lowering<'_>, w: Operand, len: usize, element: Element) -> Operand {
    if element == Element::F32 {
        return w;
    }
    let half = l.scratch_of(len, element);
    let (code, factor) = UnaryOp::Scale(1.0).code();
    let consts = Consts::new().size("C", LANES).size("C4", 1).u("OP", code).f("ALPHA", factor).b("MASKED", false);
    l.call("unary", consts, [(w, Access::Read), (half, Access::Write)], Work::Items(len / LANES), 0);
    half
}

/// The weight with its channel axes exchanged, `[KH,KW,O,I]`, so that the input gradient reads vectors along its columns. Its
/// element type is that of the activations.
fn transpose(l: &mut Lowering<'_>, w: Operand, [taps, i, o]: [usize; 3], element: Element) -> Operand {
    let wt = l.scratch_of(taps * i * o, element);
    let consts = Consts::new().u("TAPS", taps).size("I4", i / LANES).size("O4", o / LANES);
    let bindings = [(w, Access::Read), (wt, Access::Write)];
    l.call("transpose_kernel", consts, bindings, Work::Items(taps * i * o / (LANES * LANES)), 0);
    wt
}

impl Op for Conv2dInputGrad {
    fn name(&self) -> &'static str {
        if self.transposed { "conv_transpose2d" } else { "conv2d_input_grad" }
    }

    fn reach(&self, _: &[&TensorType]) -> Reach {
        Reach::transposed(&self.spec.window)
    }

    fn outputs(&self, inputs: &[&TensorType]) -> Result<Vec<TensorType>, String> {
        let &[dy, w] = expect_first(inputs)?;
        check_type(&self.x)?;
        let y = ConvShapes::new(self.spec, &self.x, w)?.y;
        // The inputs of a norm's gradient come after those of the convolution.
        let own = if self.sums.is_some() { inputs.len().min(self.norm_index()) } else { inputs.len() };
        self.epilogue.check(&inputs[..own], &self.x)?;
        let sums = self.sums.map(|_| statistics_type(&self.x));
        match dy.shape.nhwc() {
            Some(shape) if shape == y => Ok(std::iter::once(self.x.clone()).chain(sums).collect()),
            _ => Err(format!("dy must have the shape {y:?} of the convolution's output")),
        }
    }

    fn gradient(
        &self,
        g: &mut Graph,
        node: NodeView<'_>,
        upstream: &[Option<Value>],
    ) -> Result<Vec<Option<Value>>, GraphError> {
        self.epilogue.expect_none()?;
        let (up, dy, w) = (first(upstream)?, node.inputs[0], node.inputs[1]);
        let d_dy = g.add1(Conv2d::from(self.spec), &[up, w])?;
        let dw = g.add1(Conv2dWeightGrad { spec: self.spec, w: g.ty(w).clone() }, &[up, dy])?;
        Ok(all_some([d_dy, dw]))
    }

    fn onnx(&self, inputs: &[&TensorType]) -> Result<Vec<OnnxNode>, String> {
        if !self.transposed {
            return Err("it is a gradient, and the export is for inference".into());
        }
        let [_, h, w, _] = map(inputs[0])?;
        let (window, input) = (self.spec.window, [h, w]);
        let Padding { top, left, .. } = window.padding;
        // Rows that taps reach beyond the result are cut (padding); rows that no tap reaches are added (output_padding).
        let [(bottom, rows), (right, columns)] = [(0, top), (1, left)].map(|(axis, before)| {
            let reach =
                (input[axis] - 1) * window.stride[axis] + window.dilation[axis] * (window.kernel_size[axis] - 1) + 1;
            let end = before + self.x.shape.0[1 + axis];
            (reach.saturating_sub(end), end.saturating_sub(reach))
        });
        let window = Window { padding: Padding { bottom, right, ..window.padding }, ..window };
        let node = windowed(OnnxNode::new("ConvTranspose", self.epilogue.onnx_inputs()), &window)
            .ints("output_padding", [rows, columns])
            .int("group", self.spec.groups as i64);
        Ok(followed(vec![node], self.epilogue.addend_index(), self.epilogue.relu))
    }

    fn takes_half(&self, operand: Operand) -> bool {
        let addend = self.epilogue.addend_index().map(Operand::Input);
        let activation = matches!(operand, Operand::Input(0) | Operand::Output(0)) || Some(operand) == addend;
        let first = self.norm_index();
        let x = self.sums.is_some() && operand == Operand::Input(first);
        let y = self.sums.is_some_and(|norm| norm.0.residual) && operand == Operand::Input(first + 4);
        self.spec.groups == 1 && (activation || x || y)
    }

    fn takes_padded_kernel(&self, input: usize) -> bool {
        input == 1
    }

    fn lower(&self, l: &mut Lowering<'_>) {
        let geo = ConvShapes::new(self.spec, &self.x, l.inputs[1]).expect("checked when the node was added");
        let dy = geo.aligned(l, Operand::Input(0), geo.y_rows(), 1);
        let w = geo.aligned(l, Operand::Input(1), geo.w_rows(), 1);
        let Window { kernel_size, stride, padding, dilation, .. } = self.spec.window;
        let window = |axis: usize, padding| AxisWindow {
            kernel: kernel_size[axis],
            stride: stride[axis],
            padding,
            dilation: dilation[axis],
        };
        let rows = phases(geo.x[1], window(0, padding.top));
        let cols = phases(geo.x[2], window(1, padding.left));
        let most = |p: &[crate::shape::Phase], f: fn(&crate::shape::Phase) -> usize| p.iter().map(f).max().unwrap_or(0);
        let taps = most(&rows, |p| p.taps) * most(&cols, |p| p.taps);
        let [gi, go] = geo.group_padded();
        let work = Work::Gemm {
            m: geo.x[0] * most(&rows, |p| p.count) * most(&cols, |p| p.count),
            n: gi,
            k: taps * go,
            batch: self.spec.groups * stride[0] * stride[1],
        };
        let element = l.inputs[0].element;
        let wt = transpose(l, w, [kernel_size[0] * kernel_size[1], gi, go * self.spec.groups], element);
        let [bias, addend] = self.epilogue.bind(l, &geo, geo.x_rows(), 0, wt);
        let geometry = ConvGeometry {
            epilogue: self.epilogue.of_kernel(),
            statistics: self.sums.map(|norm| statistics_of(&self.x, Some(norm.mask()))),
            ..geo.geometry(ConvDirection::InputGrad { phases: [rows, cols] }, 1)
        };
        let flops = geo.flops() + if self.sums.is_some() { 6 * self.x.len() } else { 0 };
        geo.with_output(l, geo.x_rows(), 0, |l, dx| {
            let bindings = [dy, wt, bias, addend].map(|o| (o, Access::Read)).into_iter().chain([(dx, Access::Write)]);
            l.call("conv_dgrad", geometry, bindings.chain(self.bind_sums(dy)), work, flops);
        });
    }
}

/// Number of parts into which a weight gradient's sum over `k` pixels is split. A small weight has too few tiles of 64×64 to
/// fill a GPU. The split aims at 512 workgroups; each sums at least 256 pixels.
fn splits(m: usize, n: usize, k: usize) -> usize {
    let tiles = m.div_ceil(64) * n.div_ceil(64);
    512usize.div_ceil(tiles).min(k / 256).max(1)
}

impl Op for Conv2dWeightGrad {
    fn name(&self) -> &'static str {
        "conv2d_weight_grad"
    }

    fn outputs(&self, inputs: &[&TensorType]) -> Result<Vec<TensorType>, String> {
        let [x, dy] = expect_inputs(inputs)?;
        let y = ConvShapes::new(self.spec, x, &self.w)?.y;
        match dy.shape.nhwc() {
            Some(shape) if shape == y => Ok(vec![self.w.clone()]),
            _ => Err(format!("dy must have the shape {y:?} of the convolution's output")),
        }
    }

    fn gradient(
        &self,
        g: &mut Graph,
        node: NodeView<'_>,
        upstream: &[Option<Value>],
    ) -> Result<Vec<Option<Value>>, GraphError> {
        let (up, x, dy) = (first(upstream)?, node.inputs[0], node.inputs[1]);
        let dx = g.add1(Conv2dInputGrad::new(self.spec, g.ty(x).clone()), &[dy, up])?;
        let d_dy = g.add1(Conv2d::from(self.spec), &[x, up])?;
        Ok(all_some([dx, d_dy]))
    }

    fn takes_half(&self, operand: Operand) -> bool {
        self.spec.groups == 1 && matches!(operand, Operand::Input(_))
    }

    fn lower(&self, l: &mut Lowering<'_>) {
        let geo = ConvShapes::new(self.spec, l.inputs[0], &self.w).expect("checked when the node was added");
        let x = geo.aligned(l, Operand::Input(0), geo.x_rows(), 0);
        let dy = geo.aligned(l, Operand::Input(1), geo.y_rows(), 1);
        let (m, n, k) = (geo.w_rows(), geo.group_padded()[1], geo.y_rows());
        let splits = splits(m, n * geo.spec.groups, k);
        let work = Work::Gemm { m, n, k, batch: geo.spec.groups * splits };
        let geometry = geo.geometry(ConvDirection::WeightGrad { splits, chunk: k.div_ceil(splits) }, 0);
        let len = m * n * geo.spec.groups;
        geo.with_output(l, m, 1, |l, dw| {
            let target = if splits > 1 { l.scratch(splits * len) } else { dw };
            let bindings = [(x, Access::Read), (dy, Access::Read), (target, Access::Write)];
            l.call("conv_wgrad", geometry, bindings, work, geo.flops());
            if splits > 1 {
                super::partial_sums::sum_partials(l, target, len / LANES, splits, dw);
            }
        });
    }
}
