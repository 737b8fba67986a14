//! The twins of the convolution kernels by [`direct`](super::direct), where it is faster than a GEMM.

use rayon::prelude::*;

use super::conv_epilogue::Epilogue;
use super::conv_im2col::{DgradPhase, Target};
pub(super) use super::direct::LONGEST;
use super::direct::{Direct, DirectWgrad, Plane, Segment, Tap};
use crate::kernel::ConvGeometry;

/// Columns up to which the direct form is faster. It does not pack the weights, so they must stay in the cache.
const MOST_COLUMNS: usize = 64;

/// Pixels of a task.
const ROWS: usize = 512;

/// Whether outputs of `columns` columns and `channels` channels at each tap are computed directly.
pub(super) fn suits(columns: usize, channels: usize) -> bool {
    columns <= MOST_COLUMNS && channels <= 4 * MOST_COLUMNS && Direct::fits(columns)
}

/// Whether the gradient of the weights is computed directly.
pub(super) fn suits_wgrad(columns: usize, channels: usize) -> bool {
    columns <= MOST_COLUMNS && channels <= 2 * MOST_COLUMNS && DirectWgrad::fits(columns)
}

/// Operands of [`conv_fwd`] and [`conv_dgrad`]; the weights are taps × channels that are read × columns.
#[derive(Clone, Copy)]
pub(super) struct Operands<'a> {
    pub from: &'a [f32],
    pub w: &'a [f32],
    pub epilogue: Epilogue<'a, f32>,
    pub to: Target<f32>,
}

/// The forward direction.
pub(super) fn conv_fwd(g: &ConvGeometry, operands: Operands<'_>) {
    let taps = (0..g.taps()).map(|tap| Tap {
        at: [0, 1].map(|axis| {
            let place = [tap / g.kw, tap % g.kw][axis];
            (place * g.dilation[axis]) as isize - g.pad[axis] as isize
        }),
        weights: tap * g.gi * g.co(),
    });
    let plane = Plane {
        count: [g.oh, g.ow],
        input: [g.h, g.w],
        input_step: g.stride,
        output: [g.oh, g.ow],
        output_start: [0; 2],
        output_step: [1; 2],
    };
    let channels = ([g.ci(), g.gi, g.used()], [g.co(), g.go]);
    all(&plane, [g.n, g.groups], channels, [g.co(), g.go], &taps.collect::<Vec<_>>(), operands);
}

/// A phase of the gradient for the input; see `DgradPhase`.
pub(super) fn conv_dgrad(g: &ConvGeometry, phase: &DgradPhase, operands: Operands<'_>) {
    let start = phase.start();
    let taps = phase.taps.iter().map(|tap| Tap {
        // Taps of a phase hit the output without a remainder.
        at: [0, 1].map(|axis| {
            let reach = (start[axis] + g.pad[axis]) as isize - (tap[axis] * g.dilation[axis]) as isize;
            reach.div_euclid(g.stride[axis] as isize)
        }),
        weights: (tap[0] * g.kw + tap[1]) * g.co() * g.gi,
    });
    let plane = Plane {
        count: phase.count(),
        input: [g.oh, g.ow],
        input_step: [1; 2],
        output: [g.h, g.w],
        output_start: start,
        output_step: g.stride,
    };
    let channels = ([g.co(), g.go, g.used()], [g.ci(), g.gi]);
    all(&plane, [g.n, g.groups], channels, [g.gi, g.go * g.gi], &taps.collect::<Vec<_>>(), operands);
}

/// Computes all groups and pixels. Channels of the input: of all groups, of one group, of one group without padding.
/// Channels of the output: of all groups, of one group. `weights` are the distances between the weights of neighboring
/// channels and groups.
fn all(
    plane: &Plane,
    [n, groups]: [usize; 2],
    ([from, read, used], [to, columns]): ([usize; 3], [usize; 2]),
    weights: [usize; 2],
    taps: &[Tap],
    operands: Operands<'_>,
) {
    let rows = n * plane.count[0] * plane.count[1];
    let tasks = rows.div_ceil(ROWS);
    (0..groups * tasks).into_par_iter().for_each(|task| {
        let (group, first) = (task / tasks, task % tasks * ROWS);
        let direct = Direct {
            plane,
            taps,
            x: &operands.from[group * read..],
            x_channels: [from, used],
            w: &operands.w[group * weights[1]..],
            w_stride: weights[0],
            bias: operands.epilogue.bias.map(|bias| &bias[group * columns..]),
            y: operands.to.at(group * columns),
            y_channels: to,
        };
        let rows = first..rows.min(first + ROWS);
        // SAFETY: this task alone writes these pixels and columns.
        unsafe { direct.run(rows.clone(), 0..columns) };
        let rest = operands.epilogue.without_bias();
        if !rest.applies() {
            return;
        }
        for row in rows {
            let at = direct.output_place(row);
            // SAFETY: as above.
            let line = unsafe { std::slice::from_raw_parts_mut(direct.y.add(at), columns) };
            rest.apply(line, at + group * columns, group * columns);
        }
    });
}

/// Adds the weight gradient of tap `tap` over output pixels `pixels` to `dw`.
pub(super) fn conv_wgrad(
    g: &ConvGeometry,
    [group, tap]: [usize; 2],
    pixels: std::ops::Range<usize>,
    [x, dy]: [&[f32]; 2],
    dw: Target<f32>,
) {
    let wgrad = DirectWgrad {
        segments: &segments(g, tap, pixels),
        x: &x[group * g.gi..],
        x_step: g.stride[1] * g.ci(),
        channels: g.used(),
        dy: &dy[group * g.go..],
        dy_step: g.co(),
        columns: g.go,
        dw: dw.at(0),
        dw_stride: g.co(),
    };
    // SAFETY: the caller's task alone writes this tap of dw.
    unsafe { wgrad.run() };
}

/// Output pixels `pixels` whose input at a tap is not padding, line by line.
fn segments(g: &ConvGeometry, tap: usize, pixels: std::ops::Range<usize>) -> Vec<Segment> {
    let at = [0, 1].map(|axis| [tap / g.kw, tap % g.kw][axis] * g.dilation[axis]);
    // The columns that read no padding: 0 <= ow · stride + tap - padding < w.
    let first = g.pad[1].saturating_sub(at[1]).div_ceil(g.stride[1]);
    let last = (g.w + g.pad[1]).saturating_sub(at[1]).div_ceil(g.stride[1]).min(g.ow);
    let mut found = Vec::new();
    for line in pixels.start / g.ow..pixels.end.div_ceil(g.ow) {
        let (image, oh) = (line / g.oh, line % g.oh);
        let Some(h) = (oh * g.stride[0] + at[0]).checked_sub(g.pad[0]).filter(|&h| h < g.h) else { continue };
        let start = first.max(pixels.start.saturating_sub(line * g.ow));
        let end = last.min(pixels.end - line * g.ow);
        if start < end {
            let w = start * g.stride[1] + at[1] - g.pad[1];
            let x = ((image * g.h + h) * g.w + w) * g.ci();
            found.push(Segment { x, dy: (line * g.ow + start) * g.co(), len: end - start });
        }
    }
    found
}
