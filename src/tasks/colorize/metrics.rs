//! Scores of a predicted picture against the true one: PSNR, SSIM, color difference, colorfulness.

use image::RgbImage;
use thiserror::Error;

use crate::data::color::lab_of_rgb;
use crate::tasks::TaskError;

/// Pictures that cannot be compared.
#[derive(Debug, Error, PartialEq, Eq)]
pub enum CompareError {
    /// They differ in size.
    #[error("pictures of {}x{} and {}x{} pixels cannot be compared: resize one to the other's size", a.0, a.1, b.0, b.1)]
    SizesDiffer {
        /// Width and height.
        a: (u32, u32),
        /// Width and height.
        b: (u32, u32),
    },
    /// SSIM looks at windows of 11 x 11.
    #[error("a picture of {}x{} pixels is too small for SSIM, which needs at least 11x11", .0.0, .0.1)]
    TooSmall((u32, u32)),
}

impl From<CompareError> for TaskError {
    fn from(e: CompareError) -> Self {
        TaskError::Own(Box::new(e))
    }
}

/// Scores of one predicted picture, or means over several.
#[derive(Debug, Clone, Copy, PartialEq, Default)]
pub struct ImageScores {
    /// Peak signal-to-noise ratio in dB.
    pub psnr: f64,
    /// Structural similarity, at most 1.
    pub ssim: f64,
    /// Mean color difference ΔE00 (CIEDE2000).
    pub delta_e: f64,
    /// Colorfulness of the prediction (Hasler and Süsstrunk).
    pub colorfulness: f64,
    /// Colorfulness of the true picture.
    pub true_colorfulness: f64,
}

impl ImageScores {
    /// All scores of `predicted` against `truth`.
    ///
    /// # Errors
    /// Where sizes differ or are below 11 x 11.
    pub fn of(truth: &RgbImage, predicted: &RgbImage) -> Result<Self, CompareError> {
        Ok(Self {
            psnr: psnr(truth, predicted)?,
            ssim: ssim(truth, predicted)?,
            delta_e: mean_delta_e(truth, predicted)?,
            colorfulness: colorfulness(predicted),
            true_colorfulness: colorfulness(truth),
        })
    }

    /// The mean of each score; `None` for an empty list.
    pub fn mean(scores: &[Self]) -> Option<Self> {
        let n = scores.len() as f64;
        let mean = |score: fn(&Self) -> f64| scores.iter().map(score).sum::<f64>() / n;
        (!scores.is_empty()).then(|| Self {
            psnr: mean(|s| s.psnr),
            ssim: mean(|s| s.ssim),
            delta_e: mean(|s| s.delta_e),
            colorfulness: mean(|s| s.colorfulness),
            true_colorfulness: mean(|s| s.true_colorfulness),
        })
    }
}

fn same_size(a: &RgbImage, b: &RgbImage) -> Result<(), CompareError> {
    if a.dimensions() == b.dimensions() {
        return Ok(());
    }
    Err(CompareError::SizesDiffer { a: a.dimensions(), b: b.dimensions() })
}

/// Largest [`psnr`] in dB (a mean squared error of 6.5e-6). Without it, one exact picture makes the mean over a set infinite.
pub const MAX_PSNR: f64 = 100.0;

/// Peak signal-to-noise ratio in dB: `10 log10(255² / MSE)`, with the squared error averaged over pixels and channels. At most
/// [`MAX_PSNR`], the value of equal pictures.
///
/// # Errors
/// Where sizes differ.
pub fn psnr(a: &RgbImage, b: &RgbImage) -> Result<f64, CompareError> {
    same_size(a, b)?;
    let squares: u64 = a.iter().zip(b.iter()).map(|(&a, &b)| u64::from(a.abs_diff(b)).pow(2)).sum();
    let mse = squares as f64 / a.as_raw().len() as f64;
    Ok((10.0 * (255.0f64.powi(2) / mse).log10()).min(MAX_PSNR))
}

/// Side of SSIM's window.
const WINDOW: usize = 11;

/// The window: a Gaussian of deviation 1.5 whose 11 values sum to 1.
fn window() -> [f64; WINDOW] {
    let raw: [f64; WINDOW] = std::array::from_fn(|i| (-(i as f64 - 5.0).powi(2) / (2.0 * 1.5 * 1.5)).exp());
    let sum: f64 = raw.iter().sum();
    raw.map(|v| v / sum)
}

