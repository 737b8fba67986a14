//! Occlusion maps.

use image::{GrayImage, Luma, Rgb, RgbImage};
use serde_json::json;

use super::classifier::Classifier;
use super::map::{Map, rows};
use super::settings::{Explain, ExplainError};
use crate::data::Bands;
use crate::run::card::ModelCard;
use crate::tasks::TaskError;

/// A grey patch that moves over an image.
pub(super) struct Patch {
    side: usize,
    stride: usize,
    size: [usize; 2],
}

/// The grey of the patch, 0 to 255.
const GREY: u8 = 128;

impl Patch {
    pub fn new(card: &ModelCard, how: &Explain) -> Result<Patch, ExplainError> {
        let size = card.image_size;
        let least = size[0].min(size[1]);
        let within = |name, value: usize, most, reason| match (1..=most).contains(&value) {
            true => Ok(value),
            false => Err(ExplainError::Patch { name, value, most, reason }),
        };
        let side = within(
            "patch",
            how.patch.unwrap_or((least / 5).max(1)),
            least,
            "the shorter side of the network's images",
        )?;
        let stride = how.stride.unwrap_or((side / 2).max(1));
        let stride = within("stride", stride, side, "the side of the patch, so that every pixel is covered")?;
        Ok(Patch { side, stride, size })
    }

    /// Positions of the patch along an axis, the last at the end of the axis.
    fn places(&self, axis: usize) -> Vec<usize> {
        let last = self.size[axis] - self.side;
        let mut places: Vec<usize> = (0..last).step_by(self.stride).collect();
        places.push(last);
        places
    }

    /// The drop of a class's probability at each place.
    pub fn map(&self, of: &mut dyn Classifier, pixels: &[f32], class: usize, whole: f32) -> Result<Map, TaskError> {
        let [height, width] = self.size;
        let grey = of.pixels(&[grey_image(of.card())]);
        let channels = pixels.len() / (height * width);
        let (tops, lefts) = (self.places(0), self.places(1));
        let places: Vec<[usize; 2]> = tops.iter().flat_map(|&top| lefts.iter().map(move |&left| [top, left])).collect();
        let mut drops = vec![];
        for places in places.chunks(of.batch()) {
            let mut batch = Vec::with_capacity(places.len() * pixels.len());
            for &[top, left] in places {
                let start = batch.len();
                batch.extend_from_slice(pixels);
                for y in top..top + self.side {
                    let row = (y * width + left) * channels..(y * width + left + self.side) * channels;
                    batch[start + row.start..start + row.end].copy_from_slice(&grey[row]);
                }
            }
            drops.extend(of.probabilities(batch)?.iter().map(|p| f64::from(whole) - f64::from(p[class])));
        }
        let values = self.spread(&places, &drops);
        let most = drops.iter().copied().fold(0.0, f64::max);
        let (side, stride) = (self.side, self.stride);
        Ok(Map {
            legend: "yellow: needed most",
            caption: format!("{side} px patch: −{:.1} points at most", 100.0 * most),
            json: json!({ "patch": side, "stride": stride, "map": rows(&drops, lefts.len()) }),
            size: self.size,
            values,
        })
    }

    /// The mean drop of the places that cover each pixel.
    fn spread(&self, places: &[[usize; 2]], drops: &[f64]) -> Vec<f64> {
        let [height, width] = self.size;
        let (mut sums, mut counts) = (vec![0.0; height * width], vec![0.0; height * width]);
        for (&[top, left], drop) in places.iter().zip(drops) {
            for y in top..top + self.side {
                for x in left..left + self.side {
                    sums[y * width + x] += drop;
                    counts[y * width + x] += 1.0;
                }
            }
        }
        sums.into_iter().zip(counts).map(|(sum, count): (f64, f64)| sum / count.max(1.0)).collect()
    }
}

fn grey_image(card: &ModelCard) -> Bands {
    let [height, width] = card.image_size.map(|side| side as u32);
    let rgb = RgbImage::from_pixel(width, height, Rgb([GREY; 3]));
    let fourth = (card.channels() == 4).then(|| GrayImage::from_pixel(width, height, Luma([GREY])));
    Bands { rgb, fourth }
}
