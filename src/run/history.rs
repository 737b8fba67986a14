//! The rows of a run's tables: epochs in `metrics.csv`, steps in `norms.csv`, learning rates in `lr_find.csv`.

use std::io::{Read, Write};

use serde::Serialize;

use super::score::Score;

/// One optimizer step in `norms.csv`.
#[derive(Debug, Clone, Copy, PartialEq, Serialize)]
pub struct NormRow {
    /// Epoch, from 1.
    pub epoch: usize,
    /// Optimizer step of the run, from 1.
    pub step: u64,
    /// Learning rate.
    pub lr: f64,
    /// Loss of the step's last batch.
    pub loss: f32,
    /// Norm of all gradients, before clipping.
    pub gradient_norm: f32,
    /// Norm of all parameters, before the step.
    pub weight_norm: f32,
}

/// One step of a learning rate range test: a row of `lr_find.csv`.
#[derive(Clone, Copy, Debug, PartialEq, Serialize)]
pub struct LrPoint {
    /// Learning rate.
    pub lr: f64,
    /// Loss of the batch before the step.
    pub loss: f64,
    /// Mean of the losses in a window around this step.
    pub smoothed: f64,
}

/// One epoch of a run: a row of `metrics.csv`.
#[derive(Debug, Clone, PartialEq)]
pub struct EpochRow {
    /// Epoch, counted from 1.
    pub epoch: u32,
    /// Mean training loss over the epoch.
    pub train_loss: f64,
    /// Mean validation loss.
    pub val_loss: f64,
    /// Scores: first those of the training images, then those of the task, of which the first decides.
    pub scores: Vec<(Score, f64)>,
    /// Learning rate at the epoch's last step.
    pub lr: f64,
    /// Training images per second.
    pub images_per_s: f64,
    /// Share of the training time that steps spent waiting for data, 0 to 1.
    pub data_wait: f64,
    /// Seconds from the run's start to the epoch's end.
    pub seconds: f64,
}

impl EpochRow {
    /// Value of a score, if the run has it.
    pub fn score(&self, score: &Score) -> Option<f64> {
        self.scores.iter().find(|(s, _)| s == score).map(|(_, v)| *v)
    }

    /// Names and values of the columns of `metrics.csv`.
    pub fn columns(&self) -> Vec<(&str, f64)> {
        let scores = |training: bool| {
            self.scores.iter().filter(move |(s, _)| s.of_training() == training).map(|(s, v)| (&*s.key, *v))
        };
        let front = [("epoch", f64::from(self.epoch)), ("train_loss", self.train_loss)];
        let back = [
            ("lr", self.lr),
            ("images_per_s", self.images_per_s),
            ("data_wait", self.data_wait),
            ("seconds", self.seconds),
        ];
        front
            .into_iter()
            .chain(scores(true))
            .chain([("val_loss", self.val_loss)])
            .chain(scores(false))
            .chain(back)
            .collect()
    }

    /// Writes rows as CSV, after the names of the columns. Numbers read back exactly.
    ///
    /// # Errors
    /// When the writer fails.
    pub fn write_csv(rows: &[Self], mut writer: impl Write) -> Result<(), csv::Error> {
        if let Some(first) = rows.first() {
            let mut csv = csv::Writer::from_writer(&mut writer);
            csv.write_record(first.columns().iter().map(|(name, _)| *name))?;
            csv.flush()?;
        }
        Self::append_csv(rows, writer)
    }

    /// Writes rows as CSV without the names of the columns.
    ///
    /// # Errors
    /// When the writer fails.
    pub fn append_csv(rows: &[Self], writer: impl Write) -> Result<(), csv::Error> {
        let mut csv = csv::Writer::from_writer(writer);
        for row in rows {
            // `{:?}` prints the shortest text that reads back exactly. Whole numbers lose their ".0".
            let text = |v: f64| format!("{v:?}").trim_end_matches(".0").to_owned();
            csv.write_record(row.columns().iter().map(|(_, v)| text(*v)))?;
        }
        csv.flush()?;
        Ok(())
    }

