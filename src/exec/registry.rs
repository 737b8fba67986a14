//! The one list of kernels: name, shader, snippets before it, twin. A new kernel is one line here.

use super::cpu::{self, Args};
use super::shader::Operands;

/// A shader and its twin.
pub struct Kernel {
    /// Common name.
    pub name: &'static str,
    /// Text of `shaders/NAME.wgsl`.
    pub wgsl: &'static str,
    /// Texts of the shared snippets that it uses; the epilogue of a convolution, which depends on the call, is not among them.
    pub snippets: &'static [&'static str],
    /// For the matrix kernels: how the left operand's vectors run.
    pub gemm: Option<Operands>,
    /// The twin in f32.
    pub run_f32: fn(Args<'_, f32>),
    /// The twin in f64.
    pub run_f64: fn(Args<'_, f64>),
}

macro_rules! kernel {
    (@gemm) => { None };
    (@gemm $gemm:expr) => { Some($gemm) };
    ($module:ident :: $name:ident $(, $snippet:literal)* $(; $gemm:expr)?) => {
        Kernel {
            name: stringify!($name),
            wgsl: include_str!(concat!("../../shaders/", stringify!($name), ".wgsl")),
            snippets: &[$(include_str!(concat!("../../shaders/shared/", $snippet, ".wgsl"))),*],
            gemm: kernel!(@gemm $($gemm)?),
            run_f32: cpu::$module::$name,
            run_f64: cpu::$module::$name,
        }
    };
}

/// All kernels.
pub static KERNELS: &[Kernel] = &[
    kernel!(conv::conv_fwd; Operands::SumInVectors),
    kernel!(conv::conv_dgrad; Operands::SumInVectors),
    kernel!(conv::conv_wgrad; Operands::RowsInVectors),
    kernel!(conv::transpose_kernel),
    kernel!(reduce::sum_partials),
    kernel!(reduce::channel_sums, "row_sums", "segment_sums"),
    kernel!(elementwise::relayout),
    kernel!(elementwise::fill),
    kernel!(reduce::sum),
    kernel!(elementwise::unary, "channel_lanes", "power"),
    kernel!(elementwise::unary_grad, "channel_lanes", "power"),
    kernel!(elementwise::binary, "channel_lanes", "broadcast"),
    kernel!(elementwise::broadcast, "channel_lanes", "broadcast"),
    kernel!(softmax::softmax, "softmax_row"),
    kernel!(softmax::softmax_grad, "channel_lanes"),
    kernel!(elementwise::dropout, "random"),
    kernel!(norm::batch_norm, "norm", "norm_ended", "row_sums"),
    kernel!(norm_grad::batch_norm_grad, "norm", "norm_masked", "row_sums"),
    kernel!(norm::norm_stats, "row_sums", "segment_sums", "segment_moments"),
    kernel!(norm::norm_finalize),
    kernel!(norm::norm_fixed),
    kernel!(norm::norm_apply, "norm", "norm_ended", "norm_of_row"),
    kernel!(
        norm_grad::norm_grad_reduce,
        "norm",
        "norm_masked",
        "norm_of_row",
        "row_sums",
        "segment_sums",
        "segment_grad_sums"
    ),
    kernel!(norm_grad::norm_grad_finalize, "row_sums"),
    kernel!(norm_grad::norm_group_sums, "row_sums"),
    kernel!(norm_grad::norm_grad_apply, "norm", "norm_masked", "norm_of_row"),
    kernel!(pool::max_pool),
    kernel!(pool::max_pool_grad),
    kernel!(pool::avg_pool, "avg_pool"),
    kernel!(pool::avg_pool_grad, "avg_pool"),
    kernel!(loss::softmax_cross_entropy, "softmax_row", "label", "cross_entropy"),
    kernel!(loss::softmax_cross_entropy_grad, "softmax_row", "label", "cross_entropy"),
    kernel!(loss::loss_finalize),
    kernel!(binary_cross_entropy::binary_cross_entropy, "binary_target"),
    kernel!(binary_cross_entropy::binary_cross_entropy_grad, "binary_target"),
    kernel!(loss_scale::loss_scale),
    kernel!(loss_scale::loss_scale_update, "finite"),
    kernel!(probe::fma_peak),
    kernel!(regression::regression_loss),
    kernel!(regression::regression_loss_grad),
    kernel!(dice::dice_sums, "softmax_row", "label"),
    kernel!(dice::dice_finalize),
    kernel!(dice::dice_grad, "softmax_row", "label"),
    kernel!(metrics::argmax),
    kernel!(metrics::confusion),
    kernel!(region::crop_pad),
    kernel!(region::concat),
    kernel!(resize::resize, "resize"),
    kernel!(resize::resize_grad, "resize"),
    kernel!(optimizer::sgd, "hyper", "finite", "update"),
    kernel!(optimizer::adam, "hyper", "finite", "update"),
    kernel!(optimizer::sum_squares),
    kernel!(optimizer::clip_scale),
    kernel!(average::accumulate, "hyper"),
    kernel!(average::accumulated_mean, "hyper"),
    kernel!(average::moving_average, "hyper"),
];

/// A kernel by name.
pub fn find(name: &str) -> &'static Kernel {
    KERNELS.iter().find(|k| k.name == name).unwrap_or_else(|| panic!("the op's kernel {name} is not in the registry"))
}
