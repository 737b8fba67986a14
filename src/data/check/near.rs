//! Nearly equal images in two parts: saved again, at another size, mirrored or turned.
//!
//! An image is reduced to 8x8 mean brightnesses. Its signs say which of two neighbors is brighter. Two images are compared if a quarter
//! of their signs agrees, which finds all whose signs differ in three places at most. They are alike if their mean brightnesses hardly
//! differ.

use std::collections::HashMap;

use image::RgbImage;

use super::PartRead;
use super::report::CheckReport;

/// Cells a side.
const SIDE: usize = 8;
/// Quarters of the signs.
const QUARTERS: u32 = 4;
const BITS: u32 = u64::BITS / QUARTERS;
/// Largest number of signs in which two images differ.
const MOST_SIGNS: u32 = 3;
/// Largest mean difference of the cells, of 255.
const MOST_MEAN: f64 = 3.0;
/// Least deviation of the cells. Flatter images, such as masks or night, look alike without being copies.
const LEAST_DEVIATION: f64 = 8.0;
/// Largest number of images that are compared for the same quarter, so that the time is bounded.
const MOST_COMPARED: usize = 64;

/// The look of an image: the mean brightness of 8x8 cells.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) struct Look([u8; SIDE * SIDE]);

/// The ways to mirror and turn a square.
const WAYS: usize = 8;

impl Look {
    /// The look of an image; `None` for an image smaller than the cells or too flat.
    pub fn of(image: &RgbImage) -> Option<Self> {
        let (width, height) = (image.width() as usize, image.height() as usize);
        if width < SIDE || height < SIDE {
            return None;
        }
        let mut sums = [(0u64, 0u64); SIDE * SIDE];
        for (row, pixels) in image.as_raw().chunks_exact(3 * width).enumerate() {
            for (column, pixel) in pixels.chunks_exact(3).enumerate() {
                let (sum, count) = &mut sums[row * SIDE / height * SIDE + column * SIDE / width];
                *sum += pixel.iter().map(|&sample| u64::from(sample)).sum::<u64>();
                *count += 3;
            }
        }
        let look = Self(sums.map(|(sum, count)| (sum / count) as u8));
        let mean = look.0.iter().map(|&cell| f64::from(cell)).sum::<f64>() / (SIDE * SIDE) as f64;
        let variance = look.0.iter().map(|&cell| (f64::from(cell) - mean).powi(2)).sum::<f64>() / (SIDE * SIDE) as f64;
        (variance.sqrt() >= LEAST_DEVIATION).then_some(look)
    }

    /// The look of the image mirrored (4 and above) and turned by quarters.
    fn turned(&self, way: usize) -> Self {
        let cell = |at: usize| {
            let (mut row, mut column) = (at / SIDE, at % SIDE);
            for _ in 0..way % 4 {
                (row, column) = (SIDE - 1 - column, row);
            }
            self.0[row * SIDE + if way < WAYS / 2 { column } else { SIDE - 1 - column }]
        };
        Self(std::array::from_fn(cell))
    }

    /// A bit for each cell: whether it is brighter than the next one of its row; the last one is compared with the first.
    fn signs(&self) -> u64 {
        let brighter = |at: usize| self.0[at] > self.0[at - at % SIDE + (at + 1) % SIDE];
        (0..SIDE * SIDE).fold(0, |signs, at| signs | u64::from(brighter(at)) << at)
    }

    fn is_like(&self, other: &Self) -> bool {
        let difference: u64 = self.0.iter().zip(&other.0).map(|(a, b)| u64::from(a.abs_diff(*b))).sum();
        difference as f64 <= MOST_MEAN * (SIDE * SIDE) as f64
    }
}

fn quarters(signs: u64) -> impl Iterator<Item = (u32, u64)> {
    (0..QUARTERS).map(move |quarter| (quarter, signs >> (quarter * BITS) & ((1 << BITS) - 1)))
}

/// Adds a note on images of later parts that look like training images. Equal ones are faults already.
pub(super) fn report(parts: &[PartRead], report: &mut CheckReport) {
    let Some((first, others)) = parts.split_first() else { return };
    let looks = first.samples.iter().enumerate().filter_map(|(at, sample)| Some((at, sample.image.as_ref()?.look?)));
    let known: Vec<_> = looks.map(|(at, look)| (at, look, look.signs())).collect();
    let mut table: HashMap<(u32, u64), Vec<usize>> = HashMap::new();
    for (at, (_, _, signs)) in known.iter().enumerate() {
        for quarter in quarters(*signs) {
            let places = table.entry(quarter).or_default();
            if places.len() < MOST_COMPARED {
                places.push(at);
            }
        }
    }
    for part in others {
        let mut found = part.samples.iter().filter_map(|sample| {
            let image = sample.image.as_ref()?;
            let look = image.look?;
            let like = (0..WAYS).find_map(|way| {
                let turned = look.turned(way);
                let signs = turned.signs();
                let near = |at: &&usize| {
                    let (_, other, own) = &known[**at];
                    (own ^ signs).count_ones() <= MOST_SIGNS && other.is_like(&turned)
                };
                let at = quarters(signs).find_map(|quarter| table.get(&quarter)?.iter().find(near))?;
                Some((known[*at].0, way > 0))
            });
            let (at, is_turned) = like?;
            let other = &first.samples[at];
            let is_equal = other.image.as_ref().is_some_and(|other| other.hash == image.hash);
            (!is_equal).then_some((&sample.name, &other.name, is_turned))
        });
        let Some((name, other, is_turned)) = found.next() else { continue };
        let count = 1 + found.count();
        let way = if is_turned { " mirrored or turned" } else { "" };
        report.notes.push(format!(
            "{count} of {} {} images look like a training image, such as {name}, which looks like {other}{way}: if they are copies of one \
             original, the scores are too good; move them into one part",
            part.samples.len(),
            part.name
        ));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn looks_turn_as_images_do() {
        let pixel = |x: u32, y: u32| image::Rgb([(x * 9 + y * y) as u8, (x * y * 3) as u8, (y * 11) as u8]);
        let image = RgbImage::from_fn(24, 24, pixel);
        let look = Look::of(&image).unwrap();
        let ways = [
            image::imageops::flip_horizontal(&image),
            image::imageops::flip_vertical(&image),
            image::imageops::rotate90(&image),
            image::imageops::rotate180(&image),
            image::imageops::rotate270(&image),
            image::imageops::flip_horizontal(&image::imageops::rotate90(&image)),
            image::imageops::flip_vertical(&image::imageops::rotate90(&image)),
        ];
        let mut seen = std::collections::BTreeSet::from([0]);
        for other in ways {
            let turned = Look::of(&other).unwrap();
            let way = (0..WAYS).find(|&way| turned.turned(way) == look).unwrap();
            assert!(seen.insert(way));
        }
        assert!(Look::of(&RgbImage::from_pixel(24, 24, image::Rgb([9, 9, 9]))).is_none());
        assert!(Look::of(&RgbImage::new(7, 24)).is_none());
    }
}
