//! Scores of a segmentation from its confusion matrix, and weights of classes from their pixels.

use crate::choices;
use crate::label::IGNORED_BYTE;
use crate::run::confusion::{ClassScore, ConfusionMatrix};

/// Scores over a whole set, from the counts `n[t][p]` of pixels of class `t` predicted as `p`
/// (ignored pixels are not counted), with `T[c] = Σₚ n[c][p]` and `P[c] = Σₜ n[t][c]`:
///
/// - IoU of class c = n\[c\]\[c\] / (T\[c\] + P\[c\] - n\[c\]\[c\]); `None` for a class without a pixel in the truth
/// - mean IoU = mean over the classes with an IoU, since a listed class that no mask has would lower it
/// - weighted IoU = Σ T\[c\] IoU\[c\] / Σ T\[c\]: each class counts by its pixels
/// - pixel accuracy = Σ n\[c\]\[c\] / Σ T\[c\]
#[derive(Debug, Clone, PartialEq)]
pub struct SegmentationScores {
    /// Intersection over union of each class.
    pub iou: Vec<Option<f64>>,
    /// Mean over classes; `None` if no pixel was counted.
    pub mean_iou: Option<f64>,
    /// Mean over pixels of the IoU of their class.
    pub weighted_iou: Option<f64>,
    /// Share of pixels predicted correctly.
    pub pixel_accuracy: Option<f64>,
}

impl SegmentationScores {
    /// The scores of a matrix of pixels.
    pub fn of(confusion: &ConfusionMatrix) -> Self {
        let classes = 0..confusion.classes();
        let iou = confusion.class_scores(ClassScore::Iou);
        let known: Vec<f64> = iou.iter().filter_map(|&iou| iou).collect();
        let total = confusion.total();
        let weighted: f64 = classes.map(|c| confusion.row_total(c) as f64 * iou[c].unwrap_or(0.0)).sum();
        Self {
            mean_iou: (!known.is_empty()).then(|| known.iter().sum::<f64>() / known.len() as f64),
            weighted_iou: (total > 0).then(|| weighted / total as f64),
            pixel_accuracy: confusion.accuracy(),
            iou,
        }
    }

    /// Mean IoU, weighted IoU, pixel accuracy.
    pub(super) fn three(&self) -> [Option<f64>; 3] {
        [self.mean_iou, self.weighted_iou, self.pixel_accuracy]
    }
}

choices! {
    /// Weights of the classes in the loss.
    pub enum ClassWeighting default None {
        /// 1 for every class.
        None = "none",
        /// Inverse frequency: `w[c] = (1 / f[c]) / mean of 1 / f`, where `f[c]` is the share of class c in all pixels
        /// that are not ignored. The mean weight of the classes that occur is 1.
        Inverse = "inverse",
        /// Median frequency balancing (Eigen & Fergus 2015): `w[c] = median of f / f[c]`, where `f[c]` is the share of
        /// class c in the pixels of the images in which it occurs.
        Median = "median",
    }
}

impl ClassWeighting {
    /// The weight of each class; 0 for classes without pixels, which cannot be learned. `pixels[c]`
    /// counts the pixels of class c, `image_pixels[c]` all pixels of the images that it is seen in.
    /// Counts beyond the shorter of both are ignored.
    pub fn weights(self, pixels: &[u64], image_pixels: &[u64]) -> Vec<f32> {
        let total: u64 = pixels.iter().sum();
        let share = |(&n, &seen): (&u64, &u64)| match self {
            Self::None => f64::from(u8::from(n > 0)),
            Self::Inverse => n as f64 / total.max(1) as f64,
            Self::Median => n as f64 / seen.max(1) as f64,
        };
        let shares: Vec<f64> = pixels.iter().zip(image_pixels).map(share).collect();
        let mut present: Vec<f64> = shares.iter().copied().filter(|&f| f > 0.0).collect();
        let scale = match self {
            Self::None => 1.0,
            Self::Inverse => present.len() as f64 / present.iter().map(|f| 1.0 / f).sum::<f64>(),
            Self::Median => median(&mut present),
        };
        if self == Self::None {
            return vec![1.0; shares.len()];
        }
        shares.into_iter().map(|f| if f > 0.0 { (scale / f) as f32 } else { 0.0 }).collect()
    }
}

/// Mean IoU of one image, over the classes in its truth.
pub fn image_iou(truth: &[u8], predicted: &[u8], classes: usize) -> Option<f64> {
    let mut confusion = ConfusionMatrix::new(classes);
    for (&t, &p) in truth.iter().zip(predicted) {
        // Ignored pixels are out of range.
        let _ = confusion.add(t.into(), p.into());
    }
    SegmentationScores::of(&confusion).mean_iou
}

/// The middle value, or the mean of the middle two; 0 for an empty list.
fn median(values: &mut [f64]) -> f64 {
    values.sort_by(f64::total_cmp);
    match (values.len(), values.len() / 2) {
        (0, _) => 0.0,
        (n, half) if n % 2 == 1 => values[half],
        (_, half) => (values[half - 1] + values[half]) / 2.0,
    }
}

/// Pixels per class of one image or of several: in the truth, predicted, and both.
#[derive(Debug, Clone)]
pub(super) struct ClassCounts(Vec<[u64; 3]>);

