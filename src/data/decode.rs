//! From the bytes of an image file to 8-bit RGB: JPEG, PNG, WebP and BMP.
//!
//! - The kind is told from the content; the file's name does not count.
//! - Grey is copied to three channels; 16 bits are rounded to 8; palettes are expanded; CMYK becomes RGB.
//! - Alpha is composited on **white**, the background that pictures with transparency are mostly
//!   drawn for; dropping alpha instead would bring to light whatever colour hides beneath it.
//! - EXIF orientation is applied, so that a photograph stands as its viewer shows it.
//! - Colour profiles are ignored, as in torchvision.
//! - Only the first picture of an animation is read.

use std::fs::File;
use std::io::{self, Cursor, Read};
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::Path;

use image::error::ImageError;
use image::{DynamicImage, ImageDecoder, ImageFormat, ImageReader, RgbImage};

use super::error::{BadImage, ImageProblem};
use super::{DataError, truncation};

/// How large an image may be. A header of a few bytes can claim gigapixels, so it is refused before
/// memory is taken for it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct DecodeLimits {
    /// Longest side in pixels.
    pub max_side: u32,
    /// Largest area in pixels.
    pub max_pixels: u64,
    /// Largest file in bytes.
    pub max_file_bytes: u64,
}

impl Default for DecodeLimits {
    /// 32,768 pixels a side, 128 megapixels in all, 512 MiB of file.
    fn default() -> Self {
        Self { max_side: 1 << 15, max_pixels: 128_000_000, max_file_bytes: 512 << 20 }
    }
}

/// Decodes an image file within the default limits.
///
/// # Errors
/// [`DataError::BadImage`] naming the file and what is wrong with it.
pub fn decode_file(path: &Path) -> Result<RgbImage, DataError> {
    let limits = DecodeLimits::default();
    read_bytes(path, &limits)
        .and_then(|bytes| decode_bytes(&bytes, &limits))
        .map_err(|problem| DataError::BadImage(BadImage { image: path.display().to_string(), problem }))
}

/// Decodes the content of an image file.
///
/// # Errors
/// What is wrong with it.
pub fn decode_bytes(bytes: &[u8], limits: &DecodeLimits) -> Result<RgbImage, ImageProblem> {
    // Decoders meet hostile bytes here: a defect of theirs must not end a run of hours.
    catch_unwind(AssertUnwindSafe(|| decode(bytes, limits)))
        .unwrap_or_else(|_| Err(ImageProblem::Damaged("its decoder gave up on it".into())))
}

pub(crate) fn read_bytes(path: &Path, limits: &DecodeLimits) -> Result<Vec<u8>, ImageProblem> {
    let file = File::open(path).map_err(|e| io_problem(&e))?;
    let length = file.metadata().map_err(|e| io_problem(&e))?.len();
    if length > limits.max_file_bytes {
        return Err(ImageProblem::FileTooLarge { bytes: length, limit: limits.max_file_bytes });
    }
    let mut bytes = Vec::with_capacity(length as usize);
    // `take`: what is not a plain file may go on for ever whatever length it claims.
    file.take(limits.max_file_bytes).read_to_end(&mut bytes).map_err(|e| io_problem(&e))?;
    Ok(bytes)
}

fn io_problem(error: &io::Error) -> ImageProblem {
    match error.kind() {
        io::ErrorKind::NotFound => ImageProblem::Missing,
        _ => ImageProblem::Unreadable(error.to_string()),
    }
}

fn decode(bytes: &[u8], limits: &DecodeLimits) -> Result<RgbImage, ImageProblem> {
    if bytes.is_empty() {
        return Err(ImageProblem::Empty);
    }
    let format = image::guess_format(bytes).map_err(|_| ImageProblem::NotAnImage)?;
    if !format.reading_enabled() {
        return Err(ImageProblem::Unsupported(format!("{format:?}").to_uppercase()));
    }
    let mut reader = ImageReader::with_format(Cursor::new(bytes), format);
    reader.limits(allocation_limits(limits));
    let problem = |error| decoder_problem(error, format, bytes);
    let mut decoder = reader.into_decoder().map_err(problem)?;
    check_size(decoder.dimensions(), limits)?;
    if truncation::is_truncated(bytes, format) {
        return Err(ImageProblem::Truncated);
    }
    // A damaged EXIF block is no reason to refuse a picture that decodes.
    let orientation = decoder.orientation().ok();
    let mut picture = DynamicImage::from_decoder(decoder).map_err(problem)?;
    if let Some(orientation) = orientation {
        picture.apply_orientation(orientation);
    }
    Ok(on_white(picture))
}

/// The size is checked by [`check_size`], which can name it; this bounds what decoders allocate on
/// the way: up to 8 bytes a pixel (16-bit RGBA) twice.
fn allocation_limits(limits: &DecodeLimits) -> image::Limits {
    let mut allowed = image::Limits::no_limits();
    allowed.max_alloc = Some(limits.max_pixels.saturating_mul(16));
    allowed
}

pub(crate) fn check_size((width, height): (u32, u32), limits: &DecodeLimits) -> Result<(), ImageProblem> {
    let DecodeLimits { max_side, max_pixels, .. } = *limits;
    if width == 0 || height == 0 {
        return Err(ImageProblem::Damaged(format!("its header says {width}x{height} pixels")));
    }
    if width.max(height) > max_side || u64::from(width) * u64::from(height) > max_pixels {
        return Err(ImageProblem::TooLarge { width, height, max_side, max_pixels });
    }
    Ok(())
}

fn decoder_problem(error: ImageError, format: ImageFormat, bytes: &[u8]) -> ImageProblem {
    let ended = matches!(&error, ImageError::IoError(e) if e.kind() == io::ErrorKind::UnexpectedEof);
    if ended || truncation::is_truncated(bytes, format) {
        return ImageProblem::Truncated;
    }
    ImageProblem::Damaged(error.to_string())
}

/// 8-bit RGB, with what is transparent showing white.
pub(super) fn on_white(picture: DynamicImage) -> RgbImage {
    if !picture.color().has_alpha() {
        return picture.into_rgb8();
    }
    let rgba = picture.into_rgba8();
    RgbImage::from_fn(rgba.width(), rgba.height(), |x, y| {
        let [r, g, b, alpha] = rgba.get_pixel(x, y).0;
        let over = |channel: u8| {
            let (channel, alpha) = (u32::from(channel), u32::from(alpha));
            ((channel * alpha + 255 * (255 - alpha) + 127) / 255) as u8
        };
        image::Rgb([over(r), over(g), over(b)])
    })
}