/// Structural similarity (Wang et al. 2004) of 8-bit pictures: with the means μ, variances σ² and
/// covariance under an 11 x 11 Gaussian window of deviation 1.5,
///
/// ```text
/// SSIM = (2 μa μb + C1)(2 σab + C2) / ((μa² + μb² + C1)(σa² + σb² + C2))   C1 = (0.01·255)², C2 = (0.03·255)²
/// ```
///
/// averaged over all places where the window lies within the picture, and over the channels.
///
/// # Errors
/// Where sizes differ or are below 11 x 11.
pub fn ssim(a: &RgbImage, b: &RgbImage) -> Result<f64, CompareError> {
    same_size(a, b)?;
    let (width, height) = (a.width() as usize, a.height() as usize);
    if width < WINDOW || height < WINDOW {
        return Err(CompareError::TooSmall(a.dimensions()));
    }
    let channel = |image: &RgbImage, c: usize| -> Vec<f64> { image.pixels().map(|p| f64::from(p.0[c])).collect() };
    let mean = (0..3).map(|c| ssim_plane(&channel(a, c), &channel(b, c), width)).sum::<f64>() / 3.0;
    Ok(mean)
}

fn ssim_plane(a: &[f64], b: &[f64], width: usize) -> f64 {
    const C1: f64 = (0.01 * 255.0) * (0.01 * 255.0);
    const C2: f64 = (0.03 * 255.0) * (0.03 * 255.0);
    let product = |x: &[f64], y: &[f64]| x.iter().zip(y).map(|(x, y)| x * y).collect::<Vec<_>>();
    let (mean_a, mean_b) = (blur(a, width), blur(b, width));
    let (aa, bb, ab) = (blur(&product(a, a), width), blur(&product(b, b), width), blur(&product(a, b), width));
    let at = |i: usize| {
        let (ma, mb) = (mean_a[i], mean_b[i]);
        let (va, vb, cov) = (aa[i] - ma * ma, bb[i] - mb * mb, ab[i] - ma * mb);
        (2.0 * ma * mb + C1) * (2.0 * cov + C2) / ((ma * ma + mb * mb + C1) * (va + vb + C2))
    };
    (0..mean_a.len()).map(at).sum::<f64>() / mean_a.len() as f64
}

/// Weighted means under the window at every place where it lies within the plane: rows, then columns.
fn blur(plane: &[f64], width: usize) -> Vec<f64> {
    let weights = window();
    let weigh = |values: &[f64]| values.iter().zip(weights).map(|(v, w)| v * w).sum::<f64>();
    let inner = width - WINDOW + 1;
    let rows: Vec<f64> = plane.chunks_exact(width).flat_map(|row| row.windows(WINDOW).map(weigh)).collect();
    let last = rows.len() - (WINDOW - 1) * inner;
    let column = |start: usize| weights.iter().enumerate().map(|(k, w)| rows[start + k * inner] * w).sum();
    (0..last).map(column).collect()
}

/// Mean color difference over all pixels: [`ciede2000`]; about 1 is just noticeable. NaN for
/// pictures without pixels.
///
/// # Errors
/// Where sizes differ.
pub fn mean_delta_e(a: &RgbImage, b: &RgbImage) -> Result<f64, CompareError> {
    same_size(a, b)?;
    let lab = |rgb: [u8; 3]| lab_of_rgb(rgb).map(f64::from);
    let sum: f64 = a.pixels().zip(b.pixels()).map(|(a, b)| ciede2000(lab(a.0), lab(b.0))).sum();
    Ok(sum / (f64::from(a.width()) * f64::from(a.height())))
}

