//! The rows of a run so far, and its best epoch.

use super::objective::Evaluation;
use crate::run::Score;
use crate::run::history::{EpochRow, NormRow};

/// The best epoch, with its evaluation unless the run was resumed since.
struct Best {
    row: EpochRow,
    found: Option<Box<dyn Evaluation>>,
}

/// The log of a run.
pub(super) struct Log {
    /// Learning rate of the last step.
    pub lr: f64,
    rows: Vec<EpochRow>,
    best: Option<Best>,
    norms: Vec<NormRow>,
}

impl Log {
    pub fn new(lr: f64) -> Self {
        Log { lr, rows: vec![], best: None, norms: vec![] }
    }

    /// Continues after rows that were read back.
    pub fn restore(&mut self, rows: Vec<EpochRow>, best: Option<u32>) {
        let best = rows.iter().find(|row| Some(row.epoch) == best);
        self.best = best.map(|row| Best { row: row.clone(), found: None });
        self.rows = rows;
    }

    /// Whether an epoch is better than the best so far, by the decisive score, else by the validation loss. Any number
    /// is better than NaN.
    pub fn is_better(&self, row: &EpochRow, decisive: Option<&Score>) -> bool {
        let merit = |row: &EpochRow| {
            decisive.and_then(|score| row.score(score).map(|value| score.merit(value))).unwrap_or(-row.val_loss)
        };
        let above = |this: f64, best: f64| this > best || (best.is_nan() && !this.is_nan());
        self.best.as_ref().is_none_or(|best| above(merit(row), merit(&best.row)))
    }

    pub fn set_best(&mut self, row: EpochRow, found: Box<dyn Evaluation>) {
        self.best = Some(Best { row, found: Some(found) });
    }

    pub fn best_epoch(&self) -> Option<u32> {
        self.best.as_ref().map(|best| best.row.epoch)
    }

    /// The best epoch.
    pub fn best_row(&self) -> Option<&EpochRow> {
        self.best.as_ref().map(|best| &best.row)
    }

    /// The evaluation of the best epoch.
    pub fn found(&self) -> Option<&dyn Evaluation> {
        self.best.as_ref().and_then(|best| best.found.as_deref())
    }

    pub fn set_found(&mut self, found: Box<dyn Evaluation>) {
        if let Some(best) = &mut self.best {
            best.found = Some(found);
        }
    }

    pub fn push(&mut self, row: EpochRow) {
        self.rows.push(row);
    }

    pub fn rows(&self) -> &[EpochRow] {
        &self.rows
    }

    pub fn push_norm(&mut self, row: NormRow) {
        self.norms.push(row);
    }

    pub fn take_norms(&mut self) -> Vec<NormRow> {
        std::mem::take(&mut self.norms)
    }

    /// All rows, and that of the best epoch.
    pub fn into_rows(self) -> (Vec<EpochRow>, Option<EpochRow>) {
        (self.rows, self.best.map(|best| best.row))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::run::{Better, Unit};

    /// NaN would stay the best score for all epochs, since no number is above it.
    #[test]
    fn a_score_is_better_than_none() {
        const SCORE: Score = Score::new("val_x", "x", Unit::Share, Better::Higher);
        let row = |epoch: u32, value: f64| EpochRow {
            epoch,
            train_loss: 1.0,
            val_loss: 1.0,
            scores: vec![(SCORE, value)],
            lr: 1e-3,
            images_per_s: 1.0,
            data_wait: 0.0,
            seconds: 1.0,
        };
        let mut log = Log::new(1e-3);
        log.restore(vec![row(1, f64::NAN)], Some(1));
        assert!(log.is_better(&row(2, 0.1), Some(&SCORE)));
        assert!(!log.is_better(&row(2, f64::NAN), Some(&SCORE)));
        log.restore(vec![row(1, 0.2)], Some(1));
        assert!(!log.is_better(&row(2, 0.1), Some(&SCORE)) && !log.is_better(&row(2, f64::NAN), Some(&SCORE)));
    }
}
