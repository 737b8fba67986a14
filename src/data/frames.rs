//! Files that hold several pictures, of which the first is read.

use super::tiff;

/// Whether a file holds several pages (TIFF) or frames (GIF, PNG, WebP).
pub(crate) fn are_several(bytes: &[u8]) -> bool {
    match bytes {
        [b'G', b'I', b'F', b'8', ..] => gif_frames(bytes, 2) > 1,
        [0x89, b'P', b'N', b'G', ..] => has_animation_chunk(bytes),
        // The second bit of the extended header's flags.
        [b'R', b'I', b'F', b'F', _, _, _, _, b'W', b'E', b'B', b'P', b'V', b'P', b'8', b'X', _, _, _, _, flags, ..] => {
            flags & 2 != 0
        }
        _ => tiff::pages(bytes) > 1,
    }
}

/// Frames of a GIF, counted up to `most`.
fn gif_frames(bytes: &[u8], most: usize) -> usize {
    const HEADER: usize = 13;
    let table = |flags: u8| if flags & 0x80 == 0 { 0 } else { 3 << ((flags & 7) + 1) };
    let mut at = HEADER + bytes.get(10).map_or(0, |&flags| table(flags));
    let mut frames = 0;
    while frames < most {
        let start = match bytes.get(at) {
            // An extension: its label, then blocks.
            Some(0x21) => at + 2,
            // A frame: its place, a table of colors, the width of a code, then blocks.
            Some(0x2c) => {
                frames += 1;
                at + 11 + bytes.get(at + 9).map_or(0, |&flags| table(flags))
            }
            _ => break,
        };
        match after_blocks(bytes, start) {
            Some(next) => at = next,
            None => break,
        }
    }
    frames
}

/// The place after a run of blocks. Each block states its length; a block of length 0 ends the run.
fn after_blocks(bytes: &[u8], mut at: usize) -> Option<usize> {
    loop {
        let length = usize::from(*bytes.get(at)?);
        at += 1 + length;
        if length == 0 {
            return Some(at);
        }
    }
}

/// Whether an `acTL` chunk of several frames stands before the picture of a PNG.
fn has_animation_chunk(bytes: &[u8]) -> bool {
    let mut at = 8;
    while let Some([l3, l2, l1, l0, kind @ ..]) = bytes.get(at..at + 8) {
        if kind == b"IDAT" {
            return false;
        }
        if kind == b"acTL" {
            return bytes.get(at + 8..at + 12).is_some_and(|count| count > [0, 0, 0, 1].as_slice());
        }
        at = at.saturating_add(12 + u32::from_be_bytes([*l3, *l2, *l1, *l0]) as usize);
    }
    false
}
