//! Broadcasting: axes of size 1 are repeated, as in NumPy. Shapes are compared from the last axis on, and missing axes in
//! front count as 1, so that a vector `[C]` is one value per channel and `[1]` is a scalar.

use super::{expect_inputs, first, sum_to, vectors};
use crate::graph::{Graph, GraphError, Lowering, NodeView, OnnxInput, OnnxNode, Op, Operand, Value};
use crate::kernel::{Access, Consts, Work};
use crate::shape::{LANES, Layout, TensorType, padded};

/// Where each vector of a tensor finds the vector of a smaller one that is repeated over it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Repeat {
    /// Sizes of the last four axes of the larger tensor; the last counts vectors.
    sizes: [usize; 4],
    /// Step of the smaller one along each of them, in vectors: 0 where it is repeated.
    steps: [usize; 4],
    /// The smaller one has a single channel, which all lanes read.
    one_channel: bool,
}

impl Repeat {
    /// How `from` is repeated over `to`; nothing when it cannot be.
    pub(super) fn new(to: &TensorType, from: &TensorType) -> Option<Repeat> {
        let (c, channels) = (to.shape.channels(), from.shape.channels());
        let one_channel = channels == 1 && c != 1;
        if from.layout == Layout::Kernel || channels != c && !one_channel {
            return None;
        }
        let c4 = to.stride() / LANES;
        if from.shape.rows() == 1 {
            // Any rank and layout: all rows read the same.
            let rows = to.len() / to.stride();
            return Some(Repeat { sizes: [1, 1, rows, c4], steps: [0, 0, 0, usize::from(!one_channel)], one_channel });
        }
        if [to, from].iter().any(|t| t.layout != Layout::Channels) {
            return None;
        }
        let [sizes, given] = [to, from].map(|t| last_four(&t.shape.0));
        let (sizes, given) = (sizes?, given?);
        if sizes.iter().zip(given).any(|(&size, given)| given != size && given != 1) {
            return None;
        }
        let mut step = from.stride() / LANES;
        let mut steps = [0, 0, 0, usize::from(!one_channel)];
        for axis in (0..3).rev() {
            steps[axis] = if given[axis] == 1 { 0 } else { step };
            step *= given[axis];
        }
        Some(Repeat { sizes: [sizes[0], sizes[1], sizes[2], c4], steps, one_channel })
    }

    /// Whether all lanes read one channel, so that padding would not stay 0.
    pub(super) fn is_one_channel(self) -> bool {
        self.one_channel
    }

    /// Constants of `shaders/shared/broadcast.wgsl`.
    pub(super) fn consts(self) -> Consts {
        let ([_, h, w, _], [b_n, b_h, b_w, b_c]) = (self.sizes, self.steps);
        let consts = Consts::new().u("D_H", h).u("D_W", w);
        let consts = consts.u("B_N", b_n).u("B_H", b_h).u("B_W", b_w).u("B_C", b_c);
        consts.b("ONE_CHANNEL", self.one_channel)
    }
}

/// A shape with axes of 1 in front, if it has at most four.
fn last_four(dims: &[usize]) -> Option<[usize; 4]> {
    let missing = 4usize.checked_sub(dims.len())?;
    Some(std::array::from_fn(|axis| axis.checked_sub(missing).map_or(1, |axis| dims[axis])))
}

/// x repeated over a larger shape.
#[derive(Clone, Debug)]
pub struct Broadcast {
    /// Type of the result.
    pub to: TensorType,
}

/// Appends x repeated to the type `to`: see the rule of this module.
///
/// Gradient: for x, the sum over the repeated axes.
///
/// # Errors
/// When an axis of x is neither 1 nor that of `to`, or x has more than four axes.
pub fn broadcast(g: &mut Graph, x: Value, to: TensorType) -> Result<Value, GraphError> {
    g.add1(Broadcast { to }, &[x])
}

impl Op for Broadcast {
    fn name(&self) -> &'static str {
        "broadcast"
    }

    fn outputs(&self, inputs: &[&TensorType]) -> Result<Vec<TensorType>, String> {
        let [x] = expect_inputs(inputs)?;
        match Repeat::new(&self.to, x) {
            Some(_) => Ok(vec![self.to.clone()]),
            None => Err(format!("it cannot be repeated to {}: each axis must be 1 or of that size", self.to.shape)),
        }
    }

    fn gradient(
        &self,
        g: &mut Graph,
        node: NodeView<'_>,
        upstream: &[Option<Value>],
    ) -> Result<Vec<Option<Value>>, GraphError> {
        let ty = g.ty(node.inputs[0]).clone();
        Ok(vec![Some(sum_to(g, first(upstream)?, &ty)?)])
    }

    fn onnx(&self, inputs: &[&TensorType]) -> Result<Vec<OnnxNode>, String> {
        let (Some([n, ..]), Some([m, h, w, c])) = (inputs[0].shape.nhwc(), self.to.shape.nhwc()) else {
            return Err("only shapes [N,H,W,C] and [N,C] can be exported".into());
        };
        if n != m || inputs[0].shape.rank() != self.to.shape.rank() {
            return Err("it repeats over the batch, whose size is not fixed in ONNX".into());
        }
        // A size of 1 takes the batch as it is.
        let axes = if self.to.shape.rank() == 4 { vec![1, c, h, w] } else { vec![1, c] };
        let axes = OnnxInput::Ints(axes.into_iter().map(|axis| axis as i64).collect());
        Ok(vec![OnnxNode::new("Expand", [OnnxInput::Value(0), axes])])
    }

    fn takes_half(&self, operand: Operand) -> bool {
        matches!(operand, Operand::Input(_) | Operand::Output(_))
    }

    fn lower(&self, l: &mut Lowering<'_>) {
        let repeat = Repeat::new(&self.to, l.inputs[0]).expect("checked when the node was added");
        // Rows of a weight lie in blocks of its input channels, which are padded.
        let inputs = self.to.shape.0.iter().rev().nth(1).filter(|_| self.to.layout == Layout::Kernel);
        let [used, block] = inputs.map_or([1, 1], |&inputs| [inputs, padded(inputs)]);
        let consts = super::row_consts(&self.to).and(repeat.consts()).u("BLOCK_USED", used).u("BLOCK_ROWS", block);
        let bindings = [(Operand::Input(0), Access::Read), (Operand::Output(0), Access::Write)];
        l.call("broadcast", consts, bindings, Work::Items(vectors(&self.to)), 0);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn axes_of_1_are_repeated() {
        let steps = |to: [usize; 4], from: &[usize]| {
            let from = TensorType::channels(crate::shape::Shape(from.to_vec()));
            Repeat::new(&TensorType::channels(to), &from).map(|r| (r.steps, r.one_channel))
        };
        let to = [2, 3, 5, 9];
        assert_eq!(steps(to, &[2, 3, 5, 9]), Some(([45, 15, 3, 1], false)));
        assert_eq!(steps(to, &[9]), Some(([0, 0, 0, 1], false)));
        assert_eq!(steps(to, &[1]), Some(([0, 0, 0, 0], true)));
        assert_eq!(steps(to, &[2, 1, 1, 9]), Some(([3, 0, 0, 1], false)));
        assert_eq!(steps(to, &[2, 3, 5, 1]), Some(([15, 5, 1, 0], true)));
        assert_eq!(steps(to, &[3, 1, 9]), Some(([0, 3, 0, 1], false)));
        assert_eq!(steps(to, &[2, 3, 5, 8]), None);
        assert_eq!(steps(to, &[3, 3, 5, 9]), None);
        assert_eq!(steps(to, &[1, 2, 3, 5, 9]), None);
    }
}
