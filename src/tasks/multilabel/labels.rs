//! Labels of an image from logits and thresholds, and in words.

use crate::data::one_line;

/// Key of the thresholds among a checkpoint's metadata.
pub(super) const THRESHOLDS: &str = "thresholds";

/// Probability of a label, given its logit.
pub(super) fn sigmoid(logit: f32) -> f32 {
    1.0 / (1.0 + (-logit).exp())
}

/// Classes whose probability reaches their threshold, with the probability, in the order of the classes.
pub(super) fn labels_above<'a>(
    classes: &'a [String],
    probabilities: &[f32],
    thresholds: &[f32],
) -> Vec<(&'a str, f32)> {
    let all = classes.iter().zip(probabilities).zip(thresholds);
    all.filter(|((_, p), threshold)| p >= threshold).map(|((name, &p), _)| (name.as_str(), p)).collect()
}

/// Names of the classes whose flag is set.
pub(super) fn names_of<'a>(classes: &'a [String], flags: &[bool]) -> Vec<&'a str> {
    classes.iter().zip(flags).filter(|(_, flag)| **flag).map(|(name, _)| name.as_str()).collect()
}

/// Labels as a line of text.
pub(super) fn joined(names: &[impl AsRef<str>]) -> String {
    let names: Vec<String> = names.iter().map(|name| one_line(name.as_ref())).collect();
    if names.is_empty() { "no label".into() } else { names.join(", ") }
}
