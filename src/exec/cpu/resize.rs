//! Twins of the resize kernels.

use rayon::prelude::*;

use crate::exec::twin::{Args, Real};

/// For every output pixel of an axis: two input pixels, and the weight of the second.
type Axis<T> = Vec<(usize, usize, T)>;

/// Computes the taps of one axis.
fn axis<T: Real>(a: &Args<'_, T>, names: [&str; 5], bilinear: bool) -> Axis<T> {
    let [size, outputs, step, scale] = [names[0], names[1], names[2], names[4]].map(|name| a.u(name));
    let offset = a.consts.int(names[3]);
    (0..outputs)
        .map(|o| {
            let position = ((step * o) as i64 + offset).clamp(0, ((size - 1) * scale) as i64) as usize;
            let low = position / scale;
            let part = if bilinear { T::of((position % scale) as f64) / T::of(scale as f64) } else { T::zero() };
            (low, (low + 1).min(size - 1), part)
        })
        .collect()
}

/// Rows, columns and vector length.
fn geometry<T: Real>(a: &Args<'_, T>) -> ([Axis<T>; 2], [usize; 2], usize) {
    let bilinear = a.flag("BILINEAR");
    let rows = axis(a, ["H", "OH", "H_STEP", "H_OFFSET", "H_SCALE"], bilinear);
    let columns = axis(a, ["W", "OW", "W_STEP", "W_OFFSET", "W_SCALE"], bilinear);
    ([rows, columns], [a.u("H"), a.u("W")], a.u("C4") * 4)
}

/// See `shaders/resize.wgsl`.
pub fn resize<T: Real>(mut a: Args<'_, T>) {
    let ([rows, columns], [h, w], c) = geometry(&a);
    let x = a.input(0);
    let (oh, ow) = (rows.len(), columns.len());
    a.output(1).par_chunks_mut(ow * c).enumerate().for_each(|(line, out)| {
        let (top, bottom, down) = rows[line % oh];
        let row = |r: usize| &x[(line / oh * h + r) * w * c..][..w * c];
        let (top, bottom) = (row(top), row(bottom));
        for (out, &(left, right, across)) in out.chunks_exact_mut(c).zip(&columns) {
            for (k, v) in out.iter_mut().enumerate() {
                let mix = |row: &[T]| row[left * c + k] * (T::one() - across) + row[right * c + k] * across;
                *v = mix(top) * (T::one() - down) + mix(bottom) * down;
            }
        }
    });
}

/// See `shaders/resize_grad.wgsl`. The twin scatters, image by image, so its order of sums differs from the shader's.
pub fn resize_grad<T: Real>(mut a: Args<'_, T>) {
    let ([rows, columns], [h, w], c) = geometry(&a);
    let dy = a.input(0);
    let (oh, ow) = (rows.len(), columns.len());
    a.output(1).par_chunks_mut(h * w * c).enumerate().for_each(|(n, dx)| {
        dx.fill(T::zero());
        for (r, &(top, bottom, down)) in rows.iter().enumerate() {
            for (q, &(left, right, across)) in columns.iter().enumerate() {
                let from = &dy[((n * oh + r) * ow + q) * c..][..c];
                for (row, part) in [(top, T::one() - down), (bottom, down)] {
                    for (column, share) in [(left, T::one() - across), (right, across)] {
                        let weight = part * share;
                        if weight != T::zero() {
                            let to = &mut dx[(row * w + column) * c..][..c];
                            to.iter_mut().zip(from).for_each(|(to, &v)| *to += weight * v);
                        }
                    }
                }
            }
        }
    });
}
