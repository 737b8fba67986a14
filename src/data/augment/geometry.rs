//! The affine map of a changed picture.
//!
//! Rotation, stretch, crops and flips are composed into one map before any pixel is read. A picture is interpolated
//! once, however long the list is, and its mask follows the same map.

use super::Outside;
use crate::data::IGNORED;
use crate::random::Random;

/// Maps a pixel of the changed picture to a point of the original:
/// `(u, v) = (a x + b y + c, d x + e y + f)`, in pixels from the center of the picture, `y` down.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Map(pub [f64; 6]);

impl Map {
    /// The identity.
    pub const IDENTITY: Map = Map([1.0, 0.0, 0.0, 0.0, 1.0, 0.0]);

    /// The picture turned counter-clockwise, as seen, by an angle in degrees.
    pub fn rotation(degrees: f64) -> Map {
        let (sin, cos) = degrees.to_radians().sin_cos();
        Map([cos, -sin, 0.0, sin, cos, 0.0])
    }

    /// The picture's axes scaled by factors; -1 flips.
    pub fn scale(x: f64, y: f64) -> Map {
        Map([1.0 / x, 0.0, 0.0, 0.0, 1.0 / y, 0.0])
    }

    /// The picture moved by pixels.
    pub fn shift(x: f64, y: f64) -> Map {
        Map([1.0, 0.0, -x, 0.0, 1.0, -y])
    }

    /// The composition: `self` changes the picture, then `next`.
    pub fn then(self, next: Map) -> Map {
        let ([a, b, c, d, e, f], [k, l, m, n, o, p]) = (self.0, next.0);
        let row = |a, b, c| [a * k + b * n, a * l + b * o, a * m + b * p + c];
        let ([a, b, c], [d, e, f]) = (row(a, b, c), row(d, e, f));
        Map([a, b, c, d, e, f])
    }

    /// The points that row `y` of a picture of size `to` shows of one of size `from`, in units of 2^-32 pixels from the
    /// center of the first pixel.
    fn row(&self, from: Size, to: Size, y: usize) -> Row {
        let [a, b, c, d, e, f] = self.0;
        let middle = |side: usize| (side as f64 - 1.0) / 2.0;
        let (x, y) = (-middle(to.1), y as f64 - middle(to.0));
        Row {
            u: fixed(a * x + b * y + c + middle(from.1)),
            v: fixed(d * x + e * y + f + middle(from.0)),
            step: [fixed(a), fixed(d)],
        }
    }
}

/// Height and width.
pub(super) type Size = (usize, usize);

/// Bits of a coordinate's fraction. An error of 2^-32 pixel never shows, so right angles and flips are exact.
const FRACTION: u32 = 32;
/// Bits of an interpolation weight: four weights of 2^22 in all, times 255, stay below 2^30.
const WEIGHT: u32 = 11;

fn fixed(pixels: f64) -> i64 {
    (pixels * (1u64 << FRACTION) as f64).round() as i64
}

struct Row {
    u: i64,
    v: i64,
    step: [i64; 2],
}

impl Iterator for Row {
    type Item = (i64, i64);

    fn next(&mut self) -> Option<(i64, i64)> {
        let here = (self.u, self.v);
        self.u = self.u.wrapping_add(self.step[0]);
        self.v = self.v.wrapping_add(self.step[1]);
        Some(here)
    }
}

/// Writes the RGB picture `from` of `(height, width)`, moved by `map`, into `to`, with bilinear interpolation.
/// `outside` is the rule for points outside of the picture, and the picture's mean color.
///
/// # Panics
/// If `from` holds fewer than `height · width` pixels.
pub fn warp_image(from: &[u8], size: (usize, usize), map: &Map, outside: (Outside, [u8; 3]), to: &mut [u8]) {
    warp_image_to((from, size), map, outside, (to, size));
}

