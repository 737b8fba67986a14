//! The size in a header is checked before memory is reserved for it.

use std::io::Cursor;

use image::{ImageEncoder, ImageFormat, RgbImage};
use shadegrad::data::{DecodeLimits, ImageProblem, decode_bytes};

/// A JPEG of one color. Its frame header claims other sides.
fn jpeg(side: u32, claimed: u16) -> Vec<u8> {
    let mut file = Cursor::new(Vec::new());
    RgbImage::new(side, side).write_to(&mut file, ImageFormat::Jpeg).unwrap();
    let mut bytes = file.into_inner();
    let frame = bytes.windows(2).position(|pair| pair == [0xFF, 0xC0]).unwrap();
    [5, 7].into_iter().for_each(|at| bytes[frame + at..frame + at + 2].copy_from_slice(&claimed.to_be_bytes()));
    bytes
}

#[test]
fn a_small_file_that_claims_a_large_picture_is_refused() {
    let decode = |bytes: &[u8]| decode_bytes(bytes, &DecodeLimits::default());
    let (width, height) = (11_000, 11_000);
    let bytes = jpeg(16, 11_000);
    assert_eq!(decode(&bytes), Err(ImageProblem::Hollow { bytes: bytes.len() as u64, width, height }));
    // The best result of an encoder is within the bound.
    assert_eq!(decode(&jpeg(512, 512)).unwrap().dimensions(), (512, 512));
    let mut file = Vec::new();
    let encoder = image::codecs::png::PngEncoder::new_with_quality(
        &mut file,
        image::codecs::png::CompressionType::Best,
        image::codecs::png::FilterType::NoFilter,
    );
    encoder.write_image(&vec![0; 3000 * 3000], 3000, 3000, image::ExtendedColorType::L8).unwrap();
    assert_eq!(decode(&file).unwrap().dimensions(), (3000, 3000));
    file[16..24].copy_from_slice(&[0, 0, 0x2a, 0xf8, 0, 0, 0x2a, 0xf8]);
    assert_eq!(decode(&file), Err(ImageProblem::Hollow { bytes: file.len() as u64, width, height }));
}
