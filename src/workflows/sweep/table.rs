//! The table of a sweep, sorted by score. Runs that differ only in the seed share a row.

use std::path::Path;

use super::halving::merit;
use super::run::text;
use super::{SweepError, SweepRun, SweepRunState};
use crate::interop::files::{read_text, write_atomic};
use crate::run::sweep_facts::{SWEEP_FACTS, SweepFacts, SweepRowFacts, WithinChance};
use crate::run::table::Table;
use crate::run::verdict::yardstick::within_chance;
use crate::run::{RunDir, RunError, Score};

/// Refuses a folder in which a file of another kind has the name of the sweep's table. Nothing is written.
///
/// # Errors
/// [`SweepError::NotOurs`].
pub(super) fn check_free(out: &Path) -> Result<(), SweepError> {
    let ours = |name: &str, text: &str| match name {
        "sweep.csv" => text.starts_with("rank,") && text.lines().next().is_some_and(|head| head.ends_with(",run")),
        SWEEP_FACTS => serde_json::from_str::<SweepFacts>(text).is_ok(),
        _ => text.starts_with("| rank "),
    };
    for name in ["sweep.csv", "sweep.md", SWEEP_FACTS] {
        let path = out.join(name);
        let there = path.symlink_metadata().is_ok();
        if there && !read_text(&path, 1 << 26).is_ok_and(|text| ours(name, &text)) {
            return Err(SweepError::NotOurs { path });
        }
    }
    Ok(())
}

/// The standard error of a run's score, from its `run.json`.
fn sigma(folder: &Path) -> Option<f64> {
    RunDir::open_unfinished(folder).ok()?.read_facts().ok()??.yardstick?.sigma
}

/// All runs with the same settings except the seed.
#[derive(Debug, Clone, PartialEq)]
pub struct SweepRow {
    /// The settings, without the seed.
    pub settings: Vec<(String, String)>,
    /// Best score of each run, with the sign that makes higher better; NaN for a diverged or failed run.
    pub scores: Vec<f64>,
    /// Epoch of the best score of each run.
    pub epochs: Vec<u32>,
    /// Names of the folders.
    pub folders: Vec<String>,
    /// Number of epochs of each run that was stopped because others were better.
    pub stopped: Vec<usize>,
    /// Reasons of runs that failed without diverging.
    pub failed: Vec<String>,
    /// Largest standard error of a run's score, if known.
    pub sigma: Option<f64>,
}

impl SweepRow {
    /// Mean and sample standard deviation (0 for one run) over the runs that neither diverged nor failed.
    pub fn mean(&self) -> Option<(f64, f64)> {
        let good: Vec<f64> = self.scores.iter().copied().filter(|s| s.is_finite()).collect();
        let n = good.len() as f64;
        let mean = good.iter().sum::<f64>() / n;
        let squares: f64 = good.iter().map(|s| (s - mean).powi(2)).sum();
        (!good.is_empty()).then(|| (mean, if good.len() > 1 { (squares / (n - 1.0)).sqrt() } else { 0.0 }))
    }

    /// Number of runs that neither diverged nor failed.
    fn good(&self) -> usize {
        self.scores.iter().filter(|score| score.is_finite()).count()
    }

    fn diverged(&self) -> usize {
        self.scores.len() - self.good() - self.failed.len()
    }
}

/// The table of a sweep.
#[derive(Debug, Clone, PartialEq)]
pub struct SweepTable {
    score: Option<Score>,
    rows: Vec<SweepRow>,
    /// Number, settings and reason of the first run that failed.
    failed: Option<(usize, String, String)>,
}

impl SweepTable {
    pub(super) fn new(score: Option<Score>) -> Self {
        SweepTable { score, rows: vec![], failed: None }
    }

