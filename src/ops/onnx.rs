//! ONNX forms that ops of several families share: windows, and the residual and ReLU after a convolution or a norm.

use crate::graph::{OnnxInput, OnnxNode};
use crate::shape::{Padding, TensorType, Window};

/// The attributes of a convolution or pooling.
pub(super) fn windowed(node: OnnxNode, window: &Window) -> OnnxNode {
    let Padding { top, bottom, left, right } = window.padding;
    node.ints("kernel_shape", window.kernel_size)
        .ints("strides", window.stride)
        .ints("pads", [top, left, bottom, right])
        .ints("dilations", window.dilation)
}

/// The window without `ceil_mode`: padding at the end replaces the rounding. (ONNX and its runtimes have changed the
/// meaning of `ceil_mode` between versions.)
pub(super) fn rounded_down(window: &Window, x: &TensorType) -> Result<Window, String> {
    let [_, h, w, _] = map(x)?;
    let out = window.output_size([h, w])?;
    let mut padding = window.padding;
    let ends = [(h + padding.top, &mut padding.bottom), (w + padding.left, &mut padding.right)];
    for (axis, (before, end)) in ends.into_iter().enumerate() {
        let extent = window.dilation[axis] * (window.kernel_size[axis] - 1) + 1;
        let read = (out[axis] - 1) * window.stride[axis] + extent;
        *end = (*end).max(read.saturating_sub(before));
    }
    Ok(Window { padding, ceil_mode: false, ..*window })
}

/// The axes N H W C of an activation of rank 4.
pub(super) fn map(x: &TensorType) -> Result<[usize; 4], String> {
    x.shape.nhwc().filter(|_| x.shape.rank() == 4).ok_or_else(|| "x must have the axes [N,H,W,C]".into())
}

/// The nodes of an op, followed by an addition and a ReLU if they are fused into it.
pub(super) fn followed(mut nodes: Vec<OnnxNode>, addend: Option<usize>, relu: bool) -> Vec<OnnxNode> {
    if let Some(addend) = addend {
        nodes.push(OnnxNode::new("Add", [last(&nodes), OnnxInput::Value(addend)]));
    }
    if relu {
        nodes.push(OnnxNode::new("Relu", [last(&nodes)]));
    }
    nodes
}

/// Result of the last node.
pub(super) fn last(nodes: &[OnnxNode]) -> OnnxInput {
    OnnxInput::Node(nodes.len().saturating_sub(1))
}

/// Input `i`, a vector over the channels of `x`, in a shape that broadcasts over x.
pub(super) fn per_channel(i: usize, x: &TensorType) -> OnnxInput {
    if x.shape.rank() == 4 { OnnxInput::PerChannel(i) } else { OnnxInput::Value(i) }
}
