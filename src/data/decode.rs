//! Decodes the bytes of an image file to 8-bit RGB.
//!
//! Training and prediction follow the same rules:
//!
//! | the file has | result |
//! |---|---|
//! | any name | the first bytes decide the kind: JPEG, PNG, WebP, BMP, GIF or TIFF |
//! | one channel | three equal channels |
//! | 16 bits a sample | 8 bits, rounded; samples of sets that use 10, 12 or 14 bits are scaled by those ([`SampleDepth`]) |
//! | 32-bit floats | 0 to 1 becomes 0 to 255; a file with other values is refused |
//! | a palette | the colors of the palette |
//! | alpha | composited on **white**. Dropping alpha would show the colors beneath transparent pixels. In TIFF's associated alpha, the colors are already multiplied by it |
//! | CMYK, with Adobe's inverted values or without | RGB, as the decoder converts it |
//! | an EXIF orientation | turned upright, as viewers show it |
//! | a color profile (ICC) | ignored, as in torchvision and Pillow |
//! | several pictures or pages | the first |

use std::fs::File;
use std::io::{self, BufReader, Cursor, Read};
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::Path;

use image::error::ImageError;
use image::metadata::Orientation;
use image::{DynamicImage, ImageBuffer, ImageDecoder, ImageFormat, ImageReader, Pixel, RgbImage, RgbaImage};
use serde::Deserialize;

use super::bad_image::{BadImage, ImageProblem};
#[cfg(feature = "tasks")]
use super::bands::{Bands, greyed};
use super::depth::SampleDepth;
use super::text::open_regular;
use super::{DataError, bounds, frames, icc, sniff, tiff, truncation};

/// Limits on the size of an image. A header of a few bytes can claim gigapixels; it is refused before memory is
/// reserved.
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
    /// 32,768 pixels per side, 128 megapixels in all, 512 MiB of file.
    fn default() -> Self {
        Self { max_side: 1 << 15, max_pixels: 128_000_000, max_file_bytes: 512 << 20 }
    }
}

/// Largest size of the parts of a file that are not pixels, such as a color profile, in bytes.
const BESIDE_PIXELS: u64 = 16 << 20;

/// Decodes an image file within the default limits, with 16-bit samples over their full range.
///
/// # Errors
/// [`DataError::BadImage`] with the file and its fault.
pub fn decode_file(path: &Path) -> Result<RgbImage, DataError> {
    decode_file_at(path, &SampleDepth::default())
}

/// [`decode_file`] with 16-bit samples read at `depth`, which comes from a data set or a trained model.
///
/// # Errors
/// As [`decode_file`].
pub fn decode_file_at(path: &Path, depth: &SampleDepth) -> Result<RgbImage, DataError> {
    decode_file_as(path, depth, Posture::Upright)
}

/// [`decode_file_at`] in a posture.
pub(crate) fn decode_file_as(path: &Path, depth: &SampleDepth, posture: Posture) -> Result<RgbImage, DataError> {
    let limits = DecodeLimits::default();
    read_bytes(path, &limits)
        .and_then(|bytes| guarded(|| decode(&bytes, &limits, depth, posture)))
        .map_err(|problem| DataError::BadImage(BadImage { image: path.display().to_string(), problem }))
}

/// Decodes an image file of four channels as they are stored, in a posture.
///
/// # Errors
/// As [`decode_file`], and a file with another number of channels.
pub(crate) fn decode_four(path: &Path, depth: &SampleDepth, posture: Posture) -> Result<RgbaImage, DataError> {
    let limits = DecodeLimits::default();
    let decode = |bytes: Vec<u8>| {
        let picture = to_8_bits(decode_stored(&bytes, &limits, posture)?, depth)?;
        match picture.color().channel_count() {
            4 => Ok(picture.into_rgba8()),
            _ => Err(ImageProblem::NotFour),
        }
    };
    read_bytes(path, &limits)
        .and_then(|bytes| guarded(|| decode(bytes)))
        .map_err(|problem| DataError::BadImage(BadImage { image: path.display().to_string(), problem }))
}

