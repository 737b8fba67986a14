//! Splitting one set of images into training and validation, and holding two sets to one class list.

use std::path::Path;
use std::sync::Arc;

use super::listing::FileDataset;
use super::{ClassificationDataset, DataError, OpenOptions, Splits, Subset};
use crate::random::{self, op};

/// Splits `all` by class: of each class the share `options.val_split`, rounded, goes to validation,
/// at least one image where the class has two, and never the last one. Which ones depends on
/// `options.seed` alone. Both parts keep the order of `all`.
pub(crate) fn stratified(
    all: Arc<dyn ClassificationDataset>,
    options: &OpenOptions,
    root: &Path,
    format: &'static str,
) -> Result<Splits, DataError> {
    let share = options.checked_val_split()?;
    let mut by_class = vec![Vec::new(); all.class_names().len()];
    for index in 0..all.len() {
        by_class[all.label(index) as usize].push(index);
    }
    let (mut train, mut val) = (Vec::new(), Vec::new());
    for (class, mut members) in by_class.into_iter().enumerate() {
        random::shuffle(&mut members, options.seed, class as u64, op::SPLIT);
        let wanted = (members.len() as f32 * share).round() as usize;
        let held_out = wanted.max(1).min(members.len().saturating_sub(1));
        val.extend(members.drain(..held_out));
        train.extend(members);
    }
    train.sort_unstable();
    val.sort_unstable();
    if val.is_empty() {
        let reason = "each class has a single image; add images, or a val/ folder".to_string();
        return Err(DataError::EmptySplit { path: root.to_path_buf(), split: "validation", reason });
    }
    let part = |indices| Arc::new(Subset::new(Arc::clone(&all), indices)) as Arc<dyn ClassificationDataset>;
    Ok(Splits { train: part(train), val: part(val), test: None, by_seed: true, format })
}

/// The test part under the training part's classes, of which it may lack some. `None` where it has none of them: test
/// images are often published without labels, and are no reason not to train.
pub(crate) fn labelled_test(
    mut test: FileDataset,
    test_at: &Path,
    (train, train_at): (&Arc<[String]>, &Path),
) -> Result<Option<Arc<dyn ClassificationDataset>>, DataError> {
    let place = |class| train.iter().position(|known| known == class).map(|place| place as u32);
    let places: Vec<Option<u32>> = test.classes.iter().map(place).collect();
    if places.iter().all(Option::is_none) {
        return Ok(None);
    }
    for (_, label) in &mut test.items {
        let at = *label as usize;
        let unknown = || DataError::ClassMismatch {
            class: test.classes[at].clone(),
            present: test_at.to_path_buf(),
            absent: train_at.to_path_buf(),
        };
        *label = places[at].ok_or_else(unknown)?;
    }
    test.classes = Arc::clone(train);
    Ok(Some(Arc::new(test)))
}

/// At least two classes, or an error that names those there are.
pub(crate) fn require_classes(names: &[String], root: &Path) -> Result<(), DataError> {
    if names.len() < 2 {
        return Err(DataError::TooFewClasses { path: root.to_path_buf(), classes: names.to_vec() });
    }
    Ok(())
}

/// The same classes in both places, or an error that names the first that one of them lacks.
pub(crate) fn require_same_classes(
    (train, train_at): (&[String], &Path),
    (val, val_at): (&[String], &Path),
) -> Result<(), DataError> {
    let missing = |from: &[String], from_at: &Path, of: &[String], of_at: &Path| {
        from.iter().find(|class| !of.contains(class)).map(|class| DataError::ClassMismatch {
            class: class.clone(),
            present: from_at.to_path_buf(),
            absent: of_at.to_path_buf(),
        })
    };
    let mismatch = missing(train, train_at, val, val_at).or_else(|| missing(val, val_at, train, train_at));
    mismatch.map_or(Ok(()), Err)
}
