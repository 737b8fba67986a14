//! Colors as classes (Zhang, Isola & Efros 2016). The a-b plane of CIELAB is cut into squares of side 10; those that
//! hold a color of sRGB are the classes. A network predicts a probability per square. Its color is their annealed mean:
//! the mean of the centers under `p_q^(1/T) / Σ_k p_k^(1/T)`, between the mode (T → 0) and the mean (T = 1).

use super::PreparedImages;
use super::color::lab_of_rgb;
use super::error::DataError;

/// Side of a square, in units of a and b.
const SIDE: f32 = 10.0;

/// Temperature T of the annealed mean, as published.
pub const TEMPERATURE: f32 = 0.38;

/// Deviation of the Gaussian that smooths the frequencies, in units of a and b, as published.
const SMOOTHING: f64 = 5.0;

/// Value of a in the first row, divided by [`SIDE`].
const FIRST_ROW: i32 = -9;

/// First and last value of b in each row of squares, divided by [`SIDE`].
const ROWS: [[i32; 2]; 20] = [
    [8, 8],
    [4, 8],
    [2, 9],
    [0, 9],
    [-2, 9],
    [-3, 9],
    [-4, 9],
    [-4, 9],
    [-5, 9],
    [-6, 9],
    [-7, 8],
    [-7, 8],
    [-8, 8],
    [-9, 8],
    [-9, 7],
    [-10, 7],
    [-11, 7],
    [-11, 7],
    [-9, 0],
    [-7, -5],
];

/// Number of squares.
pub const COLOR_BINS: usize = starts()[ROWS.len()];

/// Number of squares before each row, and of all.
const fn starts() -> [usize; ROWS.len() + 1] {
    let mut starts = [0; ROWS.len() + 1];
    let mut row = 0;
    while row < ROWS.len() {
        starts[row + 1] = starts[row] + (ROWS[row][1] - ROWS[row][0] + 1) as usize;
        row += 1;
    }
    starts
}

/// The square of a color. Colors outside sRGB belong to a square at the rim.
pub fn bin_of([a, b]: [f32; 2]) -> usize {
    let nearest = |v: f32| (v / SIDE).round() as i32;
    let row = (nearest(a) - FIRST_ROW).clamp(0, ROWS.len() as i32 - 1) as usize;
    let [first, last] = ROWS[row];
    starts()[row] + (nearest(b).clamp(first, last) - first) as usize
}

/// The center (a, b) of each square.
pub fn centers() -> impl Iterator<Item = [f32; 2]> {
    let row = |(row, [first, last]): (i32, [i32; 2])| {
        (first..=last).map(move |column| [(FIRST_ROW + row) as f32 * SIDE, column as f32 * SIDE])
    };
    (0..).zip(ROWS).flat_map(row)
}

/// A weight for each square, from the number of pixels in it: `w = 1 / (r p + (1 − r) / Q)`, scaled so that
/// `Σ p w = 1`. p is the share of pixels, smoothed over neighbors; Q is the number of squares. `rebalance` r = 0 gives
/// 1 to all, 0.5 is published.
pub fn bin_weights(pixels: &[u64], rebalance: f64) -> Vec<f32> {
    let centers: Vec<[f32; 2]> = centers().collect();
    let near = |p: &[f32; 2], q: &[f32; 2]| {
        let squared: f64 = p.iter().zip(q).map(|(p, q)| f64::from(p - q).powi(2)).sum();
        (-squared / (2.0 * SMOOTHING * SMOOTHING)).exp()
    };
    let smooth = |at: &[f32; 2]| centers.iter().zip(pixels).map(|(q, &n)| near(at, q) * n as f64).sum::<f64>();
    let smoothed: Vec<f64> = centers.iter().map(smooth).collect();
    let all: f64 = smoothed.iter().sum();
    if all == 0.0 {
        return vec![1.0; centers.len()];
    }
    let weight = |p: f64| 1.0 / (rebalance * p + (1.0 - rebalance) / centers.len() as f64).max(LEAST);
    let pairs: Vec<[f64; 2]> = smoothed.iter().map(|v| [v / all, weight(v / all)]).collect();
    let mean: f64 = pairs.iter().map(|[p, w]| p * w).sum();
    pairs.iter().map(|[_, w]| (w / mean) as f32).collect()
}

