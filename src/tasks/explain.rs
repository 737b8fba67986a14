//! The parts of an image that decide about a class: Grad-CAM and occlusion maps of classifiers.

use image::imageops::{FilterType, resize};
use image::{GrayImage, Luma, Rgb, RgbImage};
use serde_json::{Value as Json, json};

use super::TaskError;
use super::predict::Prediction;
use crate::choices;
use crate::data::{Bands, Batch, Source, one_line, square_with_margin};
use crate::exec::{AnyEngine, ExecError, PlanId, Session};
use crate::graph::names;
use crate::nn::Network;
use crate::plan::PlanOptions;
use crate::run::card::ModelCard;
use crate::run::pictures::{Cell, PictureError, Sheet, heat_overlay, palette, png_bytes};
use crate::train::TrainError;
use crate::train::outputs::Outputs;
use crate::train::step::port;
use crate::training::grad_cam::{self, FEATURE_GRADIENT, FEATURES, FeatureMap, GradCam, OUTPUT_WEIGHTS, OUTPUTS};

choices! {
    /// How the parts of an image that decide are found.
    pub enum Method default GradCam {
        /// Grad-CAM (Selvaraju et al. 2017): the last feature maps, weighted by the gradient of the class
        GradCam = "gradcam",
        /// Occlusion (Zeiler & Fergus 2014): the drop of the class's probability under a grey patch, place by place
        Occlusion = "occlusion",
    }
}

/// What is explained, and how.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Explain {
    /// The method.
    pub method: Method,
    /// The class; by default the most probable one of each image.
    pub class: Option<String>,
    /// For Grad-CAM a pattern of names of layers, such as `layer3`, whose last feature map is taken; by default that of the
    /// encoder's last layer with at least 4×4 pixels.
    pub layer: Option<String>,
    /// For occlusion the side of the patch in pixels of the network's images; by default a fifth of their side.
    pub patch: Option<usize>,
    /// For occlusion the distance between places of the patch in pixels; by default half the patch.
    pub stride: Option<usize>,
}

/// Why a prediction cannot be explained.
#[derive(Debug, thiserror::Error)]
pub enum ExplainError {
    /// No class has this name.
    #[error("the model has no class `{class}`: its classes are {}", classes.join(", "))]
    Class {
        /// The name.
        class: String,
        /// The classes.
        classes: Vec<String>,
    },
    /// No layer with this name has a feature map.
    #[error("no layer `{layer}` has a feature map of more than one pixel: the layers that have one are {}", layers.join(", "))]
    Layer {
        /// The pattern.
        layer: String,
        /// Layers with a map.
        layers: Vec<String>,
    },
    /// Every feature map has one pixel.
    #[error("images of {height} x {width} pixels are too small: every feature map of the network has one pixel")]
    TooSmall {
        /// Height in pixels.
        height: usize,
        /// Width in pixels.
        width: usize,
    },
    /// A patch that does not fit.
    #[error("{name} {value}: expected 1 to {most} pixels, {reason}")]
    Patch {
        /// `patch` or `stride`.
        name: &'static str,
        /// Its value.
        value: usize,
        /// Largest value.
        most: usize,
        /// Why.
        reason: &'static str,
    },
}

impl From<ExplainError> for TaskError {
    fn from(e: ExplainError) -> Self {
        TaskError::Own(Box::new(e))
    }
}

/// A trained classifier whose predictions can be explained.
pub(super) trait Classifier {
    /// The model's description.
    fn card(&self) -> &ModelCard;

    /// The states of its network.
    fn session(&mut self) -> &mut Session<AnyEngine>;

    /// Images per batch.
    fn batch(&self) -> usize;

    /// Images as the network takes them.
    fn pixels(&self, images: &[Bands]) -> Vec<f32>;

    /// Probabilities of all classes, for at most [`Classifier::batch`] images.
    fn probabilities(&mut self, pixels: Vec<f32>) -> Result<Vec<Vec<f32>>, TrainError>;

    /// The prediction in text and JSON.
    fn prediction(&self, probabilities: &[f32]) -> Prediction;
}

/// Longest side of an explained picture, in pixels.
const SIDE: u32 = 384;
/// Least side of the feature map that Grad-CAM takes by default, in pixels.
const LEAST: usize = 4;

