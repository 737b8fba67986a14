//! Counter-based random numbers: every value is a pure function of `(seed, epoch, sample, op)`.
//!
//! No generator state is stored or shared, so a value does not depend on the thread or on earlier values. A run is
//! repeatable with any number of loader threads, and a resumed run equals an uninterrupted one.
//!
//! The mixing function is the finalizer of SplitMix64 (Steele, Lea & Flood 2014), chained over the words of the key. It
//! passes BigCrush as a counter generator; it is not for cryptography.

/// Purpose of a random number. Two uses of one seed must never share an op.
pub mod op {
    /// Order of the samples of an epoch.
    pub const SHUFFLE: u64 = 1;
    /// Choice of the samples held out for validation.
    pub const SPLIT: u64 = 2;
    /// A built-in scene, apart from its noise.
    pub const SCENE: u64 = 3;
    /// Sensor noise of a built-in scene.
    pub const SCENE_NOISE: u64 = 4;
    /// A built-in street, apart from its noise.
    pub const STREET: u64 = 5;
    /// Sensor noise of a built-in street.
    pub const STREET_NOISE: u64 = 6;
    /// Partner and proportion of a mixed sample.
    pub const MIX: u64 = 7;
    /// A built-in scene of several objects.
    pub const SEVERAL: u64 = 8;
    /// Place and scale of a crop.
    pub const CROP: u64 = 9;
    /// A resample of a bootstrap.
    pub const BOOTSTRAP: u64 = 10;
    /// A draw that is balanced over the classes.
    pub const BALANCE: u64 = 11;
    /// Choice of the training samples of a small trial.
    pub const LIMIT: u64 = 12;
    /// Key of the dropout masks of a batch.
    pub const DROPOUT: u64 = 13;
    /// First number of augmentation, to which each operation adds its fixed number.
    pub const AUGMENT: u64 = 1 << 16;
}

/// Increment of SplitMix64: 2^64 divided by the golden ratio, made odd.
const GOLDEN: u64 = 0x9E37_79B9_7F4A_7C15;

