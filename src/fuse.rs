//! Rewrites that save passes over memory. Each can be switched off. They change the results of a graph by rounding
//! only.

use std::sync::Arc;

use crate::graph::{Graph, Node, Op, Value};
use crate::ops::{
    Binary, BinaryOp, Conv2d, Conv2dInputGrad, CropPad, Epilogue, MaxPoolGrad, Norm, NormGrad, Unary, UnaryGrad,
    UnaryOp,
};
use crate::shape::TensorType;

/// The rewrites to apply.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct FuseOptions {
    /// conv2d or conv_transpose2d, + bias → one kernel.
    pub conv_bias: bool,
    /// convolution or input gradient, + tensor → one kernel. For shortcuts, and for the second gradient of a value used
    /// twice.
    pub conv_add: bool,
    /// convolution + ReLU → one kernel.
    pub conv_relu: bool,
    /// gradient of max pooling + tensor, or + channels cut from one → one kernel. For maps that feed a pooling and a
    /// decoder.
    pub pool_add: bool,
    /// norm + ReLU → one kernel, forward and backward.
    pub norm_relu: bool,
    /// norm + add + ReLU → one kernel, forward and backward.
    pub norm_add_relu: bool,
    /// convolution + moments for the BatchNorm after it → one kernel; input gradient + sums for the gradient of the
    /// BatchNorm before it → one kernel. For maps of at least this number of rows (pixels of the whole batch). On
    /// smaller maps a separate pass costs little more than its dispatch.
    pub conv_statistics: Option<usize>,
}

impl FuseOptions {
    /// No rewrite.
    pub const NONE: FuseOptions = FuseOptions {
        conv_bias: false,
        conv_add: false,
        conv_relu: false,
        pool_add: false,
        norm_relu: false,
        norm_add_relu: false,
        conv_statistics: None,
    };
}

impl Default for FuseOptions {
    fn default() -> Self {
        FuseOptions {
            conv_bias: true,
            conv_add: true,
            conv_relu: true,
            pool_add: true,
            norm_relu: true,
            norm_add_relu: true,
            conv_statistics: Some(16 << 10),
        }
    }
}

/// Applies the rewrites to a complete graph: outputs are named, gradients are added.
pub fn fuse(graph: &mut Graph, options: FuseOptions) {
    let mut f = Fusion::new(graph);
    if options.norm_add_relu {
        f.norm_add_relu();
    }
    if options.norm_relu {
        f.norm_relu();
    }
    if options.norm_relu || options.norm_add_relu {
        f.norm_grad();
    }
    // The order is that of a kernel's computation.
    if options.conv_bias {
        f.conv_bias();
    }
    if options.conv_add {
        f.conv_add();
    }
    if options.conv_relu {
        f.conv_relu();
    }
    if options.pool_add {
        f.pool_add();
    }
    if let Some(rows) = options.conv_statistics {
        f.conv_statistics(rows);
    }
    f.finish();
}

/// Nodes during a rewrite. An absorbed node becomes `None`.
struct Fusion<'g> {
    graph: &'g mut Graph,
    nodes: Vec<Option<Node>>,
    uses: Vec<usize>,
    producer: Vec<Option<usize>>,
}

impl<'g> Fusion<'g> {
    fn new(graph: &'g mut Graph) -> Self {
        let nodes: Vec<_> = graph.nodes().iter().cloned().map(Some).collect();
        let mut fusion = Fusion { nodes, uses: vec![], producer: vec![], graph };
        fusion.index();
        fusion
    }

    fn index(&mut self) {
        self.uses = vec![0; self.graph.value_count()];
        self.producer = vec![None; self.graph.value_count()];
        for (_, v) in self.graph.outputs() {
            self.uses[v.index()] += 1;
        }
        for (n, node) in self.nodes.iter().enumerate() {
            let Some(node) = node else { continue };
            for v in &node.inputs {
                self.uses[v.index()] += 1;
            }
            for v in &node.outputs {
                self.producer[v.index()] = Some(n);
            }
        }
    }

    fn finish(self) {
        self.graph.replace_nodes(self.nodes.into_iter().flatten().collect());
    }

    fn op<T: Op + Clone>(&self, n: usize) -> Option<T> {
        self.nodes[n].as_ref()?.op_as::<T>().cloned()
    }

    /// The node of type `T` that produces `v`, if `v` has one use.
    fn sole_producer<T: Op + Clone>(&self, v: Value) -> Option<(usize, T)> {
        let n = self.producer[v.index()]?;
        (self.uses[v.index()] == 1).then(|| Some((n, self.op::<T>(n)?)))?
    }

    fn inputs(&self, n: usize) -> Vec<Value> {
        self.nodes[n].as_ref().map(|node| node.inputs.clone()).unwrap_or_default()
    }