/// The map of an image: values `[h,w]` that cover it, and how it was made, in words.
struct Map {
    values: Vec<f64>,
    size: [usize; 2],
    legend: &'static str,
    caption: String,
    json: Json,
}

/// Predictions for at most [`Classifier::batch`] images, each with a picture: the image beside its map.
///
/// # Errors
/// When a class or layer does not exist, a patch does not fit, or the device is lost.
pub(super) fn explain(
    of: &mut dyn Classifier,
    images: &[Bands],
    how: &Explain,
    plan: &mut Option<CamPlan>,
) -> Result<Vec<Prediction>, TaskError> {
    let card = of.card().clone();
    let asked = how.class.as_ref().map(|class| place_of(&card, class)).transpose()?;
    let pixels = of.pixels(images);
    let probabilities = of.probabilities(pixels.clone())?;
    let chosen: Vec<usize> = probabilities.iter().map(|p| asked.unwrap_or_else(|| largest(p))).collect();
    let maps = match how.method {
        Method::GradCam => {
            if plan.is_none() {
                let batch = of.batch();
                *plan = Some(CamPlan::new(of.session(), &card, batch, how.layer.as_deref())??);
            }
            match plan {
                Some(plan) => grad_cams(plan, of.session(), &pixels, &chosen)?,
                None => vec![],
            }
        }
        Method::Occlusion => {
            let patch = Patch::new(&card, how)?;
            let each = pixels.chunks_exact(pixels.len() / images.len().max(1));
            let of_each = each.zip(&chosen).zip(&probabilities);
            of_each.map(|((pixels, &class), p)| patch.map(of, pixels, class, p[class])).collect::<Result<_, _>>()?
        }
    };
    let mut explained = vec![];
    for (((image, p), &class), map) in images.iter().zip(&probabilities).zip(&chosen).zip(maps) {
        let seen = seen(image, &card);
        let name = &card.classes[class];
        let mut prediction = of.prediction(p);
        let entry = json!({ "method": how.method.name(), "class": name, "probability": p[class] });
        let (Json::Object(mut entry), Json::Object(map_entry)) = (entry, map.json.clone()) else { continue };
        entry.extend(map_entry);
        prediction.json.insert("explanation".into(), Json::Object(entry));
        let picture = picture(seen, &map, name, f64::from(p[class]))?;
        prediction.files = vec![(how.method.name(), png_bytes(&picture)?)];
        explained.push(prediction);
    }
    Ok(explained)
}

/// The part of a picture that the network sees, at up to [`SIDE`] pixels. Small pictures are enlarged by a whole factor.
fn seen(image: &Bands, card: &ModelCard) -> RgbImage {
    let own = image.rgb.width().min(image.rgb.height());
    let side = SIDE.min(own).max(card.image_size[0] as u32);
    let bytes = square_with_margin(&image.rgb, side, card.margin());
    let seen = RgbImage::from_raw(side, side, bytes).unwrap_or_default();
    enlarged(seen, SIDE)
}

/// A picture enlarged by the largest whole factor within a square.
pub(super) fn enlarged(picture: RgbImage, side: u32) -> RgbImage {
    let (width, height) = picture.dimensions();
    let factor = side / width.max(height).max(1);
    if factor < 2 { picture } else { resize(&picture, width * factor, height * factor, FilterType::Nearest) }
}

/// Whether any part of a map raises its class.
fn raised(map: &[f64]) -> bool {
    map.iter().any(|&v| v > 0.0)
}

/// Picture and overlay side by side.
fn picture(seen: RgbImage, map: &Map, class: &str, probability: f64) -> Result<RgbImage, PictureError> {
    let what = if raised(&map.values) { map.legend } else { "no part raises it" };
    let overlay = heat_overlay(&seen, &map.values, map.size);
    let color = palette::INK;
    let class = one_line(class);
    let cells = vec![
        Cell { image: seen, caption: format!("{class} {:.1} %", 100.0 * probability), caption_color: color },
        Cell { image: overlay, caption: format!("{what}\n{}", map.caption), caption_color: color },
    ];
    Sheet { title: String::new(), columns: 2, cell_size: SIDE, cells }.draw()
}

