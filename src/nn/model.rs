//! The trait of a network, as training loops use it.

use super::Mode;
use crate::graph::{Graph, GraphError, Value};
use crate::tensor::Tensor;

/// A network: it appends its ops to a graph, once for each batch size and [`Mode`]. Every function and closure `Fn(&mut
/// Graph, Value, Mode) -> Result<Value, GraphError>` is a network. One that returns `[Value; K]` has K outputs.
///
/// States are named by the layers and by [`Graph::scope`], so that all graphs of a network share them.
pub trait Model {
    /// [`Value`], or `[Value; K]` for a network of K outputs.
    type Output: Outputs;

    /// Appends the network to `g`: `images` `[N,H,W,C]` to its outputs, `[N, …]`.
    ///
    /// # Errors
    /// When the images do not fit.
    fn apply(&self, g: &mut Graph, images: Value, mode: Mode) -> Result<Self::Output, GraphError>;
}

impl<F, O> Model for F
where
    F: Fn(&mut Graph, Value, Mode) -> Result<O, GraphError>,
    O: Outputs,
{
    type Output = O;

    fn apply(&self, g: &mut Graph, images: Value, mode: Mode) -> Result<O, GraphError> {
        self(g, images, mode)
    }
}

/// The outputs of a network: one value, or an array of values.
pub trait Outputs: Copy {
    /// The outputs after a run: a [`Tensor`], or an array of tensors.
    type Tensors;

    /// The values.
    fn values(&self) -> Vec<Value>;

    /// The tensors of a run, in the order of the outputs.
    fn tensors(made: Vec<Tensor>) -> Self::Tensors;
}

impl Outputs for Value {
    type Tensors = Tensor;

    fn values(&self) -> Vec<Value> {
        vec![*self]
    }

    fn tensors(made: Vec<Tensor>) -> Tensor {
        let [tensor] = array(made);
        tensor
    }
}

impl<const K: usize> Outputs for [Value; K] {
    type Tensors = [Tensor; K];

    fn values(&self) -> Vec<Value> {
        self.to_vec()
    }

    fn tensors(made: Vec<Tensor>) -> [Tensor; K] {
        array(made)
    }
}

/// A plan gives as many tensors as its graph has outputs.
fn array<const K: usize>(made: Vec<Tensor>) -> [Tensor; K] {
    made.try_into().expect("one tensor an output")
}