    /// The input of node `n`, if it is a ReLU.
    fn relu(&self, n: usize) -> Option<Value> {
        let Unary(UnaryOp::Relu) = self.op::<Unary>(n)? else { return None };
        self.inputs(n).first().copied()
    }

    /// Absorbs node `n` into node `at`: `op` computes both, with one more input, at position `n`.
    fn absorb(&mut self, n: usize, at: usize, op: Arc<dyn Op>, input: Option<Value>) {
        let y = self.nodes[n].as_ref().expect("what is absorbed").outputs[0];
        let mut node = self.nodes[at].take().expect("found above");
        node.inputs.extend(input);
        node.outputs[0] = y;
        node.op = op;
        self.nodes[n] = Some(node);
        self.index();
    }

    fn norm_relu(&mut self) {
        for n in 0..self.nodes.len() {
            let Some(x) = self.relu(n) else { continue };
            if let Some((norm, op)) = self.sole_producer::<Norm>(x)
                && !op.relu
            {
                self.absorb(n, norm, Arc::new(Norm { relu: true, ..op }), None);
            }
        }
    }

    fn norm_add_relu(&mut self) {
        for n in 0..self.nodes.len() {
            let Some(sum) = self.relu(n) else { continue };
            let Some((add, Binary(BinaryOp::Add))) = self.sole_producer::<Binary>(sum) else { continue };
            let inputs = self.inputs(add);
            if self.graph.ty(inputs[0]) != self.graph.ty(inputs[1]) {
                continue;
            }
            let found = [(0, 1), (1, 0)].into_iter().find_map(|(a, b)| {
                let (norm, op) = self.sole_producer::<Norm>(inputs[a])?;
                (!op.relu && !op.residual).then_some((norm, op, inputs[b]))
            });
            if let Some((norm, op, residual)) = found {
                self.nodes[add] = None;
                self.absorb(n, norm, Arc::new(Norm { relu: true, residual: true, ..op }), Some(residual));
            }
        }
    }

    /// Merges `norm_grad(relu_grad(dy, y), …)` of a norm that has absorbed its ReLU. If the norm has absorbed a
    /// residual too, the fourth output is the masked gradient for the residual's branch.
    fn norm_grad(&mut self) {
        for n in 0..self.nodes.len() {
            let Some(NormGrad(plain)) = self.op::<NormGrad>(n) else { continue };
            let inputs = self.inputs(n);
            let Some(mask) = self.producer[inputs[0].index()] else { continue };
            let Some(UnaryGrad(UnaryOp::Relu)) = self.op::<UnaryGrad>(mask) else { continue };
            let (dy, y) = (self.inputs(mask)[0], self.inputs(mask)[1]);
            let Some((producer, forward)) = self.producer[y.index()].and_then(|p| Some((p, self.op::<Norm>(p)?)))
            else {
                continue;
            };
            let same = self.producer[inputs[3].index()] == self.producer[y.index()];
            if !forward.relu || plain.relu || !same || (self.uses[inputs[0].index()] > 1 && !forward.residual) {
                continue;
            }
            let mut node = self.nodes[n].take().expect("found above");
            node.inputs[0] = dy;
            node.inputs.push(forward.mask(&self.inputs(producer), y));
            node.op = Arc::new(NormGrad(forward));
            if forward.residual {
                node.outputs.push(inputs[0]);
            }
            self.nodes[mask] = Some(node);
            self.index();
        }
    }

    /// The convolution or input gradient that produces `v`, if `v` has one use.
    fn sole_conv(&self, v: Value) -> Option<Conv> {
        let forward = self.sole_producer::<Conv2d>(v).map(|(at, op)| Conv { at, epilogue: op.epilogue });
        let backward = || self.sole_producer::<Conv2dInputGrad>(v).map(|(at, op)| Conv { at, epilogue: op.epilogue });
        forward.or_else(backward)
    }

    /// Absorbs node `n` into a convolution, whose new epilogue computes the node from one more input.
    fn place_conv(&mut self, conv: Conv, n: usize, epilogue: Epilogue, input: Option<Value>) {
        let forward = self.op::<Conv2d>(conv.at).map(|op| Arc::new(Conv2d { epilogue, ..op }) as Arc<dyn Op>);
        let backward =
            || self.op::<Conv2dInputGrad>(conv.at).map(|op| Arc::new(Conv2dInputGrad { epilogue, ..op }) as _);
        let op = forward.or_else(backward).expect("one of the two");
        self.absorb(n, conv.at, op, input);
    }

    /// The inputs of node `n`, if it is an addition, and whether they have one type.
    fn addition(&self, n: usize) -> Option<([Value; 2], bool)> {
        let Binary(BinaryOp::Add) = self.op::<Binary>(n)? else { return None };
        let inputs = self.inputs(n);
        Some(([inputs[0], inputs[1]], self.graph.ty(inputs[0]) == self.graph.ty(inputs[1])))
    }

