//! The confusion matrix over a whole set, and its scores of each class.

use serde::{Deserialize, Serialize};
use thiserror::Error;

use crate::text::defused;

/// A class index outside the matrix.
#[derive(Debug, Error, PartialEq, Eq)]
#[error("class {class} is out of range: there are {classes} classes, numbered from 0")]
pub struct ClassOutOfRange {
    /// The index given.
    pub class: usize,
    /// Number of classes.
    pub classes: usize,
}

/// A score per class, computed from a confusion matrix.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum ClassScore {
    /// Harmonic mean of recall and precision.
    F1,
    /// Intersection over union.
    Iou,
}

impl ClassScore {
    /// Name for people.
    pub fn name(self) -> &'static str {
        match self {
            ClassScore::F1 => "F1",
            ClassScore::Iou => "IoU",
        }
    }
}

/// Counts of (truth, prediction) pairs over a whole set: truth in rows, prediction in columns.
///
/// Every score is a ratio of counts, so it does not depend on batch sizes. With `n[t][p]` images of
/// class `t` predicted as `p`:
/// - accuracy = Σ n\[c\]\[c\] / Σ n\[t\]\[p\]
/// - recall of class c = n\[c\]\[c\] / Σₚ n\[c\]\[p\]
/// - precision of class c = n\[c\]\[c\] / Σₜ n\[t\]\[c\]
///
/// A ratio whose denominator is 0 (a class without images, or one never predicted) is `None`, neither 0 nor 1: it says
/// nothing about the network.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ConfusionMatrix {
    classes: usize,
    counts: Vec<u64>,
}

impl ConfusionMatrix {
    /// An empty matrix for `classes` classes.
    pub fn new(classes: usize) -> Self {
        Self { classes, counts: vec![0; classes * classes] }
    }

    /// Number of classes.
    pub fn classes(&self) -> usize {
        self.classes
    }

    /// Counts one image of class `truth` predicted as `prediction`.
    ///
    /// # Errors
    /// If a class is [`ConfusionMatrix::classes`] or more.
    pub fn add(&mut self, truth: usize, prediction: usize) -> Result<(), ClassOutOfRange> {
        let classes = self.classes;
        for class in [truth, prediction] {
            if class >= classes {
                return Err(ClassOutOfRange { class, classes });
            }
        }
        self.counts[truth * classes + prediction] += 1;
        Ok(())
    }

    /// Adds a matrix of counts, truth in rows. NaN and negative values add nothing.
    pub fn add_counts(&mut self, counts: &[f32]) {
        for (to, &n) in self.counts.iter_mut().zip(counts) {
            *to += n as u64;
        }
    }

    /// Adds the counts of another matrix of the same classes.
    pub fn merge(&mut self, other: &Self) {
        self.counts.iter_mut().zip(&other.counts).for_each(|(to, n)| *to += n);
    }

    /// Images of class `truth` predicted as `prediction`; 0 for classes that do not exist.
    pub fn count(&self, truth: usize, prediction: usize) -> u64 {
        if truth >= self.classes || prediction >= self.classes {
            return 0;
        }
        self.counts[truth * self.classes + prediction]
    }

    /// Number of counted images.
    pub fn total(&self) -> u64 {
        self.counts.iter().sum()
    }

    /// Images of class `truth`.
    pub fn row_total(&self, truth: usize) -> u64 {
        (0..self.classes).map(|p| self.count(truth, p)).sum()
    }

    /// Images predicted as `prediction`.
    pub fn column_total(&self, prediction: usize) -> u64 {
        (0..self.classes).map(|t| self.count(t, prediction)).sum()
    }

    /// Share of all images predicted correctly.
    pub fn accuracy(&self) -> Option<f64> {
        let correct = (0..self.classes).map(|c| self.count(c, c)).sum();
        ratio(correct, self.total())
    }

    /// Share of a class's images that were predicted correctly.
    pub fn recall(&self, class: usize) -> Option<f64> {
        ratio(self.count(class, class), self.row_total(class))
    }

    /// Share of the predictions of a class that are correct.
    pub fn precision(&self, class: usize) -> Option<f64> {
        ratio(self.count(class, class), self.column_total(class))
    }

    /// Harmonic mean of recall and precision, 2 n\[c\]\[c\] / (Σₚ n\[c\]\[p\] + Σₜ n\[t\]\[c\]).
    pub fn f1(&self, class: usize) -> Option<f64> {
        ratio(2 * self.count(class, class), self.row_total(class) + self.column_total(class))
    }

    /// Intersection over union, n\[c\]\[c\] / (Σₚ n\[c\]\[p\] + Σₜ n\[t\]\[c\] - n\[c\]\[c\]). `None` for a class that
    /// the truth lacks: its false pixels lower the scores of their true classes.
    pub fn iou(&self, class: usize) -> Option<f64> {
        let (both, truth) = (self.count(class, class), self.row_total(class));
        ratio(both, truth + self.column_total(class) - both).filter(|_| truth > 0)
    }

    /// A score of every class.
    pub fn class_scores(&self, score: ClassScore) -> Vec<Option<f64>> {
        let of = |class| match score {
            ClassScore::F1 => self.f1(class),
            ClassScore::Iou => self.iou(class),
        };
        (0..self.classes).map(of).collect()
    }

    /// As CSV: one row per true class, one column per predicted class.
    pub fn to_csv(&self, names: &[String]) -> String {
        let mut csv = csv::Writer::from_writer(vec![]);
        // Writing into memory does not fail.
        let _ = csv.write_record(std::iter::once("truth".to_owned()).chain(names.iter().map(|name| defused(name))));
        for (truth, name) in names.iter().enumerate() {
            let counts = (0..self.classes).map(|prediction| self.count(truth, prediction).to_string());
            let _ = csv.write_record(std::iter::once(defused(name)).chain(counts));
        }
        csv.into_inner().map(|bytes| String::from_utf8_lossy(&bytes).into_owned()).unwrap_or_default()
    }

    /// Reads names and counts that [`ConfusionMatrix::to_csv`] wrote.
    ///
    /// # Errors
    /// When the table is not square or holds no counts.
    pub fn from_csv(text: &str) -> Result<(Vec<String>, Self), csv::Error> {
        let problem = |what: &str| csv::Error::from(std::io::Error::other(what.to_owned()));
        let mut csv = csv::Reader::from_reader(text.as_bytes());
        let names: Vec<String> = csv.headers()?.iter().skip(1).map(str::to_owned).collect();
        let mut matrix = ConfusionMatrix { classes: names.len(), counts: vec![] };
        for record in csv.records() {
            for count in record?.iter().skip(1) {
                matrix.counts.push(count.parse().map_err(|_| problem(&format!("`{count}` is no count")))?);
            }
        }
        if matrix.counts.len() != names.len() * names.len() {
            return Err(problem("expected a row for each column"));
        }
        Ok((names, matrix))
    }
}

fn ratio(part: u64, whole: u64) -> Option<f64> {
    (whole > 0).then(|| part as f64 / whole as f64)
}
