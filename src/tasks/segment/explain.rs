//! Seg-Grad-CAM (Vinogradova et al. 2020, "Towards Interpretable Semantic Segmentation via Gradient-Weighted Class Activation
//! Mapping"): the parts of an image that raise a class at a set M of pixels.
//!
//! It is the map of [`grad_cam`](crate::training::grad_cam) for y = Σ over M of the logit of the class. M is the set of
//! pixels that the network assigns to the class, or of all pixels if it assigns none.

use image::RgbImage;
use serde_json::json;

use super::input::{pixels, seen};
use crate::data::{Bands, DataError, one_line};
use crate::exec::{AnyEngine, Session};
use crate::run::card::ModelCard;
use crate::run::pictures::{Drawn, PictureTable, faded, heat_overlay};
use crate::tasks::TaskError;
use crate::tasks::explain::{
    CamPlan, Explain, ExplainError, Method, Plans, SIDE, enlarged, features, place_of, raised, rows,
};
use crate::tasks::prediction::Prediction;
use crate::train::TrainError;
use crate::training::grad_cam::{PixelWeights, class_pixels};

/// The map of an image.
struct Found {
    seen: RgbImage,
    /// Weights of the explained pixels.
    explained: PixelWeights,
    map: Vec<f64>,
}

impl Found {
    /// The map for the class that `choose` returns, given the number of pixels of each class.
    fn new(
        (plan, session): (&CamPlan, &mut Session<AnyEngine>),
        card: &ModelCard,
        image: &Bands,
        choose: impl FnOnce(&[usize]) -> usize,
    ) -> Result<Found, TrainError> {
        let pixels = pixels(image, card);
        let logits = plan.outputs(session, &pixels)?;
        let explained = class_pixels(&logits, card.classes.len(), choose);
        let map = plan.weighted_maps(session, &pixels, &explained.weights)?.pop().unwrap_or_default();
        Ok(Found { seen: seen(&image.rgb, card), explained, map })
    }

    /// The image, the pixels of M, and the map, each with a caption.
    fn row(&self, plan: &CamPlan, card: &ModelCard) -> [(RgbImage, String); 3] {
        let PixelWeights { class: number, predicted, share, .. } = &self.explained;
        let class = one_line(&card.classes[*number]);
        let explained: Vec<bool> = predicted.iter().map(|of| *share == 0.0 || of == number).collect();
        let image = enlarged(self.seen.clone(), SIDE);
        let pixels = faded(&self.seen, &explained);
        let share = match *share {
            0.0 => format!("{class}: no pixel"),
            share => format!("{class}: {:.1} %", 100.0 * share),
        };
        let what = if raised(&self.map) { "" } else { "no part raises it" };
        let overlay = heat_overlay(&image, &self.map, plan.size());
        [(image, String::new()), (enlarged(pixels, SIDE), share), (overlay, what.to_owned())]
    }
}

/// The columns of the pictures.
fn table(title: String) -> PictureTable {
    PictureTable::new(title, ["image", "explained pixels", "Seg-Grad-CAM"].map(String::from).to_vec())
}

fn title(plan: &CamPlan) -> String {
    let [h, w] = plan.size();
    format!("Seg-Grad-CAM of {} ({h} × {w}): yellow raises the class of the explained pixels most", plan.layer())
}

/// The map of an image for the requested class, else for the class with the most pixels, as a picture and JSON beside
/// its prediction.
pub(super) fn explain(
    (session, plans): (&mut Session<AnyEngine>, &mut Plans),
    card: &ModelCard,
    image: &Bands,
    how: &Explain,
    mut prediction: Prediction,
) -> Result<Prediction, TaskError> {
    match how.method {
        Method::GradCam => {}
        Method::Features => {
            let (pixels, seen) = (pixels(image, card), seen(&image.rgb, card));
            let (plan, prediction) =
                features((plans.features.take(), session), card, (&pixels[..], seen), how, prediction)?;
            plans.features = Some(plan);
            return Ok(prediction);
        }
        Method::Occlusion => return Err(ExplainError::Method { method: how.method.name() }.into()),
    }
    let asked = how.class.as_ref().map(|class| place_of(card, class)).transpose()?;
    let plan = match plans.cam.take() {
        Some(plan) => plan,
        None => CamPlan::new(session, card, 1, how.layer.as_deref())??,
    };
    let choose = |counts: &[usize]| asked.unwrap_or_else(|| largest(counts));
    let found = Found::new((&plan, session), card, image, choose)?;
    let mut picture = table(title(&plan));
    picture.row(found.row(&plan, card));
    let (class, share) = (&card.classes[found.explained.class], found.explained.share);
    let map = rows(&found.map, plan.size()[1]);
    let entry = json!({
        "method": how.method.name(), "class": class, "share": share, "layer": plan.layer(), "map": map,
    });
    prediction.json.insert("explanation".into(), entry);
    prediction.files.push((how.method.name(), picture.draw()?.png()?));
    plans.cam = Some(plan);
    Ok(prediction)
}

/// Maps of the images `shown`, which `read` reads. Each explains the largest class among those shown least so far.
/// `None` if every feature map has one pixel.
///
/// # Errors
/// When an image cannot be read, or the device is lost.
pub(super) fn sheet(
    session: &mut Session<AnyEngine>,
    card: &ModelCard,
    shown: impl Iterator<Item = usize>,
    read: impl Fn(usize) -> Result<Bands, DataError>,
) -> Result<Option<Drawn>, TrainError> {
    let Ok(plan) = CamPlan::new(session, card, 1, None)? else { return Ok(None) };
    let mut picture = table(title(&plan));
    let mut times = vec![0; card.classes.len()];
    for index in shown {
        let image = read(index)?;
        let choose = |counts: &[usize]| {
            let there = (0..counts.len()).filter(|&class| counts[class] > 0);
            there.max_by_key(|&class| (std::cmp::Reverse(times[class]), counts[class])).unwrap_or(0)
        };
        let found = Found::new((&plan, session), card, &image, choose)?;
        times[found.explained.class] += 1;
        picture.row(found.row(&plan, card));
    }
    Ok(Some(picture.draw()?))
}

fn largest(counts: &[usize]) -> usize {
    (0..counts.len()).max_by_key(|&class| (counts[class], std::cmp::Reverse(class))).unwrap_or(0)
}
