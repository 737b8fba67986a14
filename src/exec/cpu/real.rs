//! The element types of the CPU engine.

use gemm_common::Parallelism;
use num_traits::Float;

use super::Args;
use crate::exec::registry::Twin;

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
    Float + Default + Send + Sync + std::fmt::Debug + std::iter::Sum + std::ops::AddAssign + From<f32> + Into<f64> + 'static
{
    /// Runs a twin in this type.
    fn run(twin: &Twin, args: Args<'_, Self>);

    /// A constant in this type.
    fn of(v: f64) -> Self {
        num_traits::cast(v).unwrap_or_else(Self::nan)
    }

    /// The class that a label names: a whole number below `classes`.
    fn class(self, classes: usize) -> Option<usize> {
        self.to_usize().filter(|&k| k < classes && Self::of(k as f64) == self)
    }

    /// The slices where this type is f32, for what there is for f32 alone.
    fn floats<const N: usize>(_: [&[Self]; N]) -> Option<[&[f32]; N]> {
        None
    }

    /// The exponential function; the smallest results may be flushed to 0.
    fn exp_fast(self) -> Self {
        self.exp()
    }

    /// `dst = a · b`, or `dst += a · b`, for sizes (m, n, k), on the calling thread. `dst` is dense along its rows: where
    /// it starts, and the distance between rows.
    ///
    /// # Safety
    /// The three matrices must be valid for these sizes, and `dst` must overlap neither of the others.
    unsafe fn matmul(
        size: [usize; 3],
        dst: (*mut Self, isize),
        add: bool,
        a: Strided<*const Self>,
        b: Strided<*const Self>,
    );
}

/// The product of a crate of gemm's, one for each type; the crate over them would bring complex numbers too.
macro_rules! matmul {
    ($gemm:expr) => {
        unsafe fn matmul(
            [m, n, k]: [usize; 3],
            dst: (*mut Self, isize),
            add: bool,
            a: Strided<*const Self>,
            b: Strided<*const Self>,
        ) {
            if m == 0 || n == 0 {
                return;
            }
            let (keep, one, none) = (if add { 1.0 } else { 0.0 }, 1.0, Parallelism::None);
            // Its vectors run along the columns of the result, so it computes dstᵀ = bᵀ · aᵀ: 2 to 4 times as fast.
            // SAFETY: passed on to the caller.
            unsafe {
                $gemm(
                    n, m, k, dst.0, dst.1, 1, add, b.at, b.row, b.col, a.at, a.row, a.col, keep, one, false, false,
                    false, none,
                );
            }
        }
    };
}

impl Real for f32 {
    matmul!(gemm_f32::gemm::f32::get_gemm_fn());

    fn run(twin: &Twin, args: Args<'_, Self>) {
        (twin.f32)(args);
    }

    /// Cephes' expf, without branches so that loops of it become vectors: within 2 units of the last place.
    #[inline(always)]
    fn exp_fast(self) -> f32 {
        // Added and taken away again it rounds to a whole number, which then is in the lowest bits.
        const ROUND: f32 = 12_582_912.0;
        let x = self.clamp(-87.3, 88.3);
        let rounded = x * std::f32::consts::LOG2_E + ROUND;
        let n = rounded - ROUND;
        // ln 2 in two parts, the first of few bits.
        let r = x - n * 0.693_359_4 + n * 2.121_944_4e-4;
        let terms = [1.987_569_2e-4, 1.398_2e-3, 8.333_452e-3, 4.166_579_6e-2, 1.666_666_5e-1, 0.5];
        let polynomial = terms.iter().fold(0.0, |sum, term| sum * r + term);
        let power = f32::from_bits((rounded.to_bits() << 23).wrapping_add(1.0f32.to_bits()));
        (polynomial * r * r + r + 1.0) * power
    }

    fn floats<const N: usize>(slices: [&[Self]; N]) -> Option<[&[f32]; N]> {
        Some(slices)
    }
}

impl Real for f64 {
    matmul!(gemm_f64::gemm::f64::get_gemm_fn());

    fn run(twin: &Twin, args: Args<'_, Self>) {
        (twin.f64)(args);
    }
}
