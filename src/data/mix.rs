//! Mixing two training samples and their labels: mixup (Zhang et al. 2018) and CutMix (Yun et al. 2019).
//!
//! The other sample, the share and the rectangle are `f(seed, epoch, sample)`. They do not depend on the batch, on the
//! loader's threads, or on the step at which a run was resumed. All other samples of the set are equally likely. Both
//! samples are augmented.

use crate::random::{Random, op};

/// How samples are mixed. Shares come from Beta(α, α): near 0 or 1 for a small α, uniform for α = 1.
#[derive(Debug, Clone, Copy, PartialEq, Default)]
pub struct Mix {
    /// α of mixup, which adds the images; 0 is off.
    pub mixup: f64,
    /// α of CutMix, which copies a rectangle of one image into the other; 0 is off. If both are on, each has
    /// probability 0.5.
    pub cutmix: f64,
    /// Seed of the run.
    pub seed: u64,
}

/// A sample that is mixed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct MixOf {
    /// Number of the epoch.
    pub epoch: u64,
    /// Its index among the samples.
    pub index: usize,
    /// Number of all samples.
    pub samples: usize,
    /// Height and width of its image, in pixels.
    pub size: (usize, usize),
}

/// The mix of one sample.
#[derive(Debug, Clone, PartialEq)]
pub struct Mixed {
    /// Index of the other sample.
    pub other: usize,
    /// Share of the sample's own label, 0 to 1.
    pub share: f32,
    /// Columns and rows of the rectangle copied from the other image, ends excluded; `None` if the images are added.
    pub part: Option<[std::ops::Range<usize>; 2]>,
}

impl Mix {
    /// Whether any mixing is on.
    pub fn is_on(&self) -> bool {
        self.mixup > 0.0 || self.cutmix > 0.0
    }

    /// The mix of a sample.
    pub fn draw(&self, of: MixOf) -> Mixed {
        let MixOf { epoch, index, samples, size: (height, width) } = of;
        let mut random = Random::new(self.seed, epoch, index as u64, op::MIX);
        let other = (index + 1 + random.below(samples - 1)) % samples;
        let cut = self.cutmix > 0.0 && (self.mixup <= 0.0 || random.chance(0.5));
        let share = beta(&mut random, if cut { self.cutmix } else { self.mixup });
        if !cut {
            return Mixed { other, share: share as f32, part: None };
        }
        // As in the paper, the center may lie anywhere and the rectangle is clipped. `share` is the sample's share of
        // the pixels.
        let mut range = |side: usize| {
            let half = (1.0 - share).sqrt() * side as f64 / 2.0;
            let middle = f64::from(random.unit()) * side as f64;
            let [start, end] = [middle - half, middle + half].map(|v| v.round().clamp(0.0, side as f64) as usize);
            start..end
        };
        let [x, y] = [width, height].map(&mut range);
        let share = 1.0 - (x.len() * y.len()) as f32 / (width * height) as f32;
        Mixed { other, share, part: Some([x, y]) }
    }
}

impl Mixed {
    /// Mixes `other` into `image`: (H, W, C) by rows, `width` pixels of `channels` values each.
    pub fn apply(&self, image: &mut [f32], other: &[f32], width: usize, channels: usize) {
        match &self.part {
            None => {
                let blend = |(a, b): (&mut f32, &f32)| *a = self.share * *a + (1.0 - self.share) * b;
                image.iter_mut().zip(other).for_each(blend);
            }
            Some([x, y]) => {
                for row in y.clone() {
                    let part = (row * width + x.start) * channels..(row * width + x.end) * channels;
                    image[part.clone()].copy_from_slice(&other[part]);
                }
            }
        }
    }
}

/// A sample of Beta(α, α): the first of two samples of Gamma(α), divided by their sum.
fn beta(random: &mut Random, alpha: f64) -> f64 {
    // In logarithms, because for a small α both may be below the smallest float.
    let [a, b] = [(); 2].map(|()| ln_gamma_variate(random, alpha));
    1.0 / (1.0 + (b - a).exp())
}

/// Logarithm of a sample of Gamma(α, 1) by Marsaglia & Tsang (2000). For α < 1 a sample of α + 1 is multiplied by
/// U^(1/α).
fn ln_gamma_variate(random: &mut Random, alpha: f64) -> f64 {
    // In (0, 1), so that logarithms are finite.
    let open = |random: &mut Random| (f64::from(random.unit()) + 2f64.powi(-25)).ln();
    if alpha < 1.0 {
        return ln_gamma_variate(random, alpha + 1.0) + open(random) / alpha;
    }
    let d = alpha - 1.0 / 3.0;
    let c = 1.0 / (9.0 * d).sqrt();
    loop {
        let x = f64::from(random.normal());
        let v = (1.0 + c * x).powi(3);
        if v > 0.0 && open(random) < 0.5 * x * x + d - d * v + d * v.ln() {
            return (d * v).ln();
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn shares_have_the_moments_of_beta() {
        for alpha in [0.2, 0.5, 1.0, 4.0] {
            let n = 40_000;
            let mut random = Random::new(1, 2, 3, 4);
            let shares: Vec<f64> = (0..n).map(|_| beta(&mut random, alpha)).collect();
            let mean = shares.iter().sum::<f64>() / f64::from(n);
            let moment = |power| shares.iter().map(|s| (s - 0.5_f64).powi(power)).sum::<f64>() / f64::from(n);
            // Variance and kurtosis of Beta(α, α).
            let (variance, kurtosis) = (1.0 / (4.0 * (2.0 * alpha + 1.0)), 3.0 - 6.0 / (2.0 * alpha + 3.0));
            assert!((mean - 0.5).abs() < 0.01, "α {alpha}: mean {mean}");
            assert!((moment(2) / variance - 1.0).abs() < 0.03, "α {alpha}: variance {}", moment(2));
            assert!((moment(4) / moment(2).powi(2) / kurtosis - 1.0).abs() < 0.03, "α {alpha}: kurtosis");
            assert!(shares.iter().all(|s| (0.0..=1.0).contains(s)));
        }
    }

    #[test]
    fn the_share_of_a_label_is_that_of_its_pixels() {
        let of = |epoch| MixOf { epoch, index: 3, samples: 7, size: (24, 40) };
        let mix = Mix { mixup: 0.4, cutmix: 1.0, seed: 5 };
        let (mut cut, mut others) = (0, [0; 7]);
        for epoch in 0..2000 {
            let mixed = mix.draw(of(epoch));
            let mut image = vec![1.0; 24 * 40 * 3];
            mixed.apply(&mut image, &[0.0; 24 * 40 * 3], 40, 3);
            let left = image.iter().sum::<f32>() / image.len() as f32;
            assert!((left - mixed.share).abs() < 1e-4, "{left} of the image stays and {mixed:?}");
            cut += usize::from(mixed.part.is_some());
            others[mixed.other] += 1;
        }
        assert!((900..1100).contains(&cut), "{cut} of 2000 are cut");
        assert!(others[3] == 0 && others.iter().enumerate().all(|(i, &n)| i == 3 || n > 270), "{others:?}");
        assert_eq!(mix.draw(of(9)), mix.draw(of(9)));
    }
}
