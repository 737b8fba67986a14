//! What an evaluation shows: scores in words, a table of the classes, a sheet of predictions, the most confident errors.

use std::fmt::Write;

use image::RgbImage;

use super::metrics::Scored;
use super::objective::Found;
use super::scores::CLASSES_FILE;
use crate::data::{PreparedLabels, one_line};
use crate::run::mistakes::{self, Mistake};
use crate::run::pictures::{self, Sheet};
use crate::run::RunDir;
use crate::train::TrainError;

/// Images on the sheet of predictions, and errors that are kept.
const SHOWN: usize = 24;

/// Writes the table, the sheet and the errors into a run's folder, and names them.
pub(super) fn write(found: &Found, run: &RunDir, epoch: u32) -> Result<Vec<&'static str>, TrainError> {
    run.write_file(CLASSES_FILE, &class_table(found))?;
    let Some(images) = &found.images else { return Ok(vec![CLASSES_FILE]) };
    let thresholds = found.thresholds();
    let cells = evenly_spread(found.indices.len())
        .map(|row| {
            let probabilities = found.scored.probabilities(row);
            let decided: Vec<String> = decided(&found.classes, probabilities, &thresholds).into_iter().map(|d| d.0).collect();
            let truth = names_of(&found.classes, found.scored.truth(row));
            // An image is as sure as its least sure decision.
            let sure = probabilities.iter().map(|&p| p.max(1.0 - p)).fold(1.0, f32::min);
            let image = picture(images, found.indices[row])?;
            Ok(pictures::prediction_cell(image, &joined(&decided), &joined(&truth), f64::from(sure)))
        })
        .collect::<Result<Vec<_>, TrainError>>()?;
    let title = format!("Validation images after epoch {epoch}: labels (truth)");
    let sheet = Sheet { title, columns: 6, cell_size: 192, cells };
    pictures::save_png(&sheet.draw()?, &run.samples_path())?;
    let errors = errors(found, images)?;
    let folder = (!errors.is_empty()).then_some("errors/");
    mistakes::write(run, errors)?;
    Ok(["samples.png", CLASSES_FILE].into_iter().chain(folder).collect())
}

/// Rows of `count` that are shown.
fn evenly_spread(count: usize) -> impl Iterator<Item = usize> {
    let shown = count.min(SHOWN);
    (0..shown).map(move |i| i * count / shown)
}

fn picture(images: &PreparedLabels, index: usize) -> Result<RgbImage, TrainError> {
    let size = images.image_size();
    Ok(RgbImage::from_raw(size, size, images.pixels(index)?.into_owned()).unwrap_or_default())
}

/// Classes whose probability is at least their threshold, in the order of the classes.
pub(super) fn decided(classes: &[String], probabilities: &[f32], thresholds: &[f32]) -> Vec<(String, f32)> {
    let all = classes.iter().zip(probabilities).zip(thresholds);
    all.filter(|((_, p), threshold)| p >= threshold).map(|((name, &p), _)| (name.clone(), p)).collect()
}

fn names_of<'a>(classes: &'a [String], flags: &[bool]) -> Vec<&'a str> {
    classes.iter().zip(flags).filter(|(_, flag)| **flag).map(|(name, _)| name.as_str()).collect()
}

/// Labels in a line.
pub(super) fn joined(names: &[impl AsRef<str>]) -> String {
    let names: Vec<String> = names.iter().map(|name| one_line(name.as_ref())).collect();
    if names.is_empty() { "nothing".into() } else { names.join(", ") }
}

/// A decision that is wrong.
struct Wrong {
    row: usize,
    class: usize,
    /// Probability of what was decided: that of the class, or one minus it where the class was missed.
    confidence: f32,
}

