//! Prediction of masks for single images.

use image::{GrayImage, RgbImage};
use rayon::prelude::*;
use serde_json::{Map, Value as Json, json};

use super::Segmentation;
use super::explain::explain;
use super::input::pixels;
use super::picture::first_largest;
use super::tiles::Tiles;
use super::upscale::classes_at;
use crate::data::{Bands, Batch, one_line};
use crate::exec::AnyEngine;
use crate::run::Checkpoint;
use crate::run::pictures::{mask_png, png_bytes};
use crate::tasks::TaskError;
use crate::tasks::explain::{Explain, Plans};
use crate::tasks::predict::Predictor;
use crate::tasks::prediction::Prediction;
use crate::train::outputs::Outputs;
use crate::train::step::port;
use crate::train::{LoadedModel, Objective, TrainError};

/// A trained segmentation model.
pub struct SegmentPredictor {
    pub(super) objective: Segmentation,
    pub(super) model: LoadedModel,
    tiles: Tiles,
    /// Plans for explanations.
    pub(super) plans: Plans,
}

impl SegmentPredictor {
    /// The model of a checkpoint.
    ///
    /// # Errors
    /// When the checkpoint belongs to another task, or its tensors do not fit its metadata.
    pub fn new(checkpoint: &Checkpoint, engine: Box<AnyEngine>) -> Result<Self, TaskError> {
        let objective = Segmentation::trained(checkpoint.card.clone(), None)?;
        let model = LoadedModel::trained(&objective, engine, checkpoint)?;
        let tiles = Tiles::new(&objective);
        Ok(SegmentPredictor { objective, model, tiles, plans: Plans::default() })
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

    /// The class of each pixel of a picture, at its own size.
    fn mask(&mut self, bands: &Bands) -> Result<GrayImage, TrainError> {
        let (image, card) = (&bands.rgb, self.objective.card().clone());
        let (width, classes) = (image.width() as usize, card.classes.len());
        let mut mask = GrayImage::new(image.width(), image.height());
        if card.sees_own_pixels() {
            let pixels: &mut [u8] = &mut mask;
            let put = |top: usize, logits: &mut [f32]| {
                let rows = pixels[top * width..].par_chunks_exact_mut(width);
                rows.zip(logits.par_chunks_exact(width * classes))
                    .for_each(|(row, logits)| first_largest(logits, classes, row));
            };
            self.tiles.run(&self.objective, &mut self.model.sized(), bands, put)?;
            return Ok(mask);
        }
        let [h, w] = card.image_size;
        let pixels = pixels(bands, &card);
        let size = (image.height() as usize, width);
        classes_at(self.forward(pixels)?.get(port::LOGITS), [h, w, classes], size, &mut mask);
        Ok(mask)
    }

    /// Class numbers (`mask`) and the image tinted with the classes' colors (`overlay`), both of the image's size.
    pub(super) fn one(&mut self, image: Bands) -> Result<Prediction, TaskError> {
        let (mask, card) = (self.mask(&image)?, self.objective.card().clone());
        let mut overlay = image.rgb;
        for (pixel, &class) in overlay.pixels_mut().zip(mask.iter()) {
            let color = card.palette.get(usize::from(class)).copied().unwrap_or_default();
            pixel.0.iter_mut().zip(color).for_each(|(v, c)| *v = ((u16::from(*v) + u16::from(c)) / 2) as u8);
        }
        let shares = shares(&card.classes, &mask);
        let text: Vec<_> =
            shares.iter().take(5).map(|(class, share)| format!("{} {:.1} %", one_line(class), 100.0 * share)).collect();
        let shares: Map<String, Json> = shares.into_iter().map(|(class, share)| (class, share.into())).collect();
        let json = [("classes".to_owned(), json!(card.classes)), ("shares".to_owned(), Json::Object(shares))];
        let size = [mask.height() as usize, mask.width() as usize];
        let grid = card
            .sees_own_pixels()
            .then(|| self.tiles.grid(&self.objective, self.model.session.states(), size))
            .transpose()?;
        let cover = grid.map(|grid| ("cover".to_owned(), json!(grid.words())));
        Ok(Prediction {
            files: vec![("mask", mask_png(&mask, &card.palette)?), ("overlay", png_bytes(&overlay)?)],
            text: text.join(", "),
            json: json.into_iter().chain(cover).collect(),
        })
    }
}

impl Predictor for SegmentPredictor {
    fn note(&self) -> Option<String> {
        self.objective.card().sees_own_pixels().then(|| self.tiles.bound())
    }

    fn writes(&self) -> bool {
        true
    }

    fn channels(&self) -> usize {
        self.objective.card().channels()
    }

    fn predict(&mut self, images: &[RgbImage]) -> Result<Vec<Prediction>, TaskError> {
        self.predict_bands(images.iter().map(|rgb| Bands { rgb: rgb.clone(), fourth: None }).collect())
    }

    fn predict_bands(&mut self, images: Vec<Bands>) -> Result<Vec<Prediction>, TaskError> {
        images.into_iter().map(|image| self.one(image)).collect()
    }

    fn explains(&self) -> bool {
        true
    }

    fn explain(&mut self, images: Vec<Bands>, how: &Explain) -> Result<Vec<Prediction>, TaskError> {
        let one = |image: Bands| {
            let prediction = self.one(image.clone())?;
            let card = self.objective.card();
            explain((&mut self.model.session, &mut self.plans), card, &image, how, prediction)
        };
        images.into_iter().map(one).collect()
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
