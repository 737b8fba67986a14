//! Images with labels, for evaluation and comparison of models.

use std::sync::Arc;

use super::evaluation::MultiLabelEvaluation;
use super::labels::{joined, names_of};
use super::objective::MultiLabelClassification;
use super::scores::task_card;
use crate::data::{BadImage, MultiLabelSource, PreparedLabels, Source};
use crate::run::card::ModelCard;
use crate::run::table::Table;
use crate::tasks::data::{Compared, Figure, ImageSet, typed};
use crate::tasks::labeled_images::picture;
use crate::tasks::{TaskError, paired};
use crate::train::{Evaluation, Objective};

/// Images to evaluate multi-label classifiers on.
pub(super) struct LabeledImages(pub Arc<PreparedLabels>);

impl ImageSet for LabeledImages {
    fn len(&self) -> usize {
        self.0.len()
    }

    fn skipped(&self) -> &[BadImage] {
        self.0.bad()
    }

    fn note(&self) -> Option<String> {
        self.0.note_for_model()
    }

    fn measure(&self, card: &ModelCard) -> Result<(Box<dyn Objective>, Arc<dyn Source>), TaskError> {
        let source = MultiLabelSource::new(self.0.clone(), &card.normalization);
        Ok((Box::new(MultiLabelClassification::trained(card.clone())?), Arc::new(source)))
    }

    fn compare(
        &self,
        card: &ModelCard,
        names: &[String],
        found: &[Box<dyn Evaluation>],
    ) -> Result<Compared, TaskError> {
        let found = typed::<MultiLabelEvaluation>(found);
        let scores = task_card(&card.task).scores;
        // An image is correct if all its labels are.
        let is_right = |one: &&MultiLabelEvaluation| {
            let mut right = vec![false; self.0.len()];
            for (row, &index) in one.indices.iter().enumerate() {
                right[index] = one.decided(row) == names_of(&card.classes, one.scored.truth(row));
            }
            right
        };
        let right: Vec<Vec<bool>> = found.iter().map(is_right).collect();
        let values = found.iter().zip(paired::rows(&right)).map(|(one, paired)| {
            let own = one.scores();
            let value =
                |score| own.iter().find(|(known, _)| known == score).map_or("–".into(), |(s, v)| s.format(*v));
            scores.iter().map(value).chain(paired).collect()
        });
        let first = names.first().map_or("", String::as_str);
        let columns = scores.iter().map(|score| score.name.to_string()).chain(paired::columns(first)).collect();
        let table = Table { row: "model", columns, rows: names.iter().cloned().zip(values).collect(), bold: None };
        let of_class = |one: &&MultiLabelEvaluation| {
            let text = |k| one.scored.average_precision(k).map_or("–".into(), |v| format!("{v:.3}"));
            (0..card.classes.len()).map(text).collect()
        };
        let rows = names.iter().cloned().zip(found.iter().map(of_class)).collect();
        let classes = Some(Table { row: "model", columns: card.classes.clone(), rows, bold: None });
        let said = |index: usize| {
            let row = |one: &MultiLabelEvaluation| one.indices.iter().position(|&i| i == index).unwrap_or(0);
            let words = found.iter().map(|one| joined(&one.decided(row(one)))).collect();
            let truth = found.first().map_or(vec![], |one| names_of(&card.classes, one.scored.truth(row(one))));
            Ok((picture(&self.0, index)?, joined(&truth), words))
        };
        let figure = Figure::Words(paired::sheet(names, &right, said)?);
        Ok(Compared { table, classes, figure })
    }
}
