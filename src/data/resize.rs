//! Scales images to the size that a network takes, in 8-bit arithmetic.

use std::cell::RefCell;

use fast_image_resize::images::{TypedImage, TypedImageRef};
use fast_image_resize::pixels::U8x3;
use fast_image_resize::{FilterType, ResizeAlg, ResizeOptions, Resizer};
use image::{GrayImage, RgbImage};

/// Scales `image` so that its short side is `size` and crops the center square, into `out` of
/// `size * size * 3` bytes (rows, columns, RGB).
///
/// The filter is bilinear and widened when shrinking (antialiased), as in Pillow and torchvision.
/// An image that is already `size` by `size` is copied unchanged. The result is the same on every
/// processor: the arithmetic is fixed-point.
///
/// # Panics
/// Where `out` has another length or the image is empty; both are defects of the caller.
pub fn square_into(image: &RgbImage, size: u32, out: &mut [u8]) {
    cover_into(image, size, size, out);
}

/// Scales `image` so that it just covers `width` by `height` and crops the center, into `out` of
/// `height * width * 3` bytes, with the filter of [`square_into`].
///
/// # Panics
/// Where `out` has another length or a size is 0; both are defects of the caller.
pub fn cover_into(image: &RgbImage, width: u32, height: u32, out: &mut [u8]) {
    cover_with_margin_into(image, (height, width), 1.0, out);
}

/// [`cover_into`] for height and width times `margin`, cropped to height and width at the center. A margin of 256 / 224
/// and a square of 224 pixels give torchvision's `Resize(256)` and `CenterCrop(224)` in one resampling.
pub(super) fn cover_with_margin_into(image: &RgbImage, (height, width): (u32, u32), margin: f64, out: &mut [u8]) {
    let (w, h) = (f64::from(image.width()), f64::from(image.height()));
    let (to_w, to_h) = (f64::from(width), f64::from(height));
    // Cropping the source first gives the same result as cropping the scaled image, with less work.
    let (crop_w, crop_h) = if w * to_h > h * to_w { (h * to_w / to_h, h) } else { (w, w * to_h / to_w) };
    let (crop_w, crop_h) = (crop_w / margin, crop_h / margin);
    let part = [(w - crop_w) / 2.0, (h - crop_h) / 2.0, crop_w, crop_h];
    match margin == 1.0 {
        true => resize_whole(image, part, (height, width), out),
        false => {
            let [from, to] = [(image.height(), image.width()), (height, width)].map(|(h, w)| (h as usize, w as usize));
            resize_into((image.as_raw(), from), part, to, out);
        }
    }
}

/// Scales the part of `image` at left, top, width, height to `size` (height, width). Copies an image of that size.
fn resize_whole(image: &RgbImage, part: [f64; 4], size: (u32, u32), out: &mut [u8]) {
    let (width, height) = image.dimensions();
    if (height, width) == size {
        out.copy_from_slice(image.as_raw());
        return;
    }
    let usizes = |(height, width): (u32, u32)| (height as usize, width as usize);
    resize_into((image.as_raw(), usizes((height, width))), part, usizes(size), out);
}

thread_local! {
    /// Buffers and coefficients that resizes reuse.
    static RESIZER: RefCell<Resizer> = RefCell::default();
}

/// Scales the part of an RGB picture of `from` (height, width) at left, top, width, height to `size` (height, width).
pub(super) fn resize_into((rgb, from): (&[u8], (usize, usize)), part: [f64; 4], size: (usize, usize), out: &mut [u8]) {
    let ([left, top, w, h], (height, width)) = (part, from);
    assert_eq!(out.len(), size.0 * size.1 * 3, "output of an RGB image of {size:?}");
    assert!(width > 0 && height > 0 && size.0 > 0 && size.1 > 0, "resizing {from:?} to {size:?}");
    let options = ResizeOptions::new().resize_alg(ResizeAlg::Convolution(FilterType::Bilinear)).crop(left, top, w, h);
    let source = TypedImageRef::<U8x3>::from_buffer(width as u32, height as u32, rgb)
        .expect("an RGB image holds width * height * 3 bytes");
    let mut target = TypedImage::<U8x3>::from_buffer(size.1 as u32, size.0 as u32, out)
        .expect("length of the output was checked above");
    // `resize` without types would compile every pixel format for every processor into this crate.
    let resize = |resizer: &mut Resizer| resizer.resize_typed(&source, &mut target, &options);
    RESIZER.with_borrow_mut(resize).expect("the crop lies inside of the image");
}

/// [`square_into`] with a new buffer.
pub fn square(image: &RgbImage, size: u32) -> Vec<u8> {
    square_with_margin(image, size, 1.0)
}

/// [`square`] of an image whose short side is scaled to `size` times `margin`, at least 1.
pub(crate) fn square_with_margin(image: &RgbImage, size: u32, margin: f64) -> Vec<u8> {
    let mut out = vec![0; bytes(size)];
    cover_with_margin_into(image, (size, size), margin, &mut out);
    out
}

/// Scales the whole of `image` to `width` by `height` into `out` of `height * width * 3` bytes, with the filter of
/// [`square_into`]. Proportions may change.
///
/// # Panics
/// Where `out` has another length or a size is 0; both are defects of the caller.
pub fn stretch_into(image: &RgbImage, width: u32, height: u32, out: &mut [u8]) {
    let (w, h) = (f64::from(image.width()), f64::from(image.height()));
    resize_whole(image, [0.0, 0.0, w, h], (height, width), out);
}

/// Scales a mask to `width` by `height` into `out` of `height * width` bytes. Each pixel takes the value of the pixel
/// that contains its center, so no new value appears.
///
/// # Panics
/// Where `out` has another length or a size is 0; both are defects of the caller.
pub fn nearest_into(mask: &GrayImage, width: u32, height: u32, out: &mut [u8]) {
    assert_eq!(out.len(), width as usize * height as usize, "output of a {width}x{height} mask");
    // The center of pixel i of n is at (i + 1/2) / n of the length.
    let at = |i: u32, n: u32, m: u32| ((2 * u64::from(i) + 1) * u64::from(m) / (2 * u64::from(n))) as usize;
    let (from_width, from_height) = mask.dimensions();
    let columns: Vec<usize> = (0..width).map(|x| at(x, width, from_width)).collect();
    for (y, row) in out.chunks_exact_mut(width as usize).enumerate() {
        let start = at(y as u32, height, from_height) * from_width as usize;
        let from = &mask.as_raw()[start..start + from_width as usize];
        row.iter_mut().zip(&columns).for_each(|(out, &x)| *out = from[x]);
    }
}

/// Bytes of a `size` by `size` RGB image.
pub(crate) fn bytes(size: u32) -> usize {
    size as usize * size as usize * 3
}
