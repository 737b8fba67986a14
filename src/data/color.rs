//! sRGB and CIELAB, and a photograph as a colorization sample: from its lightness to its colors.
//!
//! sRGB (IEC 61966-2-1) is made linear, `v <= 0.04045 ? v / 12.92 : ((v + 0.055) / 1.055)^2.4`, converted to XYZ and
//! divided by the white point D65. With `f(t) = t > (6/29)^3 ? cbrt(t) : t (29/6)^2 / 3 + 4/29`:
//!
//! ```text
//! L = 116 f(Y) - 16       0 (black) to 100 (white)
//! a = 500 (f(X) - f(Y))   green to red,   -86 to 98 within sRGB
//! b = 200 (f(Y) - f(Z))   blue to yellow, -108 to 94 within sRGB
//! ```

use std::sync::LazyLock;

use image::RgbImage;
use rayon::prelude::*;

use super::DataError;

/// Linear RGB to XYZ over the white point. Each row sums to 1, so grey has no color.
pub(crate) const TO_XYZ: [[f32; 3]; 3] = [
    [0.433_949_95, 0.376_209_77, 0.189_840_29],
    [0.212_672_87, 0.715_152_14, 0.072_174_996],
    [0.017_756_583, 0.109_467_96, 0.872_775_44],
];

/// Inverse of [`TO_XYZ`].
pub(crate) const FROM_XYZ: [[f32; 3]; 3] = [
    [3.079_955, -1.537_139, -0.542_816_1],
    [-0.921_258_6, 1.876_011_1, 0.045_247_51],
    [0.052_887_402, -0.204_025_88, 1.151_138_4],
];

/// Scale of `a` and `b` in inputs and predictions of a network.
pub const AB_SCALE: f32 = 110.0;

/// Linear value of each byte.
static LINEAR: LazyLock<[f32; 256]> = LazyLock::new(|| {
    std::array::from_fn(|byte| {
        let v = byte as f32 / 255.0;
        if v <= 0.04045 { v / 12.92 } else { ((v + 0.055) / 1.055).powf(2.4) }
    })
});

fn times(matrix: &[[f32; 3]; 3], v: [f32; 3]) -> [f32; 3] {
    matrix.map(|row| row[0] * v[0] + row[1] * v[1] + row[2] * v[2])
}

/// CIELAB of an sRGB color.
pub fn lab_of_rgb(rgb: [u8; 3]) -> [f32; 3] {
    const LIMIT: f32 = 216.0 / 24389.0;
    let f = |t: f32| if t > LIMIT { t.cbrt() } else { t * (841.0 / 108.0) + 4.0 / 29.0 };
    let [x, y, z] = times(&TO_XYZ, rgb.map(|byte| LINEAR[usize::from(byte)])).map(f);
    [116.0 * y - 16.0, 500.0 * (x - y), 200.0 * (y - z)]
}

/// The sRGB color nearest to a CIELAB color, channel by channel. Values outside of sRGB are clipped. Values that are
/// not finite count as 0.
pub fn rgb_of_lab(lab: [f32; 3]) -> [u8; 3] {
    let [l, a, b] = lab.map(|v| if v.is_finite() { v } else { 0.0 });
    let y = (l + 16.0) / 116.0;
    let inverse = |f: f32| if f > 6.0 / 29.0 { f * f * f } else { (f - 4.0 / 29.0) * (108.0 / 841.0) };
    let linear = times(&FROM_XYZ, [y + a / 500.0, y, y - b / 200.0].map(inverse));
    linear.map(|v| {
        let v = v.clamp(0.0, 1.0);
        let encoded = if v <= 0.003_130_8 { v * 12.92 } else { 1.055 * v.powf(1.0 / 2.4) - 0.055 };
        (encoded * 255.0).round() as u8
    })
}

crate::choices! {
    /// Color values that a network predicts from lightness.
    pub enum ColorSpace default Lab {
        /// The two color axes of CIELAB, a and b, divided by 110.
        Lab = "lab",
        /// Red, green and blue from -1 to 1.
        Rgb = "rgb",
    }
}

impl ColorSpace {
    /// Number of values per pixel.
    pub fn channels(self) -> usize {
        match self {
            Self::Lab => 2,
            Self::Rgb => 3,
        }
    }

    /// The color space of a network with this number of outputs.
    pub fn of_channels(channels: usize) -> Self {
        if channels == 2 { Self::Lab } else { Self::Rgb }
    }

