//! Feature maps of chosen layers, and the filters of the first layer.

use image::imageops::{FilterType, replace, resize};
use image::{Rgb, RgbImage};
use serde_json::{Value as Json, json};

use super::SIDE;
use super::map::enlarged;
use super::settings::ExplainError;
use crate::exec::{AnyEngine, ExecError, PlanId, Session};
use crate::fuse::{FuseOptions, fuse};
use crate::graph::{Graph, names};
use crate::plan::PlanOptions;
use crate::run::card::ModelCard;
use crate::run::pictures::{Cell, Drawn, Sheet, palette, shaded};
use crate::shape::TensorType;
use crate::train::TrainError;
use crate::train::step::port;
use crate::training::grad_cam::{FeatureMap, feature_maps};

/// Maximum number of channels drawn of a layer.
const SHOWN: usize = 16;
/// Pixels between two tiles of a mosaic.
const GAP: u32 = 2;

/// A plan whose outputs are feature maps of one image.
pub(crate) struct FeaturePlan {
    plan: PlanId,
    layers: Vec<FeatureMap>,
}

/// The feature maps of a layer for an image.
struct Features<'a> {
    layer: &'a FeatureMap,
    /// Values `[H,W,C]`.
    values: Vec<f32>,
}

impl FeaturePlan {
    /// The plan for the layers that match a pattern. By default they are the first layer, and the last one before each change of the
    /// maps' size.
    ///
    /// # Errors
    /// The outer error when memory runs out; the inner error when there is no such layer.
    pub fn new(
        session: &mut Session<AnyEngine>,
        card: &ModelCard,
        channels: usize,
        layer: Option<&str>,
    ) -> Result<Result<FeaturePlan, ExplainError>, TrainError> {
        let [h, w] = card.image_size;
        let mut g = Graph::with_states(session.states().clone());
        let images = g.input(port::IMAGES, TensorType::channels([1, h, w, channels]));
        let output = card.network.apply(&mut g, images, crate::nn::Mode::Eval)?;
        let all = feature_maps(&g, output);
        let last_of_size = |i: usize| all.get(i + 1).is_none_or(|next| next.size[..2] != all[i].size[..2]);
        let chosen = |i: &usize| match layer {
            Some(layer) => names(layer, &all[*i].layer),
            None => *i == 0 || last_of_size(*i),
        };
        let layers: Vec<FeatureMap> = (0..all.len()).filter(chosen).map(|i| all[i].clone()).collect();
        if layers.is_empty() {
            return Ok(Err(match layer {
                Some(layer) if !all.is_empty() => {
                    let layers = all.into_iter().map(|map| map.layer).collect();
                    ExplainError::Layer { layer: layer.to_owned(), layers }
                }
                _ => ExplainError::TooSmall { height: h, width: w },
            }));
        }
        layers.iter().for_each(|map| g.output(&map.layer, map.value));
        fuse(&mut g, FuseOptions::default());
        let plan = session.load(&g, PlanOptions::default())?;
        Ok(Ok(FeaturePlan { plan, layers }))
    }

    /// The maps of an image as a picture and JSON, from its normalized pixels `[H,W,channels]`. `seen` is the image as the network sees
    /// it.
    ///
    /// # Errors
    /// When the device is lost.
    pub fn draw(
        &self,
        session: &mut Session<AnyEngine>,
        pixels: &[f32],
        seen: RgbImage,
    ) -> Result<(Drawn, Json), TrainError> {
        session.write(self.plan, port::IMAGES, pixels)?;
        let maps = session.run_now(self.plan)?;
        let maps: Vec<_> = self.layers.iter().zip(maps).map(|(layer, values)| Features { layer, values }).collect();
        let color = palette::INK;
        let mut cells = vec![Cell::new(enlarged(seen, SIDE), "image", color)];
        if let Some(first) = maps.first()
            && let Some((tiles, [kh, kw])) = filters(session, first)?
        {
            let caption = format!("filters of {}\n{kh} × {kw}, in the order of its maps", first.layer.layer);
            cells.push(Cell::new(mosaic(&tiles), caption, color));
        }
        for map in &maps {
            let tiles: Vec<_> = map.shown().into_iter().map(|channel| map.tile(channel)).collect();
            cells.push(Cell::new(mosaic(&tiles), map.caption(tiles.len()), color));
        }
        let json = json!({ "layers": maps.iter().map(Features::json).collect::<Vec<_>>() });
        let title = "Feature maps: each from its least value (violet) to its largest (yellow)".to_owned();
        Ok((Sheet { title, columns: 3, cell_size: SIDE, cells }.draw()?, json))
    }
}

