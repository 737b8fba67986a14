//! Output of an evaluation: a summary, a table of the classes, a sheet of predictions, the most confident errors.

use std::collections::BTreeMap;
use std::fmt::Write;

use super::evaluation::MultiLabelEvaluation;
use super::labels::{THRESHOLDS, joined, names_of, sigmoid};
use super::metrics::Scored;
use super::scores::CLASSES_FILE;
use super::{MACRO_F1, MEAN_AVERAGE_PRECISION, MICRO_AVERAGE_PRECISION, MICRO_F1};
use crate::data::{Batch, PreparedLabels, one_line};
use crate::run::mistakes::{self, Mistake, Pictures};
use crate::run::pictures::{Cell, Sheet, palette, spread};
use crate::run::trust::auroc;
use crate::run::verdict::yardstick::bootstrap;
use crate::run::{Baseline, ClassTrust, Score, Trust, Yardstick};
use crate::tasks::explain::{self, Shown};
use crate::tasks::labeled_images::picture;
use crate::text::defused;
use crate::train::outputs::{Outputs, Totals};
use crate::train::step::port;
use crate::train::{Evaluation, Results, TrainError};

/// Number of images on the sheet, and of errors that a run keeps.
const SHOWN: usize = 24;

impl Evaluation for MultiLabelEvaluation {
    fn add(&mut self, batch: &Batch, outputs: &Outputs) -> Result<(), TrainError> {
        let (classes, totals) = (self.classes.len(), Totals::of(outputs));
        self.totals.loss += totals.loss;
        self.totals.weight += totals.weight;
        let rows = outputs.get(port::LOGITS).chunks_exact(classes).zip(batch.targets.chunks_exact(classes));
        for ((logits, targets), &index) in rows.zip(&batch.indices) {
            let present = (0..).zip(targets).filter(|(_, target)| **target > 0.5);
            let labels: Vec<u32> = present.map(|(label, _)| label).collect();
            let probabilities: Vec<f32> = logits.iter().map(|&logit| sigmoid(logit)).collect();
            self.scored.add(&labels, &probabilities);
            self.indices.push(index);
        }
        Ok(())
    }

    /// Mean binary cross entropy of all (image, class) pairs.
    fn loss(&self) -> f64 {
        self.totals.loss / self.totals.weight.max(1.0)
    }

    fn scores(&self) -> Vec<(Score, f64)> {
        let thresholds = self.thresholds();
        let list = [
            (MEAN_AVERAGE_PRECISION, self.scored.mean_average_precision()),
            (MICRO_AVERAGE_PRECISION, self.scored.micro_average_precision()),
            (MACRO_F1, self.scored.macro_f1(&thresholds)),
            (MICRO_F1, self.scored.micro_f1(&thresholds)),
        ];
        list.into_iter().filter_map(|(score, value)| Some((score, value?))).collect()
    }

    fn yardstick(&self) -> Result<Yardstick, TrainError> {
        let labels = |row: usize| -> Vec<u32> {
            (0..).zip(self.scored.truth(row)).filter(|(_, there)| **there).map(|(label, _)| label).collect()
        };
        let sigma = bootstrap(self.scored.len(), |drawn| {
            let mut set = Scored::new(self.scored.classes());
            drawn.iter().for_each(|&row| set.add(&labels(row), self.scored.probabilities(row)));
            set.mean_average_precision()
        });
        // A random order has the share of positive images as its average precision.
        let baseline = self.scored.mean_prevalence();
        Ok(Yardstick {
            sigma,
            baseline: baseline.map(|value| Baseline { name: "a random order".into(), value, gain_sigma: None }),
            truth: None,
        })
    }

    fn trust(&self) -> Option<Trust> {
        let class = |(class, threshold): (usize, f32)| {
            let decisions = self.scored.decisions(class, threshold);
            ClassTrust {
                class: self.classes[class].clone(),
                count: decisions.positives(),
                precision: decisions.precision(),
                recall: decisions.recall(),
                f1: decisions.f1(),
                auroc: class_auroc(self, class),
                boundary_f1: None,
            }
        };
        let classes = self.thresholds().into_iter().enumerate().map(class).collect();
        Some(Trust { classes, ..Trust::default() })
    }

    fn entries(&self) -> BTreeMap<String, String> {
        [(THRESHOLDS.to_owned(), serde_json::json!(self.thresholds()).to_string())].into()
    }

    fn write(&self, to: &mut Results<'_>, epoch: u32) -> Result<(), TrainError> {
        write(self, to, epoch)
    }

    fn summary(&self) -> String {
        summary(self)
    }
}

/// Writes the table, the sheet and the errors into a run's folder.
fn write(found: &MultiLabelEvaluation, results: &mut Results<'_>, epoch: u32) -> Result<(), TrainError> {
    let Some(images) = &found.shown else {
        results.file(CLASSES_FILE, |run| Ok(run.write_file(CLASSES_FILE, &class_table(found)).map(|()| true)?));
        return Ok(());
    };
    let cells = spread(found.indices.len(), SHOWN).map(|row| cell(found, images, row)).collect::<Result<_, _>>()?;
    let title = format!("Validation images after epoch {epoch}");
    let sheet = Sheet { title, columns: 4, cell_size: 256, cells };
    results.picture("samples.png", || Ok(sheet.draw()?));
    results.file(CLASSES_FILE, |run| Ok(run.write_file(CLASSES_FILE, &class_table(found)).map(|()| true)?));
    results.file("errors/", |run| {
        let errors = errors(found, images)?;
        let any = !errors.is_empty();
        mistakes::write(run, errors)?;
        Ok(any)
    });
    Ok(())
}

