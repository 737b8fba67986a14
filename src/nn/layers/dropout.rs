//! Dropout.

use super::Mode;
use crate::graph::{Graph, GraphError, Value};
use crate::ops;
use crate::shape::TensorType;

/// Name of the input that all dropouts of a graph share, `[4]`: seed low, seed high, step low, step high, 16 bits each.
pub(crate) const SEED: &str = "dropout_seed";

/// Dropout (Srivastava et al. 2014): zeroes elements with probability `p` in training and scales the others by `1 / (1 − p)`.
#[derive(Clone, Copy, Debug)]
pub struct Dropout {
    /// Probability of a zero, in `[0, 1)`.
    pub p: f32,
}

impl Default for Dropout {
    /// PyTorch's p = 0.5.
    fn default() -> Self {
        Dropout { p: 0.5 }
    }
}

impl Dropout {
    /// Dropout with this probability of a zero, in `[0, 1)`.
    pub fn new(p: f32) -> Self {
        Dropout { p }
    }

    /// Appends it in [`Mode::Train`]; in [`Mode::Eval`] returns x.
    ///
    /// # Errors
    /// When p is not in `[0, 1)`.
    pub fn apply(&self, g: &mut Graph, name: &str, x: Value, mode: Mode) -> Result<Value, GraphError> {
        match mode {
            Mode::Eval => Ok(x),
            Mode::Train => g.scope(name, |g| {
                let seed = seed(g);
                ops::dropout(g, x, seed, self.p)
            }),
        }
    }
}

fn seed(g: &mut Graph) -> Value {
    let known = g.inputs().find(|(name, _)| *name == SEED).map(|(_, value)| value);
    known.unwrap_or_else(|| g.input(SEED, TensorType::channels([4])))
}
