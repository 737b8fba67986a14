//! Pictures of few colors, as masks are.

use std::collections::HashMap;
use std::path::Path;

use super::decode::decode_file;

/// Number of colors that cover nearly all pixels of a mask. A photograph has more.
const COLORS: usize = 32;
/// The share of pixels that they cover. Antialiased edges have the others.
const COVERED: f64 = 0.9;

/// Whether a few colors cover nearly all pixels of a file. A file that cannot be decoded counts as one of these.
pub(super) fn is_flat(path: &Path) -> bool {
    decode_file(path).map_or(true, |image| has_few_colors(image.as_raw()))
}

/// Whether a few colors cover nearly all of some RGB pixels.
fn has_few_colors(samples: &[u8]) -> bool {
    let mut counts: HashMap<&[u8], usize> = HashMap::new();
    samples.chunks_exact(3).for_each(|pixel| *counts.entry(pixel).or_default() += 1);
    let mut counts: Vec<usize> = counts.into_values().collect();
    counts.sort_unstable_by(|a, b| b.cmp(a));
    let covered: usize = counts.iter().take(COLORS).sum();
    covered as f64 >= COVERED * (samples.len() / 3) as f64
}