fn mix(mut z: u64) -> u64 {
    z = (z ^ (z >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
    z = (z ^ (z >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
    z ^ (z >> 31)
}

/// Mixes the bits of a word: the lowbias32 of Wellons (2018), as in `shaders/shared/random.wgsl`. Each word has another result,
/// and 0 stays 0.
pub fn mix_bits(value: u32) -> u32 {
    let v = (value ^ (value >> 16)).wrapping_mul(0x7feb_352d);
    let v = (v ^ (v >> 15)).wrapping_mul(0x846c_a68b);
    v ^ (v >> 16)
}

/// The random word of `(seed, epoch, sample, op)`: uniform over all of `u64`.
pub fn word(seed: u64, epoch: u64, sample: u64, op: u64) -> u64 {
    [seed, epoch, sample, op].into_iter().fold(0, |state: u64, part| mix(state.wrapping_add(GOLDEN) ^ part))
}

/// Uniform in `[0, 1)` with the 24 bits that an `f32` can hold exactly.
pub fn unit(seed: u64, epoch: u64, sample: u64, op: u64) -> f32 {
    unit_of(word(seed, epoch, sample, op))
}

fn unit_of(word: u64) -> f32 {
    (word >> 40) as f32 * (1.0 / (1u64 << 24) as f32)
}

/// Uniform in `0..n`, and 0 for `n` = 0. Multiply-shift: the bias is below n / 2^64.
fn below_of(word: u64, n: u64) -> u64 {
    ((u128::from(word) * u128::from(n)) >> 64) as u64
}

/// The sequence of random numbers of one key: a key and a counter. Number `k` of a key is always the same.
#[derive(Debug, Clone)]
pub struct Random {
    key: u64,
    counter: u64,
}

impl Random {
    /// The sequence of `(seed, epoch, sample, op)`.
    pub fn new(seed: u64, epoch: u64, sample: u64, op: u64) -> Self {
        Self { key: word(seed, epoch, sample, op), counter: 0 }
    }

    /// Uniform over all of `u64`.
    pub fn word(&mut self) -> u64 {
        self.counter = self.counter.wrapping_add(GOLDEN);
        mix(self.key ^ mix(self.counter))
    }

    /// Uniform in `[0, 1)`.
    pub fn unit(&mut self) -> f32 {
        unit_of(self.word())
    }

    /// Uniform in `[low, high)`; `low` if the range is empty.
    pub fn range(&mut self, low: f32, high: f32) -> f32 {
        low + (high - low) * self.unit()
    }

    /// Uniform in `0..n`; 0 for `n` = 0.
    pub fn below(&mut self, n: usize) -> usize {
        below_of(self.word(), n as u64) as usize
    }

    /// True with the given probability.
    pub fn chance(&mut self, probability: f32) -> bool {
        self.unit() < probability
    }

    /// One of the choices; the slice must not be empty.
    pub fn pick<T: Copy>(&mut self, choices: &[T]) -> T {
        choices[self.below(choices.len())]
    }

    /// Standard normal (Box-Muller, one of the pair).
    pub fn normal(&mut self) -> f32 {
        // 1 - u lies in (0, 1], so the logarithm is finite.
        let radius = (-2.0 * (1.0 - self.unit()).ln()).sqrt();
        radius * (std::f32::consts::TAU * self.unit()).cos()
    }
}

/// `0..n` in the order of `(seed, epoch)`. Every permutation is equally likely.
pub fn shuffled(n: usize, seed: u64, epoch: u64) -> Vec<usize> {
    let mut order: Vec<usize> = (0..n).collect();
    shuffle(&mut order, seed, epoch, op::SHUFFLE);
    order
}

/// Fisher-Yates over `items` with the numbers of `(seed, epoch, position, op)`.
pub fn shuffle<T>(items: &mut [T], seed: u64, epoch: u64, op: u64) {
    for last in (1..items.len()).rev() {
        let draw = word(seed, epoch, last as u64, op);
        items.swap(last, below_of(draw, last as u64 + 1) as usize);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_finaliser_is_the_published_splitmix64() {
        // First outputs of the reference implementation for seed 1234567.
        let outputs: Vec<u64> = (1..=3u64).map(|i| mix(1_234_567u64.wrapping_add(GOLDEN.wrapping_mul(i)))).collect();
        assert_eq!(outputs, [6_457_827_717_110_365_317, 3_203_168_211_198_807_973, 9_817_491_932_198_370_423]);
    }

    #[test]
    fn every_word_of_the_key_counts() {
        let base = word(1, 2, 3, 4);
        for other in [word(0, 2, 3, 4), word(1, 0, 3, 4), word(1, 2, 0, 4), word(1, 2, 3, 0), word(2, 1, 3, 4)] {
            assert_ne!(base, other);
            // Unrelated words differ in about half of their 64 bits.
            assert!((16..=48).contains(&(base ^ other).count_ones()));
        }
    }

    #[test]
    fn moments_are_those_of_the_distributions() {
        let n = 100_000;
        let mut rng = Random::new(7, 0, 0, 99);
        let uniform: f64 = (0..n).map(|_| f64::from(rng.unit())).sum::<f64>() / f64::from(n);
        assert!((uniform - 0.5).abs() < 0.005, "{uniform}");
        let normal: Vec<f64> = (0..n).map(|_| f64::from(rng.normal())).collect();
        let mean = normal.iter().sum::<f64>() / f64::from(n);
        let var = normal.iter().map(|x| (x - mean).powi(2)).sum::<f64>() / f64::from(n);
        let fourth = normal.iter().map(|x| (x - mean).powi(4)).sum::<f64>() / f64::from(n);
        assert!(mean.abs() < 0.02 && (var - 1.0).abs() < 0.02, "{mean} {var}");
        assert!((fourth / (var * var) - 3.0).abs() < 0.1, "kurtosis {}", fourth / (var * var));
    }

    #[test]
    fn shuffles_are_fair_permutations() {
        let mut counts = [[0u32; 5]; 5];
        for epoch in 0..20_000 {
            let order = shuffled(5, 3, epoch);
            let mut sorted = order.clone();
            sorted.sort_unstable();
            assert_eq!(sorted, [0, 1, 2, 3, 4]);
            for (place, &item) in order.iter().enumerate() {
                counts[place][item] += 1;
            }
        }
        for count in counts.iter().flatten() {
            assert!((3_700..=4_300).contains(count), "expected about 4000: {counts:?}");
        }
        assert_eq!(shuffled(9, 1, 2), shuffled(9, 1, 2));
        assert!(shuffled(0, 1, 2).is_empty());
    }
}
