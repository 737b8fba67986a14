//! Bitmaps that annotation files hold as PNG in base64.

use std::io::Cursor;

use image::{DynamicImage, ImageFormat, ImageReader};

/// Largest PNG of a bitmap, in bytes.
pub(super) const MAX_BITMAP: u64 = 64 << 20;

/// Size (width, height) and set pixels of a PNG. Without an alpha channel the pixels that are not black are set.
///
/// # Errors
/// Where it is no PNG, or too large, in words.
pub(super) fn of_png(png: &[u8]) -> Result<((u32, u32), Vec<bool>), String> {
    let mut reader = ImageReader::with_format(Cursor::new(png), ImageFormat::Png);
    let mut limits = image::Limits::default();
    limits.max_alloc = Some(MAX_BITMAP * 8);
    reader.limits(limits);
    let picture = reader.decode().map_err(|e| damaged(&e.to_string()))?;
    let size = (picture.width(), picture.height());
    let set = match picture {
        picture if picture.color().has_alpha() => picture.into_rgba8().pixels().map(|p| p.0[3] > 0).collect(),
        DynamicImage::ImageRgb8(rgb) => rgb.pixels().map(|p| p.0 != [0; 3]).collect(),
        picture => picture.into_luma8().pixels().map(|p| p.0[0] > 0).collect(),
    };
    Ok((size, set))
}

/// The fault of a bitmap in words.
pub(super) fn damaged(what: &str) -> String {
    format!("a bitmap is damaged: {what}; export the file again")
}

/// The bytes of base64 text.
///
/// # Errors
/// Where it has other characters, in words.
pub(super) fn base64(text: &str) -> Result<Vec<u8>, String> {
    let (mut bytes, mut bits, mut held) = (Vec::with_capacity(text.len() / 4 * 3), 0u32, 0);
    for c in text.bytes().filter(|c| !c.is_ascii_whitespace() && *c != b'=') {
        let value = match c {
            b'A'..=b'Z' => c - b'A',
            b'a'..=b'z' => c - b'a' + 26,
            b'0'..=b'9' => c - b'0' + 52,
            b'+' | b'-' => 62,
            b'/' | b'_' => 63,
            _ => return Err(damaged("it is not base64")),
        };
        bits = bits << 6 | u32::from(value);
        held += 6;
        if held >= 8 {
            held -= 8;
            bytes.push((bits >> held) as u8);
        }
    }
    Ok(bytes)
}
