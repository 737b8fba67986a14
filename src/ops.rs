//! Operations, one file per family: shape rule, gradient, lowering. Functions append nodes to a [`Graph`].

mod average;
mod binary;
mod binary_cross_entropy;
mod conv;
mod conv_geometry;
mod conv_transpose;
mod dice;
mod dropout;
mod epilogue;
mod flip;
mod loss;
mod loss_parts;
mod loss_scale;
mod metrics;
mod movement;
mod norm;
mod norm_geometry;
mod norm_grad;
mod norm_spec;
mod onnx;
mod optimizer;
mod partial_sums;
mod pool;
mod probe;
mod reduce;
mod region;
mod regression;
mod repeat;
mod resize;
mod softmax;
mod unary;

pub use crate::hyper::{Hyper, SpanRate};
pub use average::{AVERAGE, accumulate, moving_average};
pub use binary::{add, add_bias, div, mul, sub};
pub use binary_cross_entropy::{BinaryCrossEntropyOptions, binary_cross_entropy};
pub use conv::{conv2d, linear};
pub use conv_geometry::ConvSpec;
pub use conv_transpose::conv_transpose2d;
pub use dice::{DiceOptions, dice_loss};
pub use dropout::dropout;
pub use flip::flip;
pub use loss::{CrossEntropyOptions, softmax_cross_entropy};
pub use loss_parts::Reduction;
pub use loss_scale::{LOSS_SCALE, loss_scale, loss_scale_is_lowest, loss_scale_of, update_loss_scale};
pub use metrics::{argmax, confusion};
pub use movement::{assign, fill, flatten, pack_parameters, reshape};
pub use norm::{batch_norm, group_norm};
pub use norm_spec::{BatchNormOptions, GroupNormOptions};
pub use optimizer::{AdamOptions, SgdOptions, adam_step, clip_scale, sgd_step};
pub use pool::{avg_pool, global_avg_pool, max_pool};
pub use reduce::{broadcast, channel_sums, mean, mean_axes, sum, sum_axes};
pub use region::{Region, concat, crop_pad};
pub use regression::{Regression, regression_loss};
pub use resize::{Coordinates, Interpolation, resize};
pub use softmax::{log_softmax, softmax};
pub use unary::{UnaryOp, abs, add_scalar, exp, log, neg, pow, rectified, relu, scale, sigmoid, sqrt, unary};

pub(crate) use nodes::*;
pub(crate) use pool::MaxPoolGrad;

use crate::graph::{Graph, GraphError, Value, check_type};
use crate::kernel::{Consts, WORKGROUP, Work};
use crate::shape::{LANES, TensorType, padded};

/// The types of the ops, for the functions that append them, for rewrites and for tests.
pub(crate) mod nodes {
    pub use super::average::{Accumulate, MovingAverage};
    pub use super::binary::{Binary, BinaryOp};
    pub use super::binary_cross_entropy::BinaryCrossEntropy;
    pub use super::conv::{Conv2d, Conv2dInputGrad, Conv2dWeightGrad};
    pub use super::dice::Dice;
    pub use super::dropout::Dropout;
    pub use super::epilogue::Epilogue;
    pub use super::loss::SoftmaxCrossEntropy;
    pub use super::metrics::{Argmax, Confusion};
    pub use super::movement::{Assign, Fill, Pack, Reshape};
    pub use super::norm_grad::NormGrad;
    pub use super::norm_spec::{Norm, NormKind};
    pub use super::optimizer::{Adam, ClipScale, Sgd};
    pub use super::pool::{AvgPool, MaxPool};
    pub use super::probe::fma_peak;
    pub use super::reduce::{Broadcast, Sum};
    pub use super::region::{Concat, CropPad};
    pub use super::regression::RegressionLoss;
    pub use super::resize::{AxisMap, Resize};
    pub use super::softmax::Softmax;
    pub use super::unary::{Unary, UnaryGrad};
}

/// The `N` inputs of an op.
fn expect_inputs<'a, const N: usize>(inputs: &[&'a TensorType]) -> Result<[&'a TensorType; N], String> {
    <[&TensorType; N]>::try_from(inputs).map_err(|_| format!("needs {N} inputs, got {}", inputs.len()))
}

/// The first inputs of an op with a variable number of inputs.
fn expect_first<'a, 'b, const N: usize>(inputs: &'b [&'a TensorType]) -> Result<&'b [&'a TensorType; N], String> {
    inputs.first_chunk().ok_or_else(|| format!("needs at least {N} inputs, got {}", inputs.len()))
}

