//! Sizes of a convolution, and tensors in groups as its kernels want them.

use super::ConvSpec;
use crate::graph::{Lowering, Operand};
use crate::kernel::Consts;
use crate::shape::{LANES, Layout, TensorType, Window, padded};

/// All sizes of a convolution, in floats of one group where `g…`.
#[derive(Clone, Copy, Debug)]
pub(super) struct Geometry {
    pub spec: ConvSpec,
    pub x: [usize; 4],
    pub y: [usize; 4],
    /// Input and output channels of one group.
    group: [usize; 2],
}

impl Geometry {
    pub fn new(spec: ConvSpec, x: &TensorType, w: &TensorType) -> Result<Self, String> {
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
    pub fn group_padded(&self) -> [usize; 2] {
        self.group.map(padded)
    }

    /// Channels in each vector of a group's pixel on a side: fewer than 4 where a pixel is a single vector, as those of a
    /// picture are, so that kernels leave out the products with padding.
    pub fn lanes(&self, side: usize) -> usize {
        self.group[side].min(LANES)
    }

    /// True when groups start inside a vector, so that tensors are laid out anew around the product.
    fn unaligned(&self) -> bool {
        self.spec.groups > 1 && self.group_padded() != self.group
    }

    pub fn flops(&self) -> usize {
        let [kh, kw] = self.spec.window.kernel_size;
        2 * self.y.iter().product::<usize>() * kh * kw * self.group[0]
    }

    pub fn consts(&self) -> Consts {
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
    pub fn aligned(&self, l: &mut Lowering<'_>, operand: Operand, rows: usize, side: usize) -> Operand {
        if !self.unaligned() {
            return operand;
        }
        let copy = l.scratch(rows * self.spec.groups * padded(self.group[side]));
        self.regroup(l, operand, rows, self.group[side], true, copy);
        copy
    }

    /// Runs `emit` with a target for an output of `rows` rows, and brings it back to the common layout.
    pub fn with_output(
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

    pub fn x_rows(&self) -> usize {
        self.x[0] * self.x[1] * self.x[2]
    }
    pub fn y_rows(&self) -> usize {
        self.y[0] * self.y[1] * self.y[2]
    }
    /// Rows of the weight in memory: taps × padded input channels of a group.
    pub fn w_rows(&self) -> usize {
        self.spec.window.kernel_size.iter().product::<usize>() * self.group_padded()[0]
    }
}
