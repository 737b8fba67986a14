//! Reading a mask as it is stored: values stay values, a palette stays beside them.

use std::io::Cursor;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::Path;

use image::ImageFormat;
use png::{BitDepth, ColorType, Transformations};

use crate::data::decode::{check_size, decode_bytes, read_bytes};
use crate::data::{DecodeLimits, ImageProblem};

/// A decoded mask, not yet mapped to classes.
#[derive(Debug, Clone)]
pub(crate) struct RawMask {
    pub width: u32,
    pub height: u32,
    pub stored: Stored,
}

/// What the pixels of a mask hold.
#[derive(Debug, Clone)]
pub(crate) enum Stored {
    /// One value a pixel by rows: a grey level or an index into the palette.
    Values(Vec<u8>, Option<Vec<[u8; 3]>>),
    /// One colour a pixel.
    Colors(Vec<[u8; 3]>),
}

/// Reads the mask at `path`. Masks must be stored without loss at 8 bits or less a channel.
pub(crate) fn read(path: &Path) -> Result<RawMask, ImageProblem> {
    let limits = DecodeLimits::default();
    let bytes = read_bytes(path, &limits)?;
    if bytes.is_empty() {
        return Err(ImageProblem::Empty);
    }
    match image::guess_format(&bytes) {
        // As for images: a defect of the decoder must not end a run.
        Ok(ImageFormat::Png) => catch_unwind(AssertUnwindSafe(|| read_png(&bytes, &limits)))
            .unwrap_or_else(|_| Err(ImageProblem::Damaged("its decoder gave up on it".into()))),
        Ok(ImageFormat::Jpeg) => {
            Err(ImageProblem::MaskFormat("JPEG, whose compression changes the values; save masks as PNG".into()))
        }
        _ => {
            let picture = decode_bytes(&bytes, &limits)?;
            let (width, height) = picture.dimensions();
            let colors = picture.pixels().map(|p| p.0).collect();
            Ok(RawMask { width, height, stored: Stored::Colors(colors) })
        }
    }
}

fn read_png(bytes: &[u8], limits: &DecodeLimits) -> Result<RawMask, ImageProblem> {
    let mut decoder = png::Decoder::new_with_limits(Cursor::new(bytes), png::Limits { bytes: usize::MAX });
    decoder.set_transformations(Transformations::IDENTITY);
    decoder.set_ignore_text_chunk(true);
    decoder.set_ignore_iccp_chunk(true);
    let mut reader = decoder.read_info().map_err(problem)?;
    let (width, height) = (reader.info().width, reader.info().height);
    check_size((width, height), limits)?;
    let (kind, depth) = reader.output_color_type();
    if depth == BitDepth::Sixteen {
        let text = "a PNG of 16 bits a value, expected 8; convert it (instance ids are no classes)";
        return Err(ImageProblem::MaskFormat(text.into()));
    }
    let palette = reader.info().palette.as_ref().map(|p| p.as_chunks::<3>().0.to_vec());
    let size = reader.output_buffer_size().ok_or_else(|| ImageProblem::Damaged("its size overflows".into()))?;
    let mut buffer = vec![0; size];
    let frame = reader.next_frame(&mut buffer).map_err(problem)?;
    let row = |y: usize| &buffer[y * frame.line_size..(y + 1) * frame.line_size];
    let rows = || (0..height as usize).map(row);
    let stored = match kind {
        ColorType::Grayscale | ColorType::Indexed => {
            let values = rows().flat_map(|row| unpack(row, depth, width as usize)).collect();
            Stored::Values(values, palette.filter(|_| kind == ColorType::Indexed))
        }
        ColorType::GrayscaleAlpha => {
            Stored::Values(rows().flat_map(|row| row.chunks_exact(2).map(|p| p[0])).collect(), None)
        }
        ColorType::Rgb => Stored::Colors(rows().flat_map(|row| row.as_chunks::<3>().0.iter().copied()).collect()),
        ColorType::Rgba => {
            Stored::Colors(rows().flat_map(|row| row.chunks_exact(4).map(|p| [p[0], p[1], p[2]])).collect())
        }
    };
    Ok(RawMask { width, height, stored })
}

/// The values of a row of `width` pixels packed at 1, 2, 4 or 8 bits, the leftmost in the high bits.
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
