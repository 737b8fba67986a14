//! Classes of the pixels of a picture, from logits at the size that the network saw.
//!
//! ```text
//! source position of output pixel i: s(i) = max((i + 1/2) · n_in / n_out − 1/2, 0)
//! logits:  bilinear between floor(s) and floor(s) + 1, clamped to the last row and column
//! class:   the first channel with the largest logit
//! ```
//!
//! These are the positions of PyTorch's `F.interpolate(mode="bilinear", align_corners=False)`.

use rayon::prelude::*;

/// The two neighbors of an output position on an axis, and the weight of the second.
#[derive(Clone, Copy, Debug)]
struct Between {
    first: usize,
    second: usize,
    weight: f32,
}

/// The neighbors of each of `outputs` positions over `inputs` positions.
fn neighbors(inputs: usize, outputs: usize) -> Vec<Between> {
    let scale = inputs as f64 / outputs as f64;
    let between = |i: usize| {
        let at = ((i as f64 + 0.5) * scale - 0.5).max(0.0);
        let first = (at as usize).min(inputs - 1);
        Between { first, second: (first + 1).min(inputs - 1), weight: (at - first as f64) as f32 }
    };
    (0..outputs).map(between).collect()
}

/// Writes the class of each pixel of a picture of `(height, width)` into `classes`, from logits `[h,w,c]`.
///
/// # Panics
/// If a size does not fit, or a side or the number of channels is 0; both are defects of the caller.
pub(super) fn classes_at(logits: &[f32], [h, w, c]: [usize; 3], (height, width): (usize, usize), classes: &mut [u8]) {
    assert_eq!((logits.len(), classes.len()), (h * w * c, height * width), "logits and pixels");
    let (rows, columns) = (neighbors(h, height), neighbors(w, width));
    let write = |blended: &mut Vec<f32>, (row, out): (Between, &mut [u8])| {
        let of_row = |y: usize| &logits[y * w * c..(y + 1) * w * c];
        let pairs = of_row(row.first).iter().zip(of_row(row.second));
        blended.clear();
        blended.extend(pairs.map(|(a, b)| a + (b - a) * row.weight));
        for (out, column) in out.iter_mut().zip(&columns) {
            let [a, b] = [column.first, column.second].map(|x| &blended[x * c..(x + 1) * c]);
            let mut best = (f32::NEG_INFINITY, 0);
            for (class, (a, b)) in a.iter().zip(b).enumerate() {
                let logit = a + (b - a) * column.weight;
                if logit > best.0 {
                    best = (logit, class as u8);
                }
            }
            *out = best.1;
        }
    };
    rows.into_par_iter().zip(classes.par_chunks_exact_mut(width)).for_each_init(Vec::new, write);
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::run::confusion::ConfusionMatrix;
    use crate::tasks::segment::metrics::SegmentationScores;

    /// Two classes, and the pixels between them: the border lies where the blended logits are equal.
    #[test]
    fn a_border_lies_between_the_pixels() {
        // Logits 3 and -1 for class 0, so class 1 wins from three quarters of the way on.
        let logits = [3.0, 0.0, -1.0, 0.0];
        let mut classes = [9; 8];
        classes_at(&logits, [1, 2, 2], (1, 8), &mut classes);
        // Weights of the second pixel: 0, 0, 1/8, 3/8, 5/8, 7/8, 1, 1.
        assert_eq!(classes, [0, 0, 0, 0, 0, 1, 1, 1]);
    }

    /// Confusion and mean IoU by PyTorch and NumPy:
    ///
    /// ```python
    /// import numpy as np, torch, torch.nn.functional as F
    /// h, w, c, H, W = 5, 7, 4, 23, 17
    /// z = np.arange(h * w * c).reshape(h, w, c)
    /// logits = (((z * 7919 + 13) % 1009) / 251.0).astype(np.float32)
    /// truth = (np.arange(H)[:, None] * 31 + np.arange(W)[None] * 17) // 97 % 5
    /// truth[truth == 4] = 255
    /// x = torch.from_numpy(logits).permute(2, 0, 1)[None]
    /// p = F.interpolate(x, (H, W), mode="bilinear", align_corners=False).argmax(1)[0].numpy()
    /// n = np.zeros((4, 4), int); k = truth != 255
    /// np.add.at(n, (truth[k], p[k]), 1)
    /// print(n.tolist(), np.mean(np.diag(n) / (n.sum(0) + n.sum(1) - np.diag(n))))
    /// ```
    #[test]
    fn scores_at_the_masks_size_are_pytorchs() {
        let ([h, w, c], (height, width)) = ([5, 7, 4], (23, 17));
        let logits: Vec<f32> = (0..h * w * c).map(|z| ((z * 7919 + 13) % 1009) as f32 / 251.0).collect();
        let mut classes = vec![0; height * width];
        classes_at(&logits, [h, w, c], (height, width), &mut classes);
        let mut confusion = ConfusionMatrix::new(c);
        for (at, &class) in classes.iter().enumerate() {
            // Class 4 is ignored: it is out of range.
            let _ = confusion.add((at / width * 31 + at % width * 17) / 97 % 5, class.into());
        }
        let counts: Vec<Vec<u64>> = (0..c).map(|t| (0..c).map(|p| confusion.count(t, p)).collect()).collect();
        assert_eq!(counts, PYTORCH_COUNTS);
        let mean = SegmentationScores::of(&confusion).mean_iou.unwrap();
        assert!((mean - PYTORCH_MEAN_IOU).abs() < 1e-12, "{mean}");
    }

    const PYTORCH_COUNTS: [[u64; 4]; 4] = [[14, 37, 8, 9], [25, 21, 20, 18], [44, 3, 32, 15], [46, 1, 10, 25]];
    const PYTORCH_MEAN_IOU: f64 = 0.17213496947262152;
}
