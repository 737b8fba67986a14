//! Prediction of masks for single images.

use image::{GrayImage, RgbImage};
use serde_json::{Map, Value as Json, json};

use super::Segmentation;
use super::upscale::classes_at;
use crate::data::{Batch, one_line, stretch_into};
use crate::exec::AnyEngine;
use crate::run::Checkpoint;
use crate::run::pictures::{mask_png, painted, png_bytes};
use crate::tasks::TaskError;
use crate::tasks::predict::{Prediction, Predictor};
use crate::train::outputs::Outputs;
use crate::train::step::port;
use crate::train::{LoadedModel, Objective, TrainError};

/// A trained segmentation model.
pub struct SegmentPredictor {
    objective: Segmentation,
    model: LoadedModel,
}

impl SegmentPredictor {
    /// The model of a checkpoint.
    ///
    /// # Errors
    /// When the checkpoint belongs to another task, or its tensors do not fit its metadata.
    pub fn new(checkpoint: &Checkpoint, engine: Box<AnyEngine>) -> Result<Self, TaskError> {
        let objective = Segmentation::trained(checkpoint.card.clone(), None)?;
        let model = LoadedModel::trained(&objective, engine, checkpoint)?;
        Ok(SegmentPredictor { objective, model })
    }

    /// The class of each pixel, for one normalized image of the card's size.
    ///
    /// # Errors
    /// When the device is lost.
    pub fn classes(&mut self, image: Vec<f32>) -> Result<Vec<u8>, TrainError> {
        Ok(self.forward(image)?.get(port::PREDICTIONS).iter().map(|&class| class as u8).collect())
    }

    fn forward(&mut self, image: Vec<f32>) -> Result<Outputs, TrainError> {
        let batch = Batch { images: image, indices: vec![0], ..Batch::default() };
        self.model.forward(&self.objective, 1, &batch)
    }

    /// Class numbers (`mask`) and the image tinted with the classes' colors (`overlay`), both of the image's size.
    fn one(&mut self, image: &RgbImage) -> Result<Prediction, TaskError> {
        let card = self.objective.card().clone();
        let ([h, w], table) = (card.image_size, card.normalization.table());
        let mut bytes = vec![0; 3 * h * w];
        stretch_into(image, w as u32, h as u32, &mut bytes);
        let pixels = bytes.iter().enumerate().map(|(i, &v)| table[i % 3][usize::from(v)]).collect();
        let mut mask = GrayImage::new(image.width(), image.height());
        let (size, classes) = ((image.height() as usize, image.width() as usize), card.classes.len());
        classes_at(self.forward(pixels)?.get(port::LOGITS), [h, w, classes], size, &mut mask);
        let colors = painted((image.height(), image.width()), mask.as_raw(), &card.palette);
        let mut overlay = image.clone();
        overlay.iter_mut().zip(colors.iter()).for_each(|(v, &c)| *v = ((u16::from(*v) + u16::from(c)) / 2) as u8);
        let shares = shares(&card.classes, &mask);
        let text: Vec<_> =
            shares.iter().take(5).map(|(class, share)| format!("{} {:.1} %", one_line(class), 100.0 * share)).collect();
        let shares: Map<String, Json> = shares.into_iter().map(|(class, share)| (class, share.into())).collect();
        let json = [("classes".to_owned(), json!(card.classes)), ("shares".to_owned(), Json::Object(shares))];
        Ok(Prediction {
            files: vec![("mask", mask_png(&mask, &card.palette)?), ("overlay", png_bytes(&overlay)?)],
            text: text.join(", "),
            json: json.into_iter().collect(),
        })
    }
}

impl Predictor for SegmentPredictor {
    fn writes(&self) -> bool {
        true
    }

    fn predict(&mut self, images: &[RgbImage]) -> Result<Vec<Prediction>, TaskError> {
        images.iter().map(|image| self.one(image)).collect()
    }
}

/// Classes that have pixels and their share of all pixels, the largest first.
fn shares(classes: &[String], mask: &GrayImage) -> Vec<(String, f64)> {
    let mut pixels = vec![0usize; classes.len()];
    mask.iter().for_each(|&class| pixels[usize::from(class)] += 1);
    let total = pixels.iter().sum::<usize>().max(1) as f64;
    let mut shares: Vec<_> = classes.iter().cloned().zip(pixels.iter().map(|&n| n as f64 / total)).collect();
    shares.retain(|(_, share)| *share > 0.0);
    shares.sort_by(|a, b| b.1.total_cmp(&a.1));
    shares
}
