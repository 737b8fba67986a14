//! Explanations of predictions: Grad-CAM and occlusion maps, feature maps and filters.

mod cam;
mod classifier;
mod features;
mod map;
mod occlusion;
mod settings;
mod sheet;

use image::RgbImage;
use serde_json::{Value as Json, json};

pub(crate) use cam::CamPlan;
pub(super) use classifier::Classifier;
pub(super) use map::{enlarged, raised, rows};
pub use settings::{Explain, ExplainError, Method};
pub(super) use sheet::{SHOWN, Shown, sheet};

use super::TaskError;
use super::prediction::Prediction;
use crate::data::{Bands, one_line, square_with_margin};
use crate::exec::{AnyEngine, Session};
use crate::run::card::ModelCard;
use crate::run::pictures::{Cell, Drawn, PictureError, Sheet, heat_overlay, palette};
use cam::grad_cams;
use features::FeaturePlan;
use map::Map;
use occlusion::Patch;

/// Longest side of an explained picture, in pixels.
pub(super) const SIDE: u32 = 384;

/// Predictions for at most [`Classifier::batch`] images, each with a picture: the image beside its map.
///
/// # Errors
/// When a class or layer does not exist, a patch does not fit, or the device is lost.
pub(super) fn explain(of: &mut dyn Classifier, images: &[Bands], how: &Explain) -> Result<Vec<Prediction>, TaskError> {
    if how.method == Method::Features {
        return images.iter().map(|image| features_of_class(of, image, how)).collect();
    }
    let card = of.card().clone();
    let asked = how.class.as_ref().map(|class| place_of(&card, class)).transpose()?;
    let pixels = of.pixels(images);
    let probabilities = of.probabilities(pixels.clone())?;
    let chosen: Vec<usize> = probabilities.iter().map(|p| asked.unwrap_or_else(|| largest(p))).collect();
    let maps = match how.method {
        Method::GradCam => {
            let (kept, batch) = (of.plans().cam.take(), of.batch());
            let plan = match kept {
                Some(plan) => plan,
                None => CamPlan::new(of.session(), &card, batch, how.layer.as_deref())??,
            };
            let maps = grad_cams(&plan, of.session(), &pixels, &chosen)?;
            of.plans().cam = Some(plan);
            maps
        }
        // Features are handled above.
        Method::Occlusion | Method::Features => {
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
        prediction.files = vec![(how.method.name(), picture.png()?)];
        explained.push(prediction);
    }
    Ok(explained)
}

/// Plans for explanations, made at their first use.
#[derive(Default)]
pub(crate) struct Plans {
    pub cam: Option<CamPlan>,
    pub features: Option<FeaturePlan>,
}

/// A classifier's prediction for an image with its feature maps.
fn features_of_class(of: &mut dyn Classifier, image: &Bands, how: &Explain) -> Result<Prediction, TaskError> {
    let (card, pixels) = (of.card().clone(), of.pixels(std::slice::from_ref(image)));
    let probabilities = of.probabilities(pixels.clone())?;
    let prediction = probabilities.first().map(|p| of.prediction(p)).unwrap_or_default();
    let kept = of.plans().features.take();
    let (plan, prediction) = features((kept, of.session()), &card, (&pixels, seen(image, &card)), how, prediction)?;
    of.plans().features = Some(plan);
    Ok(prediction)
}

/// Adds the feature maps of an image to a prediction. The image is given as normalized pixels and as a picture. Returns the plan, for
/// the next image.
///
/// # Errors
/// When a layer does not exist, or the device is lost.
pub(super) fn features(
    (kept, session): (Option<FeaturePlan>, &mut Session<AnyEngine>),
    card: &ModelCard,
    (pixels, seen): (&[f32], RgbImage),
    how: &Explain,
    mut prediction: Prediction,
) -> Result<(FeaturePlan, Prediction), TaskError> {
    let plan = match kept {
        Some(plan) => plan,
        None => FeaturePlan::new(session, card, pixels.len() / card.pixels(), how.layer.as_deref())??,
    };
    let (picture, mut json) = plan.draw(session, pixels, seen)?;
    json["method"] = how.method.name().into();
    prediction.json.insert("explanation".into(), json);
    prediction.files.push((how.method.name(), picture.png()?));
    Ok((plan, prediction))
}

/// The part of a picture that the network sees, at up to [`SIDE`] pixels. Small pictures are enlarged by a whole factor.
fn seen(image: &Bands, card: &ModelCard) -> RgbImage {
    let own = image.rgb.width().min(image.rgb.height());
    let side = SIDE.min(own).max(card.image_size[0] as u32);
    let bytes = square_with_margin(&image.rgb, side, card.margin());
    let seen = RgbImage::from_raw(side, side, bytes).unwrap_or_default();
    enlarged(seen, SIDE)
}

/// Picture and overlay side by side.
fn picture(seen: RgbImage, map: &Map, class: &str, probability: f64) -> Result<Drawn, PictureError> {
    let what = if raised(&map.values) { map.legend } else { "no part raises it" };
    let overlay = heat_overlay(&seen, &map.values, map.size);
    let color = palette::INK;
    let class = one_line(class);
    let cells = vec![
        Cell::new(seen, format!("{class} {:.1} %", 100.0 * probability), color),
        Cell::new(overlay, format!("{what}\n{}", map.caption), color),
    ];
    Sheet { title: String::new(), columns: 2, cell_size: SIDE, cells }.draw()
}

/// The index of a class.
pub(super) fn place_of(card: &ModelCard, class: &str) -> Result<usize, ExplainError> {
    let unknown = || ExplainError::Class { class: class.to_owned(), classes: card.classes.clone() };
    card.classes.iter().position(|known| known == class).ok_or_else(unknown)
}

fn largest(p: &[f32]) -> usize {
    (0..p.len()).fold(0, |best, k| if p[k] > p[best] { k } else { best })
}