    /// Rows as CSV with column names; empty without rows.
    pub fn csv(rows: &[Self]) -> String {
        let mut bytes = vec![];
        // Writing into memory does not fail.
        let _ = Self::write_csv(rows, &mut bytes);
        String::from_utf8_lossy(&bytes).into_owned()
    }

    /// The readable rows of a damaged table, each epoch once, in order, and the problem in words.
    pub fn read_damaged(bytes: &[u8], known: &[Score]) -> (Vec<Self>, Option<String>) {
        let text = String::from_utf8_lossy(bytes);
        let whole = text.rfind('\n').map_or("", |end| &text[..=end]);
        let head = whole.lines().next().unwrap_or_default();
        let (mut rows, mut unreadable): (Vec<Self>, usize) = (vec![], 0);
        for line in whole.lines().skip(1) {
            match Self::read_csv(format!("{head}\n{line}\n").as_bytes(), known) {
                Ok(mut row) if row.len() == 1 => rows.append(&mut row),
                _ => unreadable += 1,
            }
        }
        let in_order = rows.iter().map(|row| row.epoch).eq(1..=rows.len() as u32);
        let epochs = rows.iter().map(|row| row.epoch.to_string()).collect::<Vec<_>>().join(", ");
        let problem = if bytes.is_empty() {
            Some("it is empty".to_owned())
        } else if unreadable > 0 {
            Some(format!("{unreadable} of its lines cannot be read"))
        } else if !in_order {
            Some(format!("its rows are epochs {epochs}"))
        } else if whole.len() < text.len() {
            Some("its last line is cut off".to_owned())
        } else {
            None
        };
        rows.sort_by_key(|row| row.epoch);
        rows.dedup_by_key(|row| row.epoch);
        (rows, problem)
    }

    /// Reads rows from CSV with column names. A score that `known` lacks is named by its key.
    ///
    /// # Errors
    /// When a column is missing or unknown, or a value is not a number; the error names the line.
    pub fn read_csv(reader: impl Read, known: &[Score]) -> Result<Vec<Self>, csv::Error> {
        let mut csv = csv::Reader::from_reader(reader);
        let names = csv.headers()?.clone();
        let mut rows = vec![];
        for record in csv.records() {
            let record = record?;
            let line = record.position().map_or(0, csv::Position::line);
            let problem = |what: String| csv::Error::from(std::io::Error::other(format!("line {line}: {what}")));
            let mut row = EpochRow {
                epoch: 0,
                train_loss: f64::NAN,
                val_loss: f64::NAN,
                scores: vec![],
                lr: f64::NAN,
                images_per_s: f64::NAN,
                data_wait: f64::NAN,
                seconds: f64::NAN,
            };
            let mut seen = 0;
            for (name, text) in names.iter().zip(&record) {
                let value: f64 = text.parse().map_err(|_| problem(format!("{name} is `{text}`, not a number")))?;
                let place = match name {
                    "epoch" if value >= 0.0 && value.fract() == 0.0 => {
                        row.epoch = value as u32;
                        seen += 1;
                        continue;
                    }
                    "train_loss" => &mut row.train_loss,
                    "val_loss" => &mut row.val_loss,
                    "lr" => &mut row.lr,
                    "images_per_s" => &mut row.images_per_s,
                    "data_wait" => &mut row.data_wait,
                    "seconds" => &mut row.seconds,
                    _ => match known.iter().find(|s| s.key == name).cloned().or_else(|| Score::of_key(name)) {
                        Some(score) => {
                            row.scores.push((score, value));
                            continue;
                        }
                        None => return Err(problem(format!("unexpected column or value: {name} = {text}"))),
                    },
                };
                *place = value;
                seen += 1;
            }
            if seen != 7 {
                return Err(problem("a column is missing".into()));
            }
            rows.push(row);
        }
        Ok(rows)
    }
}