impl ClassCounts {
    /// No pixels.
    pub fn new(classes: usize) -> Self {
        ClassCounts(vec![[0; 3]; classes])
    }

    /// The pixels of an image that are not ignored.
    pub fn of(truth: &[u8], predicted: &[u8], classes: usize) -> Self {
        let mut counts = ClassCounts::new(classes);
        for (&truth, &predicted) in truth.iter().zip(predicted).filter(|(truth, _)| **truth != IGNORED_BYTE) {
            // Both are classes of the model: the set was opened with its classes.
            counts.0[usize::from(truth)][0] += 1;
            counts.0[usize::from(predicted)][1] += 1;
            counts.0[usize::from(truth)][2] += u64::from(truth == predicted);
        }
        counts
    }

    /// The sum of two counts.
    pub fn plus(mut self, other: &Self) -> Self {
        for (sum, counts) in self.0.iter_mut().zip(&other.0) {
            sum.iter_mut().zip(counts).for_each(|(sum, count)| *sum += count);
        }
        self
    }

    /// Mean intersection over union of the classes in the truth, as [`SegmentationScores::mean_iou`].
    pub fn mean_iou(&self) -> Option<f64> {
        let there = self.0.iter().filter(|[truth, ..]| *truth > 0);
        let ious: Vec<f64> =
            there.map(|&[truth, predicted, both]| both as f64 / (truth + predicted - both) as f64).collect();
        (!ious.is_empty()).then(|| ious.iter().sum::<f64>() / ious.len() as f64)
    }

    /// The class with the most pixels, and the mean IoU of a model that predicts it everywhere.
    pub fn largest(&self) -> Option<(usize, f64)> {
        let (class, [most, ..]) = self.0.iter().enumerate().max_by_key(|(_, [truth, ..])| *truth)?;
        let (all, there) = self.0.iter().fold((0, 0), |(all, there), [n, ..]| (all + n, there + usize::from(*n > 0)));
        (all > 0).then(|| (class, *most as f64 / all as f64 / there as f64))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn matrix(counts: &[&[u32]]) -> ConfusionMatrix {
        let mut confusion = ConfusionMatrix::new(counts.len());
        for (truth, row) in counts.iter().enumerate() {
            for (prediction, &n) in row.iter().enumerate() {
                (0..n).for_each(|_| confusion.add(truth, prediction).unwrap());
            }
        }
        confusion
    }

    #[test]
    fn scores_follow_their_formulas() {
        // Class 2 is predicted but not in the truth; class 3 is in neither. Both are left out of the mean.
        let scores = SegmentationScores::of(&matrix(&[&[50, 3, 7, 0], &[10, 20, 0, 0], &[0; 4], &[0; 4]]));
        assert_eq!(scores.iou, [Some(50.0 / 70.0), Some(20.0 / 33.0), None, None]);
        let mean = (50.0 / 70.0 + 20.0 / 33.0) / 2.0;
        assert!((scores.mean_iou.unwrap() - mean).abs() < 1e-12);
        let weighted = (60.0 * 50.0 / 70.0 + 30.0 * 20.0 / 33.0) / 90.0;
        assert!((scores.weighted_iou.unwrap() - weighted).abs() < 1e-12);
        assert_eq!(scores.pixel_accuracy, Some(70.0 / 90.0));
        let nothing = SegmentationScores::of(&ConfusionMatrix::new(2));
        assert_eq!((nothing.mean_iou, nothing.weighted_iou, nothing.pixel_accuracy), (None, None, None));
    }

    /// Pixels of the classes in CamVid's training part at 240 x 180 and, for each, of the images it is
    /// seen in; the weights by NumPy.
    #[test]
    fn median_frequency_weights_are_camvids() {
        let images = [366, 365, 366, 367, 349, 319, 351, 173, 360, 317, 201].map(|n: u64| n * 240 * 180);
        let pixels =
            [2_655_759, 3_682_975, 156_038, 5_040_098, 710_515, 1_539_084, 185_523, 178_727, 929_651, 101_362, 46_192];
        let found = ClassWeighting::Median.weights(&pixels, &images);
        let expected = [0.2806, 0.2018, 4.7753, 0.1482, 1.0, 0.422, 3.8517, 1.9706, 0.7884, 6.367, 8.8588];
        for (found, expected) in found.iter().zip(expected) {
            assert!((found - expected).abs() < 1e-4 * expected.max(1.0), "{found} for {expected}");
        }
    }

    #[test]
    fn weights_ignore_what_is_not_there() {
        assert_eq!(ClassWeighting::None.weights(&[5, 0, 1], &[9, 0, 9]), [1.0; 3]);
        // Shares 0.75 and 0.25: inverses 4/3 and 4, mean 8/3.
        assert_eq!(ClassWeighting::Inverse.weights(&[75, 0, 25], &[100, 0, 100]), [0.5, 0.0, 1.5]);
        // Shares 0.75 and 0.5: median 0.625.
        let median = ClassWeighting::Median.weights(&[75, 0, 25], &[100, 0, 50]);
        assert!((median[0] - 0.625 / 0.75).abs() < 1e-6 && median[1] == 0.0 && (median[2] - 1.25).abs() < 1e-6);
        for kind in [ClassWeighting::Inverse, ClassWeighting::Median] {
            assert_eq!(kind.weights(&[0, 0], &[0, 0]), [0.0; 2]);
        }
    }
}
