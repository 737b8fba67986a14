//! The loaders of a run's training and validation images, and what these images show of both parts.

use std::path::Path;
use std::sync::Arc;

use super::TrainError;
use super::settings::TrainSettings;
use crate::data::{Balance, Batch, Loader, LoaderOptions, Sampler, Source, one_line};
use crate::run::card::ModelCard;
use crate::run::resume::ImageOrder;
use crate::run::{PartPixels, Pixels};

/// Training and validation images.
pub(super) struct Loaders {
    /// Training images.
    pub train: Loader,
    /// Validation images.
    pub val: Loader,
    /// Whether the last batch of an epoch is dropped: a single image, on which BatchNorm cannot be trained.
    without_last: bool,
    /// The shares of the classes, if draws are balanced over them.
    line: Option<String>,
}

/// Classes whose shares a line names.
const NAMED: usize = 12;
/// Maximum number of images of each part whose pixels are compared, evenly spaced.
const SEEN: usize = 100;

/// Shares of the classes among the images and among the draws, as a line for the user.
fn shares(balance: &Balance, source: &dyn Source, classes: &[String]) -> String {
    let share = |(name, [before, after]): (&String, [f64; 2])| {
        format!("{} {:.1} % → {:.1} %", one_line(name), 100.0 * before, 100.0 * after)
    };
    let all = classes.iter().zip(balance.shares(source, classes.len())).map(share);
    let mut named: Vec<String> = all.take(NAMED).collect();
    if classes.len() > NAMED {
        named.push(format!("and {} more", classes.len() - NAMED));
    }
    format!("sampler: balanced, shares of the images → of the draws: {}", named.join(", "))
}

impl Loaders {
    /// The loaders of a training and a validation source.
    ///
    /// # Errors
    /// [`TrainError::NoClasses`] for balanced draws of samples without classes, or a batch size of 0.
    pub fn new(
        [train, val]: [Arc<dyn Source>; 2],
        settings: &TrainSettings,
        classes: &[String],
        without_last: bool,
    ) -> Result<Self, TrainError> {
        let balance = match settings.sampler {
            Sampler::All => None,
            Sampler::Balanced => Some(Arc::new(Balance::of(&*train).ok_or(TrainError::NoClasses)?)),
        };
        let loader = |source, shuffle, balance| {
            let options = LoaderOptions {
                shuffle,
                balance,
                threads: settings.loader_threads,
                ..LoaderOptions::new(settings.batch_size, settings.seed)
            };
            Loader::new(source, options)
        };
        let line = balance.as_ref().map(|balance| shares(balance, &*train, classes));
        Ok(Loaders {
            train: loader(train, settings.shuffle, balance)?,
            val: loader(val, false, None)?,
            without_last,
            line,
        })
    }

    /// Another loader of the validation images.
    ///
    /// # Errors
    /// A batch size of 0.
    pub fn validation(&self, settings: &TrainSettings) -> Result<Loader, TrainError> {
        let (source, usual) = (self.val.source().clone(), LoaderOptions::new(settings.batch_size, settings.seed));
        Ok(Loader::new(source, LoaderOptions { shuffle: false, threads: settings.loader_threads, ..usual })?)
    }

    /// The settings that decide the order of the training images.
    pub fn order(&self, settings: &TrainSettings) -> ImageOrder {
        ImageOrder {
            batch_size: settings.batch_size,
            images: self.train.source().len(),
            seed: settings.seed,
            shuffle: settings.shuffle,
            balanced: settings.sampler == Sampler::Balanced,
        }
    }

    /// Training batches of an epoch.
    pub fn batches(&self) -> usize {
        self.train.batches() - usize::from(self.without_last)
    }

    /// A line with the shares of the classes, if draws are balanced over them.
    pub fn line(&self) -> Option<&str> {
        self.line.as_deref()
    }

    /// Whether the last batch of an epoch is dropped.
    pub fn without_last(&self) -> bool {
        self.without_last
    }

    /// Training and validation images of each of `classes` classes.
    pub fn class_counts(&self, classes: usize) -> Option<Vec<[usize; 2]>> {
        let mut counts = vec![[0; 2]; classes];
        for (part, loader) in [&self.train, &self.val].into_iter().enumerate() {
            let source: &dyn Source = &**loader.source();
            for index in 0..source.len() {
                for class in source.classes_of(index)? {
                    counts.get_mut(class as usize)?[part] += 1;
                }
            }
        }
        Some(counts)
    }

    /// Pixels of both parts; `None` if pictures differ in size, or one cannot be read.
    pub fn part_pixels(&self, card: &ModelCard) -> Option<PartPixels> {
        if card.sees_own_pixels() {
            return None;
        }
        let part = |source: &dyn Source| {
            let step = source.len().div_ceil(SEEN).max(1);
            // One image at a time: large ones would fill the memory.
            let image = |index| Batch::load(source, &[index]).map_or_else(|_| vec![], |batch| batch.images);
            Pixels::of((0..source.len()).step_by(step).map(image))
        };
        let [training, validation] = [&self.train, &self.val].map(|loader| part(&**loader.source()));
        Some(PartPixels { training: training?, validation: validation? })
    }

    /// Path of the first validation image, if it is a file.
    pub fn example(&self) -> Option<String> {
        let first = self.val.source().identity(0)?;
        Path::new(&first.name).is_file().then_some(first.name)
    }
}
