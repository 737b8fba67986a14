//! The shapes of a convolution, and operands whose groups start at a vector, as its kernels need them.

use crate::graph::{Lowering, Operand};
use crate::kernel::{ConvDirection, ConvEpilogue, ConvGeometry};
use crate::shape::{LANES, Layout, TensorType, Window, padded};

/// Window and groups of a convolution.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ConvSpec {
    /// Kernel size, stride, padding, dilation.
    pub window: Window,
    /// Number of groups. Input and output channels are split evenly, and each group is an independent convolution.
    pub groups: usize,
}

impl From<Window> for ConvSpec {
    fn from(window: Window) -> Self {
        ConvSpec { window, groups: 1 }
    }
}

/// The logical shapes of a convolution's operands. The sizes of its kernels derive from them
/// ([`ConvShapes::geometry`]).
#[derive(Clone, Copy, Debug)]
pub(super) struct ConvShapes {
    pub spec: ConvSpec,
    pub x: [usize; 4],
    pub y: [usize; 4],
    /// Input and output channels of one group.
    group: [usize; 2],
}

impl ConvShapes {
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
        Ok(ConvShapes { spec, x: [n, h, wd, ci], y: [n, oh, ow, co], group: [gi, co / groups] })
    }

    /// Sizes of one group in memory once each group starts at a vector.
    pub fn group_padded(&self) -> [usize; 2] {
        self.group.map(padded)
    }

    /// True when groups start inside a vector. Then operands are copied to aligned groups before the product, and the
    /// result is copied back.
    fn unaligned(&self) -> bool {
        self.spec.groups > 1 && self.group_padded() != self.group
    }

    pub fn flops(&self) -> usize {
        let [kh, kw] = self.spec.window.kernel_size;
        2 * self.y.iter().product::<usize>() * kh * kw * self.group[0]
    }

    /// The sizes in memory. `side` is that of the left operand: 0 for x, 1 for y.
    pub fn geometry(&self, direction: ConvDirection, side: usize) -> ConvGeometry {
        let Window { kernel_size: [kh, kw], stride, padding, dilation, .. } = self.spec.window;
        let [gi, go] = self.group_padded();
        ConvGeometry {
            direction,
            n: self.x[0],
            h: self.x[1],
            w: self.x[2],
            oh: self.y[1],
            ow: self.y[2],
            kh,
            kw,
            stride,
            pad: [padding.top, padding.left],
            dilation,
            groups: self.spec.groups,
            gi,
            go,
            lanes: self.group[side].min(LANES),
            epilogue: ConvEpilogue::default(),
            statistics: None,
        }
    }

    /// Lengths, without and with padding, of a row of all channels of `side`, and of one group at a vector boundary.
    fn layouts(&self, side: usize) -> [(usize, usize); 2] {
        let (g, c) = (self.spec.groups, self.group[side]);
        [(g * c, padded(g * c)), (c, padded(c))]
    }

    /// `operand` with every group at a vector boundary: itself, or a rearranged copy.
    pub fn aligned(&self, l: &mut Lowering<'_>, operand: Operand, rows: usize, side: usize) -> Operand {
        if !self.unaligned() {
            return operand;
        }
        let copy = l.scratch(rows * self.spec.groups * padded(self.group[side]));
        let [joint, single] = self.layouts(side);
        super::movement::relayout(l, operand, joint, copy, single, rows * self.spec.groups);
        copy
    }

    /// Calls `emit` with the operand to which an output of `rows` rows is written, then copies it to the layout without
    /// gaps between groups.
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
        let [joint, single] = self.layouts(side);
        super::movement::relayout(l, target, single, Operand::Output(0), joint, rows);
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