/// The color difference CIEDE2000 of two CIELAB colors, as Sharma, Wu & Dalal (2005) spell it out,
/// with kL = kC = kH = 1.
pub fn ciede2000(first: [f64; 3], second: [f64; 3]) -> f64 {
    let [l1, a1, b1] = first;
    let [l2, a2, b2] = second;
    let seventh = |c: f64| (c.powi(7) / (c.powi(7) + 25.0f64.powi(7))).sqrt();
    let g = 0.5 * (1.0 - seventh((a1.hypot(b1) + a2.hypot(b2)) / 2.0));
    let (a1, a2) = (a1 * (1.0 + g), a2 * (1.0 + g));
    let (c1, c2) = (a1.hypot(b1), a2.hypot(b2));
    let hue = |a: f64, b: f64| if a == 0.0 && b == 0.0 { 0.0 } else { b.atan2(a).to_degrees().rem_euclid(360.0) };
    let (h1, h2) = (hue(a1, b1), hue(a2, b2));
    let grey = c1 * c2 == 0.0;
    // The shorter way around the hue circle.
    let turn = if grey { 0.0 } else { (h2 - h1 + 180.0).rem_euclid(360.0) - 180.0 };
    let turn = if !grey && h2 - h1 == 180.0 { 180.0 } else { turn };
    let mean_hue = match h1 + h2 {
        sum if grey => sum,
        sum if (h1 - h2).abs() <= 180.0 => sum / 2.0,
        sum if sum < 360.0 => (sum + 360.0) / 2.0,
        sum => (sum - 360.0) / 2.0,
    };
    let (mean_l, mean_c) = ((l1 + l2) / 2.0, (c1 + c2) / 2.0);
    let cos = |factor: f64, offset: f64| (factor * mean_hue + offset).to_radians().cos();
    let t = 1.0 - 0.17 * cos(1.0, -30.0) + 0.24 * cos(2.0, 0.0) + 0.32 * cos(3.0, 6.0) - 0.20 * cos(4.0, -63.0);
    let from_middle = (mean_l - 50.0).powi(2);
    let scale_l = 1.0 + 0.015 * from_middle / (20.0 + from_middle).sqrt();
    let (scale_c, scale_h) = (1.0 + 0.045 * mean_c, 1.0 + 0.015 * mean_c * t);
    let rotation = 60.0 * (-((mean_hue - 275.0) / 25.0).powi(2)).exp();
    let lightness = (l2 - l1) / scale_l;
    let chroma = (c2 - c1) / scale_c;
    let hue = 2.0 * (c1 * c2).sqrt() * (turn / 2.0).to_radians().sin() / scale_h;
    let coupling = -rotation.to_radians().sin() * 2.0 * seventh(mean_c);
    (lightness * lightness + chroma * chroma + hue * hue + coupling * chroma * hue).max(0.0).sqrt()
}

