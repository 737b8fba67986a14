//! Street scenes as a data set: with masks for segmentation, without for colorization.

use std::sync::Arc;

use image::{GrayImage, RgbImage};

use super::street;
use crate::data::scenes::{Drawing, Label, Light, StreetOptions};
use crate::data::{
    BadImage, ClassList, DataError, Decisions, IGNORED, ImageDataset, ImageProblem, ImageSplits, SegmentationDataset,
    SegmentationSplits,
};
use crate::random::{op, word};

/// Names and colors of the classes.
const CLASSES: [(&str, [u8; 3]); 12] = [
    ("sky", [90, 150, 220]),
    ("cloud", [235, 235, 245]),
    ("building", [128, 70, 50]),
    ("window", [60, 220, 220]),
    ("road", [110, 80, 120]),
    ("marking", [250, 250, 120]),
    ("pavement", [230, 150, 200]),
    ("tree", [60, 140, 40]),
    ("car", [30, 30, 170]),
    ("person", [220, 30, 60]),
    ("street light", [250, 160, 30]),
    ("sign", [160, 30, 200]),
];

/// The classes of street scenes.
pub fn street_classes() -> ClassList {
    ClassList::of(&CLASSES, "nothing", "the built-in street scenes")
}

/// Class of a shape's label as an index into [`street_classes`]. Labels that streets do not have are ignored.
fn class_of(label: u8) -> u8 {
    const CLASS_LABELS: [&[Label]; 12] = [
        &[Label::Sky],
        &[Label::Cloud],
        &[Label::Building, Label::House],
        &[Label::Window],
        &[Label::Road],
        &[Label::Marking],
        &[Label::Sidewalk],
        &[Label::Tree],
        &[Label::Car, Label::Bus],
        &[Label::Person],
        &[Label::StreetLight, Label::TrafficLight],
        &[Label::TrafficSign],
    ];
    let class = CLASS_LABELS.iter().position(|labels| labels.iter().any(|&known| known as u8 == label));
    class.map_or(IGNORED, |class| class as u8)
}

/// Street scenes in any number and size. Scene `index` is a function of seed and index. At another size of the same
/// proportions it is the same scene.
#[derive(Debug, Clone)]
pub struct StreetDataset {
    options: StreetOptions,
    classes: ClassList,
}

impl StreetDataset {
    /// Scenes of this seed, number and size.
    pub fn new(options: StreetOptions) -> Self {
        Self { options, classes: street_classes() }
    }

    fn scene(&self, index: usize) -> (Drawing, Light) {
        let StreetOptions { seed, height, width, .. } = self.options;
        street(seed, index as u64, width as f32 / height.max(1) as f32)
    }

    fn title(&self, index: usize) -> String {
        format!("street #{index} of seed {}", self.options.seed)
    }

    fn picture(&self, index: usize) -> RgbImage {
        let (scene, light) = self.scene(index);
        let mut picture = scene.colors(self.options.width, self.options.height);
        light.apply(&mut picture);
        picture
    }
}

/// Streets of each part. No scene is in two parts.
fn parts(seed: u64, counts: [usize; 3], (height, width): (u32, u32)) -> [Arc<StreetDataset>; 3] {
    [0, 1, 2].map(|part| {
        let seed = word(seed, 0, part as u64, op::SPLIT);
        Arc::new(StreetDataset::new(StreetOptions { seed, count: counts[part], height, width }))
    })
}

const FORMAT: &str = "built-in street scenes";

impl SegmentationSplits {
    /// Built-in streets with masks: `[train, val, test]` scenes of `size` = (height, width). 0 test scenes give no test
    /// part. No scene is in two parts.
    pub fn streets(seed: u64, counts: [usize; 3], size: (u32, u32)) -> Self {
        let [train, val, test] = parts(seed, counts, size);
        let test = (counts[2] > 0).then_some(test as Arc<dyn SegmentationDataset>);
        let classes = street_classes();
        let ignored = Some(classes.ignored.clone());
        let decisions = Decisions { ignored, ..Decisions::of_scenes(&classes.names, seed) };
        Self { train, val, test, by_seed: false, format: FORMAT, left_out: Vec::new(), decisions }
    }
}

impl ImageSplits {
    /// Built-in streets to colorize: the scenes of [`SegmentationSplits::streets`].
    pub fn streets(seed: u64, counts: [usize; 3], size: (u32, u32)) -> Self {
        let [train, val, test] = parts(seed, counts, size);
        let test = (counts[2] > 0).then_some(test as Arc<dyn ImageDataset>);
        Self { train, val, test, by_seed: false, format: FORMAT, decisions: Decisions::of_scenes(&[], seed) }
    }
}

impl SegmentationDataset for StreetDataset {
    fn len(&self) -> usize {
        self.options.count
    }

    fn classes(&self) -> &ClassList {
        &self.classes
    }

    fn name(&self, index: usize) -> String {
        self.title(index)
    }

    fn image(&self, index: usize) -> Result<RgbImage, DataError> {
        Ok(self.picture(index))
    }

    fn mask(&self, index: usize) -> Result<GrayImage, DataError> {
        let StreetOptions { height, width, .. } = self.options;
        let labels = self.scene(index).0.labels(width, height);
        let ids = labels.into_iter().map(class_of).collect();
        GrayImage::from_raw(width, height, ids).ok_or_else(|| {
            let problem = ImageProblem::Damaged(format!("no scene of {width}x{height} pixels can be drawn"));
            DataError::BadImage(BadImage { image: self.title(index), problem })
        })
    }
}

impl ImageDataset for StreetDataset {
    fn len(&self) -> usize {
        self.options.count
    }

    fn name(&self, index: usize) -> String {
        self.title(index)
    }

    fn image(&self, index: usize) -> Result<RgbImage, DataError> {
        Ok(self.picture(index))
    }
}
