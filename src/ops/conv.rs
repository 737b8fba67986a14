//! Convolution in three directions over one implicit matrix product (see `shaders/conv_*.wgsl`), and linear layers,
//! which are 1×1 convolutions of 1×1 maps.
//!
//! `y[n,oh,ow,co] = b[co] + Σ x[n, oh·SH + kh·DH − PT, ow·SW + kw·DW − PL, ci] · w[kh,kw,ci,co]`

use super::{all_some, channel_sums, expect_inputs, expect_vector, first};
use crate::graph::{Graph, GraphError, Lowering, NodeView, Op, Operand, Value};
use crate::kernel::{Access, Consts, Work};
use crate::shape::{LANES, Layout, TensorType, Window, padded, phases};

/// Window and groups of a convolution.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ConvSpec {
    /// Kernel size, stride, padding, dilation.
    pub window: Window,
    /// Channels are split into this many independent convolutions.
    pub groups: usize,
}

impl From<Window> for ConvSpec {
    fn from(window: Window) -> Self {
        ConvSpec { window, groups: 1 }
    }
}

/// Convolution of x `[N,H,W,I]` with w [KH,KW,I/groups,O] and an optional bias `[O]`; or x `[N,I]` with w `[I,O]`.
#[derive(Clone, Copy, Debug)]
pub struct Conv2d(pub ConvSpec);

/// Gradient of [`Conv2d`] for its input, from dy and w; also the transposed convolution, then with an optional bias.
#[derive(Clone, Debug)]
pub struct Conv2dInputGrad {
    /// The convolution.
    pub spec: ConvSpec,
    /// Type of its input.
    pub x: TensorType,
    /// It stands in a network as a transposed convolution (see [`super::conv_transpose2d`]).
    pub transposed: bool,
}

/// Gradient of [`Conv2d`] for its weight, from x and dy.
#[derive(Clone, Debug)]
pub struct Conv2dWeightGrad {
    /// The convolution.
    pub spec: ConvSpec,
    /// Type of its weight.
    pub w: TensorType,
}

/// Appends a convolution without bias; [`super::add_bias`] is fused into it when the plan is made.
///
/// # Errors
/// When channels, groups or sizes do not fit.
pub fn conv2d(g: &mut Graph, x: Value, w: Value, spec: impl Into<ConvSpec>) -> Result<Value, GraphError> {
    g.add1(Conv2d(spec.into()), &[x, w])
}

/// Appends `x · w` for x `[N,I]` and w `[I,O]`.
///
/// # Errors
/// When the inner sizes differ.
pub fn linear(g: &mut Graph, x: Value, w: Value) -> Result<Value, GraphError> {
    g.add1(Conv2d(Window::square(1, 1, 0).into()), &[x, w])
}

/// All sizes of a convolution, in floats of one group where `g…`.
#[derive(Clone, Copy, Debug)]
struct Geometry {
    spec: ConvSpec,
    x: [usize; 4],
    y: [usize; 4],
    /// Input and output channels of one group.
    group: [usize; 2],
}

impl Geometry {
    fn new(spec: ConvSpec, x: &TensorType, w: &TensorType) -> Result<Self, String> {
        let [n, h, wd, ci] = x.shape.nhwc().ok_or("x must have the axes [N,H,W,C] or [N,C]")?;
        let [kh, kw, gi, co] = match w.shape.0[..] {
            [kh, kw, i, o] => [kh, kw, i, o],
            [i, o] if x.shape.rank() == 2 => [1, 1, i, o],
            _ => return Err("w must have the axes [KH,KW,I,O], or [I,O] for x [N,I]".into()),
        };
        if w.layout != Layout::Kernel {
            return Err("w must have the kernel layout".into());
        }
        let groups = spec.groups;
        if groups == 0 || ci % groups != 0 || co % groups != 0 {
            return Err(format!("{ci} input and {co} output channels must both be divisible by groups = {groups}"));
        }
        if gi * groups != ci {
            return Err(format!("x has {ci} channels but w expects {} ({gi} in each of {groups} groups)", gi * groups));
        }
        if [kh, kw] != spec.window.kernel_size {
            return Err(format!("w is {kh}×{kw} but the kernel size is {:?}", spec.window.kernel_size));
        }
        let [oh, ow] = spec.window.output_size([h, wd])?;
        Ok(Geometry { spec, x: [n, h, wd, ci], y: [n, oh, ow, co], group: [gi, co / groups] })
    }

