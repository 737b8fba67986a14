//! One resampling of a picture under an affine map to any size.
//!
//! | map | filter |
//! |---|---|
//! | only scales, moves and flips, and stays inside of the picture | bilinear, widened when shrinking (antialiased), as in Pillow and torchvision |
//! | other, shrinks by less than 2 | bilinear |
//! | other, shrinks by 2 or more | the part that is seen is shrunk by a whole number (antialiased), then bilinear |

use super::Outside;
use super::geometry::{Map, Size, warp_image_to};
use crate::data::resize::resize_into;

/// Pixels by which a rectangle may exceed the picture through rounding.
const SLACK: f64 = 1e-6;

/// Writes the picture `from`, seen through `map`, into `to`.
pub(super) fn image(
    (from, size): (&[u8], Size),
    map: &Map,
    outside: (Outside, [u8; 3]),
    (to, to_size): (&mut [u8], Size),
) {
    if let Some(rectangle) = rectangle(map, size, to_size) {
        resize_into((from, size), rectangle, to_size, to);
        flip(map, to_size, to);
        return;
    }
    let [a, b, _, d, e, _] = map.0;
    let shrinks = (a.hypot(d).min(b.hypot(e)) as usize).min(64);
    if shrinks < 2 {
        return warp_image_to((from, size), map, outside, (to, to_size));
    }
    let [left, top, width, height] = seen(map, size, to_size, shrinks);
    let small = |side: usize| side.div_ceil(shrinks);
    let small_size = (small(height), small(width));
    let mut shrunk = vec![0; 3 * small_size.0 * small_size.1];
    resize_into((from, size), [left, top, width, height].map(|v| v as f64), small_size, &mut shrunk);
    let [x, y] = [small_size.1 as f64 / width as f64, small_size.0 as f64 / height as f64];
    let moved = |at: f64, of: usize, first: usize, factor: f64, to: usize| {
        (at + of as f64 / 2.0 - first as f64) * factor - to as f64 / 2.0
    };
    let [a, b, c, d, e, f] = map.0;
    let (c, f) = (moved(c, size.1, left, x, small_size.1), moved(f, size.0, top, y, small_size.0));
    warp_image_to((&shrunk, small_size), &Map([a * x, b * x, c, d * y, e * y, f]), outside, (to, to_size));
}

/// Left, top, width and height of what a map without rotation shows; `None` for others, and where it shows pixels
/// outside.
fn rectangle(map: &Map, size: Size, to_size: Size) -> Option<[f64; 4]> {
    let [a, b, c, d, e, f] = map.0;
    if b != 0.0 || d != 0.0 {
        return None;
    }
    let axis = |step: f64, middle: f64, of: usize, to: usize| {
        let (side, of) = (step.abs() * to as f64, of as f64);
        let first = of / 2.0 + middle - side / 2.0;
        let inside = first >= -SLACK && first + side <= of + SLACK && side > 0.0;
        let first = first.clamp(0.0, of);
        inside.then_some((first, side.min(of - first)))
    };
    let ((left, width), (top, height)) = (axis(a, c, size.1, to_size.1)?, axis(e, f, size.0, to_size.0)?);
    Some([left, top, width, height])
}

/// Mirrors a picture on the axes that a map mirrors.
fn flip(map: &Map, (_, width): Size, to: &mut [u8]) {
    let [a, _, _, _, e, _] = map.0;
    let rows = to.as_chunks_mut::<3>().0;
    if a < 0.0 {
        rows.chunks_exact_mut(width).for_each(<[_]>::reverse);
    }
    if e < 0.0 {
        // Reversing all pixels, then each row, swaps the rows.
        rows.reverse();
        rows.chunks_exact_mut(width).for_each(<[_]>::reverse);
    }
}

/// Left, top, width and height of the pixels that a map shows, with a margin for interpolation.
fn seen(map: &Map, size: Size, to_size: Size, margin: usize) -> [usize; 4] {
    let [a, b, c, d, e, f] = map.0;
    let (x, y) = (to_size.1 as f64 / 2.0, to_size.0 as f64 / 2.0);
    let axis = |a: f64, b: f64, middle: f64, of: usize| {
        let (reach, middle) = (a.abs() * x + b.abs() * y + margin as f64, middle + of as f64 / 2.0);
        let most = of as f64 - 1.0;
        let first = (middle - reach).floor().clamp(0.0, most) as usize;
        let end = ((middle + reach).ceil().clamp(0.0, of as f64) as usize).max(first + 1);
        (first, end - first)
    };
    let ((left, width), (top, height)) = (axis(a, b, c, size.1), axis(d, e, f, size.0));
    [left, top, width, height]
}