/// Decodes an image file with 1, 3 or 4 channels.
///
/// # Errors
/// As [`decode_file`], and a file without four channels where four are wanted.
#[cfg(feature = "tasks")]
pub(crate) fn decode_bands(path: &Path, depth: &SampleDepth, channels: usize) -> Result<Bands, DataError> {
    let rgb = || decode_file_at(path, depth);
    Ok(match channels {
        4 => decode_four(path, depth, Posture::Upright)?.into(),
        1 => Bands { rgb: greyed(rgb()?), fourth: None },
        _ => Bands { rgb: rgb()?, fourth: None },
    })
}

/// Decodes the content of an image file.
///
/// # Errors
/// The fault of the image.
pub fn decode_bytes(bytes: &[u8], limits: &DecodeLimits) -> Result<RgbImage, ImageProblem> {
    guarded(|| decode(bytes, limits, &SampleDepth::default(), Posture::Upright))
}

/// Runs a decoder and catches its panics. Decoders meet hostile bytes, and a defect must not end a run of hours.
pub(crate) fn guarded<T>(decode: impl FnOnce() -> Result<T, ImageProblem>) -> Result<T, ImageProblem> {
    catch_unwind(AssertUnwindSafe(decode))
        .unwrap_or_else(|_| Err(ImageProblem::Damaged("its decoder gave up on it".into())))
}

/// Use of a picture's EXIF orientation.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "lowercase")]
pub(crate) enum Posture {
    /// The picture is turned as its orientation says.
    Upright,
    /// The pixels stay as they are stored.
    Stored,
}

/// Size and orientation of an image, from its header.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Head {
    /// Width and height as stored.
    pub size: (u32, u32),
    pub orientation: Orientation,
    /// Whether its samples are integers of 16 bits.
    pub has_16_bits: bool,
}

impl Head {
    /// Reads the header of the file at `path`; `None` if it cannot be read.
    pub fn of(path: &Path) -> Option<Self> {
        let read = || {
            let (file, _) = open_regular(path).map_err(|e| io_problem(&e))?;
            let mut reader =
                ImageReader::new(BufReader::new(file)).with_guessed_format().map_err(|e| io_problem(&e))?;
            if reader.format().is_none() {
                // `with_guessed_format` does not know BigTIFF.
                reader.set_format(ImageFormat::Tiff);
            }
            reader.limits(allocation_limits(0));
            let failed = |e: ImageError| ImageProblem::Damaged(e.to_string());
            let mut decoder = reader.into_decoder().map_err(failed)?;
            let orientation = decoder.orientation().unwrap_or(Orientation::NoTransforms);
            let color = decoder.color_type();
            let has_16_bits = color.bytes_per_pixel() == 2 * color.channel_count();
            Ok(Self { size: decoder.dimensions(), orientation, has_16_bits })
        };
        guarded(read).ok()
    }

    /// Width and height of the picture in a posture.
    pub fn size_in(&self, posture: Posture) -> (u32, u32) {
        match posture {
            Posture::Upright => self.upright(),
            Posture::Stored => self.size,
        }
    }

    /// Width and height of the upright picture.
    pub fn upright(&self) -> (u32, u32) {
        match self.orientation {
            Orientation::Rotate90
            | Orientation::Rotate270
            | Orientation::Rotate90FlipH
            | Orientation::Rotate270FlipH => (self.size.1, self.size.0),
            _ => self.size,
        }
    }

    /// Whether the picture is turned or mirrored.
    pub fn is_turned(&self) -> bool {
        self.orientation != Orientation::NoTransforms
    }
}

/// Whether the header of a file says that its samples are integers of 16 bits.
pub(crate) fn has_16_bits(path: &Path) -> bool {
    Head::of(path).is_some_and(|head| head.has_16_bits)
}

pub(crate) fn read_bytes(path: &Path, limits: &DecodeLimits) -> Result<Vec<u8>, ImageProblem> {
    let (file, length): (File, u64) = open_regular(path).map_err(|e| io_problem(&e))?;
    if length > limits.max_file_bytes {
        return Err(ImageProblem::FileTooLarge { bytes: length, limit: limits.max_file_bytes });
    }
    let mut bytes = Vec::with_capacity(length as usize);
    // `take` keeps the limit if the file grows while it is read.
    file.take(limits.max_file_bytes).read_to_end(&mut bytes).map_err(|e| io_problem(&e))?;
    Ok(bytes)
}

