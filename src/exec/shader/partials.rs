//! Partial results that depend on a call's tile, merged to values that do not.

use super::matrix::MatrixCall;
use crate::exec::registry::{Partials, Segments};
use crate::kernel::{KernelCall, NormGeometry};
use crate::shape::LANES;

/// Merges partial results to values that do not depend on the tile.
pub type Merge = Box<dyn Fn(&[f32]) -> Vec<f32>>;

/// The merge of a binding whose values depend on the call's tile: partial sums, or statistics of segments. `None` for other
/// bindings.
pub fn merged_partials<B>(call: &KernelCall<B>, binding: usize) -> Option<Merge> {
    let matrix = MatrixCall::find(call)?;
    if binding + 1 != call.bindings.len() {
        return None;
    }
    match matrix.kernel.partials {
        Partials::None => None,
        Partials::Splits => {
            let splits = matrix.geometry.splits().filter(|&splits| splits > 1)?;
            Some(Box::new(move |values| {
                let each = values.len() / splits;
                let sum = |i: usize| values[i..].iter().step_by(each).map(|&v| f64::from(v)).sum::<f64>();
                (0..each).map(|i| sum(i) as f32).collect()
            }))
        }
        Partials::Statistics(of) => {
            let statistics = matrix.geometry.statistics.clone()?;
            Some(Box::new(move |kept| merged_segments(of, &statistics.norm, kept)))
        }
    }
}

/// Mean and variance, or sums, of each channel over all segments. The statistics of one segment depend on the tile: Winograd's
/// tiles do not have consecutive rows.
fn merged_segments(of: Segments, norm: &NormGeometry, kept: &[f32]) -> Vec<f32> {
    let each = norm.vectors * 2 * LANES;
    let rows = |segment: usize| norm.rows.saturating_sub(segment * norm.segment_rows).min(norm.segment_rows) as f64;
    let (mut n, mut all) = (0.0, vec![[0.0f64; 2]; norm.vectors * LANES]);
    for (segment, values) in kept.chunks_exact(each).enumerate() {
        let of_segment = rows(segment);
        let both = n + of_segment.max(1e-9);
        for (channel, [a, b]) in all.iter_mut().enumerate() {
            let at = channel / LANES * 2 * LANES + channel % LANES;
            let [a2, b2] = [values[at], values[at + LANES]].map(f64::from);
            match of {
                // Chan et al. 1983
                Segments::Moments => {
                    let delta = a2 - *a;
                    *a += delta * of_segment / both;
                    *b += b2 + delta * delta * n * of_segment / both;
                }
                Segments::GradientSums => (*a, *b) = (*a + a2, *b + b2),
            }
        }
        n = both;
    }
    let scale = if of == Segments::Moments { n.max(1.0) } else { 1.0 };
    all.iter().flat_map(|[a, b]| [*a as f32, (b / scale) as f32]).collect()
}