    pub(super) fn add(&mut self, cell: &SweepRun, number: usize, folder: &Path, state: &SweepRunState) {
        // The settings that ran, from the run's own file. A run that failed early has no such file.
        let ran = read_text(&folder.join("config.toml"), 1 << 20).ok();
        let ran: toml::Table = ran.and_then(|text| toml::from_str(&text).ok()).unwrap_or_default();
        let value = |key: &String, own: &toml::Value| text(ran.get(key).unwrap_or(own));
        let settings: Vec<_> =
            cell.own.iter().filter(|(key, _)| *key != "seed").map(|(key, v)| (key.clone(), value(key, v))).collect();
        let (score, epoch) = match state {
            SweepRunState::Done(rows) | SweepRunState::Paused(rows) => rows
                .iter()
                .filter_map(|row| Some((merit(row, self.score.as_ref())?, row.epoch)))
                .fold((f64::NAN, 0), |best, this| if this.0 > best.0 || best.0.is_nan() { this } else { best }),
            _ => (f64::NAN, 0),
        };
        let at = self.rows.iter().position(|row| row.settings == settings).unwrap_or_else(|| {
            let (scores, epochs, folders, stopped, failed) = Default::default();
            self.rows.push(SweepRow { settings, scores, epochs, folders, stopped, failed, sigma: None });
            self.rows.len() - 1
        });
        let row = &mut self.rows[at];
        row.scores.push(score);
        row.sigma = [row.sigma, sigma(folder)].into_iter().flatten().reduce(f64::max);
        if let SweepRunState::Paused(rows) = state {
            row.stopped.push(rows.len());
        }
        if let SweepRunState::Failed(reason) = state {
            row.failed.push(reason.clone());
            self.failed.get_or_insert((number, cell.name.clone(), reason.clone()));
        }
        row.epochs.push(epoch);
        row.folders.push(folder.file_name().map_or(String::new(), |name| name.to_string_lossy().into_owned()));
    }

    /// Whether no run failed.
    ///
    /// # Errors
    /// [`SweepError::Failed`] when any run failed, other than by diverging.
    pub fn check(&self) -> Result<(), SweepError> {
        let Some((number, cell, reason)) = self.failed.clone() else { return Ok(()) };
        let failed = self.rows.iter().map(|row| row.failed.len()).sum();
        let of = self.rows.iter().map(|row| row.scores.len()).sum();
        Err(SweepError::Failed { failed, of, number, cell, reason })
    }

    /// Writes the table as `sweep.md`, the best row in bold, and as `sweep.csv`; its numbers as `sweep.json`.
    ///
    /// # Errors
    /// When the disk refuses.
    pub fn write(&self, folder: &Path) -> Result<(), RunError> {
        let table = self.table();
        let texts = [
            ("sweep.md", table.markdown() + &self.chance().map_or(String::new(), |line| format!("\n{line}\n"))),
            ("sweep.csv", table.csv()),
        ];
        texts.iter().try_for_each(|(name, text)| {
            let written = write_atomic(&folder.join(name), |w| w.write_all(text.as_bytes()));
            written.map_err(RunError::from)
        })?;
        self.facts().write(folder)
    }

    fn facts(&self) -> SweepFacts {
        let row = |row: &SweepRow| SweepRowFacts {
            settings: row.settings.iter().cloned().collect(),
            scores: row.scores.iter().map(|&merit| merit.is_finite().then(|| self.value(merit))).collect(),
            epochs: row.epochs.clone(),
            runs: row.folders.clone(),
            standard_error: row.sigma,
        };
        let rows = self.rows().into_iter().map(row).collect();
        SweepFacts { score: self.score.clone(), rows, within_chance: self.within_chance() }
    }

    /// The score's value for a merit.
    fn value(&self, merit: f64) -> f64 {
        self.score.as_ref().map_or(-merit, |score| score.merit(merit))
    }

    fn format(&self, value: f64) -> String {
        self.score.as_ref().map_or_else(|| format!("{value:.4}"), |score| score.format(value))
    }

    /// The rows, the best mean first. Diverged and failed rows are last.
    pub fn rows(&self) -> Vec<&SweepRow> {
        let mut rows: Vec<&SweepRow> = self.rows.iter().collect();
        let mean = |row: &SweepRow| row.mean().map_or(f64::NEG_INFINITY, |(mean, _)| mean);
        rows.sort_by(|a, b| mean(b).total_cmp(&mean(a)));
        rows
    }

    /// The first rows that differ by less than chance, in words.
    pub fn chance(&self) -> Option<String> {
        Some(self.within_chance()?.text(self.score.as_ref()?))
    }

    /// The first rows that differ by less than two standard errors of a difference of means. The runs of a row share
    /// the validation images, so several seeds do not lower the error.
    fn within_chance(&self) -> Option<WithinChance> {
        self.score.as_ref()?;
        let rows = self.rows();
        let (best, _) = rows.first()?.mean()?;
        let near = |row: &&&SweepRow| {
            let sigma = [rows[0].sigma, row.sigma].into_iter().flatten().reduce(f64::max);
            row.mean().zip(sigma).is_some_and(|((mean, _), sigma)| best - mean < within_chance(sigma))
        };
        let (alike, sigma) = (rows.iter().take_while(near).count(), rows[0].sigma?);
        (alike > 1).then(|| WithinChance { rows: alike, difference: within_chance(sigma) })
    }

