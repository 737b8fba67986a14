//! Bitmaps that annotation files hold as PNG in base64.

use std::io::Cursor;

use base64::Engine;
use base64::alphabet::STANDARD;
use base64::engine::{DecodePaddingMode, GeneralPurpose, GeneralPurposeConfig};
use image::{DynamicImage, ImageFormat, ImageReader};

/// Largest PNG of a bitmap, in bytes.
pub(super) const MAX_BITMAP: u64 = 64 << 20;

/// Size (width, height) and set pixels of a PNG. Without an alpha channel the pixels that are not black are set.
///
/// # Errors
/// The problem in words, if it is not a PNG or is too large.
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

/// The standard alphabet, with or without padding.
const BASE64: GeneralPurpose = {
    let config = GeneralPurposeConfig::new().with_decode_padding_mode(DecodePaddingMode::Indifferent);
    GeneralPurpose::new(&STANDARD, config.with_decode_allow_trailing_bits(true))
};

/// The bytes of base64 text: of both alphabets (RFC 4648), broken into lines or not.
///
/// # Errors
/// The problem in words, if the text has other characters or is cut off.
pub(super) fn base64(text: &str) -> Result<Vec<u8>, String> {
    let text = text.bytes().filter(|c| !c.is_ascii_whitespace() && *c != b'=');
    let standard = |c: u8| match c {
        b'-' => b'+',
        b'_' => b'/',
        c => c,
    };
    BASE64.decode(text.map(standard).collect::<Vec<u8>>()).map_err(|_| damaged("it is not base64"))
}