impl Features<'_> {
    fn channel(&self, channel: usize) -> impl Iterator<Item = f64> + '_ {
        self.values.iter().skip(channel).step_by(self.layer.size[2]).map(|&v| f64::from(v))
    }

    /// Variance over the pixels.
    fn variance(&self, channel: usize) -> f64 {
        let pixels = (self.layer.size[0] * self.layer.size[1]) as f64;
        let mean = self.channel(channel).sum::<f64>() / pixels;
        self.channel(channel).map(|v| (v - mean).powi(2)).sum::<f64>() / pixels
    }

    /// The channels that vary most over the image, in descending order.
    fn shown(&self) -> Vec<usize> {
        let variances: Vec<f64> = (0..self.layer.size[2]).map(|channel| self.variance(channel)).collect();
        let mut channels: Vec<usize> = (0..variances.len()).collect();
        channels.sort_by(|&a, &b| variances[b].total_cmp(&variances[a]));
        channels.truncate(SHOWN);
        channels
    }

    /// Number of channels that are 0 at every pixel.
    fn silent(&self) -> usize {
        (0..self.layer.size[2]).filter(|&channel| self.channel(channel).all(|v| v == 0.0)).count()
    }

    fn tile(&self, channel: usize) -> RgbImage {
        let values: Vec<f64> = self.channel(channel).collect();
        shaded(&values, [self.layer.size[0], self.layer.size[1]])
    }

    fn caption(&self, shown: usize) -> String {
        let [h, w, c] = self.layer.size;
        let silent = match self.silent() {
            0 => String::new(),
            n => format!("; 0 everywhere: {n}"),
        };
        format!("{}: {h} × {w}\n{shown} of {c} channels{silent}", self.layer.layer)
    }

    fn json(&self) -> Json {
        let [height, width, channels] = self.layer.size;
        json!({
            "layer": self.layer.layer, "height": height, "width": width, "channels": channels, "silent": self.silent(),
            "shown": self.shown(),
        })
    }
}

/// The filters of a convolution as pictures, in the order of the maps that are shown, and their height and width; `None` for a layer
/// without filters of one, three or four channels. A weight of 0 is grey; the largest weight of each filter is white or black.
fn filters(
    session: &mut Session<AnyEngine>,
    of: &Features<'_>,
) -> Result<Option<(Vec<RgbImage>, [usize; 2])>, ExecError> {
    let name = format!("{}.weight", of.layer.layer);
    let shape = session.states().find(&name).map(|id| session.states().spec(id).ty.shape.0.clone());
    let Some(&[kh, kw, inputs, outputs]) = shape.as_deref() else { return Ok(None) };
    if ![1, 3, 4].contains(&inputs) {
        return Ok(None);
    }
    let weights = session.read_state(&name)?;
    let filter = |channel: usize| {
        let at = |y: usize, x: usize, input: usize| weights[((y * kw + x) * inputs + input) * outputs + channel];
        let all = (0..kh * kw * inputs).map(|i| weights[i * outputs + channel].abs());
        let largest = all.fold(f32::MIN_POSITIVE, f32::max);
        RgbImage::from_fn(kw as u32, kh as u32, |x, y| {
            Rgb([0, 1, 2].map(|color| {
                let weight = at(y as usize, x as usize, if inputs == 1 { 0 } else { color });
                (127.5 + 127.5 * weight / largest).round() as u8
            }))
        })
    };
    Ok(Some((of.shown().into_iter().map(filter).collect(), [kh, kw])))
}

/// Pictures of one size in a square grid of [`SIDE`] pixels, each enlarged.
fn mosaic(tiles: &[RgbImage]) -> RgbImage {
    let columns = (1..).find(|n| n * n >= tiles.len()).unwrap_or(1) as u32;
    let side = SIDE / columns.max(1);
    let mut mosaic = RgbImage::from_pixel(SIDE, SIDE, Rgb([255; 3]));
    for (index, tile) in tiles.iter().enumerate() {
        let (width, height) = tile.dimensions();
        let longest = width.max(height).max(1);
        let fitted = |extent: u32| (extent * (side - GAP) / longest).max(1);
        let tile = resize(tile, fitted(width), fitted(height), FilterType::Nearest);
        let (column, row) = (index as u32 % columns, index as u32 / columns);
        replace(&mut mosaic, &tile, i64::from(column * side), i64::from(row * side));
    }
    mosaic
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::graph::Graph;

    fn features(layer: &FeatureMap) -> Features<'_> {
        // Channel 0 is 0 everywhere, channel 1 constant, channel 2 varies.
        Features { layer, values: vec![0.0, 5.0, 1.0, 0.0, 5.0, 3.0] }
    }

    #[test]
    fn channels_that_vary_come_first_and_zeros_are_counted() {
        let mut g = Graph::new();
        let value = g.input("x", TensorType::channels([1, 1, 2, 3]));
        let layer = FeatureMap { layer: "conv1".into(), value, size: [1, 2, 3] };
        let features = features(&layer);
        assert_eq!(features.shown(), [2, 0, 1]);
        assert_eq!(features.silent(), 1);
        assert_eq!(features.variance(2), 1.0);
        let tile = features.tile(2);
        assert_eq!(tile.dimensions(), (2, 1));
        assert!(tile.get_pixel(0, 0).0[0] < tile.get_pixel(1, 0).0[0], "the larger value is lighter");
        assert_eq!(features.caption(3), "conv1: 1 × 2\n3 of 3 channels; 0 everywhere: 1");
    }
}