/// The image of a row with its labels, and with the truth if they are wrong.
fn cell(found: &MultiLabelEvaluation, images: &PreparedLabels, row: usize) -> Result<Cell, TrainError> {
    let (decided, truth) = (joined(&found.decided(row)), joined(&names_of(&found.classes, found.scored.truth(row))));
    let image = picture(images, found.indices[row])?;
    Ok(if decided == truth {
        Cell::new(image, decided, palette::RIGHT)
    } else {
        Cell::new(image, format!("says: {decided}\ntruth: {truth}"), palette::WRONG)
    })
}

/// Images from the whole set, each with its most probable label.
pub(super) fn explained(found: &MultiLabelEvaluation) -> Result<Vec<Shown>, TrainError> {
    let Some(images) = &found.shown else { return Ok(vec![]) };
    let shown = |row: usize| {
        let p = found.scored.probabilities(row);
        let class = (0..p.len()).fold(0, |best, k| if p[k] > p[best] { k } else { best });
        Ok(Shown { index: found.indices[row], class, cell: cell(found, images, row)? })
    };
    spread(found.indices.len(), 2 * explain::SHOWN).map(shown).collect()
}

/// A wrong label.
struct Wrong {
    row: usize,
    class: usize,
    /// Probability of the decision: that of the label, or 1 minus it for a missed label.
    confidence: f32,
}

/// Wrong labels, the most confident first.
fn wrong_labels(scored: &Scored, thresholds: &[f32]) -> Vec<Wrong> {
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

/// The most confident wrong labels with their images. An image appears once for each of its wrong labels.
fn errors(found: &MultiLabelEvaluation, images: &PreparedLabels) -> Result<Vec<(Mistake, Pictures)>, TrainError> {
    let mistake = |Wrong { row, class, confidence }: Wrong| {
        let (truth, index, name) = (found.scored.truth(row), found.indices[row], &found.classes[class]);
        let mistake = Mistake {
            picture: String::new(),
            image: images.name(index),
            truth: joined(&names_of(&found.classes, truth)),
            prediction: if truth[class] { format!("no {name}") } else { name.clone() },
            probability: f64::from(confidence),
        };
        let own = images.dataset().image(images.original_index(index))?;
        Ok((mistake, Pictures::new(own, picture(images, index)?)))
    };
    wrong_labels(&found.scored, &found.thresholds()).into_iter().take(SHOWN).map(mistake).collect()
}

const COLUMNS: [&str; 7] = ["images", "average precision", "F1", "precision", "recall", "threshold", "AUROC"];

/// Area under the ROC curve of a class against the images without it.
fn class_auroc(found: &MultiLabelEvaluation, class: usize) -> Option<f64> {
    auroc((0..found.scored.len()).map(|row| (found.scored.probabilities(row)[class], found.scored.truth(row)[class])))
}

/// The values of [`COLUMNS`] for a class.
fn class_row(found: &MultiLabelEvaluation, class: usize, threshold: f32) -> [String; 7] {
    let number = |value: Option<f64>| value.map_or("–".into(), |v| format!("{v:.3}"));
    let decisions = found.scored.decisions(class, threshold);
    [
        decisions.positives().to_string(),
        number(found.scored.average_precision(class)),
        number(decisions.f1()),
        number(decisions.precision()),
        number(decisions.recall()),
        format!("{threshold:.3}"),
        number(class_auroc(found, class)),
    ]
}

/// `classes.csv`: one row per class.
fn class_table(found: &MultiLabelEvaluation) -> String {
    let mut csv = csv::Writer::from_writer(vec![]);
    // Writing into memory does not fail.
    let _ = csv.write_record(["class"].into_iter().chain(COLUMNS));
    for (class, (name, threshold)) in found.classes.iter().zip(found.thresholds()).enumerate() {
        let _ = csv.write_record([defused(name)].into_iter().chain(class_row(found, class, threshold)));
    }
    csv.into_inner().map(|bytes| String::from_utf8_lossy(&bytes).into_owned()).unwrap_or_default()
}

/// Loss, scores and the table of classes.
fn summary(found: &MultiLabelEvaluation) -> String {
    let mut text = format!("{} images, loss {:.4}", found.scored.len(), found.loss());
    for (score, value) in found.scores() {
        let _ = write!(text, ", {} {}", score.name, score.format(value));
    }
    if let Some(chance) = found.scored.mean_prevalence() {
        let _ = write!(text, "\nmean average precision by chance: {chance:.3}");
    }
    let chosen = if found.chooses_thresholds() { "chosen on these images" } else { "those of the model" };
    let _ = writeln!(text, "\nthresholds: {chosen}\n");
    let line = |name: &str, cells: [&str; 7]| {
        let [images, average, f1, precision, recall, threshold, auroc] = cells;
        format!("{name:<24} {images:>7} {average:>18} {f1:>6} {precision:>10} {recall:>7} {threshold:>10} {auroc:>6}")
    };
    text += &line("class", COLUMNS);
    let mut absent = vec![];
    for (class, (name, threshold)) in found.classes.iter().zip(found.thresholds()).enumerate() {
        let (cells, name) = (class_row(found, class, threshold), one_line(name));
        let _ = write!(text, "\n{}", line(&name, cells.each_ref().map(String::as_str)));
        absent.extend((found.scored.positives(class) == 0).then_some(name));
    }
    if !absent.is_empty() {
        let _ = write!(text, "\n\nnot in the means, since no image has the label: {}", absent.join(", "));
    }
    text
}
