//! A picture as a network of segmentation sees it.

use image::RgbImage;

use crate::data::augment::{Picture, View};
use crate::data::{Augmentation, Bands, stretch_into};
use crate::run::card::ModelCard;

/// The part of a picture that the network sees, in the size of the card: the whole picture, stretched. A network that was trained on
/// crops sees the center of the picture at its own size.
pub(super) fn seen(picture: &RgbImage, card: &ModelCard) -> RgbImage {
    let [h, w] = card.image_size;
    let bytes = if card.sees_own_pixels() {
        let size = (picture.height() as usize, picture.width() as usize);
        let view = View::crop(size, (h, w), 1.0, (0.5, 0.5)).on_pixels(size);
        let picture = Picture { size, rgb: picture, mask: &[] };
        Augmentation::none().with_view(picture, view.without_colors(), 0, 0, |rgb, _| rgb.to_vec())
    } else {
        let mut bytes = vec![0; 3 * h * w];
        stretch_into(picture, w as u32, h as u32, &mut bytes);
        bytes
    };
    RgbImage::from_raw(w as u32, h as u32, bytes).unwrap_or_default()
}

/// The part of [`seen`] as normalized values `[H,W,channels]`.
pub(super) fn pixels(image: &Bands, card: &ModelCard) -> Vec<f32> {
    let inputs = card.inputs();
    let mut pixels = vec![0.0; inputs.channels() * card.pixels()];
    inputs.write(&seen(&image.rgb, card), &mut pixels);
    if let Some(fourth) = image.fourth_as_rgb() {
        inputs.write_fourth(&seen(&fourth, card), &mut pixels);
    }
    pixels
}
