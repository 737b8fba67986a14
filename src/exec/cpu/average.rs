//! Twins of the averages over several steps.

use rayon::prelude::*;

use crate::exec::twin::{Args, Real};
use crate::hyper::Hyper;

/// Elements of a task.
const CHUNK: usize = 16 * 1024;

/// See `shaders/accumulate.wgsl`.
pub fn accumulate<T: Real>(mut a: Args<'_, T>) {
    let (sum, weight, grad) = (a.output(0), a.output(1), a.input(2));
    let (total, more) = (a.input(3)[1], Hyper::of(a.input(4)).keep != T::zero());
    sum.par_chunks_mut(CHUNK).zip(grad.par_chunks(CHUNK)).for_each(|(sum, grad)| {
        for (sum, &g) in sum.iter_mut().zip(grad) {
            *sum = if more { *sum + total * g } else { total * g };
        }
    });
    weight[0] = if more { weight[0] + total } else { total };
}

/// See `shaders/accumulated_mean.wgsl`.
pub fn accumulated_mean<T: Real>(mut a: Args<'_, T>) {
    let (sum, weight, grad) = (a.input(0), a.input(1)[0], a.input(2));
    let (part, more) = (a.input(3)[1], Hyper::of(a.input(4)).keep != T::zero());
    let total = if more { weight + part } else { part };
    let total = if total == T::zero() { T::one() } else { total };
    a.output(5).par_chunks_mut(CHUNK).zip(sum.par_chunks(CHUNK).zip(grad.par_chunks(CHUNK))).for_each(
        |(mean, (sum, grad))| {
            for (mean, (&sum, &g)) in mean.iter_mut().zip(sum.iter().zip(grad)) {
                *mean = (if more { sum + part * g } else { part * g }) / total;
            }
        },
    );
}

/// See `shaders/moving_average.wgsl`.
pub fn moving_average<T: Real>(mut a: Args<'_, T>) {
    let (average, value, rate) = (a.output(0), a.input(1), T::one() - Hyper::of(a.input(2)).average_decay);
    average.par_chunks_mut(CHUNK).zip(value.par_chunks(CHUNK)).for_each(|(average, value)| {
        for (average, &v) in average.iter_mut().zip(value) {
            *average = *average + rate * (v - *average);
        }
    });
}