    fn conv_bias(&mut self) {
        for n in 0..self.nodes.len() {
            let Some(([x, bias], false)) = self.addition(n) else { continue };
            // A tensor of another shape is not a bias: it is repeated along other axes.
            if self.graph.dims(bias) != [self.graph.ty(x).shape.channels()] {
                continue;
            }
            if let Some(conv) = self.sole_conv(x).filter(|conv| conv.epilogue == Epilogue::default()) {
                self.place_conv(conv, n, Epilogue { bias: true, ..conv.epilogue }, Some(bias));
            }
        }
    }

    fn conv_add(&mut self) {
        for n in 0..self.nodes.len() {
            let Some(([a, b], true)) = self.addition(n) else { continue };
            let free = |v: Value| self.sole_conv(v).filter(|conv| !conv.epilogue.addend && !conv.epilogue.relu);
            // Of two convolutions the later one absorbs the addition, so that the addend's lifetime ends early.
            let found = [(a, b), (b, a)].into_iter().filter_map(|(v, other)| Some((free(v)?, other)));
            if let Some((conv, addend)) = found.max_by_key(|(conv, _)| conv.at) {
                self.place_conv(conv, n, Epilogue { addend: true, ..conv.epilogue }, Some(addend));
            }
        }
    }

    fn pool_add(&mut self) {
        for n in 0..self.nodes.len() {
            let Some(([a, b], true)) = self.addition(n) else { continue };
            let pooled = |(v, other)| Some((self.sole_producer::<MaxPoolGrad>(v)?, other));
            let Some(((at, op), other)) = [(a, b), (b, a)].into_iter().find_map(pooled) else { continue };
            let cut = self.sole_producer::<CropPad>(other).and_then(|(crop, op)| {
                let from = self.inputs(crop)[0];
                Some((crop, from, op.vectors_of(self.graph.ty(from))?))
            });
            let (from, first) = cut.map_or((other, 0), |(_, from, first)| (from, first));
            let Some(op) = op.with_addend(first) else { continue };
            if let Some((crop, ..)) = cut {
                self.nodes[crop] = None;
            }
            self.absorb(n, at, Arc::new(op), Some(from));
        }
    }

    fn conv_statistics(&mut self, least_rows: usize) {
        for n in 0..self.nodes.len() {
            let Some(&v) = self.inputs(n).first() else { continue };
            let ty = self.graph.ty(v).clone();
            let Some(at) = self.producer[v.index()].filter(|_| ty.len() / ty.stride() >= least_rows) else { continue };
            if let (Some(norm), Some(conv)) = (self.op::<Norm>(n), self.op::<Conv2d>(at))
                && norm.can_take_statistics(&ty)
                && conv.can_leave_statistics()
            {
                let (conv, ty) = conv.with_statistics(&ty);
                self.place_statistics((at, Arc::new(conv), ty), &[], (n, Arc::new(Norm { statistics: true, ..norm })));
            }
            if let (Some(norm), Some(conv)) = (self.op::<NormGrad>(n), self.op::<Conv2dInputGrad>(at))
                && norm.can_take_sums(&ty)
                && conv.can_leave_sums()
            {
                let of_norm = self.inputs(n).split_off(1);
                // The operands of the sums must be computed before the convolution. In a training step they are.
                if of_norm.iter().any(|v| self.producer[v.index()].is_some_and(|made| made >= at)) {
                    continue;
                }
                let (conv, ty) = conv.with_sums(norm);
                let norm = NormGrad(Norm { statistics: true, ..norm.0 });
                self.place_statistics((at, Arc::new(conv), ty), &of_norm, (n, Arc::new(norm)));
            }
        }
    }

    /// Gives the convolution a second output, computed with further inputs, for the norm.
    fn place_statistics(
        &mut self,
        (at, conv, ty): (usize, Arc<dyn Op>, TensorType),
        inputs: &[Value],
        (n, norm): (usize, Arc<dyn Op>),
    ) {
        let left = self.graph.further_result(ty);
        let node = self.nodes[at].as_mut().expect("the convolution");
        node.op = conv;
        node.inputs.extend(inputs);
        node.outputs.push(left);
        let node = self.nodes[n].as_mut().expect("the norm");
        node.op = norm;
        node.inputs.push(left);
        self.index();
    }

    fn conv_relu(&mut self) {
        for n in 0..self.nodes.len() {
            let Some(x) = self.relu(n) else { continue };
            if let Some(conv) = self.sole_conv(x).filter(|conv| !conv.epilogue.relu) {
                self.place_conv(conv, n, Epilogue { relu: true, ..conv.epilogue }, None);
            }
        }
    }
}

/// A convolution of the graph: its node and its epilogue.
#[derive(Clone, Copy)]
struct Conv {
    at: usize,
    epilogue: Epilogue,
}
