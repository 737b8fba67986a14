//! Comparison of classifiers: accuracy, McNemar's test against the first, recall of each class, images on which they differ.

use super::ClassifyEvaluation;
use crate::data::PreparedClasses;
use crate::run::{ModelCard, Score, Table};
use crate::tasks::data::{Compared, Figure};
use crate::tasks::labeled_images::picture;
use crate::tasks::{TaskError, paired};
use crate::train::Evaluation;

pub(super) fn compare(
    images: &PreparedClasses,
    card: &ModelCard,
    names: &[String],
    found: &[&ClassifyEvaluation],
) -> Result<Compared, TaskError> {
    let truth: Vec<usize> = (0..images.len()).map(|i| images.label(i) as usize).collect();
    let is_right = |one: &&ClassifyEvaluation| {
        one.predictions.iter().zip(&truth).map(|((class, _), truth)| class == truth).collect::<Vec<bool>>()
    };
    let right: Vec<Vec<bool>> = found.iter().map(is_right).collect();
    let score = |(score, value): (Score, f64)| score.format(value);
    let own = found.iter().zip(paired::rows(&right)).map(|(one, paired)| {
        let scores = one.scores().into_iter().map(score);
        scores.chain([format!("{:.4}", one.loss())]).chain(paired).collect()
    });
    let scores = found.iter().flat_map(|one| one.scores()).take(1).map(|(score, _)| score.name.to_string());
    let first = names.first().map_or("", String::as_str);
    let columns = scores.chain(["loss".to_owned()]).chain(paired::columns(first)).collect();
    let table = Table { row: "model", columns, rows: names.iter().cloned().zip(own).collect(), bold: None };
    let recalls = found.iter().map(|one| {
        let text = |class| one.confusion.recall(class).map_or("–".into(), |v| format!("{:.1} %", 100.0 * v));
        (0..card.classes.len()).map(text).collect()
    });
    let rows = names.iter().cloned().zip(recalls).collect();
    let classes = Table { row: "recall", columns: card.classes.clone(), rows, bold: None };
    let said = |i: usize| {
        let words = found.iter().map(|one| {
            let (class, probability) = one.predictions[i];
            format!("{} {:.0} %", card.classes[class], 100.0 * probability)
        });
        Ok((picture(images, i)?, card.classes[truth[i]].clone(), words.collect()))
    };
    let figure = Figure::Words(paired::sheet(names, &right, said)?);
    Ok(Compared { table, classes: Some(classes), figure })
}
