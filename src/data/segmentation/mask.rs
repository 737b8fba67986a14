//! Reads masks as stored: values as values, with a palette if there is one.

use std::collections::HashMap;
use std::io::Cursor;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use image::metadata::Orientation;
use image::{DynamicImage, ImageFormat};
use png::{BitDepth, ColorType, Transformations};

use super::raw::{RawMask, Samples, Shown, Stored};
use super::shapes::Drawing;
use crate::data::decode::{Head, Posture, check_size, decode_bytes, decode_stored, format_of, guarded, read_bytes};
use crate::data::{DecodeLimits, ImageProblem};

/// The source of an image's mask.
#[derive(Debug, Clone)]
pub(crate) enum MaskSource {
    /// One file.
    File(PathBuf),
    /// Several files: a pixel has the value of those in which it is not 0.
    Joined(Vec<PathBuf>),
    /// Shapes of an annotation file.
    Drawn(Arc<Drawing>),
}

impl MaskSource {
    /// Name for messages.
    pub fn name(&self) -> String {
        match self {
            MaskSource::File(path) => path.display().to_string(),
            MaskSource::Joined(paths) => {
                let first = paths.first().map(|path| path.display().to_string()).unwrap_or_default();
                format!("{first} (joined with {} more)", paths.len().saturating_sub(1))
            }
            MaskSource::Drawn(drawing) => drawing.name.clone(),
        }
    }

    /// Its files; empty for shapes.
    pub fn files(&self) -> &[PathBuf] {
        match self {
            MaskSource::File(path) => std::slice::from_ref(path),
            MaskSource::Joined(paths) => paths,
            MaskSource::Drawn(_) => &[],
        }
    }

    /// Stored size and orientation from the header. Shapes have no orientation.
    pub fn head(&self) -> Option<Head> {
        match self {
            MaskSource::File(path) => Head::of(path),
            MaskSource::Joined(paths) => paths.first().and_then(|path| Head::of(path)),
            MaskSource::Drawn(drawing) => {
                drawing.size.map(|size| Head { size, orientation: Orientation::NoTransforms, has_16_bits: false })
            }
        }
    }

    /// Reads the mask of the image at `image`, in the posture in which the image is read.
    ///
    /// # Errors
    /// The fault of the mask.
    pub fn read(&self, image: &Path, posture: Posture, samples: Samples) -> Result<RawMask, ImageProblem> {
        match self {
            MaskSource::File(path) => read(path, posture, samples),
            MaskSource::Joined(paths) => joined(paths, posture, samples),
            MaskSource::Drawn(drawing) => drawing.draw(image, posture),
        }
    }
}

/// Reads masks and lays each over the previous ones.
fn joined(paths: &[PathBuf], posture: Posture, samples: Samples) -> Result<RawMask, ImageProblem> {
    let mut whole: Option<RawMask> = None;
    for path in paths {
        let next = read(path, posture, samples)?;
        let Some(below) = &mut whole else {
            whole = Some(next);
            continue;
        };
        if (below.width, below.height) != (next.width, next.height) {
            let found = format!("{}x{} pixels and {}x{}", below.width, below.height, next.width, next.height);
            return Err(ImageProblem::MaskFormat(format!("its parts differ in size: {found}")));
        }
        match (&mut below.stored, next.stored) {
            (Stored::Values(below, shown), Stored::Values(above, of_next)) => {
                let above = in_one_notation((&mut *below, shown), (above, &of_next))?;
                lay_over(below, &above, path)?;
            }
            (Stored::Colors(below), Stored::Colors(above)) => lay_over(below, &above, path)?,
            _ => return Err(ImageProblem::MaskFormat("its parts are grey and colored files".into())),
        }
    }
    whole.ok_or(ImageProblem::Missing)
}

/// Lays a further part, from the file at `path`, over a mask. 0 and black are empty.
///
/// # Errors
/// Where the part gives a pixel another class.
fn lay_over<T: Copy + Default + PartialEq>(below: &mut [T], above: &[T], path: &Path) -> Result<(), ImageProblem> {
    let empty = T::default();
    let mut clashes = 0;
    for (low, &high) in below.iter_mut().zip(above).filter(|(_, high)| **high != empty) {
        clashes += usize::from(*low != empty && *low != high);
        *low = high;
    }
    if clashes == 0 {
        return Ok(());
    }
    Err(ImageProblem::MaskFormat(format!(
        "{} gives {clashes} pixels another class than the other masks of the image, so either may be right; keep one of the masks, or \
         let no objects of two classes overlap",
        path.display()
    )))
}

/// The values of a further part of a mask. If the parts differ in bits per sample, all are scaled to 8 bits.
fn in_one_notation(
    (below, shown): (&mut [u8], &mut Shown),
    (mut above, of_next): (Vec<u8>, &Shown),
) -> Result<Vec<u8>, ImageProblem> {
    if *shown == *of_next {
        return Ok(above);
    }
    let (Shown::Greys(_), Shown::Greys(_)) = (&*shown, of_next) else {
        return Err(ImageProblem::MaskFormat("its parts have several palettes; save them with one, or in grey".into()));
    };
    below.iter_mut().for_each(|value| *value = shown.color(*value)[0]);
    above.iter_mut().for_each(|value| *value = of_next.color(*value)[0]);
    *shown = Shown::Greys(1);
    Ok(above)
}

