//! Scores of several labels per image: how well probabilities rank the images of a class (average precision), and how
//! good the decisions at a threshold are (F1).
//!
//! | score | per class | macro | micro |
//! |---|---|---|---|
//! | average precision | Σₙ (Rₙ − Rₙ₋₁) Pₙ over the distinct probabilities, from the highest | mean over the classes | of all (image, class) pairs as one class |
//! | F1 | 2 TP / (2 TP + FP + FN) | mean over the classes | of the sums of TP, FP and FN |
//!
//! Both are scikit-learn's (`average_precision_score`, `f1_score`). Images of equal probability enter together, so their
//! order does not matter. A class without positive images has no score and is left out of the means.

/// Threshold of a class whose validation images are all negative.
pub const DEFAULT_THRESHOLD: f32 = 0.5;

/// Probabilities and truth of a set of images: one row per image, one column per class.
#[derive(Debug, Clone, PartialEq)]
pub struct Scored {
    classes: usize,
    truth: Vec<bool>,
    probabilities: Vec<f32>,
}

/// True and false positives and false negatives at a threshold.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Decisions {
    /// Images of the class at or above the threshold.
    pub true_positives: u64,
    /// Images of other classes at or above the threshold.
    pub false_positives: u64,
    /// Images of the class below the threshold.
    pub false_negatives: u64,
}

impl Decisions {
    /// Images of the class.
    pub fn positives(&self) -> u64 {
        self.true_positives + self.false_negatives
    }

    /// TP / (TP + FP); `None` if no image is at or above the threshold.
    pub fn precision(&self) -> Option<f64> {
        ratio(self.true_positives, self.true_positives + self.false_positives)
    }

    /// TP / (TP + FN); `None` if the class has no image.
    pub fn recall(&self) -> Option<f64> {
        ratio(self.true_positives, self.positives())
    }

    /// 2 TP / (2 TP + FP + FN); `None` if the class has no image.
    pub fn f1(&self) -> Option<f64> {
        let twice = 2 * self.true_positives;
        ratio(twice, twice + self.false_positives + self.false_negatives).filter(|_| self.positives() > 0)
    }

    fn plus(self, other: Self) -> Self {
        Decisions {
            true_positives: self.true_positives + other.true_positives,
            false_positives: self.false_positives + other.false_positives,
            false_negatives: self.false_negatives + other.false_negatives,
        }
    }
}

fn ratio(part: u64, whole: u64) -> Option<f64> {
    (whole > 0).then(|| part as f64 / whole as f64)
}

/// Decisions at a threshold equal to one of the distinct probabilities.
struct Cut {
    /// That probability.
    probability: f32,
    /// The next lower one; `None` at the lowest.
    below: Option<f32>,
    decisions: Decisions,
}

/// The cuts between distinct probabilities, from the highest.
fn cuts(pairs: impl Iterator<Item = (f32, bool)>) -> Vec<Cut> {
    let mut pairs: Vec<(f32, bool)> = pairs.collect();
    pairs.sort_by(|a, b| b.0.total_cmp(&a.0));
    let mut decisions =
        Decisions { false_negatives: pairs.iter().filter(|(_, truth)| *truth).count() as u64, ..Decisions::default() };
    let mut cuts = Vec::new();
    for group in pairs.chunk_by(|a, b| a.0 == b.0) {
        let positives = group.iter().filter(|(_, truth)| *truth).count() as u64;
        decisions.true_positives += positives;
        decisions.false_negatives -= positives;
        decisions.false_positives += group.len() as u64 - positives;
        cuts.push(Cut { probability: group[0].0, below: None, decisions });
    }
    let lower: Vec<f32> = cuts.iter().skip(1).map(|cut| cut.probability).collect();
    cuts.iter_mut().zip(lower).for_each(|(cut, lower)| cut.below = Some(lower));
    cuts
}

/// Average precision over cuts; `None` without a positive image.
fn average_precision(cuts: &[Cut]) -> Option<f64> {
    let (mut sum, mut recall) = (0.0, 0.0);
    for cut in cuts {
        let next = cut.decisions.recall()?;
        sum += (next - recall) * cut.decisions.precision()?;
        recall = next;
    }
    (!cuts.is_empty()).then_some(sum)
}

impl Scored {
    /// A set without images.
    pub fn new(classes: usize) -> Self {
        Scored { classes, truth: vec![], probabilities: vec![] }
    }

    /// Adds an image: its labels, and the probability of each class.
    pub fn add(&mut self, labels: &[u32], probabilities: &[f32]) {
        self.truth.extend((0..self.classes as u32).map(|class| labels.contains(&class)));
        self.probabilities.extend(probabilities);
    }

