//! Color, blur and erasing.
//!
//! Brightness, contrast, saturation and hue are affine in RGB. They are composed into one map, which is applied once
//! with one rounding. Saturation and hue are those of W3C's Filter Effects (`feColorMatrix`): they keep lightness
//! `0.213 R + 0.715 G + 0.072 B`, and greys stay grey.

use super::geometry::reflected;

/// Share of red, green and blue in lightness.
const LIGHTNESS: [f32; 3] = [0.213, 0.715, 0.072];

/// `rgb -> matrix rgb + offset`, on bytes, rounded and clipped to 0..=255.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct ColorMap {
    /// Rows for red, green and blue.
    pub matrix: [[f32; 3]; 3],
    /// Offset, added after the product.
    pub offset: [f32; 3],
}

impl ColorMap {
    /// The identity.
    pub const IDENTITY: ColorMap =
        ColorMap { matrix: [[1.0, 0.0, 0.0], [0.0, 1.0, 0.0], [0.0, 0.0, 1.0]], offset: [0.0; 3] };

    /// Multiplies all values by `factor`.
    pub fn brightness(factor: f32) -> Self {
        ColorMap { matrix: Self::IDENTITY.matrix.map(|row| row.map(|v| v * factor)), offset: [0.0; 3] }
    }

    /// Multiplies distances from the lightness of `mean` by `factor`.
    pub fn contrast(factor: f32, mean: [f32; 3]) -> Self {
        ColorMap { offset: [(1.0 - factor) * dot(LIGHTNESS, mean); 3], ..Self::brightness(factor) }
    }

    /// Multiplies distances from the grey of the same lightness by `factor`.
    pub fn saturation(factor: f32) -> Self {
        let unit = Self::IDENTITY.matrix;
        let entry = |r: usize, c: usize| LIGHTNESS[c] + factor * (unit[r][c] - LIGHTNESS[c]);
        ColorMap { matrix: std::array::from_fn(|r| std::array::from_fn(|c| entry(r, c))), offset: [0.0; 3] }
    }

    /// Turns colors about the axis of greys.
    pub fn hue(degrees: f32) -> Self {
        const SIN: [[f32; 3]; 3] = [[-0.213, -0.715, 0.928], [0.143, 0.140, -0.283], [-0.787, 0.715, 0.072]];
        let (sin, cos) = f64::from(degrees).to_radians().sin_cos();
        let mut map = Self::saturation(cos as f32);
        for (row, sines) in map.matrix.iter_mut().zip(SIN) {
            row.iter_mut().zip(sines).for_each(|(v, s)| *v += sin as f32 * s);
        }
        map
    }

    /// The composition: `self`, then `next`.
    pub fn then(self, next: Self) -> Self {
        let column = |c: usize| [self.matrix[0][c], self.matrix[1][c], self.matrix[2][c]];
        let matrix = next.matrix.map(|row| std::array::from_fn(|c| dot(row, column(c))));
        ColorMap { matrix, offset: next.of(self.offset) }
    }

    /// The color that `rgb` is mapped to, neither rounded nor clipped.
    pub fn of(&self, rgb: [f32; 3]) -> [f32; 3] {
        std::array::from_fn(|i| dot(self.matrix[i], rgb) + self.offset[i])
    }

    /// Maps a picture in place.
    pub fn apply(&self, rgb: &mut [u8]) {
        for pixel in rgb.as_chunks_mut::<3>().0 {
            // `as` clips to 0..=255.
            *pixel = self.of(pixel.map(f32::from)).map(|v| (v + 0.5) as u8);
        }
    }
}

fn dot(a: [f32; 3], b: [f32; 3]) -> f32 {
    a[0] * b[0] + a[1] * b[1] + a[2] * b[2]
}

/// Mean color of a picture, 0 to 255.
pub fn mean_color(rgb: &[u8]) -> [f32; 3] {
    let pixels = rgb.as_chunks::<3>().0;
    let mut sums = [0u64; 3];
    for part in pixels.chunks(1 << 16) {
        let mut narrow = [0u32; 3];
        part.iter().for_each(|pixel| (0..3).for_each(|c| narrow[c] += u32::from(pixel[c])));
        (0..3).for_each(|c| sums[c] += u64::from(narrow[c]));
    }
    sums.map(|sum| sum as f32 / pixels.len().max(1) as f32)
}

/// Buffers of [`blur`].
#[derive(Debug, Default)]
pub struct BlurSpace {
    row: Vec<u8>,
    wide: Vec<u16>,
    sums: Vec<u32>,
}

