//! Divides a set of images into training and validation, and aligns the parts to one class list.

use std::collections::BTreeMap;
use std::path::Path;
use std::sync::Arc;

use super::copies::Units;
use super::decisions::Decisions;
use super::listing::{FileDataset, subfolders};
use super::names::{composed, nearest, one_line, quoted, same_value};
use super::{ClassificationDataset, DataError, OpenOptions, SetOptions, Splits, Subset};
use crate::random::{self, op};

/// Divides `all` by class. Of each class the share `options.val_split`, rounded, goes to validation: at least one image
/// if the class has two, and never the last one. The choice depends on `options.seed` alone. Both parts keep the order
/// of `all`. Copies of one original stay together.
pub(crate) fn stratified(
    all: Arc<dyn ClassificationDataset>,
    options: &OpenOptions,
    root: &Path,
    format: &'static str,
) -> Result<Splits, DataError> {
    let share = options.checked_val_split()?;
    if options.undivided {
        return Ok(whole(all, format));
    }
    let copies = Units::of((0..all.len()).map(|index| all.path(index)), options.keep_copies);
    let mut by_class = vec![Vec::new(); all.class_names().len()];
    for unit in &copies.units {
        // A table may give copies different labels.
        let mut of_class: BTreeMap<u32, Vec<usize>> = BTreeMap::new();
        unit.iter().for_each(|&index| of_class.entry(all.label(index)).or_default().push(index));
        of_class.into_iter().for_each(|(class, images)| by_class[class as usize].push(images));
    }
    let mut is_held = vec![false; all.len()];
    for (class, units) in by_class.into_iter().enumerate() {
        held_out(units, share, options.seed, class as u64).into_iter().for_each(|index| is_held[index] = true);
    }
    let (val, train): (Vec<usize>, Vec<usize>) = (0..all.len()).partition(|&index| is_held[index]);
    if val.is_empty() {
        let reason = "each class has a single image, or copies of one; add images, or a val/ folder".to_string();
        return Err(DataError::EmptySplit { path: root.to_path_buf(), split: "validation", reason });
    }
    let part = |indices| Arc::new(Subset::new(Arc::clone(&all), indices)) as Arc<dyn ClassificationDataset>;
    let split = by_seed(share, options.seed) + &copies.words();
    let decisions = Decisions { split, ..Decisions::default() };
    Ok(Splits { train: part(train), val: part(val), test: None, by_seed: true, format, decisions })
}

/// A data set without parts, as it is.
fn whole(all: Arc<dyn ClassificationDataset>, format: &'static str) -> Splits {
    let decisions = Decisions { split: UNDIVIDED.into(), ..Decisions::default() };
    Splits { train: Arc::clone(&all), val: all, test: None, by_seed: true, format, decisions }
}

/// A data set without parts that stays whole, in words.
pub(crate) const UNDIVIDED: &str = "none: all images";

/// A split by seed, in words.
pub(crate) fn by_seed(share: f32, seed: u64) -> String {
    format!("{} % held out for validation by seed {seed}", (f64::from(share) * 1e4).round() / 1e2)
}

/// A part with the class list of the training part. The part may lack classes.
///
/// # Errors
/// Where it has a class that the training part lacks.
pub(crate) fn aligned(
    mut part: FileDataset,
    part_at: &Path,
    (train, train_at): (&Arc<[String]>, &Path),
) -> Result<FileDataset, DataError> {
    let place = |class: &String| train.iter().position(|known| known == class).map(|place| place as u32);
    let places: Vec<Option<u32>> = part.classes.iter().map(place).collect();
    for (_, label) in &mut part.items {
        let at = *label as usize;
        let unknown = || DataError::ClassMismatch {
            class: part.classes[at].clone(),
            present: part_at.to_path_buf(),
            absent: train_at.to_path_buf(),
            near: nearest(&part.classes[at], train),
        };
        *label = places[at].ok_or_else(unknown)?;
    }
    part.classes = Arc::clone(train);
    Ok(part)
}

/// A note on the classes without image in a part.
pub(crate) fn missing_note(part: &dyn ClassificationDataset, name: &str) -> Option<String> {
    let mut seen = vec![false; part.class_names().len()];
    (0..part.len()).for_each(|index| seen[part.label(index) as usize] = true);
    let missing = part.class_names().iter().zip(seen).filter(|(_, seen)| !seen);
    let missing: Vec<String> = missing.map(|(class, _)| one_line(class)).collect();
    match missing.as_slice() {
        [] => None,
        [class] => Some(format!("class '{class}' has no image in the {name} part, so scores leave it out")),
        several => {
            let names = quoted(several);
            Some(format!("classes {names} have no image in the {name} part, so scores leave them out"))
        }
    }
}

