//! The cover of a picture with tiles of one size.
//!
//! ```text
//! sides:    a multiple of the network's stride, at most 8 sizes an octave, so that few plans serve pictures of any size
//! starts:   multiples of the stride, so that a tile sees what the whole picture would
//! overlap:  at least a quarter of the tile
//! weight of position i of a tile of n: min(1, (min(i, n − 1 − i) + 1/2) / overlap)
//! ```

/// Tiles along an axis.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Axis {
    /// Pixels of the picture.
    pub length: usize,
    /// Pixels of a tile.
    pub tile: usize,
    /// First pixel of each tile, ascending.
    pub starts: Vec<usize>,
    /// Weight of each position of a tile.
    pub weights: Vec<f32>,
    /// Sum of the weights at each pixel of the picture.
    pub sums: Vec<f32>,
}

/// The next multiple of `step`.
fn up(value: usize, step: usize) -> usize {
    value.div_ceil(step) * step
}

/// The side of the plan that holds `length` pixels, one of at most 8 sizes an octave.
pub(super) fn padded(length: usize, stride: usize) -> usize {
    let octave = length.max(1).next_power_of_two() / 2;
    up(length, up((octave / 8).max(1), stride))
}

impl Axis {
    /// One tile over `length` pixels if its side is at most `most`, else overlapping tiles of `most` pixels (a multiple of
    /// `stride`, at least two of them).
    pub fn new(length: usize, most: usize, stride: usize) -> Self {
        let whole = padded(length, stride);
        let (tile, starts, overlap) = if whole <= most {
            (whole, vec![0], 0)
        } else {
            // Pixels beyond the picture are reflected.
            let end = up(length, stride).max(most);
            let overlap = up(most / 4, stride).min(most - stride);
            let count = (end - overlap).div_ceil(most - overlap).max(1);
            let place = |i: usize| (i * (end - most)).checked_div(count - 1).unwrap_or(0) / stride * stride;
            (most, (0..count).map(place).collect(), overlap)
        };
        let weight = |i: usize| match overlap {
            0 => 1.0,
            overlap => ((i.min(tile - 1 - i) as f32 + 0.5) / overlap as f32).min(1.0),
        };
        let weights: Vec<f32> = (0..tile).map(weight).collect();
        let mut sums = vec![0.0; length];
        for &start in &starts {
            sums.iter_mut().skip(start).zip(&weights).for_each(|(sum, weight)| *sum += weight);
        }
        Axis { length, tile, starts, weights, sums }
    }

    /// Pixels of the picture that the tile from `start` covers.
    pub fn covered(&self, start: usize) -> usize {
        self.tile.min(self.length - start)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn tiles_cover_every_pixel_and_lie_on_the_stride() {
        for (length, most, stride) in
            [(6000, 512, 32), (4000, 512, 32), (33, 64, 32), (1, 64, 4), (97, 64, 32), (700, 96, 16)]
        {
            let axis = Axis::new(length, most, stride);
            assert!(axis.sums.iter().all(|&sum| sum > 0.0), "{axis:?}");
            assert!(axis.tile.is_multiple_of(stride) && axis.tile <= most, "{axis:?}");
            assert!(axis.starts.iter().all(|start| start.is_multiple_of(stride) && *start < length), "{axis:?}");
            let step = axis.starts.windows(2).map(|pair| pair[1] - pair[0]).max().unwrap_or(0);
            assert!(step <= axis.tile - (axis.tile / 4).min(axis.tile - stride), "{axis:?}");
            assert!(axis.starts.last().unwrap() + axis.tile >= length, "{axis:?}");
        }
        assert_eq!(Axis::new(97, 64, 32).starts, [0, 32, 64]);
    }

    #[test]
    fn few_sides_hold_all_lengths() {
        let sides = |stride| {
            let mut sides: Vec<usize> = (1..=4096).map(|length| padded(length, stride)).collect();
            assert!(sides.iter().zip(1..).all(|(&side, length)| side >= length && side.is_multiple_of(stride)));
            sides.dedup();
            sides.len()
        };
        // 8 an octave from 256 to 4096, and the multiples of 32 below.
        assert_eq!(sides(32), 4 * 8 + 8);
        assert!(sides(4) < 72);
    }
}
