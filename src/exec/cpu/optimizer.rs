//! Twins of the optimizer kernels.

use std::ops::Range;

use rayon::prelude::*;

use crate::exec::twin::{Args, Real};
use crate::hyper::{Hyper, SpanRate};

/// Elements of a task.
const CHUNK: usize = 16 * 1024;

/// Neighboring parameters with one learning rate and one weight decay.
struct Span<T> {
    range: Range<usize>,
    decay: T,
    lr: T,
    first_correction: T,
    second_correction: T,
}

/// The spans of `len` parameters that are trained, of which the first `decay_end` are decayed.
fn spans<T: Real>(a: &Args<'_, T>, hyper: &[T], rates: &[T], len: usize) -> Vec<Span<T>> {
    let (decay_end, block) = (a.u("DECAY_END4") * 4, a.u("BLOCK4") * 4);
    let weight_decay = T::of(a.consts.float("WEIGHT_DECAY"));
    let hyper = Hyper::of(hyper);
    let rows: Vec<(usize, [T; 3])> = match a.u("SPANS") {
        0 => vec![(len, [hyper.lr, hyper.first_correction, hyper.second_correction])],
        spans => {
            let end = |row: &[T]| (row[0].to_usize().unwrap_or(0) * block).min(len);
            rates.chunks(SpanRate::LEN).take(spans).map(|row| (end(row), [row[1], row[2], row[3]])).collect()
        }
    };
    let (mut start, mut spans) = (0, vec![]);
    for (end, [lr, first_correction, second_correction]) in rows {
        for (end, decay) in [(end.min(decay_end), weight_decay), (end, T::zero())] {
            if start < end {
                let range = std::mem::replace(&mut start, end)..end;
                spans.push(Span { range, decay, lr, first_correction, second_correction });
            }
        }
    }
    spans.retain(|span| span.first_correction != T::zero());
    spans
}

/// The parts of spans within a block of [`CHUNK`] parameters, with ranges from the start of the block.
fn within<T>(spans: &[Span<T>], block: usize) -> impl Iterator<Item = (Range<usize>, &Span<T>)> {
    let [first, end] = [block, block + 1].map(|block| block * CHUNK);
    let cut = move |span: &Span<T>| span.range.start.max(first)..span.range.end.min(end);
    let parts = spans.iter().map(move |span| (cut(span), span)).filter(|(range, _)| !range.is_empty());
    parts.map(move |(range, span)| (range.start - first..range.end - first, span))
}

/// See `shaders/sgd.wgsl`.
pub fn sgd<T: Real>(mut a: Args<'_, T>) {
    let (nesterov, momentum) = (a.flag("NESTEROV"), T::of(a.consts.float("MOMENTUM")));
    let (p, grad, velocity) = (a.output(0), a.input(1), a.output(2));
    let spans = spans(&a, a.input(3), a.input(6), p.len());
    let clip = if a.flag("CLIP") { a.input(4)[1] } else { T::one() };
    if !a.input(5)[0].is_finite() {
        return;
    }
    let chunks = p.par_chunks_mut(CHUNK).zip(velocity.par_chunks_mut(CHUNK)).zip(grad.par_chunks(CHUNK));
    chunks.enumerate().for_each(|(block, ((p, velocity), grad))| {
        for (range, &Span { decay, lr, .. }) in within(&spans, block) {
            let parts = p[range.clone()].iter_mut().zip(&mut velocity[range.clone()]).zip(&grad[range]);
            for ((p, velocity), &g) in parts {
                let g = g * clip + decay * *p;
                *velocity = momentum * *velocity + g;
                *p = *p - lr * if nesterov { g + momentum * *velocity } else { *velocity };
            }
        }
    });
}

/// See `shaders/adam.wgsl`.
pub fn adam<T: Real>(mut a: Args<'_, T>) {
    let decoupled = a.flag("DECOUPLED");
    let [rate1, b2, rate2, eps] = ["RATE1", "BETA2", "RATE2", "EPS"].map(|n| T::of(a.consts.float(n)));
    let (p, grad, m, v) = (a.output(0), a.input(1), a.output(2), a.output(3));
    let spans = spans(&a, a.input(4), a.input(7), p.len());
    let clip = if a.flag("CLIP") { a.input(5)[1] } else { T::one() };
    if !a.input(6)[0].is_finite() {
        return;
    }
    let moments = m.par_chunks_mut(CHUNK).zip(v.par_chunks_mut(CHUNK));
    let chunks = p.par_chunks_mut(CHUNK).zip(moments).zip(grad.par_chunks(CHUNK));
    chunks.enumerate().for_each(|(block, ((p, (m, v)), grad))| {
        for (range, &Span { decay, lr, first_correction, second_correction: root, .. }) in within(&spans, block) {
            let step = lr * first_correction;
            let (shrink, push) = if decoupled { (T::one() - lr * decay, T::zero()) } else { (T::one(), decay) };
            let moments = m[range.clone()].iter_mut().zip(&mut v[range.clone()]);
            for ((p, (m, v)), &g) in p[range.clone()].iter_mut().zip(moments).zip(&grad[range]) {
                let g = g * clip + push * *p;
                *m += rate1 * (g - *m);
                *v = b2 * *v + rate2 * g * g;
                *p = *p * shrink - step * *m / (v.sqrt() * root + eps);
            }
        }
    });
}

/// See `shaders/sum_squares.wgsl`.
pub fn sum_squares<T: Real>(mut a: Args<'_, T>) {
    let (len, parts, grad) = (a.u("LEN4"), a.u("PARTS"), a.input(0));
    a.output(1).par_chunks_mut(4).enumerate().for_each(|(part, out)| {
        let vectors = (part..len).step_by(parts);
        out.fill(T::zero());
        out[0] = vectors.flat_map(|v| &grad[v * 4..][..4]).map(|&g| g * g).sum();
    });
}

/// See `shaders/clip_scale.wgsl`.
pub fn clip_scale<T: Real>(mut a: Args<'_, T>) {
    let unscale = if a.flag("SCALED") { T::one() / a.input(1)[0] } else { T::one() };
    let (norm, max_norm) = (a.input(0)[0].sqrt() * unscale, T::of(a.consts.float("MAX_NORM")));
    let out = a.output(2);
    out.fill(T::zero());
    let above = norm + T::of(1e-6);
    (out[0], out[1]) = (norm, if above > max_norm { max_norm / above * unscale } else { unscale });
}
