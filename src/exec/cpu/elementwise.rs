//! Twins of the element-wise kernels and copies.

use rayon::prelude::*;

use super::{Args, Real};

/// Elements per job: enough to outweigh the cost of starting it, few enough to stay in the L2.
const CHUNK: usize = 16 * 1024;

/// See `shaders/relayout.wgsl`.
pub fn relayout<T: Real>(mut a: Args<'_, T>) {
    let (ci, cip, co, cop) = (a.u("CI"), a.u("CIP"), a.u("CO"), a.u("COP"));
    let x = a.input(0);
    a.output(1).par_chunks_mut(cop).enumerate().for_each(|(row, out)| {
        for (lane, v) in out.iter_mut().enumerate() {
            let at = row * co + lane;
            *v = if lane < co { x[at / ci * cip + at % ci] } else { T::zero() };
        }
    });
}

/// See `shaders/fill.wgsl`.
pub fn fill<T: Real>(mut a: Args<'_, T>) {
    let (c, stride, value) = (a.u("C"), a.u("C4") * 4, T::of(a.consts.float("VALUE")));
    for row in a.output(0).chunks_mut(stride) {
        row[..c].fill(value);
        row[c..].fill(T::zero());
    }
}

/// `out[i] = f(a[i])`, in parallel.
fn map<T: Real>(out: &mut [T], x: &[T], f: impl Fn(T) -> T + Sync) {
    out.par_chunks_mut(CHUNK).zip(x.par_chunks(CHUNK)).for_each(|(out, x)| {
        for (o, &v) in out.iter_mut().zip(x) {
            *o = f(v);
        }
    });
}

/// `out[i] = f(a[i], b[i])`, in parallel.
fn zip<T: Real>(out: &mut [T], a: &[T], b: &[T], f: impl Fn(T, T) -> T + Sync) {
    out.par_chunks_mut(CHUNK).zip(a.par_chunks(CHUNK)).zip(b.par_chunks(CHUNK)).for_each(|((out, a), b)| {
        for ((o, &a), &b) in out.iter_mut().zip(a).zip(b) {
            *o = f(a, b);
        }
    });
}

/// See `shaders/unary.wgsl`.
pub fn unary<T: Real>(mut a: Args<'_, T>) {
    let (zero, one, alpha) = (T::zero(), T::one(), T::of(a.consts.float("ALPHA")));
    let (c, stride, x, y) = (a.u("C"), a.u("C4") * 4, a.input(0), a.output(1));
    match a.u("OP") {
        0 => map(y, x, |v| if v < zero { zero } else { v }),
        1 => map(y, x, |v| if v < zero { v * alpha } else { v }),
        2 => {
            map(y, x, |v| one / (one + (-v).exp()));
            if c < stride {
                y.par_chunks_mut(stride).for_each(|row| row[c..].fill(zero));
            }
        }
        3 => map(y, x, |v| v.tanh()),
        _ => map(y, x, |v| v * alpha),
    }
}

/// See `shaders/unary_grad.wgsl`.
pub fn unary_grad<T: Real>(mut a: Args<'_, T>) {
    let (zero, one, alpha) = (T::zero(), T::one(), T::of(a.consts.float("ALPHA")));
    let (dy, at, dx) = (a.input(0), a.input(1), a.output(2));
    match a.u("OP") {
        0 => zip(dx, dy, at, |d, v| if v > zero { d } else { zero }),
        1 => zip(dx, dy, at, |d, v| if v > zero { d } else { d * alpha }),
        2 => zip(dx, dy, at, |d, v| d * v * (one - v)),
        _ => zip(dx, dy, at, |d, v| d * (one - v * v)),
    }
}

/// See `shaders/binary.wgsl`.
pub fn binary<T: Real>(mut a: Args<'_, T>) {
    let stride = a.u("C4") * 4;
    let (x, b, out) = (a.input(0), a.input(1), a.output(2));
    let f = if a.u("OP") == 0 { |a: T, b: T| a + b } else { |a: T, b: T| a * b };
    if !a.flag("PER_CHANNEL") {
        return zip(out, x, b, f);
    }
    out.par_chunks_mut(stride).zip(x.par_chunks(stride)).for_each(|(out, x)| {
        for ((o, &a), &b) in out.iter_mut().zip(x).zip(b) {
            *o = f(a, b);
        }
    });
}

/// The mixer of `shaders/shared/random.wgsl`.
fn mix_bits(value: u32) -> u32 {
    let v = (value ^ (value >> 16)).wrapping_mul(0x7feb_352d);
    let v = (v ^ (v >> 15)).wrapping_mul(0x846c_a68b);
    v ^ (v >> 16)
}

/// See `shaders/dropout.wgsl`.
pub fn dropout<T: Real>(mut a: Args<'_, T>) {
    let p = a.consts.float("P");
    let scale = T::of(1.0 / (1.0 - p));
    let word = |v: T| v.to_u32().unwrap_or(0);
    let (x, seed, stream) = (a.input(0), a.input(1), a.u("STREAM") as u32);
    let low = word(seed[0]) | word(seed[1]) << 16;
    let step = word(seed[2]) | word(seed[3]) << 16;
    let key = mix_bits(mix_bits(mix_bits(low) ^ step) ^ stream);
    a.output(2).par_chunks_mut(CHUNK).zip(x.par_chunks(CHUNK)).enumerate().for_each(|(block, (out, x))| {
        for (i, (o, &v)) in out.iter_mut().zip(x).enumerate() {
            let u = f64::from(mix_bits(key ^ (block * CHUNK + i) as u32) >> 8) / 16_777_216.0;
            // In f32 as in the shader, so that both give the same mask.
            *o = if u as f32 >= p as f32 { v * scale } else { T::zero() };
        }
    });
}
