//! Detects truncated files.
//!
//! Decoders fill the missing part of a JPEG with grey and report nothing. A network would learn the grey.

use image::ImageFormat;

/// Whether the file ends before the picture, as its structure shows without decoding. PNG and BMP need no check: their
/// decoders detect it.
pub(crate) fn is_truncated(bytes: &[u8], format: ImageFormat) -> bool {
    match format {
        ImageFormat::Jpeg => !jpeg_has_end(bytes),
        ImageFormat::WebP => riff_is_short(bytes),
        _ => false,
    }
}

/// Walks the segments of a JPEG to its end-of-image marker. A plain search could find the marker of an embedded
/// thumbnail.
fn jpeg_has_end(bytes: &[u8]) -> bool {
    let mut at = 2;
    while let Some(marker) = next_marker(bytes, &mut at) {
        match marker {
            0xD9 => return true,
            // Restart markers and TEM have no length. 00 is a stuffed byte of the coded data.
            0x00 | 0x01 | 0xD0..=0xD8 => {}
            _ => {
                let Some(&[high, low]) = bytes.get(at..at + 2) else {
                    return false;
                };
                at += usize::from(u16::from_be_bytes([high, low]));
            }
        }
    }
    false
}

/// The first frame of a JPEG.
pub(crate) struct JpegFrame {
    pub marker: u8,
    /// Bits of a sample.
    pub bits: u8,
    /// 1 for greys, 3 for colors, 4 for CMYK.
    pub components: u8,
    /// Width and height.
    pub size: (u32, u32),
}

/// The first frame of a JPEG; `None` for other files.
pub(crate) fn jpeg_frame(bytes: &[u8]) -> Option<JpegFrame> {
    let mut at = if bytes.starts_with(b"\xff\xd8") { 2 } else { return None };
    while let Some(marker) = next_marker(bytes, &mut at) {
        match marker {
            // Huffman tables, arithmetic tables and the extension are not frames.
            0xC0..=0xCF if !matches!(marker, 0xC4 | 0xC8 | 0xCC) => {
                let &[bits, h1, h0, w1, w0, components] = bytes.get(at + 2..at + 8)? else { return None };
                let side = |pair| u32::from(u16::from_be_bytes(pair));
                return Some(JpegFrame { marker, bits, components, size: (side([w1, w0]), side([h1, h0])) });
            }
            0xDA | 0xD9 => return None,
            0x00 | 0x01 | 0xD0..=0xD8 => {}
            _ => at += usize::from(u16::from_be_bytes([*bytes.get(at)?, *bytes.get(at + 1)?])),
        }
    }
    None
}

/// Finds the next `FF xx` whose xx is not the fill byte FF, and sets `at` after it.
fn next_marker(bytes: &[u8], at: &mut usize) -> Option<u8> {
    loop {
        let rest = bytes.get(*at..)?;
        *at += rest.iter().position(|&b| b == 0xFF)? + 1;
        match *bytes.get(*at)? {
            0xFF => {}
            marker => {
                *at += 1;
                return Some(marker);
            }
        }
    }
}

/// A RIFF file has its length, without the first eight bytes, in bytes 4..8.
fn riff_is_short(bytes: &[u8]) -> bool {
    match bytes.get(4..8) {
        Some(&[a, b, c, d]) => (bytes.len() as u64) < u64::from(u32::from_le_bytes([a, b, c, d])) + 8,
        _ => true,
    }
}
