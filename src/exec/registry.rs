//! The one list of kernels. A kernel is one line here, with every fact that engines, tuner and checks need of it; no other
//! file of `exec/` knows a kernel by its name.
//!
//! A library's user adds a kernel with [`register`]: WGSL text and twin, as `tests/engines/own_kernel.rs` shows.

mod facts;

use std::sync::RwLock;

use super::cpu;
pub use super::twin::{Args, Real, Strided, Twin};
pub use facts::{Function, GeometryType, Kernel, Operands, Partials, Segments};

use crate::kernel::{Consts, ConvGeometry, KernelCall, NormGeometry, PoolGeometry};

macro_rules! kernel {
    ($module:ident :: $name:ident $(, $snippet:literal)*) => {
        Kernel::new(
            stringify!($name),
            include_str!(concat!("../../shaders/", stringify!($name), ".wgsl")),
            Twin { f32: cpu::$module::$name, f64: cpu::$module::$name },
        )
        .snippets(&[$(include_str!(concat!("../../shaders/shared/", $snippet, ".wgsl"))),*])
    };
}

/// The functions of [`crate::ops::UnaryOp`], by its code.
fn of_unary(consts: &Consts) -> Vec<Function> {
    match consts.usize("OP") {
        2 => vec![Function::Exp, Function::Divide],
        3 => vec![Function::Tanh],
        6 => vec![Function::Exp],
        7 => vec![Function::Log],
        8 => vec![Function::Sqrt],
        10 => of_power(consts),
        _ => vec![],
    }
}

/// The functions of the gradient of [`crate::ops::UnaryOp`], by its code.
fn of_unary_grad(consts: &Consts) -> Vec<Function> {
    match consts.usize("OP") {
        7 | 8 => vec![Function::Divide],
        10 => of_power(consts),
        _ => vec![],
    }
}

/// xᵖ is exp2(p · log2 x).
fn of_power(consts: &Consts) -> Vec<Function> {
    vec![Function::Exp, Function::LogTimes(consts.float("ALPHA"))]
}

/// The functions of [`crate::ops::BinaryOp`], by its code.
fn of_binary(consts: &Consts) -> Vec<Function> {
    if consts.usize("OP") == 3 { vec![Function::Divide] } else { vec![] }
}

/// The functions of a cross entropy, and those of its focal loss.
fn focal<const N: usize>(consts: &Consts, plain: [Function; N]) -> Vec<Function> {
    let power = [Function::Exp, Function::Log, Function::Divide, Function::LogTimes(consts.float("FOCAL_GAMMA"))];
    plain.into_iter().chain(power.into_iter().filter(|_| consts.flag("FOCAL"))).collect()
}

/// The functions of 1 / sqrt(x) and of x / sqrt(y).
const ROOTS: fn(&Consts) -> Vec<Function> = |_| vec![Function::Divide, Function::Sqrt];

/// All kernels of this crate.
pub static KERNELS: &[Kernel] = &[
    kernel!(conv::conv_fwd)
        .geometry::<ConvGeometry>()
        .product(Operands::SumInVectors)
        .winograd()
        .partials(Partials::Statistics(Segments::Moments))
        .sizes_at_run_time(),
    kernel!(conv::conv_dgrad)
        .geometry::<ConvGeometry>()
        .product(Operands::SumInVectors)
        .winograd()
        .partials(Partials::Statistics(Segments::GradientSums))
        .recomputes_mask()
        .sizes_at_run_time(),
    kernel!(conv::conv_wgrad)
        .geometry::<ConvGeometry>()
        .product(Operands::RowsInVectors)
        .winograd()
        .partials(Partials::Splits)
        .sizes_at_run_time(),
    kernel!(conv::transpose_kernel).sizes_at_run_time(),
    kernel!(reduce::sum_partials).sizes_at_run_time(),
    kernel!(reduce::channel_sums, "row_sums", "segment_sums").sizes_at_run_time(),
    kernel!(elementwise::relayout),
    kernel!(elementwise::fill),
    kernel!(reduce::sum),
    kernel!(elementwise::unary, "channel_lanes", "power").functions(of_unary),
    kernel!(elementwise::unary_grad, "channel_lanes", "power").functions(of_unary_grad),
    kernel!(elementwise::binary, "channel_lanes", "broadcast").functions(of_binary),
    kernel!(elementwise::broadcast, "channel_lanes", "broadcast"),
    kernel!(softmax::softmax, "softmax_row").functions(|_| vec![Function::Exp, Function::Log]),
    kernel!(softmax::softmax_grad, "channel_lanes").functions(|_| vec![Function::Exp, Function::Log]),
    kernel!(elementwise::dropout, "random"),
    kernel!(norm::batch_norm, "norm", "norm_ended", "row_sums").geometry::<NormGeometry>().sizes_at_run_time(),
    kernel!(norm_grad::batch_norm_grad, "norm", "norm_masked", "row_sums")
        .geometry::<NormGeometry>()
        .recomputes_mask()
        .sizes_at_run_time(),
    kernel!(norm::norm_stats, "row_sums", "segment_sums", "segment_moments")
        .geometry::<NormGeometry>()
        .segments(Segments::Moments)
        .sizes_at_run_time(),
    kernel!(norm::norm_finalize).geometry::<NormGeometry>().functions(ROOTS).sizes_at_run_time(),
    kernel!(norm::norm_fixed).geometry::<NormGeometry>().functions(ROOTS),
    kernel!(norm::norm_apply, "norm", "norm_ended", "norm_of_row").geometry::<NormGeometry>().sizes_at_run_time(),
    kernel!(
        norm_grad::norm_grad_reduce,
        "norm",
        "norm_masked",
        "norm_of_row",
        "row_sums",
        "segment_sums",
        "segment_grad_sums"
    )
    .geometry::<NormGeometry>()
    .segments(Segments::GradientSums)
    .recomputes_mask()
    .sizes_at_run_time(),
    kernel!(norm_grad::norm_grad_finalize, "row_sums").geometry::<NormGeometry>().sizes_at_run_time(),
    kernel!(norm_grad::norm_group_sums, "row_sums").geometry::<NormGeometry>().sizes_at_run_time(),
    kernel!(norm_grad::norm_grad_apply, "norm", "norm_masked", "norm_of_row")
        .geometry::<NormGeometry>()
        .recomputes_mask()
        .sizes_at_run_time(),
    kernel!(pool::max_pool).geometry::<PoolGeometry>(),
    kernel!(pool::max_pool_grad).geometry::<PoolGeometry>(),
    kernel!(pool::avg_pool, "avg_pool").geometry::<PoolGeometry>(),
    kernel!(pool::avg_pool_grad, "avg_pool").geometry::<PoolGeometry>(),
    kernel!(loss::softmax_cross_entropy, "softmax_row", "label", "cross_entropy", "focal")
        .functions(|consts| focal(consts, [Function::Exp, Function::Log])),
    kernel!(loss::softmax_cross_entropy_grad, "softmax_row", "label", "cross_entropy", "focal")
        .functions(|consts| focal(consts, [Function::Exp, Function::Divide])),
    kernel!(loss::loss_finalize),
    kernel!(binary_cross_entropy::binary_cross_entropy, "binary_target", "binary_loss", "focal")
        .functions(|consts| focal(consts, [Function::Exp, Function::Log])),
    kernel!(binary_cross_entropy::binary_cross_entropy_grad, "binary_target", "binary_loss", "focal")
        .functions(|consts| focal(consts, [Function::Exp, Function::Divide])),
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
    kernel!(region::flip),
    kernel!(region::crop_pad),
    kernel!(region::concat),
    kernel!(resize::resize, "resize"),
    kernel!(resize::resize_grad, "resize"),
    kernel!(optimizer::sgd, "hyper", "finite", "update"),
    kernel!(optimizer::adam, "hyper", "finite", "update").functions(ROOTS),
    kernel!(optimizer::sum_squares),
    kernel!(optimizer::clip_scale).functions(ROOTS),
    kernel!(average::accumulate, "hyper"),
    kernel!(average::accumulated_mean, "hyper"),
    kernel!(average::moving_average, "hyper"),
];

