//! Twin of the probe that measures multiply-adds.

use pulp::{Arch, Simd, WithSimd};
use rayon::prelude::*;

use crate::exec::twin::{Args, Real};

/// Values per job.
const CHUNK: usize = 4096;

/// See `shaders/fma_peak.wgsl`.
pub fn fma_peak<T: Real>(mut a: Args<'_, T>) {
    let (rounds, x, y) = (a.u("ROUNDS"), a.input(0), a.output(1));
    y.par_chunks_mut(CHUNK).zip(x.par_chunks(CHUNK)).for_each(|(y, x)| match T::floats([x]) {
        Some([x]) => {
            let to = y.as_mut_ptr().cast::<f32>();
            // SAFETY: `floats` returned something, so T is f32.
            let y = unsafe { std::slice::from_raw_parts_mut(to, y.len()) };
            Arch::new().dispatch(Probe { x, y, rounds });
        }
        None => y.iter_mut().zip(x).for_each(|(y, &x)| *y = plain(x, rounds)),
    });
}

fn plain<T: Real>(x: T, rounds: usize) -> T {
    let sum = |k: usize| (0..rounds).fold(T::of(k as f64) * x, |c, _| c * x + x);
    (0..8).map(sum).sum()
}

/// The same computation with vectors of the machine's width.
struct Probe<'a> {
    x: &'a [f32],
    y: &'a mut [f32],
    rounds: usize,
}

impl WithSimd for Probe<'_> {
    type Output = ();

    #[inline(always)]
    fn with_simd<S: Simd>(self, simd: S) {
        let (x, rest) = S::as_simd_f32s(self.x);
        let (y, last) = S::as_mut_simd_f32s(self.y);
        for (y, &x) in y.iter_mut().zip(x) {
            let mut sums: [S::f32s; 8] = std::array::from_fn(|k| simd.mul_f32s(simd.splat_f32s(k as f32), x));
            for _ in 0..self.rounds {
                sums = sums.map(|sum| simd.mul_add_e_f32s(sum, x, x));
            }
            *y = sums.into_iter().fold(simd.splat_f32s(0.0), |a, b| simd.add_f32s(a, b));
        }
        last.iter_mut().zip(rest).for_each(|(y, &x)| *y = plain(x, self.rounds));
    }
}
