//! Twins of the element-wise kernels and copies.

use rayon::prelude::*;

use crate::exec::twin::{Args, Real};
use crate::random::mix_bits;

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

/// Sets padding to 0: in each row of `stride` numbers, those after the first `c`.
fn mask<T: Real>(out: &mut [T], c: usize, stride: usize) {
    if c < stride {
        out.par_chunks_mut(stride).for_each(|row| row[c..].fill(T::zero()));
    }
}

/// `v^p`. A negative v needs a whole p.
fn power<T: Real>(v: T, p: f64) -> T {
    if p.fract() == 0.0 && p.abs() < f64::from(1 << 30) { v.powi(p as i32) } else { v.powf(T::of(p)) }
}

/// See `shaders/unary.wgsl`.
pub fn unary<T: Real>(mut a: Args<'_, T>) {
    let (zero, one, number) = (T::zero(), T::one(), a.consts.float("ALPHA"));
    let (alpha, c, stride, masked) = (T::of(number), a.u("C"), a.u("C4") * 4, a.flag("MASKED"));
    let (x, y) = (a.input(0), a.output(1));
    match a.u("OP") {
        0 => map(y, x, |v| if v < zero { zero } else { v }),
        1 => map(y, x, |v| if v < zero { v * alpha } else { v }),
        2 => map(y, x, |v| one / (one + (-v).exp())),
        3 => map(y, x, T::tanh),
        4 => map(y, x, |v| v * alpha),
        5 => map(y, x, |v| v + alpha),
        6 => map(y, x, T::exp),
        7 => map(y, x, T::ln),
        8 => map(y, x, T::sqrt),
        9 => map(y, x, T::abs),
        _ => map(y, x, |v| power(v, number)),
    }
    if masked {
        mask(y, c, stride);
    }
}

/// See `shaders/unary_grad.wgsl`.
pub fn unary_grad<T: Real>(mut a: Args<'_, T>) {
    let (zero, one, number) = (T::zero(), T::one(), a.consts.float("ALPHA"));
    let (alpha, half) = (T::of(number), T::of(0.5));
    let (c, stride, masked) = (a.u("C"), a.u("C4") * 4, a.flag("MASKED"));
    let (dy, at, dx) = (a.input(0), a.input(1), a.output(2));
    match a.u("OP") {
        0 => zip(dx, dy, at, |d, v| if v > zero { d } else { zero }),
        1 => zip(dx, dy, at, |d, v| if v > zero { d } else { d * alpha }),
        2 => zip(dx, dy, at, |d, v| d * v * (one - v)),
        6 => zip(dx, dy, at, |d, v| d * v),
        7 => zip(dx, dy, at, |d, v| d / v),
        8 => zip(dx, dy, at, |d, v| half * d / v),
        9 => zip(dx, dy, at, |d, v| if v == zero { zero } else { d * v.signum() }),
        10 if number == 0.0 => dx.fill(zero),
        10 => zip(dx, dy, at, |d, v| d * alpha * power(v, number - 1.0)),
        _ => zip(dx, dy, at, |d, v| d * (one - v * v)),
    }
    if masked {
        mask(dx, c, stride);
    }
}

/// Positions in a tensor that is repeated over another; see `shaders/shared/broadcast.wgsl`.
struct Repeated {
    sizes: [usize; 2],
    steps: [usize; 4],
    one_channel: bool,
}

impl Repeated {
    fn new<T>(a: &Args<'_, T>) -> Self {
        let steps = ["B_N", "B_H", "B_W", "B_C"].map(|name| a.u(name));
        Repeated { sizes: ["D_H", "D_W"].map(|name| a.u(name)), steps, one_channel: a.flag("ONE_CHANNEL") }
    }

    /// The number that channel `c` of a row reads.
    fn read<T: Real>(&self, from: &[T], row: usize, c: usize) -> T {
        let ([d_h, d_w], [b_n, b_h, b_w, b_c]) = (self.sizes, self.steps);
        let h = row / d_w;
        let vector = h / d_h * b_n + h % d_h * b_h + row % d_w * b_w + c / 4 * b_c;
        from[vector * 4 + if self.one_channel { 0 } else { c % 4 }]
    }
}

/// See `shaders/broadcast.wgsl`.
pub fn broadcast<T: Real>(mut a: Args<'_, T>) {
    let (repeated, c, stride, x) = (Repeated::new(&a), a.u("C"), a.u("C4") * 4, a.input(0));
    let [used, block] = ["BLOCK_USED", "BLOCK_ROWS"].map(|name| a.u(name));
    a.output(1).par_chunks_mut(stride).enumerate().for_each(|(row, out)| {
        let (channels, padding) = out.split_at_mut(if row % block < used { c } else { 0 });
        padding.fill(T::zero());
        channels.iter_mut().enumerate().for_each(|(c, out)| *out = repeated.read(x, row, c));
    });
}

/// See `shaders/binary.wgsl`.
pub fn binary<T: Real>(mut a: Args<'_, T>) {
    let (c, stride, masked) = (a.u("C"), a.u("C4") * 4, a.flag("MASKED"));
    let repeated = a.flag("BROADCAST").then(|| Repeated::new(&a));
    let (x, b, out) = (a.input(0), a.input(1), a.output(2));
    let f = match a.u("OP") {
        0 => |a: T, b: T| a + b,
        1 => |a: T, b: T| a * b,
        2 => |a: T, b: T| a - b,
        _ => |a: T, b: T| a / b,
    };
    match repeated {
        None => zip(out, x, b, f),
        // A vector over the channels.
        Some(Repeated { steps: [0, 0, 0, 1], .. }) => rows(out, x, stride, |_, out, x| {
            out.iter_mut().zip(x).zip(b).for_each(|((out, &a), &b)| *out = f(a, b));
        }),
        Some(repeated) => rows(out, x, stride, |row, out, x| {
            out.iter_mut().zip(x).enumerate().for_each(|(c, (out, &a))| *out = f(a, repeated.read(b, row, c)));
        }),
    }
    if masked {
        mask(out, c, stride);
    }
}

/// Calls `f` with the number, result and operand of each row, in parallel.
fn rows<T: Real>(out: &mut [T], x: &[T], stride: usize, f: impl Fn(usize, &mut [T], &[T]) + Sync) {
    let rows = out.par_chunks_mut(stride).zip(x.par_chunks(stride));
    rows.enumerate().for_each(|(row, (out, x))| f(row, out, x));
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