    /// The table as text, with a column for every setting of any row, the score, its epoch and the runs. The best row is in
    /// bold.
    pub fn table(&self) -> Table {
        let rows = self.rows();
        let mut keys: Vec<String> = vec![];
        for (key, _) in rows.iter().flat_map(|row| &row.settings) {
            if !keys.contains(key) {
                keys.push(key.clone());
            }
        }
        let line = |index: usize, row: &SweepRow| {
            let setting =
                |key: &String| row.settings.iter().find(|(k, _)| k == key).map_or("–".into(), |(_, v)| v.clone());
            let mut values: Vec<String> = keys.iter().map(setting).collect();
            let spread = |deviation: f64| {
                let score = self.score.as_ref();
                let text = score.map_or_else(|| self.format(deviation), |score| score.format_difference(deviation));
                match row.good() {
                    0 | 1 => String::new(),
                    runs => format!(" ± {text} in {runs} runs"),
                }
            };
            let score = row.mean().map_or(String::new(), |(mean, deviation)| {
                format!("{}{}", self.format(self.value(mean)), spread(deviation))
            });
            let diverged = match row.diverged() {
                0 => String::new(),
                _ if row.scores.len() == 1 => "diverged".into(),
                n => format!("{n} of {} diverged", row.scores.len()),
            };
            let stopped = match row.stopped.iter().max() {
                Some(epochs) => format!("stopped after epoch {epochs}"),
                None => String::new(),
            };
            let failed = match row.failed.first() {
                Some(reason) => format!("failed: {reason}"),
                None => String::new(),
            };
            values.push(
                [score, diverged, failed, stopped].into_iter().filter(|t| !t.is_empty()).collect::<Vec<_>>().join(", "),
            );
            values.push(row.epochs.iter().map(u32::to_string).collect::<Vec<_>>().join(" "));
            values.push(row.folders.join(" "));
            ((index + 1).to_string(), values)
        };
        let bold = rows.first().filter(|row| row.mean().is_some()).map(|_| 0);
        let rows = rows.iter().enumerate().map(|(index, row)| line(index, row)).collect();
        let last = [
            self.score.as_ref().map_or("validation loss".to_owned(), |score| score.name.to_string()),
            "best epoch".into(),
            "run".into(),
        ];
        Table { row: "rank", columns: keys.iter().cloned().chain(last).collect(), rows, bold }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::run::{Better, Unit};

    #[test]
    fn rows_within_two_standard_errors_of_a_difference_are_named() {
        let row = |score: f64, sigma: Option<f64>| SweepRow {
            settings: vec![],
            scores: vec![score],
            epochs: vec![1],
            folders: vec![],
            stopped: vec![],
            failed: vec![],
            sigma,
        };
        let line = |rows: &[(f64, Option<f64>)]| {
            let rows = rows.iter().map(|&(score, sigma)| row(score, sigma)).collect();
            let score = Score::new("val_accuracy", "accuracy", Unit::Percent, Better::Higher);
            SweepTable { score: Some(score), rows, failed: None }.chance()
        };
        let sigma = Some(0.02);
        // 2 sqrt(2) 0.02 = 5.7 points.
        let found = line(&[(0.80, sigma), (0.70, sigma), (0.85, sigma), (f64::NAN, None)]).expect("two are alike");
        assert!(found.starts_with("Rows 1 to 2 differ by less") && found.contains("(5.7 points)"), "{found}");
        assert_eq!(line(&[(0.80, sigma), (0.70, sigma)]), None);
        assert_eq!(line(&[(0.80, None), (0.80, None)]), None, "runs of earlier versions");
    }

    /// Of two seeds one diverged: a single score has no deviation.
    #[test]
    fn a_deviation_is_that_of_the_runs_with_a_score() {
        let cell = |scores: &[f64]| {
            let row = SweepRow {
                settings: vec![],
                scores: scores.to_vec(),
                epochs: vec![1; scores.len()],
                folders: vec![],
                stopped: vec![],
                failed: vec![],
                sigma: None,
            };
            let score = Score::new("val_accuracy", "accuracy", Unit::Percent, Better::Higher);
            let table = SweepTable { score: Some(score), rows: vec![row], failed: None }.table();
            table.rows[0].1[0].clone()
        };
        assert_eq!(cell(&[0.8, f64::NAN]), "80.0 %, 1 of 2 diverged");
        assert_eq!(cell(&[0.8, 0.9, f64::NAN]), "85.0 % ± 7.1 points in 2 runs, 1 of 3 diverged");
        assert_eq!(cell(&[0.8]), "80.0 %");
    }
}
