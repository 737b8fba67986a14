//! Repair of damaged files before a run is resumed. Files that the run's state can restore exactly are restored, with a
//! note. Other damage is an error, before anything is written.

use std::fs;
use std::path::Path;

use super::card::{EPOCH, ModelCard};
use super::checkpoint::EpochMark;
use super::error::{RunError, Unresumable};
use super::folder::{MAX_TABLE_BYTES, RunDir};
use super::history::EpochRow;
use super::resume::Kept;
use super::score::Score;
use crate::interop::files::{FileError, read_bytes, write_atomic};
use crate::interop::safetensors::TensorFile;

/// Rows and repairs of a resumed run.
#[derive(Clone, Debug, Default)]
pub struct Repairs {
    /// The finished epochs.
    pub rows: Vec<EpochRow>,
    /// A line for each damaged file and its repair.
    pub notes: Vec<String>,
    /// Whether the best weights are lost, but equal those of the last epoch.
    best_is_last: bool,
}

impl RunDir {
    /// Examines the files that a resumed run needs. Writes nothing.
    ///
    /// # Errors
    /// [`RunError::CannotResume`] when a file is lost that cannot be restored exactly.
    pub(crate) fn examine(&self, kept: &Kept, known: &[Score]) -> Result<Repairs, RunError> {
        let mut repairs = Repairs::default();
        repairs.rows = self.kept_rows(kept, known, &mut repairs.notes)?;
        self.examine_best(kept, &mut repairs)?;
        if let Err(error) = self.read_facts() {
            repairs.notes.push(format!("run.json is damaged ({error}): it is written again"));
        }
        Ok(repairs)
    }

    /// Restores the files that [`RunDir::examine`] found damaged.
    ///
    /// # Errors
    /// When the disk refuses.
    pub(crate) fn repair(&self, repairs: &Repairs) -> Result<(), RunError> {
        if repairs.best_is_last {
            let last = self.last_path();
            let bytes = fs::read(&last).map_err(|e| FileError::reading(&last, e))?;
            write_atomic(&self.best_path(), |w| w.write_all(&bytes))?;
        }
        self.rewrite_metrics(&repairs.rows)
    }

    /// The finished epochs: those stored beside the position, else those of `metrics.csv`.
    fn kept_rows(&self, kept: &Kept, known: &[Score], notes: &mut Vec<String>) -> Result<Vec<EpochRow>, RunError> {
        let path = self.metrics_path();
        let found = read_bytes(&path, MAX_TABLE_BYTES);
        let done = kept.position.epoch.saturating_sub(1);
        if let Some(epochs) = &kept.origin.epochs {
            let rows = EpochRow::read_csv(epochs.as_bytes(), known).ok().filter(|rows| rows.len() == done);
            let key = || RunError::NotACheckpoint { path: self.state_path(), key: "epochs".into() };
            let rows = rows.ok_or_else(key)?;
            // A row of a later epoch may follow, if the run was killed between the row and its checkpoint.
            if !found.as_ref().is_ok_and(|found| found.starts_with(epochs.as_bytes())) {
                let problem = match &found {
                    Ok(bytes) => EpochRow::read_damaged(bytes, known).1.unwrap_or("its values were changed".into()),
                    Err(error) => error.source.to_string(),
                };
                notes.push(format!("metrics.csv is damaged ({problem}): its {done} epochs are restored"));
            }
            return Ok(rows);
        }
        let bytes = found?;
        let (mut rows, problem) = EpochRow::read_damaged(&bytes, known);
        rows.retain(|row| (row.epoch as usize) <= done);
        if rows.len() == done {
            notes.extend(
                problem.map(|problem| format!("metrics.csv is damaged ({problem}): its {done} epochs are whole")),
            );
            return Ok(rows);
        }
        let problem = problem.unwrap_or_else(|| format!("it has {} epochs", rows.len()));
        let problem = format!("{done} epochs are done, and {problem}");
        Err(RunError::CannotResume { path, reason: Unresumable::Lost { problem, weights: self.last_path() } })
    }

    /// Checks that the weights of the best epoch exist.
    fn examine_best(&self, kept: &Kept, repairs: &mut Repairs) -> Result<(), RunError> {
        let Some(best) = kept.position.best else { return Ok(()) };
        let path = self.best_path();
        // A later epoch is fine: the run was killed after it wrote these weights, and repeats that epoch.
        let rows = &repairs.rows;
        let problem = match written(&path) {
            Ok(Written { mark: Some(mark), .. }) if mark.contradicts(rows) => {
                "it holds the weights of another run".into()
            }
            Ok(Written { epoch: None, .. }) => return Ok(()),
            Ok(Written { epoch: Some(epoch), .. }) if epoch >= best => return Ok(()),
            Ok(Written { epoch: Some(epoch), .. }) => format!("it holds epoch {epoch}"),
            Err(_) if !path.exists() => "it is gone".to_owned(),
            Err(error) => error.to_string(),
        };
        let at_end_of_best = kept.position.batch == 0 && kept.position.epoch == best as usize + 1;
        let last_is_best = match written(&self.last_path()) {
            Ok(Written { mark: Some(mark), .. }) if mark.contradicts(rows) => false,
            Ok(Written { epoch: Some(epoch), .. }) => epoch == best,
            // Files of earlier versions do not store the epoch.
            Ok(Written { epoch: None, .. }) => kept.origin.epochs.is_none(),
            Err(_) => false,
        };
        if at_end_of_best && last_is_best {
            repairs.best_is_last = true;
            repairs.notes.push(format!(
                "best.safetensors is damaged ({problem}): it is restored from last.safetensors, which is the best epoch, {best}"
            ));
            return Ok(());
        }
        let problem = format!("the weights of the best epoch, {best}, are lost ({problem})");
        Err(RunError::CannotResume { path, reason: Unresumable::Lost { problem, weights: self.last_path() } })
    }
}

/// The epoch after which a checkpoint was written, if stored.
struct Written {
    epoch: Option<u32>,
    mark: Option<EpochMark>,
}

/// The epoch after which the checkpoint `path` was written.
fn written(path: &Path) -> Result<Written, RunError> {
    let file = TensorFile::read(path)?;
    ModelCard::from_metadata(&file, path)?;
    let epoch = file.metadata.get(EPOCH).and_then(|epoch| epoch.parse().ok());
    Ok(Written { epoch, mark: EpochMark::of(&file.metadata) })
}
