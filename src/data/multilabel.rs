//! Sets of images with several labels each, for multi-label classification.
//!
//! ```text
//! folders, rows ────► MultiLabelSplits ──► prepare ──► PreparedLabels ──► MultiLabelSource ──► Loader
//! scenes ───────────┘
//! ```

mod annotators;
mod brackets;
pub(crate) mod folders;
mod labels;
pub(crate) mod rows;
mod separator;
mod split;
mod table;

use std::path::Path;
use std::sync::Arc;

use image::RgbImage;

use super::dataset::{place_of, places};
use super::decisions::Decisions;
use super::names::{one_line, quoted};
use super::scenes::{SceneOptions, SeveralScenes};
use super::{DataError, ImageDataset, SampleDepth};

/// Images with a set of labels each. Indices run from 0 to `len() - 1`; a higher index may panic.
#[derive(Clone)]
pub struct MultiLabelSet {
    images: Arc<dyn ImageDataset>,
    classes: Arc<[String]>,
    items: Vec<Item>,
}

/// An image of a set.
#[derive(Debug, Clone)]
struct Item {
    /// Index in the images.
    image: usize,
    /// Its classes, ascending.
    labels: Vec<u32>,
}

impl MultiLabelSet {
    /// The images of `images` in their order, each with the indices of its classes in `classes`.
    ///
    /// # Panics
    /// Where the numbers of images and lists of labels differ, or a label is not an index into `classes`.
    pub fn new(images: Arc<dyn ImageDataset>, classes: Arc<[String]>, labels: Vec<Vec<u32>>) -> Self {
        assert_eq!(images.len(), labels.len(), "one list of labels an image");
        let item = |(image, mut labels): (usize, Vec<u32>)| {
            labels.sort_unstable();
            labels.dedup();
            assert!(
                labels.last().is_none_or(|&label| (label as usize) < classes.len()),
                "labels are below {}",
                classes.len()
            );
            Item { image, labels }
        };
        let items = labels.into_iter().enumerate().map(item).collect();
        Self { images, classes, items }
    }

    /// Number of images.
    pub fn len(&self) -> usize {
        self.items.len()
    }

    /// Whether there are no images.
    pub fn is_empty(&self) -> bool {
        self.items.is_empty()
    }

    /// Names of the classes; a label is an index into them.
    pub fn class_names(&self) -> &[String] {
        &self.classes
    }

    /// Classes of image `index`, ascending; empty if the image shows no class.
    pub fn labels(&self, index: usize) -> &[u32] {
        &self.items[index].labels
    }

    /// Image `index` at its native size, decoded by this call.
    ///
    /// # Errors
    /// [`DataError::BadImage`] with the fault.
    pub fn image(&self, index: usize) -> Result<RgbImage, DataError> {
        self.images.image(self.items[index].image)
    }

    /// Name of image `index` for messages.
    pub fn name(&self, index: usize) -> String {
        self.images.name(self.items[index].image)
    }

    /// Number of images of each class.
    pub fn positives(&self) -> Vec<usize> {
        let mut counts = vec![0; self.classes.len()];
        self.items.iter().flat_map(|item| &item.labels).for_each(|&label| counts[label as usize] += 1);
        counts
    }

    /// The images at `indices`, in the given order.
    fn subset(&self, indices: &[usize]) -> Self {
        Self { items: indices.iter().map(|&index| self.items[index].clone()).collect(), ..self.clone() }
    }

    /// How 16-bit samples are read, if the set may have any.
    pub fn depth(&self) -> Option<&SampleDepth> {
        self.images.depth()
    }

    /// The same images, with labels as indices into `classes`. The set may lack some of the classes. Names are compared
    /// in composed Unicode form.
    ///
    /// # Errors
    /// [`DataError::UnknownClasses`] if the set has a class that is not in `classes`.
    pub fn relabeled(&self, classes: &[String]) -> Result<Self, DataError> {
        let places = places(&self.classes, classes)?;
        let relabel = |item: &Item| {
            let mut labels: Vec<u32> = item.labels.iter().map(|&label| places[label as usize]).collect();
            labels.sort_unstable();
            Item { image: item.image, labels }
        };
        let items = self.items.iter().map(relabel).collect();
        Ok(Self { images: Arc::clone(&self.images), classes: classes.into(), items })
    }
}