/// Least share of a color, so that no weight is infinite.
const LEAST: f64 = 1e-9;

/// Most images that are counted.
const COUNTED: usize = 1000;

/// Pixels of a set in each square: of at most 1000 of its images, spread over the set.
///
/// # Errors
/// When an image is not in memory and its file cannot be read.
pub fn count_bins(set: &PreparedImages) -> Result<Vec<u64>, DataError> {
    let mut pixels = vec![0; COLOR_BINS];
    for index in (0..set.len()).step_by(set.len().div_ceil(COUNTED).max(1)) {
        for &rgb in set.sample(index)?.as_chunks::<3>().0 {
            let [_, a, b] = lab_of_rgb(rgb);
            pixels[bin_of([a, b])] += 1;
        }
    }
    Ok(pixels)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_squares_are_those_that_hold_colors_of_srgb() {
        let mut held = vec![false; COLOR_BINS];
        let centers: Vec<_> = centers().collect();
        assert_eq!(centers.len(), 261);
        // The rim of the gamut has a channel at 0 or 255.
        let all = 0..=255u8;
        for (x, y) in all.clone().flat_map(|x| all.clone().map(move |y| (x, y))) {
            for rgb in [0, 255].into_iter().flat_map(|v| [[v, x, y], [x, v, y], [x, y, v]]) {
                let [_, a, b] = lab_of_rgb(rgb);
                let bin = bin_of([a, b]);
                held[bin] = true;
                let [ca, cb] = centers[bin];
                assert!((ca - a).abs() <= 5.001 && (cb - b).abs() <= 5.001, "{rgb:?}: {a} {b} in {ca} {cb}");
            }
        }
        for (bin, &center) in centers.iter().enumerate() {
            assert_eq!(bin_of(center), bin, "{center:?}");
            let at_rim = |[a, b]: [f32; 2]| {
                [[a + SIDE, b], [a - SIDE, b], [a, b + SIDE], [a, b - SIDE]].iter().any(|near| !centers.contains(near))
            };
            assert!(held[bin] || !at_rim(center), "no color of sRGB is in the square at {center:?}");
        }
        assert_eq!(centers[bin_of([1e9, -1e9])], [100.0, -70.0]);
    }

    /// In NumPy, with `c` the centers and `n` the counts:
    ///
    /// ```python
    /// d = ((c[:, None] - c[None]) ** 2).sum(-1); p = np.exp(-d / 50) @ n; p /= p.sum()
    /// w = 1 / (0.5 * p + 0.5 / len(c)); w /= (p * w).sum()
    /// ```
    #[test]
    fn rare_colors_weigh_more() {
        let mut pixels = vec![0; COLOR_BINS];
        let at = |color| bin_of(color);
        (pixels[at([0.0, 0.0])], pixels[at([10.0, 0.0])], pixels[at([60.0, 50.0])]) = (900, 90, 10);
        let weights = bin_weights(&pixels, 0.5);
        let expected = [([0.0, 0.0], 0.165_002_83), ([60.0, 50.0], 9.358_144), ([-50.0, 50.0], 24.469_58)];
        for (color, weight) in expected {
            let found = weights[at(color)];
            assert!((found / weight - 1.0).abs() < 1e-4, "{color:?}: {found} for {weight}");
        }
        assert!(bin_weights(&pixels, 0.0).iter().all(|w| (w - 1.0).abs() < 1e-6));
        assert_eq!(bin_weights(&[0; COLOR_BINS], 0.5), [1.0; COLOR_BINS]);
    }
}
