//! Differences between a run and the command that resumes it. A change of data or settings that changes the weights needs the setting
//! `allow_changed_data`. Other changes are noted if they matter.

use std::path::Path;

use super::TrainError;
use super::model::LoadedModel;
use super::objective::Objective;
use super::schedule::{LrSchedule, RunLength};
use super::settings::{self, Difference, Setting, SettingComparison, TrainSettings};
use crate::run::fingerprint::DataPrint;
use crate::run::repair::Repairs;
use crate::run::resume::{self, ImageOrder, Kept};
use crate::run::{RunDir, RunError, Unresumable};

/// Changes since the run began, in words; empty for a run of an earlier version, which has no record of its data.
fn changes(kept: &Kept, now: &Resumption<'_>) -> Vec<String> {
    let table = |text: &str| toml::from_str::<toml::Table>(text).unwrap_or_default();
    let mut changes = vec![];
    if let Some(before) = &kept.origin.settings {
        let differ = settings::differences(&table(before), &table(now.toml), |key| {
            !settings::is_ignored(now.declared, SettingComparison::Resume, key)
        });
        changes.extend(
            differ.into_iter().map(|Difference { key, before, now }| format!("{key} was {before} and is {now}")),
        );
    }
    changes.extend(kept.origin.data.iter().flat_map(|before| before.changes(now.data)));
    changes
}

/// A command that resumes a run: its settings, also as `config.toml`, its data, the order of the images and the steps
/// of an epoch.
pub(super) struct Resumption<'a> {
    pub settings: &'a TrainSettings,
    pub declared: &'static [Setting],
    pub toml: &'a str,
    pub data: &'a DataPrint,
    pub order: ImageOrder,
    pub steps_per_epoch: usize,
}

/// Compares a run with the command that resumes it, and restores its states. Returns lines for the user, and the repairs of
/// damaged files. Writes nothing.
///
/// # Errors
/// [`RunError::CannotResume`] when the run does not match the command, or its files cannot be repaired.
pub(super) fn examine(
    kept: &Kept,
    model: &mut LoadedModel,
    objective: &dyn Objective,
    now: &Resumption<'_>,
) -> Result<(Vec<String>, Repairs), TrainError> {
    let &Resumption { settings, order, steps_per_epoch, .. } = now;
    let path = settings.resume.as_deref().unwrap_or(Path::new(""));
    let folder = RunDir::to_resume(path)?;
    kept.position.check(order, settings.epochs, (path, folder.is_unfinished()))?;
    if !folder.is_unfinished() && kept.position.stops_early(settings.early_stop) {
        let (epochs, early_stop) = (kept.position.epoch - 1, settings.early_stop);
        let reason = Unresumable::EndedEarly { epochs, early_stop };
        return Err(RunError::CannotResume { path: path.to_owned(), reason }.into());
    }
    let mut notes = check(kept, now, path)?;
    notes.extend(rate_jump(&folder, kept, settings, steps_per_epoch));
    resume::restore(&mut model.session, &kept.file, path)?;
    let known: Vec<_> = objective.task_card().known_scores().cloned().collect();
    let repairs = folder.examine(kept, &known)?;
    let damaged = repairs.notes.iter().cloned().chain(damaged_settings(&folder, kept));
    notes.extend(damaged.map(|problem| format!("note:    {}: {problem}", path.display())));
    Ok((notes, repairs))
}

/// Refuses changed data or settings, unless changes are allowed. Then returns a note on each change.
///
/// # Errors
/// [`RunError::CannotResume`] with what changed.
fn check(kept: &Kept, now: &Resumption<'_>, path: &Path) -> Result<Vec<String>, TrainError> {
    let changes = changes(kept, now);
    if !changes.is_empty() && !now.settings.allow_changed_data {
        return Err(RunError::CannotResume { path: path.to_owned(), reason: Unresumable::Changed { changes } }.into());
    }
    Ok(changes.into_iter().map(|change| format!("note:    continues with a change: {change}")).collect())
}

/// A note if the learning rates so far would differ in a run that had this number of epochs from the start.
fn rate_jump(run: &RunDir, kept: &Kept, settings: &TrainSettings, steps_per_epoch: usize) -> Option<String> {
    let text = kept.origin.settings.clone().or_else(|| std::fs::read_to_string(run.config_path()).ok())?;
    let before = toml::from_str::<toml::Table>(&text).ok()?.get("epochs")?.as_integer()?;
    let before = usize::try_from(before).ok().filter(|&before| before != settings.epochs)?;
    let schedule = |epochs: usize| {
        let mut schedule = LrSchedule::new(settings.schedule.clone(), RunLength { epochs, steps_per_epoch });
        schedule.set_plateau(kept.position.plateau);
        schedule
    };
    let (old, new, step) = (schedule(before), schedule(settings.epochs), kept.position.steps);
    let differs = (0..step).any(|step| old.factor(step).to_bits() != new.factor(step).to_bits());
    differs.then(|| {
        format!(
            "note:    the {} schedule spans {} epochs now, not {before}: the learning rate was {:.3e} at the last step and is \
             {:.3e} at the next; the weights will differ from those of a run of {} epochs from the start",
            settings.schedule.kind.name(),
            settings.epochs,
            settings.lr * old.factor(step.saturating_sub(1)),
            settings.lr * new.factor(step),
            settings.epochs,
        )
    })
}

/// A note if `config.toml` cannot be read, or lacks settings of the run.
fn damaged_settings(run: &RunDir, kept: &Kept) -> Option<String> {
    let before: toml::Table = toml::from_str(kept.origin.settings.as_deref()?).ok()?;
    let found =
        std::fs::read_to_string(run.config_path()).ok().and_then(|text| toml::from_str::<toml::Table>(&text).ok());
    let whole = found.is_some_and(|found| before.keys().all(|key| found.contains_key(key)));
    (!whole).then(|| "config.toml is damaged: its settings are restored".to_owned())
}