/// Wrong decisions, the most confident first.
fn wrong(scored: &Scored, thresholds: &[f32]) -> Vec<Wrong> {
    let mut wrong = Vec::new();
    for row in 0..scored.len() {
        for (class, (&p, &truth)) in scored.probabilities(row).iter().zip(scored.truth(row)).enumerate() {
            if (p >= thresholds[class]) != truth {
                wrong.push(Wrong { row, class, confidence: if truth { 1.0 - p } else { p } });
            }
        }
    }
    wrong.sort_by(|a, b| b.confidence.total_cmp(&a.confidence));
    wrong
}

/// The most confident wrong labels with their images. An image may be there with several labels.
fn errors(found: &Found, images: &PreparedLabels) -> Result<Vec<(Mistake, RgbImage)>, TrainError> {
    let wrong = wrong(&found.scored, &found.thresholds());
    let mistake = |Wrong { row, class, confidence }: Wrong| {
        let (truth, index) = (found.scored.truth(row), found.indices[row]);
        let name = &found.classes[class];
        let mistake = Mistake {
            picture: String::new(),
            image: images.name(index),
            truth: joined(&names_of(&found.classes, truth)),
            prediction: if truth[class] { format!("no {name}") } else { name.clone() },
            probability: f64::from(confidence),
        };
        Ok((mistake, picture(images, index)?))
    };
    wrong.into_iter().take(SHOWN).map(mistake).collect()
}

/// Scores of a class as text: images, average precision, F1, precision, recall, threshold.
fn class_row(found: &Found, class: usize, threshold: f32) -> [String; 6] {
    let number = |value: Option<f64>| value.map_or("–".into(), |v| format!("{v:.3}"));
    let decisions = found.scored.decisions(class, threshold);
    [
        decisions.positives().to_string(),
        number(found.scored.average_precision(class)),
        number(decisions.f1()),
        number(decisions.precision()),
        number(decisions.recall()),
        format!("{threshold:.3}"),
    ]
}

const COLUMNS: [&str; 6] = ["images", "average precision", "F1", "precision", "recall", "threshold"];

/// `classes.csv`: a row a class.
fn class_table(found: &Found) -> String {
    let mut csv = csv::Writer::from_writer(vec![]);
    // Writing into memory does not fail.
    let _ = csv.write_record(["class"].into_iter().chain(COLUMNS));
    for (class, (name, threshold)) in found.classes.iter().zip(found.thresholds()).enumerate() {
        let _ = csv.write_record([name.clone()].into_iter().chain(class_row(found, class, threshold)));
    }
    csv.into_inner().map(|bytes| String::from_utf8_lossy(&bytes).into_owned()).unwrap_or_default()
}

/// Loss, scores and the table of classes, for people.
pub(super) fn summary(found: &Found) -> String {
    use crate::train::objective::Evaluation as _;
    let mut text = format!("{} images, loss {:.4}", found.scored.len(), found.loss());
    for (score, value) in found.scores() {
        let _ = write!(text, ", {} {}", score.name, score.format(value));
    }
    if let Some(chance) = found.scored.mean_prevalence() {
        let _ = write!(text, "\nby chance the mean average precision would be {chance:.3}");
    }
    let source = if found.found_here() { "found on these images" } else { "of the model" };
    let _ = writeln!(text, "; thresholds: {source}\n");
    let _ = write!(text, "{:<24} {:>7} {:>18} {:>6} {:>10} {:>7} {:>10}", "class", COLUMNS[0], COLUMNS[1], COLUMNS[2], COLUMNS[3], COLUMNS[4], COLUMNS[5]);
    let mut absent = vec![];
    for (class, (name, threshold)) in found.classes.iter().zip(found.thresholds()).enumerate() {
        let [images, precision_of_ranks, f1, precision, recall, threshold] = class_row(found, class, threshold);
        let name = one_line(name);
        if found.scored.positives(class) == 0 {
            absent.push(name.clone());
        }
        let _ = write!(text, "\n{name:<24} {images:>7} {precision_of_ranks:>18} {f1:>6} {precision:>10} {recall:>7} {threshold:>10}");
    }
    if !absent.is_empty() {
        let _ = write!(text, "\n\nnot in the means, since no image has the label: {}", absent.join(", "));
    }
    text
}
