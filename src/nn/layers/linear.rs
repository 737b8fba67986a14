//! The linear layer.

use super::init::Fans;
use super::{WeightInit, add_bias};
use crate::graph::{Graph, GraphError, Group, Value};
use crate::ops;
use crate::shape::TensorType;

/// `y = x · w + b` for x `[N,I]`, w `[I,O]`, b `[O]`.
#[derive(Clone, Copy, Debug)]
pub struct Linear {
    /// Output features O.
    pub features: usize,
    /// Whether a learned bias `[O]` is added.
    pub bias: bool,
    /// Start of the weight.
    pub init: WeightInit,
}

impl Linear {
    /// A linear layer with PyTorch's defaults: with bias, uniform in `±1 / sqrt(I)` at first.
    pub fn new(features: usize) -> Self {
        Linear { features, bias: true, init: WeightInit::default() }
    }

    /// Sets whether a learned bias is added.
    pub fn bias(self, bias: bool) -> Self {
        Linear { bias, ..self }
    }

    /// Sets the start of the weight.
    pub fn init(self, init: WeightInit) -> Self {
        Linear { init, ..self }
    }

    /// Appends it under `name` (`name.weight`, `name.bias`): `[N,I]` to `[N,O]`. [`ops::flatten`] turns a map into
    /// `[N,I]`.
    ///
    /// # Errors
    /// When x is not of rank 2.
    pub fn apply(&self, g: &mut Graph, name: &str, x: Value) -> Result<Value, GraphError> {
        g.scope(name, |g| {
            let inputs = g.known("a layer", x)?.shape.channels();
            let channels = [inputs, self.features];
            let fans = Fans { kernel_size: [1, 1], channels, inputs, outputs: self.features };
            let ty = TensorType::kernel(channels);
            let w = g.state("weight", ty, Group::Parameters, self.init.start(&fans)?, true)?;
            let y = ops::linear(g, x, w)?;
            if self.bias { add_bias(g, y, fans.bound()) } else { Ok(y) }
        })
    }
}
