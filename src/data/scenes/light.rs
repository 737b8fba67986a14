//! Effects of the camera on a scene: exposure, tint of the light, fall-off to one side, noise.

use image::RgbImage;

use crate::random::{Random, word};

/// Light and sensor of one picture.
#[derive(Debug, Clone, Copy)]
pub struct Light {
    /// Factor of each channel: exposure times tint.
    pub gain: [f32; 3],
    /// Haze: the share by which values move towards middle grey.
    pub haze: f32,
    /// Change of brightness across the picture, per picture width and height.
    pub slope: (f32, f32),
    /// Standard deviation of the noise, in `0..=1`.
    pub noise: f32,
    /// Key of the noise.
    pub noise_key: u64,
}

impl Light {
    /// A light between dusk and noon, warm or cold.
    pub fn random(rng: &mut Random, noise_key: u64) -> Self {
        let exposure = rng.range(0.7, 1.15);
        let warmth = rng.range(-0.1, 0.1);
        Self {
            gain: [exposure * (1.0 + warmth), exposure, exposure * (1.0 - warmth)],
            haze: rng.range(0.0, 0.22),
            slope: (rng.range(-0.3, 0.3), rng.range(-0.2, 0.2)),
            noise: rng.range(0.005, 0.04),
            noise_key,
        }
    }

    /// Applies light and sensor to `picture`.
    pub fn apply(&self, picture: &mut RgbImage) {
        let (width, height) = picture.dimensions();
        for (x, y, pixel) in picture.enumerate_pixels_mut() {
            let across = self.slope.0 * (x as f32 / width as f32 - 0.5);
            let down = self.slope.1 * (y as f32 / height as f32 - 0.5);
            let noise = self.noise_at(u64::from(y) * u64::from(width) + u64::from(x));
            for (channel, value) in pixel.0.iter_mut().enumerate() {
                let lit = f32::from(*value) / 255.0 * self.gain[channel] * (1.0 + across + down);
                let seen = lit + (0.55 - lit) * self.haze + noise[channel];
                *value = (seen.clamp(0.0, 1.0) * 255.0).round() as u8;
            }
        }
    }

    /// Nearly Gaussian noise of each channel at a pixel: the sum of two uniform numbers.
    fn noise_at(&self, pixel: u64) -> [f32; 3] {
        let bits = word(self.noise_key, 0, pixel, 0);
        // The sum of two uniform numbers in -0.5..0.5 has a deviation of 1 / sqrt(6).
        let scale = self.noise * 6.0f32.sqrt() / 1024.0;
        std::array::from_fn(|channel| {
            let part = |at: usize| ((bits >> (at * 10)) & 1023) as f32 - 511.5;
            (part(2 * channel) + part(2 * channel + 1)) * scale
        })
    }
}
