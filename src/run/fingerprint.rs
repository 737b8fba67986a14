//! Fingerprint of the data of a run. It detects changed data and names the changed images.
//!
//! | of an image | compared |
//! |---|---|
//! | its name below the folder of the data | always |
//! | its classes by name; its mask's name | always |
//! | digest of the resized image and mask | where images are in memory |
//! | digest of image and mask at their own size | where all were read before training |
//! | length of its file and its mask's in bytes | where they are files that are not in memory |
//!
//! Times of files are not compared: a copy of a data set is the same data set.

mod changes;
mod doubts;

use std::collections::BTreeSet;
use std::fs;
use std::path::{MAIN_SEPARATOR, Path};

use rayon::prelude::*;
use serde::{Deserialize, Serialize};

use crate::data::{Identity, Source, digest};

/// Largest number of images that have a fingerprint each. These fingerprints name the changed images.
const MAX_NAMED: usize = 50_000;
/// Fingerprint of the training and validation images of a run.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct DataPrint {
    /// Names of the outputs, in their order.
    pub classes: Vec<String>,
    /// Training images.
    pub training: PartPrint,
    /// Validation images.
    pub validation: PartPrint,
}

/// A part of a data set.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct PartPrint {
    /// Number of images.
    pub images: usize,
    /// Digest of the input of the network, in order, as 16 hexadecimal digits.
    pub content: String,
    /// Digest of names, classes and files, without the image size. Runs with equal digests can be compared.
    pub set: String,
    /// Whether images were not in memory. `content` then has the lengths of their files.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub by_length: bool,
    /// Digest of all images and masks at their own size. Empty where not all were read before training, and in files of earlier
    /// versions.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub own: String,
    /// Digest of each image with its mask at their own size, for the images of `each`.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub each_own: Vec<String>,
    /// Fingerprint of each image; empty for more than 50,000 images.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub each: Vec<ImagePrint>,
}

/// An image: name, classes, digest of its picture, digest of its mask.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ImagePrint(String, String, String, String);

/// The images that a trained model is evaluated on.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum EvaluatedOn {
    /// The validation part of the run's data.
    Validation,
    /// Another part of the run's data.
    OtherPart,
    /// Other data.
    OtherData,
}

impl DataPrint {
    /// The fingerprint of training and validation images; `root` is the folder of the data, or a table in it.
    pub fn of(classes: &[String], [training, validation]: [&dyn Source; 2], root: Option<&Path>) -> Self {
        let folder = root.map(folder_of);
        let part = |source| PartPrint::of(source, folder);
        DataPrint { classes: classes.to_vec(), training: part(training), validation: part(validation) }
    }

    /// The fingerprint without those of single images, for `run.json`.
    pub fn summary(&self) -> Self {
        let part = |part: &PartPrint| PartPrint { each: vec![], each_own: vec![], ..part.clone() };
        DataPrint { classes: self.classes.clone(), training: part(&self.training), validation: part(&self.validation) }
    }

    /// Remarks on the images that a model of this run is evaluated on: images that trained it, and differences to the validation
    /// images of the run.
    pub fn remarks(&self, now: &PartPrint, from: EvaluatedOn) -> Vec<String> {
        let is_own = from != EvaluatedOn::OtherData;
        let names: BTreeSet<&str> = self.training.each.iter().map(|print| print.0.as_str()).collect();
        let digests = self.training.each.iter().map(|print| print.2.as_str()).filter(|text| is_digest(text));
        let digests: BTreeSet<&str> = digests.collect();
        let trained = |print: &&ImagePrint| (is_own && names.contains(&*print.0)) || digests.contains(&*print.2);
        let trained: Vec<&ImagePrint> = now.each.iter().filter(trained).collect();
        let mut remarks = vec![];
        if let Some(first) = trained.first() {
            remarks.push(format!(
                "{} of these {} images trained the model, such as {:?}: scores on them say nothing about new images",
                trained.len(),
                now.images,
                first.0
            ));
        }
        if from == EvaluatedOn::Validation {
            let words = self.validation.difference_in_any_size(now).join("; ");
            if !words.is_empty() {
                remarks.push(format!("the validation images are not those of the run: {words}"));
            }
        }
        remarks
    }

