//! Transposed convolution: the input gradient of a convolution, used forward (Zeiler et al. 2010). It runs through the
//! same kernels, with their roles exchanged (see `shaders/conv_dgrad.wgsl`).
//!
//! `y[n, h·SH + kh·DH − PT, w·SW + kw·DW − PL, co] += x[n,h,w,ci] · w[kh,kw,co,ci]`

use super::{Conv2dInputGrad, ConvSpec};
use crate::graph::{Graph, GraphError, Value};
use crate::shape::TensorType;

/// Appends a transposed convolution without bias; [`crate::fuse::fuse`] merges a [`super::add_bias`] after it into its
/// kernel.
///
/// x is `[N,H,W,I]` and w `[KH,KW,O/groups,I]`, the weight of the convolution from O to I channels. The output has
/// `(H − 1)·stride − padding + dilation·(KH − 1) + 1 + output_padding` rows. `output_padding` adds rows and columns at
/// the end: a strided convolution maps several sizes to one, and `output_padding` selects among them.
///
/// Gradient: for x and w.
///
/// # Errors
/// When channels, groups or sizes do not fit.
pub fn conv_transpose2d(
    g: &mut Graph,
    x: Value,
    w: Value,
    spec: impl Into<ConvSpec>,
    output_padding: [usize; 2],
) -> Result<Value, GraphError> {
    let spec = spec.into();
    for v in [x, w] {
        g.known("conv_transpose2d", v)?;
    }
    let refuse = |rule: String| GraphError::Shape {
        op: "conv_transpose2d",
        at: String::new(),
        shapes: format!("{}, {}", g.ty(x).shape, g.ty(w).shape),
        rule,
    };
    let [n, h, wd, ci] = g.nhwc(x)?;
    let [.., co, wi] = g.dims(w)[..] else {
        return Err(refuse("w must have the axes [KH,KW,O/groups,I]".into()));
    };
    if wi != ci {
        return Err(refuse(format!("x has {ci} channels but w takes {wi}")));
    }
    let (out, window) = spec.window.transposed([h, wd], output_padding).map_err(refuse)?;
    let y = TensorType::channels([n, out[0], out[1], co.saturating_mul(spec.groups)]);
    let spec = ConvSpec { window, ..spec };
    g.add1(Conv2dInputGrad { transposed: true, ..Conv2dInputGrad::new(spec, y) }, &[x, w])
}