/// [`warp_image`] into a picture of another size. The map still goes from the center of one to the center of the other.
pub(super) fn warp_image_to(
    (from, size): (&[u8], Size),
    map: &Map,
    outside: (Outside, [u8; 3]),
    (to, to_size): (&mut [u8], Size),
) {
    let (height, width) = size;
    let (pixels, stride) = (from.as_chunks::<3>().0, 3 * width);
    for (y, row) in to.chunks_exact_mut(3 * to_size.1).enumerate() {
        for (out, (u, v)) in row.as_chunks_mut::<3>().0.iter_mut().zip(map.row(size, to_size, y)) {
            let (x0, y0) = (u >> FRACTION, v >> FRACTION);
            let weight = |place: i64| (place as u32) >> (FRACTION - WEIGHT);
            let (right, low) = (weight(u), weight(v));
            if (x0 as u64) < width as u64 - 1 && (y0 as u64) < height as u64 - 1 {
                let start = 3 * (y0 as usize * width + x0 as usize);
                let upper: &[u8; 6] = from[start..start + 6].as_array().expect("six bytes");
                let lower: &[u8; 6] = from[start + stride..start + stride + 6].as_array().expect("six bytes");
                *out = std::array::from_fn(|c| blend([upper[c], upper[c + 3], lower[c], lower[c + 3]], right, low));
            } else {
                let at = |x: i64, y: i64| -> [u8; 3] {
                    let inside = (0..width as i64).contains(&x) && (0..height as i64).contains(&y);
                    if !inside && outside.0 == Outside::Mean {
                        return outside.1;
                    }
                    pixels[reflected(y, height) * width + reflected(x, width)]
                };
                let [a, b, c, d] = [at(x0, y0), at(x0 + 1, y0), at(x0, y0 + 1), at(x0 + 1, y0 + 1)];
                *out = std::array::from_fn(|i| blend([a[i], b[i], c[i], d[i]], right, low));
            }
        }
    }
}

/// Interpolates between four pixels: upper left, upper right, lower left, lower right.
fn blend([a, b, c, d]: [u8; 4], right: u32, low: u32) -> u8 {
    const ONE: u32 = 1 << WEIGHT;
    let upper = u32::from(a) * (ONE - right) + u32::from(b) * right;
    let lower = u32::from(c) * (ONE - right) + u32::from(d) * right;
    ((upper * (ONE - low) + lower * low + (1 << (2 * WEIGHT - 1))) >> (2 * WEIGHT)) as u8
}

/// The pixel of `0..n` at position `i` of the endlessly mirrored picture.
pub(crate) fn reflected(i: i64, n: usize) -> usize {
    let n = n as i64;
    let i = i.rem_euclid(2 * n);
    i.min(2 * n - 1 - i) as usize
}

/// Writes the mask `from` of `(height, width)`, moved by `map`, into `to`: the nearest pixel, and 255 (ignored)
/// outside.
pub fn warp_mask(from: &[u8], size: (usize, usize), map: &Map, to: &mut [u8]) {
    warp_mask_to((from, size), map, (to, size));
}

/// [`warp_mask`] into a mask of another size.
pub(super) fn warp_mask_to((from, size): (&[u8], Size), map: &Map, (to, to_size): (&mut [u8], Size)) {
    let (height, width) = size;
    for (y, row) in to.chunks_exact_mut(to_size.1).enumerate() {
        for (out, (u, v)) in row.iter_mut().zip(map.row(size, to_size, y)) {
            let nearest = |place: i64| place.wrapping_add(1 << (FRACTION - 1)) >> FRACTION;
            let (x, y) = (nearest(u) as u64, nearest(v) as u64);
            let inside = x < width as u64 && y < height as u64;
            *out = if inside { from[y as usize * width + x as usize] } else { IGNORED };
        }
    }
}

/// Width and height of a rectangle as shares of the picture's, from its share of the area and its width over height in
/// units of the picture's. A rectangle that does not fit is drawn again, and in the end clipped.
pub(super) fn part(random: &mut Random, area: [f32; 2], ratio: [f32; 2]) -> (f32, f32) {
    let mut sides = (1.0, 1.0);
    for _ in 0..10 {
        let area = random.range(area[0], area[1]);
        let ratio = random.range(ratio[0].ln(), ratio[1].ln()).exp();
        sides = ((area * ratio).sqrt(), (area / ratio).sqrt());
        if sides.0 <= 1.0 && sides.1 <= 1.0 {
            break;
        }
    }
    (sides.0.min(1.0), sides.1.min(1.0))
}