    /// Whether images are the validation images of the run, by names, classes and lengths of files: its data set at another place.
    #[cfg(feature = "tasks")]
    pub(crate) fn validated_on(&self, now: &PartPrint) -> bool {
        self.validation.set == now.set
    }

    /// Differences to the present data, in words.
    pub fn changes(&self, now: &DataPrint) -> Vec<String> {
        let mut changes = vec![];
        if self.classes != now.classes {
            changes.push(format!("the classes were {:?} and are {:?}", self.classes, now.classes));
        }
        for (part, before, now) in
            [("training", &self.training, &now.training), ("validation", &self.validation, &now.validation)]
        {
            if before.differs(now) {
                changes.push(format!("{part} images: {}", before.difference(now).join("; ")));
            }
        }
        changes
    }
}

impl PartPrint {
    /// The fingerprint of images with names relative to `root`, the folder of the data or a table in it.
    #[cfg(feature = "tasks")]
    pub(crate) fn below(source: &dyn Source, root: Option<&Path>) -> Self {
        Self::of(source, root.map(folder_of))
    }

    fn of(source: &dyn Source, folder: Option<&Path>) -> Self {
        let images = source.len();
        let first = (images > 0).then(|| source.identity(0)).flatten();
        let by_length = first.is_some_and(|first| first.image_digest.is_none());
        let read = |index| {
            let identity = source.identity(index)?;
            Some((print(&identity, folder), identity.own_digest.map(|digest| format!("{digest:016x}"))))
        };
        let each: Option<Vec<_>> = (0..images).into_par_iter().map(read).collect();
        let (each, each_own): (Vec<(ImagePrint, [u64; 2])>, Vec<Option<String>>) =
            each.unwrap_or_default().into_iter().unzip();
        let each_own: Vec<String> = each_own.into_iter().collect::<Option<_>>().unwrap_or_default();
        let all = |text: &dyn Fn(&(ImagePrint, [u64; 2])) -> String| {
            format!("{:016x}", digest(each.iter().map(text).collect::<Vec<_>>().join("\n").as_bytes()))
        };
        let content = all(&|(ImagePrint(name, label, image, mask), _)| format!("{name}\t{label}\t{image}\t{mask}"));
        let set = all(&|(ImagePrint(name, label, ..), files)| format!("{name}\t{label}\t{files:?}"));
        let own = if each_own.is_empty() {
            String::new()
        } else {
            format!("{:016x}", digest(each_own.join("\n").as_bytes()))
        };
        let each = each.into_iter().map(|(print, _)| print);
        let (each, each_own) = if images <= MAX_NAMED { (each.collect(), each_own) } else { (vec![], vec![]) };
        PartPrint { images, content, set, by_length, own, each_own, each }
    }

    /// Whether images differ. Without digests of pixels on both sides, the lengths of the files decide.
    fn differs(&self, now: &PartPrint) -> bool {
        let is_same = self.content == now.content || (self.by_length || now.by_length) && self.set == now.set;
        self.images != now.images || !is_same || self.differs_at_own_size(now)
    }

    /// Whether pixels differ at the images' own sizes. False if a fingerprint lacks their digest.
    fn differs_at_own_size(&self, now: &PartPrint) -> bool {
        !self.own.is_empty() && !now.own.is_empty() && self.own != now.own
    }
}

/// Whether a text is a digest of pixels, not a length.
fn is_digest(text: &str) -> bool {
    text.len() == 16
}

/// The folder of a data set, or of a table in it.
fn folder_of(root: &Path) -> &Path {
    if root.is_file() { root.parent().unwrap_or(root) } else { root }
}