    /// Writes input (N values) and target (N times [`Self::channels`]) of a network for N pixels of RGB bytes.
    pub fn encode(self, rgb: &[u8], input: &mut [f32], target: &mut [f32]) {
        let pixels = rgb.as_chunks::<3>().0.iter();
        let targets = target.chunks_exact_mut(self.channels());
        for ((&pixel, input), target) in pixels.zip(input).zip(targets) {
            let [l, a, b] = lab_of_rgb(pixel);
            *input = scale_lightness(l);
            match self {
                Self::Lab => target.copy_from_slice(&[a / AB_SCALE, b / AB_SCALE]),
                Self::Rgb => target.copy_from_slice(&pixel.map(|byte| f32::from(byte) / 127.5 - 1.0)),
            }
        }
    }

    /// `a` and `b` of one predicted pixel.
    fn ab(self, predicted: &[f32]) -> [f32; 2] {
        match (self, predicted) {
            (Self::Lab, &[a, b]) => [a, b].map(|v| if v.is_finite() { v * AB_SCALE } else { 0.0 }),
            (Self::Rgb, &[r, g, b]) => {
                // `as` saturates, and maps NaN to 0.
                let [_, a, b] = lab_of_rgb([r, g, b].map(|v| ((v + 1.0) * 127.5).round() as u8));
                [a, b]
            }
            _ => [0.0; 2],
        }
    }

    /// RGB bytes of N pixels from the input of a network and its prediction: the lightness of the input with the
    /// predicted colors.
    pub fn decode(self, input: &[f32], predicted: &[f32]) -> Vec<u8> {
        let pixels = input.iter().zip(predicted.chunks_exact(self.channels()));
        pixels
            .flat_map(|(&input, predicted)| {
                let [a, b] = self.ab(predicted);
                rgb_of_lab([input * 50.0 + 50.0, a, b])
            })
            .collect()
    }

    /// The photograph `original` at its size, with its lightness and predicted colors. `predicted` is `(height, width,
    /// channels)` at any size. It is scaled bilinearly: centers of pixels on centers, the outermost values beyond them.
    ///
    /// # Errors
    /// Where the length of `predicted` is not that of its size.
    pub fn recolor(
        self,
        original: &RgbImage,
        predicted: &[f32],
        (height, width): (usize, usize),
    ) -> Result<RgbImage, DataError> {
        if height == 0 || width == 0 || predicted.len() != height * width * self.channels() {
            return Err(DataError::Setting {
                name: "predicted colors",
                value: format!("{} values for {height}x{width} pixels", predicted.len()),
                expected: "height x width x channels values (2 for lab, 3 for rgb)",
            });
        }
        let ab: Vec<[f32; 2]> = predicted.chunks_exact(self.channels()).map(|p| self.ab(p)).collect();
        let mut result = original.clone();
        let columns = taps(width, original.width() as usize);
        let rows = taps(height, original.height() as usize);
        let row_bytes = (original.width() as usize * 3).max(1);
        result.par_chunks_exact_mut(row_bytes).zip(&rows).for_each(|(row, &(top, bottom, down))| {
            for (pixel, &(left, right, across)) in row.as_chunks_mut::<3>().0.iter_mut().zip(&columns) {
                let mix = |a: [f32; 2], b: [f32; 2], t: f32| [a[0] + (b[0] - a[0]) * t, a[1] + (b[1] - a[1]) * t];
                let at = |y: usize| mix(ab[y * width + left], ab[y * width + right], across);
                let [a, b] = mix(at(top), at(bottom), down);
                *pixel = rgb_of_lab([lab_of_rgb(*pixel)[0], a, b]);
            }
        });
        Ok(result)
    }
}

/// Lightness as a network's input: `(L - 50) / 50`, from -1 to 1.
fn scale_lightness(l: f32) -> f32 {
    (l - 50.0) / 50.0
}

/// A network's input for N pixels of RGB bytes: their lightness, `(L - 50) / 50`.
pub fn lightness(rgb: &[u8]) -> Vec<f32> {
    rgb.as_chunks::<3>().0.iter().map(|&pixel| scale_lightness(lab_of_rgb(pixel)[0])).collect()
}