    /// Sizes of one group in memory once each group starts at a vector.
    fn group_padded(&self) -> [usize; 2] {
        self.group.map(padded)
    }

    /// True when groups start inside a vector, so that tensors are laid out anew around the product.
    fn unaligned(&self) -> bool {
        self.spec.groups > 1 && self.group_padded() != self.group
    }

    fn flops(&self) -> usize {
        let [kh, kw] = self.spec.window.kernel_size;
        2 * self.y.iter().product::<usize>() * kh * kw * self.group[0]
    }

    fn consts(&self) -> Consts {
        let Window { kernel_size, stride, padding, dilation, .. } = self.spec.window;
        let [gi, go] = self.group_padded();
        Consts::new()
            .u("N", self.x[0])
            .u("H", self.x[1])
            .u("W", self.x[2])
            .u("OH", self.y[1])
            .u("OW", self.y[2])
            .u("KH", kernel_size[0])
            .u("KW", kernel_size[1])
            .u("SH", stride[0])
            .u("SW", stride[1])
            .u("PT", padding.top)
            .u("PL", padding.left)
            .u("DH", dilation[0])
            .u("DW", dilation[1])
            .u("GROUPS", self.spec.groups)
            .u("GI4", gi / LANES)
            .u("GO4", go / LANES)
    }

    /// Emits a relayout of `operand` (rows of `groups·per_group` channels) to or from vector-aligned groups.
    fn regroup(&self, l: &mut Lowering<'_>, from: Operand, rows: usize, per_group: usize, align: bool, to: Operand) {
        let (g, c) = (self.spec.groups, per_group);
        let (joint, single) = ((g * c, padded(g * c)), (c, padded(c)));
        let (i, o) = if align { (joint, single) } else { (single, joint) };
        let out_rows = if align { rows * g } else { rows };
        super::memory::relayout(l, from, i, to, o, out_rows);
    }

    /// `operand` with every group at a vector boundary: itself, or a rearranged copy.
    fn aligned(&self, l: &mut Lowering<'_>, operand: Operand, rows: usize, side: usize) -> Operand {
        if !self.unaligned() {
            return operand;
        }
        let copy = l.scratch(rows * self.spec.groups * padded(self.group[side]));
        self.regroup(l, operand, rows, self.group[side], true, copy);
        copy
    }

    /// Runs `emit` with a target for an output of `rows` rows, and brings it back to the common layout.
    fn with_output(
        &self,
        l: &mut Lowering<'_>,
        rows: usize,
        side: usize,
        emit: impl FnOnce(&mut Lowering<'_>, Operand),
    ) {
        if !self.unaligned() {
            return emit(l, Operand::Output(0));
        }
        let target = l.scratch(rows * self.spec.groups * padded(self.group[side]));
        emit(l, target);
        self.regroup(l, target, rows, self.group[side], false, Operand::Output(0));
    }

    fn x_rows(&self) -> usize {
        self.x[0] * self.x[1] * self.x[2]
    }
    fn y_rows(&self) -> usize {
        self.y[0] * self.y[1] * self.y[2]
    }
    /// Rows of the weight in memory: taps × padded input channels of a group.
    fn w_rows(&self) -> usize {
        self.spec.window.kernel_size.iter().product::<usize>() * self.group_padded()[0]
    }
}

impl Op for Conv2d {
    fn name(&self) -> &'static str {
        "conv2d"
    }

    fn outputs(&self, inputs: &[&TensorType]) -> Result<Vec<TensorType>, String> {
        let (x, w) = (inputs[0], inputs[1]);
        let geometry = Geometry::new(self.0, x, w)?;
        let [n, oh, ow, co] = geometry.y;
        let y = if x.shape.rank() == 2 { TensorType::channels([n, co]) } else { TensorType::channels([n, oh, ow, co]) };
        if let Some(bias) = inputs.get(2) {
            expect_vector("the bias", bias, &y)?;
        }
        Ok(vec![y])
    }