/// Fingerprint of an image, and the lengths of its file and its mask file in bytes.
fn print(identity: &Identity, folder: Option<&Path>) -> (ImagePrint, [u64; 2]) {
    let length = |name: &str| fs::metadata(name).ok().filter(fs::Metadata::is_file).map_or(0, |file| file.len());
    let files = [length(&identity.name), identity.mask.as_deref().map_or(0, length)];
    let below = |name: &str| {
        let below = folder.and_then(|folder| Path::new(name).strip_prefix(folder).ok()).and_then(Path::to_str);
        // The same on every system.
        below.unwrap_or(name).replace(MAIN_SEPARATOR, "/")
    };
    let text = |digest: Option<u64>, length: u64| match digest {
        Some(digest) => format!("{digest:016x}"),
        None => format!("{length} bytes"),
    };
    let mask = match &identity.mask {
        Some(_) => text(identity.mask_digest, files[1]),
        None => String::new(),
    };
    (ImagePrint(below(&identity.name), identity.label.clone(), text(identity.image_digest, files[0]), mask), files)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn empty() -> PartPrint {
        PartPrint {
            images: 0,
            content: String::new(),
            set: String::new(),
            by_length: false,
            own: String::new(),
            each_own: vec![],
            each: vec![],
        }
    }

    /// A part of images with name, class and digest.
    pub(super) fn part(images: &[(&str, &str, &str)]) -> PartPrint {
        let each: Vec<_> = images
            .iter()
            .map(|(name, label, content)| ImagePrint((*name).into(), (*label).into(), (*content).into(), String::new()))
            .collect();
        PartPrint { images: each.len(), content: format!("{each:?}"), each, ..empty() }
    }

    #[test]
    fn a_set_that_is_no_longer_in_memory_is_the_same_by_its_lengths() {
        let with = |content: &str, set: &str, by_length| PartPrint {
            set: set.into(),
            by_length,
            ..part(&[("a", "cat", content)])
        };
        let before = with("0011223344556677", "names and lengths", false);
        let now = |content: &str, set: &str| with(content, set, true);
        assert!(!before.differs(&now("5 bytes", "names and lengths")));
        assert!(before.differs(&now("6 bytes", "other lengths")));
        assert_eq!(before.difference(&now("6 bytes", "other lengths")), ["not the same as before"]);
        // The digests of pixels differ, though the lengths of the files are equal.
        assert!(before.differs(&with("1011223344556677", "names and lengths", false)));
    }

    #[test]
    fn classes_parts_and_masks_are_compared() {
        let print = |classes: &[&str], training: PartPrint| DataPrint {
            classes: classes.iter().map(ToString::to_string).collect(),
            training,
            validation: part(&[("v", "cat", "1")]),
        };
        let before = print(&["cat", "dog"], part(&[("a", "cat", "1")]));
        assert!(before.changes(&before.clone()).is_empty());
        let changes = before.changes(&print(&["dog", "cat"], part(&[("a", "cat", "2")])));
        assert_eq!(changes.len(), 2, "{changes:?}");
        assert!(changes[0].contains(r#"["cat", "dog"]"#) && changes[0].contains(r#"["dog", "cat"]"#), "{changes:?}");
        assert!(changes[1].starts_with("training images: ") && changes[1].contains("pixels"), "{changes:?}");
        let masked = |mask: &str| {
            let each = vec![ImagePrint("a".into(), String::new(), "1".into(), mask.into())];
            PartPrint { images: 1, content: mask.into(), each, ..empty() }
        };
        let difference = masked("1").difference(&masked("2"));
        assert!(
            difference.len() == 1 && difference[0].contains("mask") && difference[0].contains("\"a\""),
            "{difference:?}"
        );
    }

    #[test]
    fn files_that_are_not_in_memory_are_known_by_their_lengths() {
        let folder = tempfile::tempdir().expect("a folder");
        fs::create_dir(folder.path().join("b")).expect("a folder");
        let path = folder.path().join("b").join("a.png");
        fs::write(&path, "12345").expect("writes");
        let identity = Identity { name: path.display().to_string(), label: "cat".into(), ..Identity::default() };
        let (ImagePrint(name, label, image, mask), files) = print(&identity, Some(folder.path()));
        assert_eq!([&*name, &*label, &*image, &*mask], ["b/a.png", "cat", "5 bytes", ""]);
        assert_eq!(files, [5, 0]);
    }
}