fn io_problem(error: &io::Error) -> ImageProblem {
    match error.kind() {
        io::ErrorKind::NotFound => ImageProblem::Missing,
        _ => ImageProblem::Unreadable(error.to_string()),
    }
}

fn decode(
    bytes: &[u8],
    limits: &DecodeLimits,
    depth: &SampleDepth,
    posture: Posture,
) -> Result<RgbImage, ImageProblem> {
    depth.look(|| (frames::are_several(bytes), foreign_profile(bytes)));
    let picture = to_8_bits(decode_stored(bytes, limits, posture)?, depth)?;
    let is_multiplied = tiff::tag(bytes, tiff::EXTRA_SAMPLES) == Some(1) && picture.color().has_alpha();
    Ok(if is_multiplied { multiplied_on_white(&picture.into_rgba8()) } else { on_white(picture) })
}

/// The name of a color profile other than sRGB; `None` also if the profile cannot be read.
fn foreign_profile(bytes: &[u8]) -> Option<String> {
    let mut reader = ImageReader::with_format(Cursor::new(bytes), format_of(bytes).ok()?);
    reader.limits(allocation_limits(0));
    icc::other_than_srgb(&reader.into_decoder().ok()?.icc_profile().ok()??)
}

/// The first picture of a file with its stored samples, in a posture.
///
/// # Errors
/// The fault of the image.
pub(crate) fn decode_stored(
    bytes: &[u8],
    limits: &DecodeLimits,
    posture: Posture,
) -> Result<DynamicImage, ImageProblem> {
    let format = format_of(bytes)?;
    let claimed = bounds::size(bytes, format);
    if let Some((width, height)) = claimed {
        check_size((width, height), limits)?;
        if !bounds::can_hold(bytes, format, (width, height)) {
            return Err(ImageProblem::Hollow { bytes: bytes.len() as u64, width, height });
        }
    }
    let mut reader = ImageReader::with_format(Cursor::new(bytes), format);
    reader.limits(allocation_limits(claimed.map_or(limits.max_pixels, |(w, h)| u64::from(w) * u64::from(h))));
    let problem = |error| decoder_problem(error, format, bytes);
    let mut decoder = reader.into_decoder().map_err(problem)?;
    check_size(decoder.dimensions(), limits)?;
    if truncation::is_truncated(bytes, format) {
        return Err(ImageProblem::Truncated);
    }
    // A picture that decodes is not refused for a damaged EXIF block.
    let orientation = decoder.orientation().ok();
    let mut picture = DynamicImage::from_decoder(decoder).map_err(problem)?;
    if let Some(orientation) = orientation.filter(|_| posture == Posture::Upright) {
        picture.apply_orientation(orientation);
    }
    Ok(picture)
}

/// The kind of image that `bytes` start with.
///
/// # Errors
/// A kind without decoder; the error names the kind.
pub(crate) fn format_of(bytes: &[u8]) -> Result<ImageFormat, ImageProblem> {
    if bytes.is_empty() {
        return Err(ImageProblem::Empty);
    }
    let other = || sniff::kind_of(&bytes[..bytes.len().min(sniff::LENGTH)]);
    match image::guess_format(bytes) {
        Ok(format) if format.reading_enabled() => Ok(format),
        Ok(format) => Err(match other() {
            Some(kind) => ImageProblem::OtherKind { kind: kind.name, remedy: kind.remedy.into() },
            None => ImageProblem::Unsupported(format!("{format:?}").to_uppercase()),
        }),
        // `guess_format` does not know BigTIFF.
        Err(_) if tiff::pages(bytes) > 0 => Ok(ImageFormat::Tiff),
        Err(_) => Err(match other() {
            Some(kind) => ImageProblem::OtherKind { kind: kind.name, remedy: kind.remedy.into() },
            None => ImageProblem::NotAnImage,
        }),
    }
}

