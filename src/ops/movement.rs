//! Ops that move or set memory: reshape, flatten, fill, state writes, and the flat buffer of all gradients.

use std::collections::HashMap;

use super::{expect_inputs, first, none, vectors};
use crate::graph::{
    Graph, GraphError, Group, Lowering, NodeView, OnnxInput, OnnxNode, Op, Operand, Source, Storage, Value, check_type,
};
use crate::kernel::{Access, Consts, Work};
use crate::shape::{LANES, Shape, TensorType, padded};

/// The same elements in row-major (N H W C) order under another shape.
#[derive(Clone, Debug)]
pub struct Reshape {
    /// Shape of the input.
    pub from: TensorType,
    /// Shape of the output.
    pub to: TensorType,
}

/// A constant tensor. Its padding is 0.
#[derive(Clone, Debug)]
pub struct Fill {
    /// Its type.
    pub ty: TensorType,
    /// Its value.
    pub value: f32,
}

/// Writes a value into a state.
#[derive(Clone, Copy, Debug)]
pub struct Assign;

/// Values next to each other in one flat buffer. Their nodes write them there, without a copy.
#[derive(Clone, Debug)]
pub struct Pack {
    /// Offset of each input, in floats.
    offsets: Vec<usize>,
    /// Length of the buffer, in floats.
    len: usize,
}

/// Appends a reshape.
///
/// Gradient: for x.
///
/// # Errors
/// When the number of elements differs.
pub fn reshape(g: &mut Graph, x: Value, shape: impl Into<Shape>) -> Result<Value, GraphError> {
    let from = g.known("reshape", x)?.clone();
    g.add1(Reshape { from, to: TensorType::channels(shape) }, &[x])
}

/// Appends a reshape to [N, everything else], in H W C order.
///
/// Gradient: for x.
///
/// # Errors
/// Only those of [`Graph::add`].
pub fn flatten(g: &mut Graph, x: Value) -> Result<Value, GraphError> {
    let (n, rest) = g.known("flatten", x)?.shape.0.split_first().map_or((1, &[][..]), |(&n, rest)| (n, rest));
    // The graph reports a size that is too large.
    let rest = rest.iter().fold(1, |product: usize, &d| product.saturating_mul(d));
    reshape(g, x, [n, rest])
}

/// Appends a constant.
///
/// Gradient: none; it has no input.
///
/// # Errors
/// When the type is a weight with padded input channels, and the value is not 0.
pub fn fill(g: &mut Graph, ty: TensorType, value: f32) -> Result<Value, GraphError> {
    g.add1(Fill { ty, value }, &[])
}

/// Appends a write of `value` into `state`; nodes after it read the new value. A value in the state's group is copied
/// to a temporary first, since one dispatch cannot read and write one buffer.
///
/// Gradient: none.
///
/// # Errors
/// When the shapes differ.
pub fn assign(g: &mut Graph, state: Value, value: Value) -> Result<(), GraphError> {
    let (to, from) = (g.group_of(state), g.group_of(value));
    let value = if to.is_some() && to == from { super::scale(g, value, 1.0)? } else { value };
    g.add(Assign, &[state, value]).map(drop)
}

/// Appends the flat buffer of gradients, in the layout of the parameters. `grads` are in the order of the state table's
/// parameters. Their nodes write into the buffer directly. A gradient is copied when that is impossible: an input or a
/// state, the gradient of several parameters, or a value that other nodes read. No parameter can be added afterwards.
///
/// Gradient: none.
///
/// # Errors
/// When there is not one gradient for each parameter.
pub fn pack_parameters(g: &mut Graph, grads: &[Value]) -> Result<Value, GraphError> {
    let layout = g.completed(Group::Parameters);
    let offsets = g.states().of(Group::Parameters).map(|(id, _)| layout.offsets[id.0]).collect();
    let mut uses: HashMap<Value, usize> = HashMap::new();
    let readers = g.nodes().iter().filter(|node| !matches!(node.op.storage(), Storage::Alias(_)));
    for &v in readers.flat_map(|node| &node.inputs).chain(grads) {
        *uses.entry(g.owner(v)).or_default() += 1;
    }
    let mut parts = Vec::with_capacity(grads.len());
    for &grad in grads {
        let owner = g.owner(grad);
        let in_place = matches!(g.source(owner), Source::Node(..)) && uses[&owner] == 1;
        parts.push(if in_place { grad } else { super::scale(g, grad, 1.0)? });
    }
    g.add1(Pack { offsets, len: layout.group_len[Group::Parameters as usize] }, &parts)
}

/// Emits a copy between two paddings of the same logical elements: rows of `ci` values in `cip` floats to rows of `co`
/// values in `cop` floats.
pub(super) fn relayout(
    l: &mut Lowering<'_>,
    from: Operand,
    (ci, cip): (usize, usize),
    to: Operand,
    (co, cop): (usize, usize),
    out_rows: usize,
) {
    let consts = Consts::new().u("ROWS", out_rows).u("CI", ci).u("CIP", cip).u("CO", co).u("COP", cop);
    l.call("relayout", consts, [(from, Access::Read), (to, Access::Write)], Work::Items(out_rows * cop / LANES), 0);
}