/// [`aligned`] for the test part; `None` if it has no class of the training part. Test images are often published
/// without labels, which must not prevent training.
pub(crate) fn labeled_test(
    test: FileDataset,
    test_at: &Path,
    train: (&Arc<[String]>, &Path),
) -> Result<Option<Arc<dyn ClassificationDataset>>, DataError> {
    if !test.classes.iter().any(|class| train.0.contains(class)) {
        return Ok(None);
    }
    Ok(Some(Arc::new(aligned(test, test_at, train)?)))
}

/// Requires at least two classes with distinct names; one is enough for a trained model.
pub(crate) fn require_classes(names: &[String], root: &Path, options: &OpenOptions) -> Result<(), DataError> {
    if options.for_model {
        return Ok(());
    }
    if let [only] = names
        && let inside = root.join(only)
        && let Ok(folders) = subfolders(&inside)
        && folders.len() > 1
    {
        let problem = format!(
            "holds one folder, {only}/, with {} folders in it; if those are the classes or parts, give the path of {only}/",
            folders.len()
        );
        return Err(DataError::malformed(root, problem));
    }
    if let Some((a, b)) = same_value(names) {
        let kind = if a.chars().chain(b.chars()).any(char::is_alphabetic) { "value" } else { "number" };
        let problem = format!("the classes '{a}' and '{b}' are the same {kind}; write it in one way");
        return Err(DataError::malformed(root, problem));
    }
    if names.len() < 2 {
        return Err(DataError::TooFewClasses { path: root.to_path_buf(), classes: names.to_vec() });
    }
    let mut sorted: Vec<String> = names.iter().map(|name| composed(name)).collect();
    sorted.sort();
    match sorted.windows(2).find(|pair| pair[0] == pair[1]) {
        Some(pair) if pair[0].contains('\u{fffd}') => {
            let problem =
                format!("the names of two classes, '{}', differ only in bytes that are no UTF-8; rename them", pair[0]);
            Err(DataError::malformed(root, problem))
        }
        Some(pair) => {
            let problem = format!(
                "two classes are named '{}' and differ in Unicode form alone (composed and decomposed); merge or rename \
                 them",
                pair[0]
            );
            Err(DataError::malformed(root, problem))
        }
        None => Ok(()),
    }
}

/// The images of some units that are held out: of all images the share `share`, rounded, and at least one unit, but never the last.
/// The choice depends on the seed and the stream alone.
fn held_out(mut units: Vec<Vec<usize>>, share: f32, seed: u64, stream: u64) -> Vec<usize> {
    random::shuffle(&mut units, seed, stream, op::SPLIT);
    let images: usize = units.iter().map(Vec::len).sum();
    let wanted = ((images as f32 * share).round() as usize).max(1);
    let (mut held, mut kept) = (Vec::new(), units.len());
    for unit in units {
        if kept > 1 && (held.is_empty() || held.len() + unit.len() <= wanted) {
            held.extend(unit);
            kept -= 1;
        }
    }
    held
}

/// The two parts of a set that the seed divides.
pub(crate) struct Halves<T> {
    pub train: Vec<T>,
    pub val: Vec<T>,
    /// How the set was divided, in words.
    pub split: String,
}

/// Divides `items` in two. The share `val_split`, rounded, is held out: at least one item and never the last. The choice
/// depends on the seed alone. Both parts keep their order. Copies of one original stay together. An undivided set is both parts.
pub(crate) fn hold_out<T: Clone>(
    items: Vec<T>,
    path: impl Fn(&T) -> &Path,
    options: &SetOptions,
) -> Result<Halves<T>, DataError> {
    let share = options.checked_val_split()?;
    if options.undivided {
        return Ok(Halves { train: items.clone(), val: items, split: UNDIVIDED.into() });
    }
    let copies = Units::of(items.iter().map(|item| Some(path(item))), options.keep_copies);
    let split = by_seed(share, options.seed) + &copies.words();
    let mut is_held = vec![false; items.len()];
    held_out(copies.units, share, options.seed, 0).into_iter().for_each(|index| is_held[index] = true);
    let (val, train): (Vec<_>, Vec<_>) = items.into_iter().zip(is_held).partition(|(_, is_held)| *is_held);
    let strip = |part: Vec<(T, bool)>| part.into_iter().map(|(item, _)| item).collect();
    Ok(Halves { train: strip(train), val: strip(val), split })
}
