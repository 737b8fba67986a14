//! Trained models on one data set: a table of scores, and a figure with the predictions of each model for the same images.

use std::path::Path;

use super::WorkflowError;
use super::error::Incomparable;
use super::evaluation::{EvalOptions, MIRRORED, data_source, images, measure, remarks, task_of};
use crate::interop::files::write_atomic;
use crate::run::card::ModelCard;
use crate::run::markdown::escaped;
use crate::run::{Checkpoint, RunError};
use crate::tasks::data::{Chosen, Compared, DataSource};
use crate::tasks::{Task, tasks};

/// A comparison.
pub struct Comparison {
    /// The images, in words: `101 images of the val part of DIR`.
    pub on: String,
    /// Tables and figure.
    pub compared: Compared,
}

impl Comparison {
    /// Writes `comparison.md`, `comparison.csv`, `comparison.png` and, for a task with classes, `classes.csv` into a folder.
    /// Returns their names.
    ///
    /// # Errors
    /// When the disk refuses.
    pub fn write(&self, folder: &Path) -> Result<Vec<&'static str>, WorkflowError> {
        let text = |name: &str, text: &str| {
            let written = write_atomic(&folder.join(name), |w| w.write_all(text.as_bytes()));
            written.map_err(|e| WorkflowError::from(RunError::from(e)))
        };
        let mut names = vec!["comparison.png", "comparison.md", "comparison.csv"];
        let Compared { table, classes, figure } = &self.compared;
        let below = classes.as_ref().map_or(String::new(), |c| format!("\n{}", c.markdown()));
        text("comparison.md", &format!("{}\n\n{}{below}", escaped(&self.on), table.markdown()))?;
        text("comparison.csv", &table.csv())?;
        if let Some(classes) = classes {
            text("classes.csv", &classes.csv())?;
            names.push("classes.csv");
        }
        figure.draw()?.save(&folder.join("comparison.png"))?;
        Ok(names)
    }
}

/// Compares trained models, each with its name. Models of different image sizes get the images at their own size, and are scored
/// at the largest size.
///
/// # Errors
/// - The models differ in task or classes, or their image sizes show different parts of a picture.
/// - `options` name no data, and the models were trained on different data or held out different images.
/// - The data does not fit the models.
pub fn compare(models: &[(String, Checkpoint)], options: &EvalOptions) -> Result<Comparison, WorkflowError> {
    let Some(((first_name, first), others)) = models.split_first() else {
        let (first, other) = ("nothing".to_owned(), "nothing".to_owned());
        return Err(WorkflowError::NotComparable { first, other, reason: Incomparable::NoModel });
    };
    require_one_kind(first_name, first, others)?;
    let task = task_of(first)?;
    let sources = models.iter().map(|(_, model)| data_source(model, options)).collect::<Result<Vec<_>, _>>()?;
    require_one_data_set(models, &sources)?;
    require_same(models, &sources, |source| source.hints.clone(), |_, _| Incomparable::Hints)?;
    // The largest size: no model is scored below its own resolution.
    // A model that sees pictures at their own size is scored at that size, and does not decide the size of others.
    let size = |at: &usize| Some(models[*at].1.card.pixels()).filter(|_| !models[*at].1.card.sees_own_pixels());
    let largest = (0..models.len()).rev().max_by_key(size).unwrap_or(0);
    let common = &models[largest].1.card;
    let all: Vec<&Checkpoint> = models.iter().map(|(_, model)| model).collect();
    let (Chosen { set, part, by_seed }, is_whole) = images(&all, all[largest], &sources[largest], options)?;
    let by_seed = by_seed && !is_whole;
    if by_seed {
        require_one_split(models, &sources)?;
    }
    let (mut found, mut notes) = (vec![], vec![]);
    for ((name, model), source) in models.iter().zip(&sources) {
        let mut note = |remarks: Vec<String>| {
            notes.extend(remarks.into_iter().map(|remark| format!("; {name}: {remark}")));
        };
        let same_size = model.card.image_size == common.image_size && model.card.resize() == common.resize();
        let same_view = same_size || model.card.sees_own_pixels();
        let same_bits = model.card.sample_bits() == common.sample_bits();
        if same_view && same_bits {
            note(remarks(model, source, &*set, (part, by_seed))?);
            found.push(measure(model, &*set, None, options)?);
            continue;
        }
        // The same images at the size of this model, with 16-bit images at its bit depth.
        let own = DataSource { undivided: is_whole, ..source.clone() };
        let own = task.image_set(&model.card, &own, options.part)?.set;
        if own.len() != set.len() {
            let reason = Incomparable::Images { first: set.len(), other: own.len() };
            return Err(WorkflowError::NotComparable { first: first_name.clone(), other: name.clone(), reason });
        }
        note(remarks(model, source, if same_bits { &*set } else { &*own }, (part, by_seed))?);
        found.push(measure(model, &*set, Some(&*own), options)?);
    }
    let names: Vec<String> = models.iter().map(|(name, _)| name.clone()).collect();
    let mut on = match is_whole {
        true => format!("all images ({}) of {}, which has no parts", set.len(), sources[0].name()),
        false => format!("{} images of the {} part of {}", set.len(), part.name(), sources[0].name()),
    };
    if models.iter().all(|(_, model)| model.card.network.is_mirrored()) {
        on += &format!("; {MIRRORED}");
    }
    on += &sizes(models, common).unwrap_or_default();
    on += &notes.concat();
    Ok(Comparison { on, compared: set.compare(&first.card, &names, &found)? })
}