impl Op for Reshape {
    fn name(&self) -> &'static str {
        "reshape"
    }

    fn outputs(&self, inputs: &[&TensorType]) -> Result<Vec<TensorType>, String> {
        let [x] = expect_inputs(inputs)?;
        check_type(&self.to)?;
        if x != &self.from {
            return Err(format!("it was made for {}", self.from.shape));
        }
        if x.shape.elements() != self.to.shape.elements() {
            return Err(format!("{} has {} elements, not the same number", self.to.shape, self.to.shape.elements()));
        }
        if self.to.has_padded_rows() {
            return Err(format!("{} is a kernel whose input channels are padded in memory", self.to.shape));
        }
        Ok(vec![self.to.clone()])
    }

    fn gradient(
        &self,
        g: &mut Graph,
        _: NodeView<'_>,
        upstream: &[Option<Value>],
    ) -> Result<Vec<Option<Value>>, GraphError> {
        let back = Reshape { from: self.to.clone(), to: self.from.clone() };
        Ok(vec![Some(g.add1(back, &[first(upstream)?])?)])
    }

    fn onnx(&self, _: &[&TensorType]) -> Result<Vec<OnnxNode>, String> {
        let (from, to) = (self.from.shape.nhwc(), self.to.shape.nhwc());
        let (Some([n, h, w, c]), Some([m, oh, ow, oc])) = (from, to) else {
            return Err("only shapes [N,H,W,C] and [N,C] can be exported".into());
        };
        if n != m {
            return Err(format!("it makes {m} images of {n}"));
        }
        // N C H W and N H W C have one order if a map has one pixel or one channel, or if the channels do not change.
        let alike = |[h, w, c]: [usize; 3]| h * w == 1 || c == 1;
        if !(alike([h, w, c]) && alike([oh, ow, oc]) || c == oc) {
            return Err(format!(
                "it mixes pixels and channels of {} in the order N H W C, and ONNX has N C H W: reduce the map to 1×1 \
                 before it, by global_avg_pool or a convolution as large as the map",
                self.from.shape
            ));
        }
        let axes = if self.to.shape.rank() == 4 { vec![0, oc, oh, ow] } else { vec![0, oc] };
        let axes = OnnxInput::Ints(axes.into_iter().map(|axis| axis as i64).collect());
        Ok(vec![OnnxNode::new("Reshape", [OnnxInput::Value(0), axes])])
    }

    fn storage(&self) -> Storage {
        let row = |t: &TensorType| (t.shape.channels(), t.stride());
        let unpadded = |t: &TensorType| t.len() == t.shape.elements();
        let same = row(&self.from) == row(&self.to) || (unpadded(&self.from) && unpadded(&self.to));
        if same { Storage::Alias(0) } else { Storage::Own }
    }

    fn takes_half(&self, _: Operand) -> bool {
        matches!(self.storage(), Storage::Alias(_))
    }

    fn lower(&self, l: &mut Lowering<'_>) {
        if self.storage() == Storage::Own {
            let row = |t: &TensorType| (t.shape.channels(), t.stride());
            let rows = self.to.len() / self.to.stride();
            relayout(l, Operand::Input(0), row(&self.from), Operand::Output(0), row(&self.to), rows);
        }
    }
}

impl Op for Fill {
    fn name(&self) -> &'static str {
        "fill"
    }

    fn outputs(&self, inputs: &[&TensorType]) -> Result<Vec<TensorType>, String> {
        let [] = expect_inputs(inputs)?;
        if self.value != 0.0 && self.ty.has_padded_rows() {
            return Err(format!("{} is a kernel whose input channels are padded in memory", self.ty.shape));
        }
        Ok(vec![self.ty.clone()])
    }

    fn gradient(&self, _: &mut Graph, _: NodeView<'_>, _: &[Option<Value>]) -> Result<Vec<Option<Value>>, GraphError> {
        Ok(none(0))
    }

    fn lower(&self, l: &mut Lowering<'_>) {
        let consts = super::row_consts(&self.ty).f("VALUE", f64::from(self.value));
        l.call("fill", consts, [(Operand::Output(0), Access::Write)], Work::Items(vectors(&self.ty)), 0);
    }
}

impl Op for Assign {
    fn name(&self) -> &'static str {
        "assign"
    }

    fn outputs(&self, inputs: &[&TensorType]) -> Result<Vec<TensorType>, String> {
        let [state, value] = expect_inputs(inputs)?;
        if state == value { Ok(vec![]) } else { Err("the value must have the shape of the state".into()) }
    }

    fn updates(&self) -> &'static [usize] {
        &[0]
    }

    fn takes_padded_kernel(&self, _: usize) -> bool {
        true
    }

    fn lower(&self, l: &mut Lowering<'_>) {
        let len = padded(l.inputs[0].len());
        let consts = Consts::new().u("ROWS", 1).u("CI", len).u("CIP", len).u("CO", len).u("COP", len);
        let bindings = [(Operand::Input(1), Access::Read), (Operand::Input(0), Access::Update)];
        l.call("relayout", consts, bindings, Work::Items(len / LANES), 0);
    }
}

impl Op for Pack {
    fn name(&self) -> &'static str {
        "pack"
    }

    fn outputs(&self, inputs: &[&TensorType]) -> Result<Vec<TensorType>, String> {
        if inputs.len() != self.offsets.len() {
            return Err(format!("{} values for {} places", inputs.len(), self.offsets.len()));
        }
        Ok(vec![TensorType::flat(self.len)])
    }

    fn storage(&self) -> Storage {
        Storage::Parts(self.offsets.clone())
    }

    fn takes_padded_kernel(&self, _: usize) -> bool {
        true
    }

    fn lower(&self, _: &mut Lowering<'_>) {}
}
