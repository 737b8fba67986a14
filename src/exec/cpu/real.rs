//! The element types of the CPU engine.

use gemm::{Parallelism, gemm};
use num_traits::Float;

use super::Args;
use crate::exec::registry::Kernel;

/// A matrix in memory: where it starts, and the distances between rows and between columns, in elements.
#[derive(Clone, Copy)]
pub struct Strided<P> {
    /// First element.
    pub at: P,
    /// From one row to the next.
    pub row: isize,
    /// From one column to the next.
    pub col: isize,
}

/// f32 or f64.
pub trait Real:
    Float + Default + Send + Sync + std::fmt::Debug + std::iter::Sum + std::ops::AddAssign + From<f32> + 'static
{
    /// Runs a kernel's twin in this type.
    fn run(kernel: &Kernel, args: Args<'_, Self>);

    /// A constant in this type.
    fn of(v: f64) -> Self {
        num_traits::cast(v).unwrap_or_else(Self::nan)
    }

    /// `dst = a · b`, or `dst += a · b`, for sizes (m, n, k), on the calling thread.
    ///
    /// # Safety
    /// The three matrices must be valid for these sizes, and `dst` must overlap neither of the others.
    unsafe fn matmul(
        size: [usize; 3],
        dst: Strided<*mut Self>,
        add: bool,
        a: Strided<*const Self>,
        b: Strided<*const Self>,
    ) {
        let [m, n, k] = size;
        if m == 0 || n == 0 {
            return;
        }
        let one = Self::one();
        let keep = if add { one } else { Self::zero() };
        // SAFETY: passed on to the caller.
        unsafe {
            gemm(
                m,
                n,
                k,
                dst.at,
                dst.col,
                dst.row,
                add,
                a.at,
                a.col,
                a.row,
                b.at,
                b.col,
                b.row,
                keep,
                one,
                false,
                false,
                false,
                Parallelism::None,
            );
        }
    }
}

impl Real for f32 {
    fn run(kernel: &Kernel, args: Args<'_, Self>) {
        (kernel.run_f32)(args);
    }
}

impl Real for f64 {
    fn run(kernel: &Kernel, args: Args<'_, Self>) {
        (kernel.run_f64)(args);
    }
}
