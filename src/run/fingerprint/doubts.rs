//! Doubts about the images of a run: the same pixels in both parts, or with different labels.

use std::collections::{BTreeMap, BTreeSet};

use super::{DataPrint, ImagePrint, is_digest};
use crate::text::count_of;

impl DataPrint {
    /// A remark on validation images whose pixels are those of a training image. Only images in memory are compared.
    pub fn shared_images(&self) -> Option<String> {
        let pixels = |print: &ImagePrint| is_digest(&print.2).then(|| print.2.clone());
        let trained: BTreeSet<String> = self.training.each.iter().filter_map(pixels).collect();
        let is_shared = |print: &&ImagePrint| pixels(print).is_some_and(|digest| trained.contains(&digest));
        let shared: Vec<&ImagePrint> = self.validation.each.iter().filter(is_shared).collect();
        let first = shared.first()?;
        let have = if shared.len() == 1 { "has" } else { "have" };
        Some(format!(
            "{} of the {} validation images {have} the same pixels as a training image, such as {:?}: this makes the scores too good",
            shared.len(),
            self.validation.images,
            first.0
        ))
    }

    /// A remark on images with the same pixels that have different classes or masks. Only images in memory are compared.
    pub fn contradictions(&self) -> Option<String> {
        let mut first: BTreeMap<&str, &ImagePrint> = BTreeMap::new();
        let mut pairs = vec![];
        for print in self.training.each.iter().chain(&self.validation.each).filter(|print| is_digest(&print.2)) {
            let known = *first.entry(&print.2).or_insert(print);
            if known.1 != print.1 || known.3 != print.3 {
                pairs.push((known, print));
            }
        }
        let (known, other) = pairs.first()?;
        let labels = match known.1 == other.1 {
            true => "other masks".to_owned(),
            false => format!("other classes ({:?} and {:?})", known.1, other.1),
        };
        let have = if pairs.len() == 1 { "has" } else { "have" };
        Some(format!(
            "{} {have} the pixels of another and {labels}, such as {:?} and {:?}: correct or remove one of them",
            count_of(pairs.len(), "image"),
            known.0,
            other.0
        ))
    }
}

#[cfg(test)]
mod tests {
    use super::super::PartPrint;
    use super::super::tests::part;
    use super::*;

    #[test]
    fn validation_images_among_the_training_images_are_named() {
        let (one, two) = ("0011223344556677", "1011223344556677");
        let print = |validation| DataPrint { classes: vec![], training: part(&[("a", "cat", one)]), validation };
        let note = print(part(&[("v", "cat", one), ("w", "cat", two)])).shared_images().expect("a note");
        assert!(note.starts_with("1 of the 2 validation images") && note.contains("\"v\""), "{note}");
        assert_eq!(print(part(&[("w", "cat", two)])).shared_images(), None);
        // Equal lengths of files say nothing.
        let by_length = part(&[("a", "cat", "12345 bytes abc")]);
        let both = DataPrint { classes: vec![], training: by_length.clone(), validation: by_length };
        assert_eq!(both.shared_images(), None);
    }

    #[test]
    fn images_with_the_same_pixels_and_other_classes_or_masks_are_named() {
        let (one, two) = ("0011223344556677", "1011223344556677");
        let print = |training| DataPrint { classes: vec![], training, validation: part(&[]) };
        let note = print(part(&[("a", "cat", one), ("b", "cat", two), ("c", "dog", one)])).contradictions();
        let note = note.expect("a note");
        assert!(
            note.starts_with("1 image has the pixels of another and other classes (\"cat\" and \"dog\")"),
            "{note}"
        );
        assert_eq!(print(part(&[("a", "cat", one), ("b", "dog", two), ("c", "cat", one)])).contradictions(), None);
        let masked = |mask: &str| ImagePrint("m".into(), String::new(), one.into(), mask.into());
        let both = |masks: [&str; 2]| PartPrint { each: masks.map(masked).into(), ..part(&[]) };
        assert!(print(both([one, two])).contradictions().is_some_and(|note| note.contains("other masks")));
        assert_eq!(print(both([one, one])).contradictions(), None);
    }
}
