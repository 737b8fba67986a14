//! Predictions of an image and of its mirror image, averaged: flips at test time.

use crate::graph::{Graph, GraphError, Value};
use crate::ops;

/// The quantity that is averaged. The network then outputs the average, as logits if its outputs are logits.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Averaged {
    /// Probabilities of exclusive classes: the outputs are logits of a softmax over the channels.
    Softmax,
    /// Probabilities of independent classes: each output is the logit of a sigmoid.
    Sigmoid,
    /// The outputs themselves.
    Outputs,
}

/// Added to a probability before its logarithm.
const LEAST: f32 = 1e-30;

/// Appends the network twice, on x and on its mirror images, and the average of both. The outputs for mirror images are mirrored
/// back if they have height and width.
pub(super) fn append(
    g: &mut Graph,
    x: Value,
    averaged: Averaged,
    network: impl Fn(&mut Graph, Value) -> Result<Value, GraphError>,
) -> Result<Value, GraphError> {
    let plain = network(g, x)?;
    let mirrored = ops::flip(g, x)?;
    let mirrored = network(g, mirrored)?;
    let mirrored = if g.dims(mirrored).len() == 4 { ops::flip(g, mirrored)? } else { mirrored };
    let mean = |g: &mut Graph, [a, b]: [Value; 2]| {
        let sum = ops::add(g, a, b)?;
        ops::scale(g, sum, 0.5)
    };
    let log = |g: &mut Graph, p: Value| {
        let p = ops::add_scalar(g, p, LEAST)?;
        ops::log(g, p)
    };
    match averaged {
        Averaged::Outputs => mean(g, [plain, mirrored]),
        Averaged::Softmax => {
            let p = [ops::softmax(g, plain)?, ops::softmax(g, mirrored)?];
            let p = mean(g, p)?;
            log(g, p)
        }
        // ln(p / (1 − p)), where 1 − p is the mean of σ(−x).
        Averaged::Sigmoid => {
            let mut logs = vec![];
            for sign in [1.0, -1.0] {
                let signed = [ops::scale(g, plain, sign)?, ops::scale(g, mirrored, sign)?];
                let p = [ops::sigmoid(g, signed[0])?, ops::sigmoid(g, signed[1])?];
                let p = mean(g, p)?;
                logs.push(log(g, p)?);
            }
            ops::sub(g, logs[0], logs[1])
        }
    }
}