fn place_of(card: &ModelCard, class: &str) -> Result<usize, ExplainError> {
    let unknown = || ExplainError::Class { class: class.to_owned(), classes: card.classes.clone() };
    card.classes.iter().position(|known| known == class).ok_or_else(unknown)
}

fn largest(p: &[f32]) -> usize {
    (0..p.len()).fold(0, |best, k| if p[k] > p[best] { k } else { best })
}

/// The plan of Grad-CAM for a batch.
pub(crate) struct CamPlan {
    plan: PlanId,
    batch: usize,
    /// Numbers of an image.
    each: usize,
    outputs: usize,
    layer: String,
    size: [usize; 3],
}

impl CamPlan {
    /// The plan for batches of images of the card's size and the feature map of a layer, by default that of the encoder's last one with at
    /// least [`LEAST`] pixels a side.
    ///
    /// # Errors
    /// When memory runs out; inside, when there is no such map.
    pub fn new(
        session: &mut Session<AnyEngine>,
        card: &ModelCard,
        batch: usize,
        layer: Option<&str>,
    ) -> Result<Result<CamPlan, ExplainError>, TrainError> {
        let ([h, w], c) = (card.image_size, card.channels());
        let states = session.states().clone();
        let (mut layers, network) = (vec![], &card.network);
        let choose = |maps: &[FeatureMap]| {
            layers = maps.iter().map(|map| map.layer.clone()).collect();
            choose(maps, network, layer)
        };
        let cam = GradCam::graph(states, network, [batch, h, w, c], choose)?;
        let missing = match layer {
            Some(layer) if !layers.is_empty() => {
                ExplainError::Layer { layer: layer.to_owned(), layers: layers.clone() }
            }
            _ => ExplainError::TooSmall { height: h, width: w },
        };
        let Some(GradCam { graph, layer, size }) = cam else { return Ok(Err(missing)) };
        let plan = session.load(&graph, PlanOptions::default())?;
        Ok(Ok(CamPlan { plan, batch, each: h * w * c, outputs: network.outputs(), layer, size }))
    }

    /// The map `[H,W]` of each image for its class, from normalized pixels.
    ///
    /// # Errors
    /// When the device is lost.
    pub fn maps(
        &self,
        session: &mut Session<AnyEngine>,
        pixels: &[f32],
        classes: &[usize],
    ) -> Result<Vec<Vec<f64>>, ExecError> {
        let (mut maps, [h, w, c]) = (vec![], self.size);
        for (pixels, classes) in pixels.chunks(self.batch * self.each).zip(classes.chunks(self.batch)) {
            let mut images = pixels.to_vec();
            images.resize(self.batch * self.each, 0.0);
            let mut weights = vec![0.0; self.batch * self.outputs];
            classes.iter().enumerate().for_each(|(row, class)| weights[row * self.outputs + class] = 1.0);
            session.write(self.plan, port::IMAGES, &images)?;
            session.write(self.plan, OUTPUT_WEIGHTS, &weights)?;
            let values = session.run_now(self.plan)?;
            let made = Outputs::new(session, self.plan, values);
            debug_assert_eq!(made.get(OUTPUTS).len(), weights.len());
            let each = |name| made.get(name).chunks_exact(h * w * c);
            let rows = each(FEATURES).zip(each(FEATURE_GRADIENT)).take(classes.len());
            maps.extend(rows.map(|(features, gradient)| grad_cam::grad_cam(features, gradient, c)));
        }
        Ok(maps)
    }

    /// Height and width of a map.
    pub fn size(&self) -> [usize; 2] {
        [self.size[0], self.size[1]]
    }

    /// The layer of the feature map.
    pub fn layer(&self) -> &str {
        &self.layer
    }
}

/// The place of the feature map to explain.
fn choose(maps: &[FeatureMap], network: &Network, layer: Option<&str>) -> Option<usize> {
    if let Some(layer) = layer {
        return maps.iter().rposition(|map| names(layer, &map.layer));
    }
    let encoder = network.architecture().encoder;
    let of_encoder = |map: &FeatureMap| encoder.is_empty() || encoder.iter().any(|part| names(part, &map.layer));
    let large = |map: &FeatureMap| map.size[0].min(map.size[1]) >= LEAST;
    maps.iter().rposition(|map| of_encoder(map) && large(map)).or_else(|| maps.iter().rposition(of_encoder))
}

