//! Models side by side on one data set: a table, and a figure of the same images under each of them.

use std::path::Path;

use super::WorkflowError;
use super::evaluation::{EvalOptions, data_source, measure, task_of};
use crate::interop::files::write_atomic;
use crate::run::card::ModelCard;
use crate::run::pictures;
use crate::run::{Checkpoint, RunError};
use crate::tasks::data::{Chosen, Compared, DataSource};
use crate::tasks::tasks;

/// A comparison.
pub struct Comparison {
    /// What it was made on: `101 images of the val part of DIR`.
    pub on: String,
    /// Tables and figure.
    pub compared: Compared,
}

impl Comparison {
    /// Writes `comparison.md`, `comparison.csv`, `comparison.png` (and `classes.csv`) into a folder, and names them.
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
        text("comparison.md", &format!("{}\n\n{}{below}", self.on, table.markdown()))?;
        text("comparison.csv", &table.csv())?;
        if let Some(classes) = classes {
            text("classes.csv", &classes.csv())?;
            names.push("classes.csv");
        }
        pictures::save_png(&figure.draw()?, &folder.join("comparison.png"))?;
        Ok(names)
    }
}

/// Compares trained models, given a name for each. Models of different image sizes take the same images at their own sizes, and
/// are scored at the largest of these.
///
/// # Errors
/// When they are of different tasks or classes, see other parts of a picture, were trained on different data and `options` name
/// none, held out different images of it, or the data does not fit them.
pub fn compare(models: &[(String, Checkpoint)], options: &EvalOptions) -> Result<Comparison, WorkflowError> {
    let Some(((first_name, first), others)) = models.split_first() else {
        let (first, other) = ("nothing".to_owned(), "nothing".to_owned());
        return Err(WorkflowError::NotComparable { first, other, reason: "name at least one run".into() });
    };
    let proportions = task_of(first)?.compares_proportions();
    for (name, other) in others {
        if let Some(reason) = difference(first, other, proportions) {
            return Err(WorkflowError::NotComparable { first: first_name.clone(), other: name.clone(), reason });
        }
    }
    let task = task_of(first)?;
    if !task.compares() {
        let other = others.first().map_or("others", |(name, _)| name).to_owned();
        let comparing: Vec<_> = tasks().iter().filter(|task| task.compares()).map(|task| task.name()).collect();
        let reason = format!(
            "compare takes runs of {}, and these were trained to {}; `eval` scores each, `report` puts them on one page",
            comparing.join(" or "),
            task.name()
        );
        return Err(WorkflowError::NotComparable { first: first_name.clone(), other, reason });
    }
    let sources = models.iter().map(|(_, model)| data_source(model, options)).collect::<Result<Vec<_>, _>>()?;
    require_one_data_set(models, &sources)?;
    // The largest size: no model is scored below its own resolution.
    let largest = (0..models.len()).rev().max_by_key(|&at| models[at].1.card.pixels()).unwrap_or(0);
    let common = &models[largest].1.card;
    let Chosen { set, part, by_seed } = task.image_set(common, &sources[largest], options.part)?;
    if by_seed {
        require_one_split(models, &sources)?;
    }
    let mut found = vec![];
    for ((name, model), source) in models.iter().zip(&sources) {
        if model.card.image_size == common.image_size {
            found.push(measure(model, &*set, None, options)?);
            continue;
        }
        // The same images, at the size of this model.
        let own = task.image_set(&model.card, source, options.part)?.set;
        if own.len() != set.len() {
            let reason = format!("{} images can be read for one, {} for the other", set.len(), own.len());
            return Err(WorkflowError::NotComparable { first: first_name.clone(), other: name.clone(), reason });
        }
        found.push(measure(model, &*set, Some(&*own), options)?);
    }
    let names: Vec<String> = models.iter().map(|(name, _)| name.clone()).collect();
    let mut on = format!("{} images of the {} part of {}", set.len(), part.name(), sources[0].name());
    if models.iter().any(|(_, model)| model.card.image_size != common.image_size) {
        let text = |card: &ModelCard| format!("{}x{}", card.image_size[0], card.image_size[1]);
        let own: Vec<String> = models.iter().map(|(name, model)| format!("{name} at {}", text(&model.card))).collect();
        on += &format!("; each network at its own image size ({}), scored at {}", own.join(", "), text(common));
    }
    Ok(Comparison { on, compared: set.compare(&first.card, &names, &found)? })
}

/// Why two models cannot be compared.
fn difference(first: &Checkpoint, other: &Checkpoint, proportions: bool) -> Option<String> {
    let (a, b) = (&first.card, &other.card);
    if a.task != b.task {
        return Some(format!("one was trained to {}, the other to {}", a.task, b.task));
    }
    if a.classes != b.classes {
        return Some(format!("their classes differ: {:?} and {:?}", a.classes, b.classes));
    }
    let [[ah, aw], [bh, bw]] = [a.image_size, b.image_size];
    (ah * bw != bh * aw && !proportions).then(|| {
        format!(
            "their image sizes {ah}x{aw} and {bh}x{bw} have other proportions, so that they see other parts of a picture; `eval` \
             scores each"
        )
    })
}

/// Refuses models whose data sources differ from the first one's in what `key` takes of them.
fn require_same<T: PartialEq>(
    models: &[(String, Checkpoint)],
    sources: &[DataSource],
    key: impl Fn(&DataSource) -> T,
    reason: impl Fn(&DataSource, &DataSource) -> String,
) -> Result<(), WorkflowError> {
    let other = sources.iter().position(|source| key(source) != key(&sources[0]));
    other.map_or(Ok(()), |at| {
        let (first, other) = (models[0].0.clone(), models[at].0.clone());
        Err(WorkflowError::NotComparable { first, other, reason: reason(&sources[0], &sources[at]) })
    })
}

/// Where no data is named, all models must have been trained on the same.
fn require_one_data_set(models: &[(String, Checkpoint)], sources: &[DataSource]) -> Result<(), WorkflowError> {
    require_same(
        models,
        sources,
        |source| source.data.clone(),
        |a, b| {
            format!(
                "one was trained on {}, the other on {}; name the data to compare them on (--data)",
                a.name(),
                b.name()
            )
        },
    )
}

/// All models must have held out the same images: else some are scored on images that they have learned.
fn require_one_split(models: &[(String, Checkpoint)], sources: &[DataSource]) -> Result<(), WorkflowError> {
    require_same(
        models,
        sources,
        |source| (source.seed, source.val_split),
        |a, b| {
            format!(
                "{} has no parts, and one held out images by seed {}, val_split {}, the other by seed {}, val_split \
             {}, so that each has learned some of the other's; give data with a val/ part (--data), or runs of one seed \
             and val_split",
                a.name(),
                a.seed,
                a.val_split,
                b.seed,
                b.val_split
            )
        },
    )
}