/// For each of `to` positions its two neighbors among `from` positions, and the weight of the second.
fn taps(from: usize, to: usize) -> Vec<(usize, usize, f32)> {
    let place = |i: usize| {
        let at = ((i as f32 + 0.5) * from as f32 / to as f32 - 0.5).clamp(0.0, (from - 1) as f32);
        let low = (at as usize).min(from - 1);
        (low, (low + 1).min(from - 1), at - low as f32)
    };
    (0..to).map(place).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    /// `skimage.color.rgb2lab` (0.26.0). Its matrix is rounded to six digits and gives grey a color of up to 0.005. The
    /// tolerance allows for that.
    const REFERENCE: [([u8; 3], [f32; 3]); 12] = [
        ([0, 0, 0], [0.0, 0.0, 0.0]),
        ([255, 255, 255], [100.0, -0.0025, 0.0047]),
        ([128, 128, 128], [53.585, -0.0015, 0.0028]),
        ([255, 0, 0], [53.2406, 80.0923, 67.2028]),
        ([0, 255, 0], [87.7351, -86.183, 83.1797]),
        ([0, 0, 255], [32.2957, 79.1856, -107.8573]),
        ([255, 255, 0], [97.1395, -21.5547, 94.4781]),
        ([12, 200, 77], [70.8157, -66.5435, 48.8732]),
        ([3, 1, 7], [0.5095, 1.3572, -2.0862]),
        ([250, 128, 114], [67.264, 45.2255, 29.0965]),
        ([90, 60, 200], [37.0672, 48.7903, -68.3817]),
        ([1, 2, 3], [0.5098, -0.1225, -0.4705]),
    ];

    #[test]
    fn lab_is_that_of_a_known_library() {
        for (rgb, expected) in REFERENCE {
            let found = lab_of_rgb(rgb);
            for channel in 0..3 {
                assert!((found[channel] - expected[channel]).abs() < 0.02, "{rgb:?}: {found:?} for {expected:?}");
            }
        }
        for v in 0..=255 {
            let [_, a, b] = lab_of_rgb([v; 3]);
            assert!(a.abs() < 1e-4 && b.abs() < 1e-4, "grey {v} has the color {a} {b}");
        }
    }

    #[test]
    fn every_color_comes_back() {
        for r in (0..=255u8).step_by(5) {
            for g in (0..=255u8).step_by(3) {
                for b in (0..=255u8).step_by(5) {
                    assert_eq!(rgb_of_lab(lab_of_rgb([r, g, b])), [r, g, b]);
                }
            }
        }
        assert_eq!(rgb_of_lab([50.0, 200.0, 0.0])[0], 255, "out of gamut is clipped");
        assert_eq!(rgb_of_lab([f32::NAN, f32::INFINITY, 0.0]), [0, 0, 0]);
    }

    #[test]
    fn photographs_keep_their_lightness() {
        let original = RgbImage::from_fn(37, 23, |x, y| image::Rgb([(x * 5) as u8, (y * 9) as u8, 90]));
        for space in [ColorSpace::Lab, ColorSpace::Rgb] {
            let pixels = 37 * 23;
            let (mut input, mut target) = (vec![0.0; pixels], vec![0.0; pixels * space.channels()]);
            space.encode(original.as_raw(), &mut input, &mut target);
            assert_eq!(space.recolor(&original, &target, (23, 37)).unwrap(), original, "{space:?}");
            assert_eq!(space.decode(&input, &target), *original.as_raw());
            assert_eq!(input, lightness(original.as_raw()));
            assert!(input.iter().chain(&target).all(|v| (-1.0..=1.0).contains(v)));
            assert!(space.recolor(&original, &target, (23, 36)).is_err());
        }
        // One pixel of color covers the picture. The lightness stays within rounding.
        let tinted = ColorSpace::Lab.recolor(&original, &[0.05, 0.05], (1, 1)).unwrap();
        for (before, after) in original.pixels().zip(tinted.pixels()) {
            let (before, [l, a, b]) = (lab_of_rgb(before.0), lab_of_rgb(after.0));
            if before[0] > 20.0 && before[0] < 90.0 {
                assert!((l - before[0]).abs() < 0.5 && (a - 5.5).abs() < 1.5 && (b - 5.5).abs() < 1.5, "{l} {a} {b}");
            }
        }
        // Two columns of colors scaled to four: the inner ones are at 1/4 and 3/4 between the centers.
        let grey = RgbImage::from_pixel(4, 1, image::Rgb([128; 3]));
        let row = ColorSpace::Lab.recolor(&grey, &[-0.2, 0.0, 0.2, 0.0], (1, 2)).unwrap();
        for (pixel, expected) in row.pixels().zip([-22.0, -11.0, 11.0, 22.0f32]) {
            assert!((lab_of_rgb(pixel.0)[1] - expected).abs() < 0.7, "{:?} for a = {expected}", lab_of_rgb(pixel.0));
        }
    }
}