/// Training, validation and optional test images with one class list.
#[derive(Clone)]
pub struct MultiLabelSplits {
    /// Images to train on.
    pub train: MultiLabelSet,
    /// Images that settings and thresholds are chosen by.
    pub val: MultiLabelSet,
    /// Images for the final evaluation.
    pub test: Option<MultiLabelSet>,
    /// Whether the validation part was split off by seed, because the data set has none.
    pub by_seed: bool,
    /// Name of the detected format.
    pub format: &'static str,
    /// Decisions about the set.
    pub decisions: Decisions,
}

impl std::fmt::Debug for MultiLabelSplits {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("MultiLabelSplits")
            .field("format", &self.format)
            .field("train", &self.train.len())
            .field("val", &self.val.len())
            .field("test", &self.test.as_ref().map(MultiLabelSet::len))
            .field("classes", &self.train.class_names())
            .finish()
    }
}

impl MultiLabelSplits {
    /// Drawn scenes with one to four kinds of object each, for training and validation.
    pub fn scenes(train: SceneOptions, val: SceneOptions) -> Self {
        let set = |options: SceneOptions| {
            let scenes = SeveralScenes::new(options);
            let labels =
                (0..options.count).map(|index| scenes.kinds(index).iter().map(|&kind| kind as u32).collect()).collect();
            MultiLabelSet::new(Arc::new(scenes), SeveralScenes::class_names(), labels)
        };
        let seed = train.seed;
        let (train, val) = (set(train), set(val));
        let decisions = Decisions::of_scenes(train.class_names(), seed);
        Self { train, val, test: None, by_seed: false, format: "built-in scenes", decisions }
    }

    /// The same images with the classes of a trained model; see [`Splits::aligned`](super::Splits::aligned).
    ///
    /// # Errors
    /// [`DataError::UnknownClasses`] if the data has a class that is not in `classes`.
    pub fn aligned(&self, classes: &[String]) -> Result<Self, DataError> {
        let part = |set: &MultiLabelSet| set.relabeled(classes);
        let test = self.test.as_ref().map(part).transpose()?;
        let missing = classes.iter().filter(|class| place_of(class, self.train.class_names()).is_none());
        let mut decisions = self.decisions.clone();
        decisions.notes.extend(missing.map(|class| format!("class '{}' of the model has no image", one_line(class))));
        Ok(Self { train: part(&self.train)?, val: part(&self.val)?, test, decisions, ..self.clone() })
    }

    /// Adds notes on images without labels, and on classes that validation images lack.
    pub(super) fn noted(mut self) -> Self {
        let parts = [("training", Some(&self.train)), ("validation", Some(&self.val)), ("test", self.test.as_ref())];
        for (name, set) in parts.into_iter().filter_map(|(name, set)| set.map(|set| (name, set))) {
            let bare = (0..set.len()).filter(|&index| set.labels(index).is_empty()).count();
            if bare > 0 {
                self.decisions.notes.push(format!(
                    "{bare} of {} {name} images have no label: none of the classes is in them",
                    set.len()
                ));
            }
            let absent: Vec<&str> = (set.positives().iter().zip(set.class_names()))
                .filter(|(positives, _)| **positives == 0)
                .map(|(_, class)| class.as_str())
                .collect();
            if !absent.is_empty() {
                let absent = quoted(&absent);
                self.decisions
                    .notes
                    .push(format!("labels without a {name} image, left out of that part's means: {absent}"));
            }
        }
        self
    }
}

/// Fails where a class has no training image, because it cannot be learned.
pub(super) fn require_every_class(train: &MultiLabelSet, path: &Path) -> Result<(), DataError> {
    match train.positives().iter().position(|&positives| positives == 0) {
        Some(class) => {
            let class = &train.class_names()[class];
            let problem = format!("no training image has the label '{class}'; add images with it or remove the class");
            Err(DataError::malformed(path, problem))
        }
        None => Ok(()),
    }
}