/// Reads the mask at `path`, in a posture. A mask must be stored without loss, with values up to 255.
///
/// # Errors
/// The fault of the mask.
pub(crate) fn read(path: &Path, posture: Posture, samples: Samples) -> Result<RawMask, ImageProblem> {
    let limits = DecodeLimits::default();
    let bytes = read_bytes(path, &limits)?;
    let format = format_of(&bytes)?;
    if let Some(kind) = lossy(format, &bytes) {
        return match samples {
            Samples::Numbers | Samples::Colors => Err(ImageProblem::LossyMask(kind)),
            Samples::Brightness => guarded(|| {
                let grey = decode_stored(&bytes, &limits, posture)?.into_luma8();
                let (width, height) = grey.dimensions();
                Ok(RawMask { width, height, stored: Stored::Values(grey.into_raw(), Shown::Greys(1)) })
            }),
        };
    }
    match format {
        ImageFormat::Png => guarded(|| read_png(&bytes, &limits, posture, samples)),
        ImageFormat::Tiff => guarded(|| of_picture(decode_stored(&bytes, &limits, posture)?, samples)),
        _ => {
            let picture = decode_bytes(&bytes, &limits)?;
            let (width, height) = picture.dimensions();
            let colors: Vec<[u8; 3]> = picture.pixels().map(|p| p.0).collect();
            Ok(RawMask { width, height, stored: Stored::Colors(colors) })
        }
    }
}

fn read_png(bytes: &[u8], limits: &DecodeLimits, posture: Posture, samples: Samples) -> Result<RawMask, ImageProblem> {
    let mut decoder = png::Decoder::new_with_limits(Cursor::new(bytes), png::Limits { bytes: usize::MAX });
    decoder.set_transformations(Transformations::IDENTITY);
    decoder.set_ignore_text_chunk(true);
    decoder.set_ignore_iccp_chunk(true);
    let mut reader = decoder.read_info().map_err(problem)?;
    let (width, height) = (reader.info().width, reader.info().height);
    check_size((width, height), limits)?;
    let (kind, depth) = reader.output_color_type();
    if depth == BitDepth::Sixteen {
        return of_picture(decode_stored(bytes, limits, posture)?, samples);
    }
    let exif = reader.info().exif_metadata.as_deref().filter(|_| posture == Posture::Upright);
    let orientation = exif.and_then(Orientation::from_exif_chunk).unwrap_or(Orientation::NoTransforms);
    let palette = reader.info().palette.as_ref().map(|p| p.as_chunks::<3>().0.to_vec());
    let size = reader.output_buffer_size().ok_or_else(|| ImageProblem::Damaged("its size overflows".into()))?;
    let mut buffer = vec![0; size];
    let frame = reader.next_frame(&mut buffer).map_err(problem)?;
    let row = |y: usize| &buffer[y * frame.line_size..(y + 1) * frame.line_size];
    let rows = || (0..height as usize).map(row);
    let stored = match kind {
        ColorType::Grayscale | ColorType::Indexed => {
            let values = rows().flat_map(|row| unpack(row, depth, width as usize)).collect();
            let palette = palette.filter(|_| kind == ColorType::Indexed);
            Stored::Values(values, palette.map_or(Shown::Greys(white(depth)), Shown::by_palette))
        }
        ColorType::GrayscaleAlpha => {
            require_alpha_of_value(rows().flat_map(|row| row.chunks_exact(2).map(|p| ([p[0]; 3], p[1]))))?;
            Stored::Values(rows().flat_map(|row| row.chunks_exact(2).map(|p| p[0])).collect(), Shown::Greys(1))
        }
        ColorType::Rgb => Stored::Colors(rows().flat_map(|row| row.as_chunks::<3>().0.iter().copied()).collect()),
        ColorType::Rgba => {
            let pixel = |p: &[u8; 4]| ([p[0], p[1], p[2]], p[3]);
            require_alpha_of_value(rows().flat_map(|row| row.as_chunks::<4>().0.iter().map(pixel)))?;
            Stored::Colors(rows().flat_map(|row| row.chunks_exact(4).map(|p| [p[0], p[1], p[2]])).collect())
        }
    };
    Ok(RawMask { width, height, stored }.turned(orientation))
}