fn grad_cams(
    plan: &CamPlan,
    session: &mut Session<AnyEngine>,
    pixels: &[f32],
    classes: &[usize],
) -> Result<Vec<Map>, TrainError> {
    let size @ [h, w] = plan.size();
    let made = |values: Vec<f64>| Map {
        legend: "yellow: raises it most",
        caption: format!("Grad-CAM, {}, {h} × {w}", plan.layer()),
        json: json!({ "layer": plan.layer(), "map": rows(&values, w) }),
        size,
        values,
    };
    Ok(plan.maps(session, pixels, classes)?.into_iter().map(made).collect())
}

/// Rows of a map.
fn rows(values: &[f64], width: usize) -> Vec<&[f64]> {
    values.chunks(width.max(1)).collect()
}

/// A grey patch that moves over an image.
struct Patch {
    side: usize,
    stride: usize,
    size: [usize; 2],
}

/// The grey of the patch, 0 to 255.
const GREY: u8 = 128;

impl Patch {
    fn new(card: &ModelCard, how: &Explain) -> Result<Patch, ExplainError> {
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

    /// Places of the patch along an axis, the last at its end.
    fn places(&self, axis: usize) -> Vec<usize> {
        let last = self.size[axis] - self.side;
        let mut places: Vec<usize> = (0..last).step_by(self.stride).collect();
        places.push(last);
        places
    }

    /// The drop of a class's probability at each place.
    fn map(&self, of: &mut dyn Classifier, pixels: &[f32], class: usize, whole: f32) -> Result<Map, TaskError> {
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

/// An image of a validation set whose prediction a run explains.
pub(super) struct Shown {
    /// Its place in the set.
    pub index: usize,
    /// The class that is explained.
    pub class: usize,
    /// The image with its prediction.
    pub cell: Cell,
}

/// Wrong and right predictions on a run's sheet, of each at most so many.
pub(super) const SHOWN: usize = 6;

/// Side of the pictures on that sheet, in pixels.
const CELL: u32 = 192;

/// The sheet of Grad-CAM of validation images: each image beside the map of its class. `batch` images run at once. `None` where
/// nothing is shown, or every feature map has one pixel.
///
/// # Errors
/// When an image cannot be read, or the device is lost.
pub(super) fn sheet(
    session: &mut Session<AnyEngine>,
    card: &ModelCard,
    source: &dyn Source,
    batch: usize,
    shown: Vec<Shown>,
) -> Result<Option<RgbImage>, TrainError> {
    if shown.is_empty() {
        return Ok(None);
    }
    let Ok(plan) = CamPlan::new(session, card, batch, None)? else { return Ok(None) };
    let (indices, classes): (Vec<_>, Vec<_>) = shown.iter().map(|shown| (shown.index, shown.class)).unzip();
    let loaded = Batch::load(source, &indices)?;
    let maps = plan.maps(session, &loaded.images, &classes)?;
    let mut cells = vec![];
    for (Shown { mut cell, class, .. }, map) in shown.into_iter().zip(maps) {
        cell.image = enlarged(cell.image, CELL);
        let image = heat_overlay(&cell.image, &map, plan.size());
        let what = if raised(&map) { "raises" } else { "no part raises" };
        let caption = format!("{what} {}", one_line(&card.classes[class]));
        let overlay = Cell { image, caption, caption_color: cell.caption_color };
        cells.extend([cell, overlay]);
    }
    let [h, w] = plan.size();
    let title = format!("Grad-CAM of {} ({h} × {w}): yellow raises the predicted class most", plan.layer());
    Ok(Some(Sheet { title, columns: 6, cell_size: CELL, cells }.draw()?))
}

fn grey_image(card: &ModelCard) -> Bands {
    let [height, width] = card.image_size.map(|side| side as u32);
    let rgb = RgbImage::from_pixel(width, height, Rgb([GREY; 3]));
    let fourth = (card.channels() == 4).then(|| GrayImage::from_pixel(width, height, Luma([GREY])));
    Bands { rgb, fourth }
}