/// Kernels that [`register`] has added. They live as long as the process, like those of [`KERNELS`].
static ADDED: RwLock<Vec<&'static Kernel>> = RwLock::new(vec![]);

/// A kernel is not registered, its name is taken, or a call lacks what the kernel reads.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum KernelError {
    /// No kernel has this name.
    #[error("the kernel {name} is not registered: give its shader and its twin to `exec::registry::register` first")]
    Unknown {
        /// The name.
        name: String,
    },
    /// Another kernel has this name.
    #[error("the kernel {name} is registered already; give yours another name")]
    Taken {
        /// The name.
        name: String,
    },
    /// A call of the kernel lacks the geometry that its twin and its shader read.
    #[error("the kernel {name} needs the geometry {geometry}, but its call carries another one or none")]
    Geometry {
        /// The kernel.
        name: String,
        /// The struct that it needs.
        geometry: &'static str,
    },
}

/// Adds a kernel for all engines of this process.
///
/// The shader is WGSL. Its bindings are those of the call, all of them, in group 0. The engine puts the call's constants,
/// `alias Ti = f32;` (or `f16`) for each binding, and a head before it. The head depends on the call's
/// [`Work`](crate::kernel::Work):
///
/// | work | head | the shader defines |
/// |---|---|---|
/// | items | `ITEMS`, `WORKGROUP`, `item(…)` | the entry point `main` |
/// | groups | `ITEMS`, `WORKGROUP`, the entry point `main` | `reduce(block, invocation)` |
///
/// # Errors
/// When the name is taken.
pub fn register(kernel: Kernel) -> Result<(), KernelError> {
    let mut added = ADDED.write().unwrap_or_else(std::sync::PoisonError::into_inner);
    if KERNELS.iter().chain(added.iter().copied()).any(|known| known.name == kernel.name) {
        return Err(KernelError::Taken { name: kernel.name.into() });
    }
    added.push(Box::leak(Box::new(kernel)));
    Ok(())
}

/// A kernel by name.
///
/// # Errors
/// When no kernel has this name.
pub(crate) fn find(name: &str) -> Result<&'static Kernel, KernelError> {
    let added = || {
        let added = ADDED.read().unwrap_or_else(std::sync::PoisonError::into_inner);
        added.iter().copied().find(|kernel| kernel.name == name)
    };
    let found = KERNELS.iter().find(|kernel| kernel.name == name).or_else(added);
    found.ok_or_else(|| KernelError::Unknown { name: name.into() })
}

/// The kernel of a call, after a check that the call has the geometry that the kernel reads.
///
/// # Errors
/// When the kernel is not registered, or the call has another geometry than the kernel reads.
pub(crate) fn of<B>(call: &KernelCall<B>) -> Result<&'static Kernel, KernelError> {
    let kernel = find(call.kernel)?;
    match kernel.geometry {
        Some(geometry) if !(geometry.is_in)(&call.parameters) => {
            Err(KernelError::Geometry { name: kernel.name.into(), geometry: (geometry.name)() })
        }
        _ => Ok(kernel),
    }
}