/// The values or colors of a picture of 8 or 16 bits. 16-bit values must all be below 256.
fn of_picture(picture: DynamicImage, samples: Samples) -> Result<RawMask, ImageProblem> {
    let (width, height) = (picture.width(), picture.height());
    // 0 and 65535 are 0 and 255 in 16 bits.
    let is_black_and_white = |values: &[u16]| values.iter().all(|value| matches!(*value, 0 | u16::MAX));
    let narrow = |values: Vec<u16>| match values.iter().max() {
        Some(256..) if samples == Samples::Brightness || is_black_and_white(&values) => {
            Ok(Stored::Values(values.into_iter().map(|value| (value / 257) as u8).collect(), Shown::Greys(1)))
        }
        Some(&highest) if highest > 255 => Err(ImageProblem::MaskFormat(format!(
            "its values of 16 bits reach {highest}, expected 0 to 255; write the number of the class (numbers of \
             objects are no classes)"
        ))),
        _ => Ok(Stored::Values(values.into_iter().map(|value| value as u8).collect(), Shown::Greys(1))),
    };
    if let DynamicImage::ImageLumaA8(_) | DynamicImage::ImageLumaA16(_) | DynamicImage::ImageRgba8(_) = picture {
        let pixel = |p: &image::Rgba<u16>| ([p.0[0], p.0[1], p.0[2]], p.0[3]);
        require_alpha_of_value(picture.to_rgba16().pixels().map(pixel))?;
    }
    let stored = match picture {
        DynamicImage::ImageLuma8(grey) => Stored::Values(grey.into_raw(), Shown::Greys(1)),
        DynamicImage::ImageLumaA8(grey) => Stored::Values(grey.pixels().map(|p| p.0[0]).collect(), Shown::Greys(1)),
        DynamicImage::ImageLuma16(grey) => narrow(grey.into_raw())?,
        DynamicImage::ImageLumaA16(grey) => narrow(grey.pixels().map(|p| p.0[0]).collect())?,
        DynamicImage::ImageRgb8(rgb) => Stored::Colors(rgb.pixels().map(|p| p.0).collect()),
        DynamicImage::ImageRgba8(rgba) => Stored::Colors(rgba.pixels().map(|p| [p.0[0], p.0[1], p.0[2]]).collect()),
        other => {
            let text = format!("its pixels are {:?}, expected grey values or colors of 8 bits", other.color());
            return Err(ImageProblem::MaskFormat(text));
        }
    };
    Ok(RawMask { width, height, stored })
}

/// The kind of a file that was compressed with loss.
fn lossy(format: ImageFormat, bytes: &[u8]) -> Option<&'static str> {
    match format {
        ImageFormat::Jpeg => Some("JPEG"),
        ImageFormat::WebP if webp_is_lossy(bytes) => Some("WebP with loss"),
        _ => None,
    }
}

/// Whether a WebP file holds a picture of the lossy kind (`VP8 `, not `VP8L`), by itself or as a frame.
fn webp_is_lossy(bytes: &[u8]) -> bool {
    const FRAME_HEADER: usize = 16;
    let mut rest = bytes.get(12..).unwrap_or_default();
    while let Some((id, [a, b, c, d, ..])) = rest.split_first_chunk::<4>() {
        let len = u32::from_le_bytes([*a, *b, *c, *d]) as usize;
        let content = rest.get(8..).unwrap_or_default();
        match id {
            b"VP8 " => return true,
            b"VP8L" => return false,
            b"ANMF" => rest = content.get(FRAME_HEADER..).unwrap_or_default(),
            _ => rest = content.get(len.saturating_add(len % 2)..).unwrap_or_default(),
        }
    }
    false
}

/// Refuses an alpha channel that differs among pixels of one value or color. Any other alpha channel adds nothing to
/// the values.
fn require_alpha_of_value<T: Copy + Eq + std::hash::Hash>(
    pixels: impl Iterator<Item = ([T; 3], T)>,
) -> Result<(), ImageProblem> {
    let mut alphas: HashMap<[T; 3], T> = HashMap::new();
    let mut last = None;
    for (color, alpha) in pixels {
        if last != Some((color, alpha)) && *alphas.entry(color).or_insert(alpha) != alpha {
            return Err(ImageProblem::MaskFormat(
                "pixels of one value have several alphas: transparent pixels may be ignored, alpha may be the mask, or mean \
                 nothing; save the classes as grey values or colors without alpha, and ignored pixels as another value"
                    .into(),
            ));
        }
        last = Some((color, alpha));
    }
    Ok(())
}

/// 255 divided by the highest value of this bit depth.
fn white(depth: BitDepth) -> u8 {
    match depth {
        BitDepth::One => 255,
        BitDepth::Two => 85,
        BitDepth::Four => 17,
        BitDepth::Eight | BitDepth::Sixteen => 1,
    }
}

/// The values of a row of `width` pixels packed at 1, 2, 4 or 8 bits; the leftmost pixel is in the high bits.
fn unpack(row: &[u8], depth: BitDepth, width: usize) -> impl Iterator<Item = u8> + '_ {
    let bits = match depth {
        BitDepth::One => 1,
        BitDepth::Two => 2,
        BitDepth::Four => 4,
        BitDepth::Eight | BitDepth::Sixteen => 8,
    };
    let each = 8 / bits;
    (0..width).map(move |x| {
        let shift = 8 - bits * (x % each + 1);
        ((u16::from(row[x / each]) >> shift) & ((1 << bits) - 1)) as u8
    })
}

fn problem(error: png::DecodingError) -> ImageProblem {
    match error {
        png::DecodingError::IoError(e) if e.kind() == std::io::ErrorKind::UnexpectedEof => ImageProblem::Truncated,
        other => ImageProblem::Damaged(other.to_string()),
    }
}
