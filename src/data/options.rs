//! Options for opening data sets.

use super::{DataError, Hints};

/// Options for opening a data set.
#[derive(Debug, Clone)]
pub struct OpenOptions {
    /// Share of the images held out for validation if the data set has no validation part; above 0 and below 1.
    pub val_split: f32,
    /// Seed of that split.
    pub seed: u64,
    /// Hints for reading the data.
    pub hints: Hints,
    /// Whether the set is for a trained model, which defines the classes. The set may then have a single one of them.
    pub for_model: bool,
    /// Whether a data set without parts stays whole: training and validation part then are all its images.
    pub undivided: bool,
    /// Whether copies of one original, such as `0_flip.png` of `0.png`, stay in one part where the seed divides.
    pub keep_copies: bool,
}

impl Default for OpenOptions {
    /// 20 % for validation, seed 0, no hints, for training.
    fn default() -> Self {
        Self { val_split: 0.2, seed: 0, hints: Hints::default(), for_model: false, undivided: false, keep_copies: true }
    }
}

impl OpenOptions {
    /// `val_split`, or an error if it is out of range.
    pub(super) fn checked_val_split(&self) -> Result<f32, DataError> {
        if self.val_split > 0.0 && self.val_split < 1.0 {
            return Ok(self.val_split);
        }
        Err(DataError::Setting {
            name: "val_split",
            value: self.val_split.to_string(),
            expected: "a share above 0 and below 1, such as 0.2",
        })
    }
}

/// Options for opening a data set of images with masks, or of images alone.
#[derive(Debug, Clone)]
pub struct SetOptions {
    /// Share of the images held out for validation if the data set has no validation part; above 0 and below 1.
    pub val_split: f32,
    /// Seed of that split.
    pub seed: u64,
    /// Leave out incomplete pairs, instead of an error.
    pub skip_bad: bool,
    /// Hints for reading the data.
    pub hints: Hints,
    /// Whether a data set without parts stays whole: training and validation part then are all its images.
    pub undivided: bool,
    /// Whether copies of one original, such as `0_flip.png` of `0.png`, stay in one part where the seed divides.
    pub keep_copies: bool,
    /// Classes of the trained model that masks are read for; empty for training.
    pub model_classes: Vec<String>,
}

impl Default for SetOptions {
    /// 20 % for validation, seed 0, no hints, nothing left out.
    fn default() -> Self {
        Self {
            val_split: 0.2,
            seed: 0,
            skip_bad: false,
            hints: Hints::default(),
            undivided: false,
            keep_copies: true,
            model_classes: Vec::new(),
        }
    }
}

impl SetOptions {
    /// `val_split`, or an error if it is out of range.
    pub(super) fn checked_val_split(&self) -> Result<f32, DataError> {
        OpenOptions { val_split: self.val_split, ..OpenOptions::default() }.checked_val_split()
    }
}
