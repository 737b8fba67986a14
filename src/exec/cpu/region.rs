//! Twins of the kernels that crop, pad, mirror and concatenate.

use rayon::prelude::*;

use crate::exec::twin::{Args, Real};

/// Rows per job.
const ROWS: usize = 256;

/// See `shaders/crop_pad.wgsl`.
pub fn crop_pad<T: Real>(mut a: Args<'_, T>) {
    let [h, w, c, oh, ow, oc] = ["H", "W", "C", "OH", "OW", "OC"].map(|name| a.u(name));
    let (stride, out_stride) = (a.u("C4") * 4, a.u("OC4") * 4);
    let [top, left, front] = ["TOP", "LEFT", "FIRST"].map(|name| a.consts.int(name));
    let x = a.input(0);
    // Channels of y that come from x: first..last.
    let first = (-front).clamp(0, oc as i64) as usize;
    let last = (c as i64 - front).clamp(first as i64, oc as i64) as usize;
    a.output(1).par_chunks_mut(ow * out_stride).enumerate().for_each(|(line, out)| {
        out.fill(T::zero());
        let Some(row) = inside((line % oh) as i64 + top, h) else { return };
        for (column, to) in out.chunks_exact_mut(out_stride).enumerate() {
            if let Some(column) = inside(column as i64 + left, w) {
                let pixel = ((line / oh) * h + row) * w + column;
                let from = (pixel * stride + first).wrapping_add_signed(front as isize);
                to[first..last].copy_from_slice(&x[from..from + last - first]);
            }
        }
    });
}

fn inside(position: i64, size: usize) -> Option<usize> {
    usize::try_from(position).ok().filter(|&p| p < size)
}

/// See `shaders/flip.wgsl`.
pub fn flip<T: Real>(mut a: Args<'_, T>) {
    let stride = a.u("C4") * 4;
    let row = a.u("W") * stride;
    a.output(1).par_chunks_mut(row).zip(a.input(0).par_chunks(row)).for_each(|(to, from)| {
        let pixels = to.chunks_exact_mut(stride).zip(from.chunks_exact(stride).rev());
        pixels.for_each(|(to, from)| to.copy_from_slice(from));
    });
}

/// See `shaders/concat.wgsl`.
pub fn concat<T: Real>(mut args: Args<'_, T>) {
    let [ca, cb] = ["CA", "CB"].map(|name| args.u(name));
    let [sa, sb, stride] = ["CA4", "CB4", "C4"].map(|name| args.u(name) * 4);
    let (a, b) = (args.input(0), args.input(1));
    args.output(2).par_chunks_mut(ROWS * stride).enumerate().for_each(|(block, out)| {
        for (row, out) in out.chunks_exact_mut(stride).enumerate() {
            let row = block * ROWS + row;
            out[..ca].copy_from_slice(&a[row * sa..][..ca]);
            out[ca..ca + cb].copy_from_slice(&b[row * sb..][..cb]);
            out[ca + cb..].fill(T::zero());
        }
    });
}
