//! Bounds on the number of pixels in a file, checked before memory is reserved for the size in its header.
//!
//! | kind | least size of a file of `n` pixels | reason |
//! |---|---|---|
//! | JPEG | `n / 512` bytes | each 8x8 block of the channel with the most samples takes at least 1 bit |
//! | PNG | `bytes of the rows / 1032` | deflate compresses by a factor of at most 1032 |

use image::ImageFormat;

use super::truncation::jpeg_frame;

/// Bytes before the data of a PNG's header: signature, length and name of the chunk.
const PNG_HEADER: usize = 16;
/// Largest compression of deflate.
const DEFLATE: u64 = 1032;

/// Width and height in the header of a JPEG or PNG; `None` for other kinds.
pub(crate) fn size(bytes: &[u8], format: ImageFormat) -> Option<(u32, u32)> {
    match format {
        // A height of 0 means that the height is given after the scan.
        ImageFormat::Jpeg => jpeg_frame(bytes).map(|frame| frame.size).filter(|size| size.0 > 0 && size.1 > 0),
        ImageFormat::Png => {
            let (&[w3, w2, w1, w0, h3, h2, h1, h0], _) = bytes.get(PNG_HEADER..)?.split_first_chunk::<8>()?;
            Some((u32::from_be_bytes([w3, w2, w1, w0]), u32::from_be_bytes([h3, h2, h1, h0])))
        }
        _ => None,
    }
}

/// Whether the bytes can hold a picture of `size`.
pub(crate) fn can_hold(bytes: &[u8], format: ImageFormat, (width, height): (u32, u32)) -> bool {
    let (length, width, height) = (bytes.len() as u64, u64::from(width), u64::from(height));
    match format {
        ImageFormat::Jpeg => length >= width * height / 512,
        ImageFormat::Png => {
            let (depth, channels) = match bytes.get(PNG_HEADER + 8..PNG_HEADER + 10) {
                Some(&[depth, 2]) => (depth, 3),
                Some(&[depth, 4]) => (depth, 2),
                Some(&[depth, 6]) => (depth, 4),
                Some(&[depth, _]) => (depth, 1),
                _ => return false,
            };
            let row = (width * channels * u64::from(depth)).div_ceil(8);
            length.saturating_mul(DEFLATE) >= row * height
        }
        _ => true,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_least_size_counts_the_samples_of_all_channels() {
        // Depth and kind of color stand after the size. The last number is the bytes of a row of 1000 pixels.
        for (depth, kind, row) in [(8, 0, 1000), (1, 3, 125), (8, 2, 3000), (8, 4, 2000), (8, 6, 4000), (16, 6, 8000)] {
            let holds = |length: usize| {
                let mut bytes = vec![0; length];
                (bytes[24], bytes[25]) = (depth, kind);
                can_hold(&bytes, ImageFormat::Png, (1000, 1000))
            };
            let least = (1000 * row as usize).div_ceil(1032);
            assert_eq!([holds(least - 1), holds(least)], [false, true], "{depth} bits, color {kind}");
        }
        let holds = |length: usize| can_hold(&vec![0; length], ImageFormat::Jpeg, (1024, 1024));
        assert_eq!([holds(2047), holds(2048)], [false, true]);
    }
}