/// The sum of a blur's weights.
const ONE: u32 = 1 << 15;

/// Gaussian blur with standard deviation `sigma` in pixels, in place. The kernel is cut at 3 sigma, and its weights sum
/// to exactly 1. The picture is mirrored at its edges, so its mean stays.
pub fn blur(rgb: &mut [u8], (height, width): (usize, usize), sigma: f32, space: &mut BlurSpace) {
    let radius = (3.0 * sigma).ceil().clamp(0.0, MAX_RADIUS as f32) as usize;
    let kernel = kernel(sigma, radius);
    let kernel = &kernel[..=radius];
    let stride = 3 * width;
    space.wide.clear();
    space.wide.resize(rgb.len(), 0);
    space.row.resize(stride + 6 * radius, 0);
    space.sums.resize(stride, 0);
    // Along rows, with 8 bits more.
    for (from, to) in rgb.chunks_exact(stride).zip(space.wide.chunks_exact_mut(stride)) {
        space.row[3 * radius..3 * radius + stride].copy_from_slice(from);
        for i in 0..radius {
            let (left, right) = (reflected(-(i as i64) - 1, width), reflected((width + i) as i64, width));
            space.row.copy_within(3 * (radius + left)..3 * (radius + left) + 3, 3 * (radius - 1 - i));
            space.row.copy_within(3 * (radius + right)..3 * (radius + right) + 3, 3 * (radius + width + i));
        }
        let taps = |offset: usize| &space.row[3 * offset..3 * offset + stride];
        scale(&mut space.sums, taps(radius), kernel[0]);
        for (k, &weight) in kernel.iter().enumerate().skip(1) {
            add_pair(&mut space.sums, taps(radius - k), taps(radius + k), weight);
        }
        to.iter_mut().zip(&space.sums).for_each(|(to, &sum)| *to = ((sum + (1 << 6)) >> 7) as u16);
    }
    // Along columns.
    for (y, to) in rgb.chunks_exact_mut(stride).enumerate() {
        let line = |y: i64| {
            let y = reflected(y, height);
            &space.wide[y * stride..(y + 1) * stride]
        };
        scale(&mut space.sums, line(y as i64), kernel[0]);
        for (k, &weight) in kernel.iter().enumerate().skip(1) {
            let k = k as i64;
            add_pair(&mut space.sums, line(y as i64 - k), line(y as i64 + k), weight);
        }
        to.iter_mut().zip(&space.sums).for_each(|(to, &sum)| *to = ((sum + (1 << 22)) >> 23) as u8);
    }
}

/// Radius at a deviation of 10 pixels, the largest allowed.
const MAX_RADIUS: usize = 30;

/// Weights of the center and of the pixels at distance 1, 2, … on each side: `w[0] + 2 (w[1] + ... + w[radius])` is
/// [`ONE`].
fn kernel(sigma: f32, radius: usize) -> [u32; MAX_RADIUS + 1] {
    let mut weights = [0; MAX_RADIUS + 1];
    let of = |k: usize| (-0.5 * (k as f64 / f64::from(sigma)).powi(2)).exp();
    let total = 1.0 + 2.0 * (1..=radius).map(of).sum::<f64>();
    for (k, weight) in weights.iter_mut().enumerate().take(radius + 1).skip(1) {
        *weight = (of(k) / total * f64::from(ONE)).round() as u32;
    }
    weights[0] = ONE - 2 * weights[1..].iter().sum::<u32>();
    weights
}

fn scale<T: Copy + Into<u32>>(sums: &mut [u32], values: &[T], weight: u32) {
    sums.iter_mut().zip(values).for_each(|(sum, &v)| *sum = weight * v.into());
}

fn add_pair<T: Copy + Into<u32>>(sums: &mut [u32], a: &[T], b: &[T], weight: u32) {
    sums.iter_mut().zip(a.iter().zip(b)).for_each(|(sum, (&a, &b))| *sum += weight * (a.into() + b.into()));
}

/// A rectangle of a picture in pixels.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Rect {
    /// First column.
    pub left: usize,
    /// First row.
    pub top: usize,
    /// Number of columns.
    pub width: usize,
    /// Number of rows.
    pub height: usize,
}

impl Rect {
    /// Fills the rectangle in rows of `width` pixels.
    pub fn fill<T: Copy>(&self, pixels: &mut [T], width: usize, value: T) {
        for row in pixels.chunks_exact_mut(width).skip(self.top).take(self.height) {
            row[self.left..self.left + self.width].fill(value);
        }
    }
}