    fn gradient(
        &self,
        g: &mut Graph,
        node: NodeView<'_>,
        upstream: &[Option<Value>],
    ) -> Result<Vec<Option<Value>>, GraphError> {
        let (dy, x, w) = (first(upstream)?, node.inputs[0], node.inputs[1]);
        let dx = g.add1(Conv2dInputGrad { spec: self.0, x: g.ty(x).clone(), transposed: false }, &[dy, w])?;
        let dw = g.add1(Conv2dWeightGrad { spec: self.0, w: g.ty(w).clone() }, &[x, dy])?;
        let mut grads = all_some([dx, dw]);
        if node.inputs.len() > 2 {
            grads.push(Some(channel_sums(g, dy)?));
        }
        Ok(grads)
    }

    fn takes_half(&self, operand: Operand) -> bool {
        self.0.groups == 1 && matches!(operand, Operand::Input(0) | Operand::Output(0))
    }

    fn lower(&self, l: &mut Lowering<'_>) {
        let geo = Geometry::new(self.0, l.inputs[0], l.inputs[1]).expect("checked when the node was added");
        let has_bias = l.inputs.len() > 2;
        let x = geo.aligned(l, Operand::Input(0), geo.x_rows(), 0);
        let w = geo.aligned(l, Operand::Input(1), geo.w_rows(), 1);
        let bias = if has_bias { geo.aligned(l, Operand::Input(2), 1, 1) } else { w };
        let [gi, go] = geo.group_padded();
        let k = geo.w_rows() / gi * gi;
        let work = Work::Gemm { m: geo.y_rows(), n: go, k, batch: geo.spec.groups };
        geo.with_output(l, geo.y_rows(), 1, |l, y| {
            let bindings = [(x, Access::Read), (w, Access::Read), (bias, Access::Read), (y, Access::Write)];
            l.call("conv_fwd", geo.consts().b("HAS_BIAS", has_bias), bindings, work, geo.flops());
        });
    }
}

/// The weight with its channel axes exchanged, KH KW O I: so that the input gradient reads vectors along its columns.
fn transpose(l: &mut Lowering<'_>, w: Operand, taps: usize, i: usize, o: usize) -> Operand {
    let wt = l.scratch(taps * i * o);
    let consts = Consts::new().u("TAPS", taps).u("I4", i / LANES).u("O4", o / LANES);
    let bindings = [(w, Access::Read), (wt, Access::Write)];
    l.call("transpose_kernel", consts, bindings, Work::Items(taps * i * o / (LANES * LANES)), 0);
    wt
}

impl Op for Conv2dInputGrad {
    fn name(&self) -> &'static str {
        if self.transposed { "conv_transpose2d" } else { "conv2d_input_grad" }
    }

    fn outputs(&self, inputs: &[&TensorType]) -> Result<Vec<TensorType>, String> {
        let (dy, w) = (inputs[0], inputs[1]);
        let y = Geometry::new(self.spec, &self.x, w)?.y;
        if let Some(bias) = inputs.get(2) {
            expect_vector("the bias", bias, &self.x)?;
        }
        match dy.shape.nhwc() {
            Some(shape) if shape == y => Ok(vec![self.x.clone()]),
            _ => Err(format!("dy must have the shape {y:?} of the convolution's output")),
        }
    }

    fn gradient(
        &self,
        g: &mut Graph,
        node: NodeView<'_>,
        upstream: &[Option<Value>],
    ) -> Result<Vec<Option<Value>>, GraphError> {
        let (up, dy, w) = (first(upstream)?, node.inputs[0], node.inputs[1]);
        let d_dy = g.add1(Conv2d(self.spec), &[up, w])?;
        let dw = g.add1(Conv2dWeightGrad { spec: self.spec, w: g.ty(w).clone() }, &[up, dy])?;
        let mut grads = all_some([d_dy, dw]);
        if node.inputs.len() > 2 {
            grads.push(Some(channel_sums(g, up)?));
        }
        Ok(grads)
    }

    fn takes_half(&self, operand: Operand) -> bool {
        self.spec.groups == 1 && matches!(operand, Operand::Input(0) | Operand::Output(0))
    }

    fn lower(&self, l: &mut Lowering<'_>) {
        let geo = Geometry::new(self.spec, &self.x, l.inputs[1]).expect("checked when the node was added");
        let has_bias = l.inputs.len() > 2;
        let dy = geo.aligned(l, Operand::Input(0), geo.y_rows(), 1);
        let w = geo.aligned(l, Operand::Input(1), geo.w_rows(), 1);
        let Window { kernel_size, stride, padding, dilation, .. } = self.spec.window;
        let rows = phases(geo.x[1], kernel_size[0], stride[0], padding.top, dilation[0]);
        let cols = phases(geo.x[2], kernel_size[1], stride[1], padding.left, dilation[1]);
        let most = |p: &[crate::shape::Phase], f: fn(&crate::shape::Phase) -> usize| p.iter().map(f).max().unwrap_or(0);
        let taps = most(&rows, |p| p.taps) * most(&cols, |p| p.taps);
        let [gi, go] = geo.group_padded();
        let work = Work::Gemm {
            m: geo.x[0] * most(&rows, |p| p.count) * most(&cols, |p| p.count),
            n: gi,
            k: taps * go,
            batch: self.spec.groups * stride[0] * stride[1],
        };
        let consts = geo
            .consts()
            .a("H_TAP", rows.iter().map(|p| p.first_tap))
            .a("H_TAPS", rows.iter().map(|p| p.taps))
            .a("H_STEP", rows.iter().map(|p| p.tap_step))
            .a("H_START", rows.iter().map(|p| p.start))
            .a("H_COUNT", rows.iter().map(|p| p.count))
            .a("W_TAP", cols.iter().map(|p| p.first_tap))
            .a("W_TAPS", cols.iter().map(|p| p.taps))
            .a("W_STEP", cols.iter().map(|p| p.tap_step))
            .a("W_START", cols.iter().map(|p| p.start))
            .a("W_COUNT", cols.iter().map(|p| p.count));
        let wt = transpose(l, w, kernel_size[0] * kernel_size[1], gi, go * self.spec.groups);
        let bias = if has_bias { geo.aligned(l, Operand::Input(2), 1, 0) } else { wt };
        geo.with_output(l, geo.x_rows(), 0, |l, dx| {
            let bindings = [(dy, Access::Read), (wt, Access::Read), (bias, Access::Read), (dx, Access::Write)];
            l.call("conv_dgrad", consts.b("HAS_BIAS", has_bias), bindings, work, geo.flops());
        });
    }
}