/// Refuses models that cannot be compared with the first, and a task without a comparison.
fn require_one_kind(
    first_name: &str,
    first: &Checkpoint,
    others: &[(String, Checkpoint)],
) -> Result<(), WorkflowError> {
    let task = task_of(first)?;
    let refused = |other: &str, reason: Incomparable| {
        Err(WorkflowError::NotComparable { first: first_name.to_owned(), other: other.to_owned(), reason })
    };
    for (name, other) in others {
        if let Some(reason) = difference(first, other, task) {
            return refused(name, reason);
        }
    }
    if task.compares() {
        return Ok(());
    }
    let comparing = tasks().iter().filter(|task| task.compares()).map(|task| task.name()).collect();
    let reason = Incomparable::NoComparison { task: task.name(), comparing };
    refused(others.first().map_or("others", |(name, _)| name), reason)
}

/// The image sizes of models, in words; `None` if they are equal. All are scored at the size of the model with the card
/// `common`.
fn sizes(models: &[(String, Checkpoint)], common: &ModelCard) -> Option<String> {
    models.iter().find(|(_, model)| model.card.image_size != common.image_size)?;
    let text = |card: &ModelCard| match card.sees_own_pixels() {
        true => "the pictures' own size".into(),
        false => format!("{}x{}", card.image_size[0], card.image_size[1]),
    };
    let own: Vec<String> = models.iter().map(|(name, model)| format!("{name} at {}", text(&model.card))).collect();
    Some(format!("; each network at its own image size ({}), scored at {}", own.join(", "), text(common)))
}

/// Why two models cannot be compared; `None` if they can.
fn difference(first: &Checkpoint, other: &Checkpoint, task: &dyn Task) -> Option<Incomparable> {
    let (a, b) = (&first.card, &other.card);
    if a.task != b.task {
        return Some(Incomparable::Tasks { first: a.task.clone(), other: b.task.clone() });
    }
    if task.has_classes() && a.classes != b.classes {
        return Some(Incomparable::Classes { first: a.classes.clone(), other: b.classes.clone() });
    }
    let (first, other) = (a.image_size, b.image_size);
    (first[0] * other[1] != other[0] * first[1] && !task.compares_proportions())
        .then_some(Incomparable::Sizes { first, other })
}

/// Refuses models whose data source has another `key` than that of the first model.
fn require_same<T: PartialEq>(
    models: &[(String, Checkpoint)],
    sources: &[DataSource],
    key: impl Fn(&DataSource) -> T,
    reason: impl Fn(&DataSource, &DataSource) -> Incomparable,
) -> Result<(), WorkflowError> {
    let other = sources.iter().position(|source| key(source) != key(&sources[0]));
    other.map_or(Ok(()), |at| {
        let (first, other) = (models[0].0.clone(), models[at].0.clone());
        Err(WorkflowError::NotComparable { first, other, reason: reason(&sources[0], &sources[at]) })
    })
}

/// Without named data, all models must have been trained on the same data.
fn require_one_data_set(models: &[(String, Checkpoint)], sources: &[DataSource]) -> Result<(), WorkflowError> {
    require_same(
        models,
        sources,
        |source| source.data.clone(),
        |a, b| Incomparable::Data { first: a.name(), other: b.name() },
    )
}

/// All models must have held out the same images. Otherwise a model is scored on its training images.
fn require_one_split(models: &[(String, Checkpoint)], sources: &[DataSource]) -> Result<(), WorkflowError> {
    require_same(
        models,
        sources,
        |source| (source.seed, source.val_split),
        |a, b| Incomparable::Split { data: a.name(), first: (a.seed, a.val_split), other: (b.seed, b.val_split) },
    )
}