/// Converts 16-bit and float samples to bytes.
fn to_8_bits(picture: DynamicImage, depth: &SampleDepth) -> Result<DynamicImage, ImageProblem> {
    Ok(match picture {
        DynamicImage::ImageLuma16(image) => DynamicImage::ImageLuma8(narrowed(&image, depth)?),
        DynamicImage::ImageLumaA16(image) => DynamicImage::ImageLumaA8(narrowed(&image, depth)?),
        DynamicImage::ImageRgb16(image) => DynamicImage::ImageRgb8(narrowed(&image, depth)?),
        DynamicImage::ImageRgba16(image) => DynamicImage::ImageRgba8(narrowed(&image, depth)?),
        DynamicImage::ImageRgb32F(image) => unit_range(image.as_raw()).map(|()| DynamicImage::ImageRgb32F(image))?,
        DynamicImage::ImageRgba32F(image) => unit_range(image.as_raw()).map(|()| DynamicImage::ImageRgba32F(image))?,
        other => other,
    })
}

fn narrowed<P, Q>(
    image: &ImageBuffer<P, Vec<u16>>,
    depth: &SampleDepth,
) -> Result<ImageBuffer<Q, Vec<u8>>, ImageProblem>
where
    P: Pixel<Subpixel = u16>,
    Q: Pixel<Subpixel = u8>,
{
    // Alpha does not count: it reaches full range in most pictures, whatever the range of the colors.
    let colors = if P::HAS_ALPHA { P::CHANNEL_COUNT - 1 } else { P::CHANNEL_COUNT };
    let highest = image.pixels().flat_map(|pixel| &pixel.channels()[..usize::from(colors)]).max();
    let highest = highest.copied().unwrap_or(0);
    depth.saw(highest);
    depth.require_fits(highest)?;
    // Alpha above the range of the colors uses all 16 bits.
    let (count, whole) = (usize::from(P::CHANNEL_COUNT), SampleDepth::default());
    let white = (1u32 << depth.bits()) - 1;
    let is_whole =
        image.pixels().any(|pixel| pixel.channels()[usize::from(colors)..].iter().any(|&a| u32::from(a) > white));
    let byte = |(at, &sample): (usize, &u16)| match at % count >= usize::from(colors) && is_whole {
        true => whole.to_byte(sample),
        false => depth.to_byte(sample),
    };
    let bytes = image.as_raw().iter().enumerate().map(byte).collect();
    Ok(ImageBuffer::from_raw(image.width(), image.height(), bytes).expect("as many samples as before"))
}

fn unit_range(samples: &[f32]) -> Result<(), ImageProblem> {
    match samples.iter().find(|sample| !(0.0..=1.0).contains(*sample)) {
        Some(&sample) => Err(ImageProblem::FloatRange(sample.to_string())),
        None => Ok(()),
    }
}

/// Limit on the allocations of a decoder: twice 8 bytes a pixel (16-bit RGBA), and 16 MiB for the other parts of the
/// file. [`check_size`] checks the size of the image itself, and can name it.
fn allocation_limits(pixels: u64) -> image::Limits {
    let mut allowed = image::Limits::no_limits();
    allowed.max_alloc = Some(pixels.saturating_mul(16).saturating_add(BESIDE_PIXELS));
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
    if let Some(kind) = sniff::variant_of(bytes) {
        return ImageProblem::OtherKind { kind: kind.name, remedy: kind.remedy.into() };
    }
    let ended = matches!(&error, ImageError::IoError(e) if e.kind() == io::ErrorKind::UnexpectedEof);
    // A GIF ends with a semicolon.
    let has_no_end = format == ImageFormat::Gif && bytes.last() != Some(&b';');
    if ended || has_no_end || truncation::is_truncated(bytes, format) {
        return ImageProblem::Truncated;
    }
    ImageProblem::Damaged(error.to_string())
}

/// 8-bit RGB of colors that are multiplied by their alpha (TIFF's associated alpha), on a white background.
fn multiplied_on_white(rgba: &RgbaImage) -> RgbImage {
    RgbImage::from_fn(rgba.width(), rgba.height(), |x, y| {
        let [r, g, b, alpha] = rgba.get_pixel(x, y).0;
        image::Rgb([r, g, b].map(|channel| channel.saturating_add(255 - alpha)))
    })
}

/// 8-bit RGB on a white background.
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