/// Parts into which a weight gradient's sum over `k` pixels is split: tiles of 64×64 alone would leave a GPU idle when
/// the weight is small, so aim at 512 workgroups, but let none sum fewer than 256 pixels.
fn splits(m: usize, n: usize, k: usize) -> usize {
    let tiles = m.div_ceil(64) * n.div_ceil(64);
    512usize.div_ceil(tiles).min(k / 256).clamp(1, 64)
}

impl Op for Conv2dWeightGrad {
    fn name(&self) -> &'static str {
        "conv2d_weight_grad"
    }

    fn outputs(&self, inputs: &[&TensorType]) -> Result<Vec<TensorType>, String> {
        let [x, dy] = expect_inputs(inputs)?;
        let y = Geometry::new(self.spec, x, &self.w)?.y;
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
        let dx = g.add1(Conv2dInputGrad { spec: self.spec, x: g.ty(x).clone(), transposed: false }, &[dy, up])?;
        let d_dy = g.add1(Conv2d(self.spec), &[x, up])?;
        Ok(all_some([dx, d_dy]))
    }

    fn takes_half(&self, operand: Operand) -> bool {
        self.spec.groups == 1 && matches!(operand, Operand::Input(_))
    }

    fn lower(&self, l: &mut Lowering<'_>) {
        let geo = Geometry::new(self.spec, l.inputs[0], &self.w).expect("checked when the node was added");
        let x = geo.aligned(l, Operand::Input(0), geo.x_rows(), 0);
        let dy = geo.aligned(l, Operand::Input(1), geo.y_rows(), 1);
        let (m, n, k) = (geo.w_rows(), geo.group_padded()[1], geo.y_rows());
        let splits = splits(m, n * geo.spec.groups, k);
        let work = Work::Gemm { m, n, k, batch: geo.spec.groups * splits };
        let consts = geo.consts().u("SPLITS", splits).u("CHUNK", k.div_ceil(splits));
        let len = m * n * geo.spec.groups;
        geo.with_output(l, m, 1, |l, dw| {
            let target = if splits > 1 { l.scratch(splits * len) } else { dw };
            let bindings = [(x, Access::Read), (dy, Access::Read), (target, Access::Write)];
            l.call("conv_wgrad", consts, bindings, work, geo.flops());
            if splits > 1 {
                super::reduce::sum_partials(l, target, len / LANES, splits, dw);
            }
        });
    }
}
