//! The loaders of a run's training and validation images.

use std::sync::Arc;

use super::TrainError;
use super::settings::TrainSettings;
use crate::data::{Loader, LoaderOptions, Source};

/// Training and validation images.
pub(super) struct Loaders {
    /// Training images.
    pub train: Loader,
    /// Validation images.
    pub val: Loader,
    /// The last batch of an epoch is dropped: it is a single image, on which BatchNorm cannot be trained.
    without_last: bool,
}

impl Loaders {
    /// The loaders of a training and a validation source.
    pub fn new(
        [train, val]: [Arc<dyn Source>; 2],
        settings: &TrainSettings,
        without_last: bool,
    ) -> Result<Self, TrainError> {
        let loader = |source, shuffle| {
            let options = LoaderOptions {
                shuffle,
                threads: settings.loader_threads,
                ..LoaderOptions::new(settings.batch_size, settings.seed)
            };
            Loader::new(source, options)
        };
        Ok(Loaders { train: loader(train, settings.shuffle)?, val: loader(val, false)?, without_last })
    }

    /// Training batches of an epoch.
    pub fn batches(&self) -> usize {
        self.train.batches() - usize::from(self.without_last)
    }

    /// Whether the last batch of an epoch is dropped.
    pub fn without_last(&self) -> bool {
        self.without_last
    }
}
