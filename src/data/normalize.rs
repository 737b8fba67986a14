//! Normalization of pixel values to zero mean and unit deviation.

/// Mean and standard deviation of each channel, for values in `0..=1`.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Normalization {
    /// Mean of red, green and blue.
    pub mean: [f32; 3],
    /// Standard deviation of red, green and blue; not 0.
    pub std: [f32; 3],
}

impl Normalization {
    /// Statistics of ImageNet, which torchvision's weights expect.
    pub const IMAGENET: Self = Self { mean: [0.485, 0.456, 0.406], std: [0.229, 0.224, 0.225] };

    /// No change: values in `0..=1`.
    pub const NONE: Self = Self { mean: [0.0; 3], std: [1.0; 3] };

    /// The normalization of a number of channels. One channel gets the averages over the three, for weights trained on
    /// colors.
    pub fn of_channels(self, channels: usize) -> Self {
        let mean = |[r, g, b]: [f32; 3]| [if r == g && g == b { r } else { (r + g + b) / 3.0 }; 3];
        if channels == 1 { Self { mean: mean(self.mean), std: mean(self.std) } } else { self }
    }

    /// Value of each byte in each channel, `(byte / 255 - mean) / std`. A batch then takes one look-up per value.
    pub fn table(&self) -> [[f32; 256]; 3] {
        std::array::from_fn(|channel| {
            std::array::from_fn(|byte| (byte as f32 / 255.0 - self.mean[channel]) / self.std[channel])
        })
    }
}

/// Normalized values of the channels of a network's input: 1, 3 or 4.
#[derive(Debug, Clone)]
pub struct Inputs {
    table: Box<[[f32; 256]; 3]>,
    fourth: Box<[f32; 256]>,
    channels: usize,
}

impl Inputs {
    /// Three channels.
    pub fn rgb(normalization: &Normalization) -> Self {
        Self::new(normalization, 3, (0.0, 1.0))
    }

    /// 1, 3 or 4 channels; `fourth` is the mean and the deviation of the fourth. One channel has the values of red.
    pub fn new(normalization: &Normalization, channels: usize, (mean, std): (f32, f32)) -> Self {
        let fourth = Box::new(std::array::from_fn(|byte| (byte as f32 / 255.0 - mean) / std));
        Self { table: Box::new(normalization.table()), fourth, channels }
    }

    /// Number of channels.
    pub fn channels(&self) -> usize {
        self.channels
    }

    /// Writes the channels of RGB bytes: all but the fourth.
    pub(crate) fn write(&self, rgb: &[u8], out: &mut [f32]) {
        match self.channels {
            1 => out
                .iter_mut()
                .zip(rgb.as_chunks::<3>().0)
                .for_each(|(out, rgb)| *out = self.table[0][usize::from(rgb[0])]),
            4 => {
                for (out, rgb) in out.as_chunks_mut::<4>().0.iter_mut().zip(rgb.as_chunks::<3>().0) {
                    (0..3).for_each(|channel| out[channel] = self.table[channel][usize::from(rgb[channel])]);
                }
            }
            _ => normalize(&self.table, rgb, out),
        }
    }

    /// Writes the fourth channel, given three times in RGB bytes.
    pub(crate) fn write_fourth(&self, rgb: &[u8], out: &mut [f32]) {
        for (out, rgb) in out.as_chunks_mut::<4>().0.iter_mut().zip(rgb.as_chunks::<3>().0) {
            out[3] = self.fourth[usize::from(rgb[0])];
        }
    }
}

/// Writes the normalized values of RGB bytes, by the table of a normalization.
pub(crate) fn normalize(table: &[[f32; 256]; 3], rgb: &[u8], out: &mut [f32]) {
    for (out, rgb) in out.as_chunks_mut::<3>().0.iter_mut().zip(rgb.as_chunks::<3>().0) {
        *out = std::array::from_fn(|channel| table[channel][usize::from(rgb[channel])]);
    }
}

/// Exact sums over pixels. They are integers, so the order of the images does not matter.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct PixelSums {
    /// Number of pixels.
    pub pixels: u64,
    /// Sum of the bytes of each channel.
    pub sum: [u64; 3],
    /// Sum of their squares.
    pub squares: [u64; 3],
}

impl PixelSums {
    /// Sums over interleaved RGB bytes.
    pub fn of(rgb: &[u8]) -> Self {
        let mut sums = Self { pixels: rgb.len() as u64 / 3, ..Self::default() };
        for pixel in rgb.chunks_exact(3) {
            for (channel, &byte) in pixel.iter().enumerate() {
                let value = u64::from(byte);
                sums.sum[channel] += value;
                sums.squares[channel] += value * value;
            }
        }
        sums
    }

    /// The sums of both.
    pub fn plus(mut self, other: Self) -> Self {
        self.pixels += other.pixels;
        for channel in 0..3 {
            self.sum[channel] += other.sum[channel];
            self.squares[channel] += other.squares[channel];
        }
        self
    }

    /// Mean and population standard deviation. A constant channel gets deviation 1: it becomes 0, without a division by
    /// 0.
    pub fn normalization(&self) -> Normalization {
        let mut result = Normalization::NONE;
        if self.pixels == 0 {
            return result;
        }
        let n = u128::from(self.pixels);
        for channel in 0..3 {
            let (sum, squares) = (u128::from(self.sum[channel]), u128::from(self.squares[channel]));
            // n² times the variance is an exact integer. Only the last steps round.
            let scaled_variance = n * squares - sum * sum;
            result.mean[channel] = (sum as f64 / n as f64 / 255.0) as f32;
            if scaled_variance > 0 {
                result.std[channel] = ((scaled_variance as f64).sqrt() / n as f64 / 255.0) as f32;
            }
        }
        result
    }
}
