//! Boundary F1 (Csurka et al. 2013, "What is a good evaluation measure for semantic segmentation?"): how well the outlines of
//! the classes agree, where IoU counts areas.
//!
//! A boundary pixel of a class has a neighbor of another class above, below, left or right. Precision is the share of
//! the predicted boundary within the tolerance of the true one, recall the share of the true boundary within the
//! tolerance of the predicted one.

use crate::label::IGNORED_BYTE;

/// Tolerance as a share of an image's diagonal, as Csurka et al. chose it.
pub const TOLERANCE: f64 = 0.0075;

/// Boundary F1 of a set of images: sums over the images.
#[derive(Clone, Debug)]
pub struct BoundaryScores {
    /// Sum of F1 and number of images, of each class.
    classes: Vec<(f64, u64)>,
    /// Sum and number of each image's mean F1 over its classes.
    images: (f64, u64),
}

impl BoundaryScores {
    /// The sums of no image.
    pub fn new(classes: usize) -> Self {
        BoundaryScores { classes: vec![(0.0, 0); classes], images: (0.0, 0) }
    }

    /// Adds the scores of an image; see [`boundary_f1`].
    pub fn add(&mut self, scores: &[Option<f64>]) {
        let (mut sum, mut count) = (0.0, 0);
        for (class, score) in self.classes.iter_mut().zip(scores) {
            if let Some(score) = score {
                (class.0, class.1) = (class.0 + score, class.1 + 1);
                (sum, count) = (sum + score, count + 1);
            }
        }
        if count > 0 {
            self.images = (self.images.0 + sum / f64::from(count), self.images.1 + 1);
        }
    }

    /// Mean over the images of each image's mean over its classes.
    pub fn mean(&self) -> Option<f64> {
        mean(self.images)
    }

    /// Mean over the images that have a class.
    pub fn of_class(&self, class: usize) -> Option<f64> {
        self.classes.get(class).copied().and_then(mean)
    }
}

fn mean((sum, count): (f64, u64)) -> Option<f64> {
    (count > 0).then(|| sum / count as f64)
}

/// F1 of each class's boundary in an image of a width; `None` for a class whose true boundary is empty. Pixels that the
/// truth ignores are not boundary pixels, and do not make boundary pixels of their neighbors.
pub fn boundary_f1(truth: &[u8], predicted: &[u8], width: usize, classes: usize) -> Vec<Option<f64>> {
    let height = truth.len() / width.max(1);
    let tolerance = (TOLERANCE * ((width * width + height * height) as f64).sqrt()).max(1.0);
    let disc = disc(tolerance);
    let boundaries = [truth, predicted].map(|mask| boundary(mask, truth, width));
    let mut scores = vec![];
    for class in 0..classes {
        let of = |boundary: &Vec<u8>| -> Vec<usize> {
            (0..boundary.len()).filter(|&i| usize::from(boundary[i]) == class).collect()
        };
        let [own, found] = [of(&boundaries[0]), of(&boundaries[1])];
        let near = |pixels: &[usize], other: &[u8]| -> usize {
            pixels.iter().filter(|&&i| touches(i, other, class as u8, [height, width], &disc)).count()
        };
        scores.push((!own.is_empty()).then(|| {
            let recall = near(&own, &boundaries[1]) as f64 / own.len() as f64;
            let precision = near(&found, &boundaries[0]) as f64 / found.len().max(1) as f64;
            if recall + precision > 0.0 { 2.0 * recall * precision / (recall + precision) } else { 0.0 }
        }));
    }
    scores
}

/// The class of each boundary pixel; elsewhere [`IGNORED_BYTE`].
fn boundary(mask: &[u8], truth: &[u8], width: usize) -> Vec<u8> {
    let mut boundary = vec![IGNORED_BYTE; mask.len()];
    for i in (0..mask.len()).filter(|&i| truth[i] != IGNORED_BYTE) {
        let x = i % width;
        let differs = |there: bool, j: usize| there && truth[j] != IGNORED_BYTE && mask[j] != mask[i];
        let edge = differs(x > 0, i.wrapping_sub(1))
            || differs(x + 1 < width, i + 1)
            || differs(i >= width, i.wrapping_sub(width))
            || differs(i + width < mask.len(), i + width);
        if edge {
            boundary[i] = mask[i];
        }
    }
    boundary
}

/// Offsets (y, x) within a distance.
fn disc(radius: f64) -> Vec<[isize; 2]> {
    let reach = radius.floor() as isize;
    let offsets = (-reach..=reach).flat_map(|y| (-reach..=reach).map(move |x| [y, x]));
    let mut disc: Vec<_> = offsets.filter(|[y, x]| ((y * y + x * x) as f64) <= radius * radius).collect();
    // The nearest first, because most boundaries nearly agree.
    disc.sort_by_key(|[y, x]| y * y + x * x);
    disc
}

fn touches(i: usize, boundary: &[u8], class: u8, [height, width]: [usize; 2], disc: &[[isize; 2]]) -> bool {
    disc.iter().any(|&[dy, dx]| {
        let (y, x) = ((i / width).checked_add_signed(dy), (i % width).checked_add_signed(dx));
        match (y, x) {
            (Some(y), Some(x)) if y < height && x < width => boundary[y * width + x] == class,
            _ => false,
        }
    })
}