    /// Number of images.
    pub fn len(&self) -> usize {
        self.truth.len() / self.classes.max(1)
    }

    /// Whether there is no image.
    pub fn is_empty(&self) -> bool {
        self.truth.is_empty()
    }

    /// Number of classes.
    pub fn classes(&self) -> usize {
        self.classes
    }

    /// Probabilities of the classes for image `index`.
    pub fn probabilities(&self, index: usize) -> &[f32] {
        &self.probabilities[index * self.classes..(index + 1) * self.classes]
    }

    /// Whether image `index` has each class.
    pub fn truth(&self, index: usize) -> &[bool] {
        &self.truth[index * self.classes..(index + 1) * self.classes]
    }

    /// Probability and truth of one class.
    fn of_class(&self, class: usize) -> impl Iterator<Item = (f32, bool)> {
        let pairs = self.probabilities.iter().copied().zip(self.truth.iter().copied());
        pairs.skip(class).step_by(self.classes.max(1))
    }

    /// Images of a class.
    pub fn positives(&self, class: usize) -> usize {
        self.of_class(class).filter(|(_, truth)| *truth).count()
    }

    /// Average precision of a class; `None` if no image has it.
    pub fn average_precision(&self, class: usize) -> Option<f64> {
        average_precision(&cuts(self.of_class(class)))
    }

    /// Mean of the classes' average precisions (mAP), without the classes that no image has.
    pub fn mean_average_precision(&self) -> Option<f64> {
        mean((0..self.classes).filter_map(|class| self.average_precision(class)))
    }

    /// Average precision of all (image, class) pairs together.
    pub fn micro_average_precision(&self) -> Option<f64> {
        average_precision(&cuts(self.probabilities.iter().copied().zip(self.truth.iter().copied())))
    }

    /// The mean average precision of random probabilities: the mean share of images of a class.
    pub fn mean_prevalence(&self) -> Option<f64> {
        let shares = (0..self.classes).filter_map(|class| ratio(self.positives(class) as u64, self.len() as u64));
        mean(shares.filter(|&share| share > 0.0))
    }

    /// The threshold with the largest F1 of a class; of several, the highest. It is the midpoint between the lowest
    /// probability above it and the highest below it, or 0. `None` if no image has the class.
    pub fn best_threshold(&self, class: usize) -> Option<f32> {
        let mut best: Option<(f64, Cut)> = None;
        for cut in cuts(self.of_class(class)) {
            let f1 = cut.decisions.f1()?;
            if best.as_ref().is_none_or(|(highest, _)| f1 > *highest) {
                best = Some((f1, cut));
            }
        }
        best.map(|(_, cut)| {
            let below = cut.below.unwrap_or(0.0);
            let middle = below + (cut.probability - below) / 2.0;
            // Adjacent floats have no value between them.
            if middle > below { middle } else { cut.probability }
        })
    }

    /// [`Scored::best_threshold`] of each class; [`DEFAULT_THRESHOLD`] if no image has the class.
    pub fn best_thresholds(&self) -> Vec<f32> {
        (0..self.classes).map(|class| self.best_threshold(class).unwrap_or(DEFAULT_THRESHOLD)).collect()
    }

    /// Decisions of a class: an image has the class if its probability is at least the threshold.
    pub fn decisions(&self, class: usize, threshold: f32) -> Decisions {
        let mut decisions = Decisions::default();
        for (probability, truth) in self.of_class(class) {
            match (probability >= threshold, truth) {
                (true, true) => decisions.true_positives += 1,
                (true, false) => decisions.false_positives += 1,
                (false, true) => decisions.false_negatives += 1,
                (false, false) => {}
            }
        }
        decisions
    }

    /// Mean of the classes' F1, without the classes that no image has.
    pub fn macro_f1(&self, thresholds: &[f32]) -> Option<f64> {
        mean(thresholds.iter().enumerate().filter_map(|(class, &threshold)| self.decisions(class, threshold).f1()))
    }

    /// F1 of all decisions together.
    pub fn micro_f1(&self, thresholds: &[f32]) -> Option<f64> {
        let decisions = thresholds.iter().enumerate().map(|(class, &threshold)| self.decisions(class, threshold));
        decisions.fold(Decisions::default(), Decisions::plus).f1()
    }
}

fn mean(values: impl Iterator<Item = f64>) -> Option<f64> {
    let values: Vec<f64> = values.collect();
    (!values.is_empty()).then(|| values.iter().sum::<f64>() / values.len() as f64)
}