/// Rows, logical channels and vectors per row of a tensor, for kernels that see it as rows × channels.
fn row_consts(t: &TensorType) -> Consts {
    Consts::new().size("ROWS", t.len() / t.stride()).size("C", t.shape.channels()).size("C4", t.stride() / LANES)
}

/// Requires `v` to be a vector of the activation's channels.
fn expect_vector(name: &str, v: &TensorType, x: &TensorType) -> Result<(), String> {
    let c = x.shape.channels();
    if v.shape.0 == [c] { Ok(()) } else { Err(format!("{name} must have the shape [{c}], one value per channel")) }
}

/// Checks γ of a focal loss.
fn expect_focal_gamma(gamma: f32) -> Result<(), String> {
    if (0.0..=100.0).contains(&gamma) { Ok(()) } else { Err(format!("γ = {gamma} of focal loss is not in [0, 100]")) }
}

/// Requires class indices, one per row, contiguous in memory.
fn expect_labels(name: &str, labels: &TensorType, rows: usize) -> Result<(), String> {
    if labels.shape.elements() != rows {
        return Err(format!("{name} must be {rows} whole numbers, one per row"));
    }
    match labels.is_dense() {
        true => Ok(()),
        false => {
            Err(format!("{name} of the shape {} are padded in memory: give TensorType::flat({rows})", labels.shape))
        }
    }
}

/// Number of partial sums of a reduction over `rows`, and the rows of each. There are enough segments to fill a device,
/// and few enough for one workgroup to add them.
fn segments(rows: usize, per_sample: usize, vectors: usize) -> (usize, usize) {
    let most = 1024usize.min((1 << 15) / vectors.max(1)).max(16);
    let rows_each = rows.div_ceil(most).max(16).min(per_sample.max(1));
    (per_sample.div_ceil(rows_each), rows_each)
}

/// [`segments`] for sums that a convolution's tiles write: a tile lies in one segment.
fn segments_of_tiles(rows: usize, vectors: usize) -> (usize, usize) {
    const MOST_TILE_ROWS: usize = 256;
    let rows_each = segments(rows, rows, vectors).1.next_multiple_of(MOST_TILE_ROWS);
    (rows.div_ceil(rows_each), rows_each)
}

/// Width of the workgroups that reduce segments of rows of `vectors` each, and number of workgroups per segment (see
/// `shaders/shared/row_sums.wgsl`). A workgroup is up to 16 vectors wide, which is 256 contiguous bytes. Its other
/// invocations share the rows.
fn segment_blocks(vectors: usize) -> [usize; 2] {
    let wide = vectors.next_power_of_two().min(16);
    [wide, vectors.div_ceil(wide)]
}

/// Constants and workgroups of a kernel that reduces `segments` by [`segment_blocks`].
fn reduce_segments(segments: usize, vectors: usize) -> (Consts, Work) {
    let [wide, blocks] = segment_blocks(vectors);
    (Consts::new().u("VECTORS", wide).size("BLOCKS", blocks), Work::Groups(segments * blocks))
}

/// Workgroups that add `rows` for each of `results`: about 8 rows per invocation.
fn reduce_rows(rows: usize, results: usize) -> (Consts, Work) {
    let wide = WORKGROUP / rows.div_ceil(8).next_power_of_two().min(WORKGROUP);
    (Consts::new().u("VECTORS", wide).size("STATISTICS", results), Work::Groups(results.div_ceil(wide)))
}

/// Physical length of `t` in vectors.
fn vectors(t: &TensorType) -> usize {
    padded(t.len()) / LANES
}

/// The gradients of an op that has a gradient for each input.
fn all_some(values: impl IntoIterator<Item = Value>) -> Vec<Option<Value>> {
    values.into_iter().map(Some).collect()
}

/// The first upstream gradient, for ops with one differentiable output.
fn first(upstream: &[Option<Value>]) -> Result<Value, GraphError> {
    upstream[0].ok_or(GraphError::NoGradient { op: "a secondary output" })
}

/// Gradients of an op with `n` inputs and no gradient.
fn none(n: usize) -> Vec<Option<Value>> {
    vec![None; n]
}

impl Graph {
    /// The dimensions N H W C of an activation.
    ///
    /// # Errors
    /// When the rank is neither 4 nor 2, the type is invalid, or the value belongs to another graph.
    pub fn nhwc(&self, v: Value) -> Result<[usize; 4], GraphError> {
        let (ty, axes) = (self.known("activation", v)?, "an activation has the axes [N, H, W, C] or [N, C]");
        check_type(ty).and_then(|()| ty.shape.nhwc().ok_or(axes.into())).map_err(|rule| GraphError::Shape {
            op: "activation",
            at: String::new(),
            shapes: ty.shape.to_string(),
            rule,
        })
    }
}