/// Colorfulness (Hasler & Süsstrunk 2003): with `rg = R - G` and `yb = (R + G) / 2 - B`, and their
/// deviations σ and means μ, `sqrt(σrg² + σyb²) + 0.3 sqrt(μrg² + μyb²)`. 0 is grey; 59 is called
/// "quite colorful", 109 "extremely".
pub fn colorfulness(image: &RgbImage) -> f64 {
    let n = (f64::from(image.width()) * f64::from(image.height())).max(1.0);
    // Sums of rg, rg², 2 yb and (2 yb)²: integers, so exact.
    let mut sums = [0i64; 4];
    for [r, g, b] in image.pixels().map(|p| p.0.map(i64::from)) {
        let (rg, yb) = (r - g, r + g - 2 * b);
        [rg, rg * rg, yb, yb * yb].into_iter().zip(&mut sums).for_each(|(v, sum)| *sum += v);
    }
    let [rg, rg2, yb, yb2] = sums.map(|sum| sum as f64 / n);
    let (yb, yb2) = (yb / 2.0, yb2 / 4.0);
    let variance = (rg2 - rg * rg).max(0.0) + (yb2 - yb * yb).max(0.0);
    variance.sqrt() + 0.3 * rg.hypot(yb)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// ```python
    /// i = np.arange(24)[:, None]; j = np.arange(32)[None]
    /// a = np.stack([(i*9 + j*3) % 256, (i*j) % 256, (255 - (i*5 + j*2) % 256)], -1).astype(np.uint8)
    /// d = ((i*7 + j*13) % 41 - 20)[..., None] * np.array([1, 1, -1])
    /// b = np.clip(a.astype(int) + d, 0, 255).astype(np.uint8)
    /// ```
    fn pictures() -> (RgbImage, RgbImage) {
        let a = |i: i32, j: i32| [(i * 9 + j * 3) % 256, (i * j) % 256, 255 - (i * 5 + j * 2) % 256];
        let d = |i: i32, j: i32| [1, 1, -1].map(|sign| sign * ((i * 7 + j * 13) % 41 - 20));
        let bytes = |v: [i32; 3]| image::Rgb(v.map(|v| v.clamp(0, 255) as u8));
        let first = RgbImage::from_fn(32, 24, |x, y| bytes(a(y as i32, x as i32)));
        let second = RgbImage::from_fn(32, 24, |x, y| {
            let (a, d) = (a(y as i32, x as i32), d(y as i32, x as i32));
            bytes([a[0] + d[0], a[1] + d[1], a[2] + d[2]])
        });
        (first, second)
    }

    /// scikit-image 0.26.0: `peak_signal_noise_ratio(a, b)`, `structural_similarity(a, b, channel_axis=2,
    /// gaussian_weights=True, sigma=1.5, use_sample_covariance=False, data_range=255)`, the mean of
    /// `deltaE_ciede2000`; colorfulness by the formula in NumPy.
    #[test]
    fn scores_are_those_of_a_known_library() {
        let (a, b) = pictures();
        let scores = ImageScores::of(&a, &b).unwrap();
        assert!((scores.psnr - 26.820_281_101_840_262).abs() < 1e-9, "{scores:?}");
        assert!((scores.ssim - 0.759_708_649_188_830_1).abs() < 1e-9, "{scores:?}");
        // CIELAB in f32 and with a matrix of more digits.
        assert!((scores.delta_e - 4.471_526_976_522_318).abs() < 2e-3, "{scores:?}");
        assert!((scores.true_colorfulness - 137.228_565_034_862_19).abs() < 1e-9, "{scores:?}");
        assert!((scores.colorfulness - 138.476_105_564_513_38).abs() < 1e-9, "{scores:?}");
        let same = ImageScores::of(&a, &a).unwrap();
        assert_eq!((same.psnr, same.delta_e), (MAX_PSNR, 0.0));
        let mean = ImageScores::mean(&[scores, same]).expect("of two");
        assert!((mean.psnr - (26.820_281_101_840_262 + 100.0) / 2.0).abs() < 1e-9, "one exact picture: {mean:?}");
        assert!((same.ssim - 1.0).abs() < 1e-12);
        assert_eq!(colorfulness(&RgbImage::from_pixel(9, 9, image::Rgb([77; 3]))), 0.0);
        let mean = ImageScores::mean(&[scores, ImageScores::default()]).unwrap();
        assert!((mean.ssim - scores.ssim / 2.0).abs() < 1e-12);
        assert_eq!(ImageScores::mean(&[]), None);
    }

    #[test]
    fn pictures_that_cannot_be_compared_are_refused() {
        let of = |w, h| RgbImage::new(w, h);
        let error = ImageScores::of(&of(20, 30), &of(30, 20)).unwrap_err().to_string();
        assert!(error.contains("20x30") && error.contains("30x20"), "{error}");
        assert_eq!(ssim(&of(40, 10), &of(40, 10)), Err(CompareError::TooSmall((40, 10))));
        assert_eq!(ssim(&of(11, 11), &of(11, 11)), Ok(1.0));
    }

    /// Pairs 1, 3, 7, 9, 11, 17, 25 and 34 of Sharma, Wu & Dalal (2005), table 1.
    #[test]
    fn ciede2000_gives_the_published_values() {
        for (a, b, expected) in [
            ([50.0, 2.6772, -79.7751], [50.0, 0.0, -82.7485], 2.0425),
            ([50.0, 2.8361, -74.02], [50.0, 0.0, -82.7485], 3.4412),
            ([50.0, 0.0, 0.0], [50.0, -1.0, 2.0], 2.3669),
            ([50.0, 2.49, -0.001], [50.0, -2.49, 0.0009], 7.1792),
            ([50.0, 2.49, -0.001], [50.0, -2.49, 0.0011], 7.2195),
            ([50.0, 2.5, 0.0], [73.0, 25.0, -18.0], 27.1492),
            ([60.2574, -34.0099, 36.2677], [60.4626, -34.1751, 39.4387], 1.2644),
            ([2.0776, 0.0795, -1.135], [0.9033, -0.0636, -0.5514], 0.9082),
        ] {
            for found in [ciede2000(a, b), ciede2000(b, a)] {
                assert!((found - expected).abs() < 1e-4, "{a:?} {b:?}: {found} for {expected}");
            }
        }
    }
}
