//! Twins of the kernels that count predictions.

use rayon::prelude::*;

use crate::exec::twin::{Args, Real};

/// See `shaders/argmax.wgsl`.
pub fn argmax<T: Real>(mut a: Args<'_, T>) {
    let (rows, c, stride, x) = (a.u("ROWS"), a.u("C"), a.u("C4") * 4, a.input(0));
    a.output(1).par_chunks_mut(1024).enumerate().for_each(|(block, out)| {
        for (i, out) in out.iter_mut().enumerate() {
            let row = block * 1024 + i;
            *out = T::zero();
            if row < rows {
                let x = &x[row * stride..][..c];
                *out = T::of((1..c).fold(0, |best, k| if x[k] > x[best] { k } else { best }) as f64);
            }
        }
    });
}

/// See `shaders/confusion.wgsl`.
pub fn confusion<T: Real>(mut a: Args<'_, T>) {
    let (rows, c, stride, each) = (a.u("ROWS"), a.u("C"), a.u("C4") * 4, a.u("SEGMENT_ROWS"));
    let (labels, predictions) = (a.input(0), a.input(1));
    a.output(2).par_chunks_exact_mut(c * stride).enumerate().for_each(|(segment, out)| {
        out.fill(T::zero());
        for row in segment * each..rows.min((segment + 1) * each) {
            if let (Some(label), Some(prediction)) = (labels[row].class(c), predictions[row].class(c)) {
                out[label * stride + prediction] += T::one();
            }
        }
    });
}
