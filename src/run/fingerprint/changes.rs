//! Differences between two parts of a data set, in words that name images.

use std::collections::{BTreeMap, BTreeSet};

use super::{ImagePrint, PartPrint, is_digest};

/// Number of images that a message names per kind of change.
const SHOWN: usize = 3;

impl PartPrint {
    /// The images whose pixels or masks differ at their own size.
    fn others_at_own_size(&self, now: &PartPrint) -> BTreeSet<String> {
        let own = |part: &PartPrint| -> BTreeMap<String, String> {
            part.each.iter().map(|print| print.0.clone()).zip(part.each_own.iter().cloned()).collect()
        };
        let before = own(self);
        let differs = |(name, digest): &(String, String)| before.get(name).is_some_and(|known| known != digest);
        own(now).into_iter().filter(differs).map(|(name, _)| name).collect()
    }

    /// Differences to a part whose images may have another size, in words. Digests of pixels depend on the size, so they are compared
    /// only if some are equal. The lengths of files are always compared.
    pub(super) fn difference_in_any_size(&self, now: &PartPrint) -> Vec<String> {
        let is_of_one_size = |digest: fn(&ImagePrint) -> &String| {
            let old: BTreeSet<(&str, &String)> =
                self.each.iter().map(|print| (print.0.as_str(), digest(print))).collect();
            now.each.iter().any(|print| old.contains(&(print.0.as_str(), digest(print))))
        };
        let (pixels, masks) = (is_of_one_size(|print| &print.2), is_of_one_size(|print| &print.3));
        let comparable = |part: &PartPrint| {
            let keep = |digest: &String, kept: bool| if kept { digest.clone() } else { String::new() };
            let print = |ImagePrint(name, label, image, mask): &ImagePrint| {
                ImagePrint(name.clone(), label.clone(), keep(image, pixels), keep(mask, masks))
            };
            PartPrint { each: part.each.iter().map(print).collect(), ..part.clone() }
        };
        let (before, now) = (comparable(self), comparable(now));
        let is_listed = !before.each.is_empty() && !now.each.is_empty();
        let differs = before.each != now.each || before.differs_at_own_size(&now);
        match (is_listed && differs, before.set != now.set) {
            (true, _) => before.difference(&now),
            (false, true) if is_listed => vec!["their files have other lengths".into()],
            (false, true) => before.difference(&now),
            (false, false) => vec![],
        }
    }

    /// Differences of a part, in words.
    pub(super) fn difference(&self, now: &PartPrint) -> Vec<String> {
        let counts = format!("there were {} and are {}", self.images, now.images);
        if self.each.is_empty() || now.each.is_empty() {
            return vec![if self.images == now.images { "not the same as before".into() } else { counts }];
        }
        let by_name = |part: &PartPrint| -> BTreeMap<String, ImagePrint> {
            part.each.iter().map(|print| (print.0.clone(), print.clone())).collect()
        };
        let (old, new) = (by_name(self), by_name(now));
        let both = || old.iter().filter_map(|(name, print)| Some((name, print, new.get(name)?)));
        let quoted = |name: &String| format!("{name:?}");
        // A digest and a length cannot be compared.
        let differ = |a: &str, b: &str| a != b && is_digest(a) == is_digest(b);
        let small: BTreeSet<&String> =
            both().filter(|(_, a, b)| differ(&a.2, &b.2) || differ(&a.3, &b.3)).map(|(name, ..)| name).collect();
        let own = self.others_at_own_size(now);
        let kinds = [
            ("added", new.keys().filter(|name| !old.contains_key(*name)).map(quoted).collect::<Vec<_>>()),
            ("removed", old.keys().filter(|name| !new.contains_key(*name)).map(quoted).collect()),
            (
                "of another class",
                both()
                    .filter(|(_, a, b)| a.1 != b.1)
                    .map(|(name, a, b)| format!("{name:?} ({:?}, now {:?})", a.1, b.1))
                    .collect(),
            ),
            (
                "with another mask",
                both().filter(|(_, a, b)| differ(&a.3, &b.3)).map(|(name, ..)| quoted(name)).collect(),
            ),
            (
                "with other pixels",
                both().filter(|(_, a, b)| differ(&a.2, &b.2)).map(|(name, ..)| quoted(name)).collect(),
            ),
            (
                "with other pixels, or another mask, at their own size",
                own.iter().filter(|name| !small.contains(name)).map(quoted).collect(),
            ),
        ];
        let mut words: Vec<String> = kinds.iter().filter(|(_, names)| !names.is_empty()).map(in_words).collect();
        if words.is_empty() {
            let has_order = self.by_length == now.by_length;
            words.push(match (self.images == now.images, has_order) {
                (true, true) => "in another order".into(),
                (true, false) => "not the same as before".into(),
                (false, _) => counts,
            });
        }
        words
    }
}

/// `2 added: "a.png", "b.png"`.
fn in_words((kind, names): &(&str, Vec<String>)) -> String {
    let more = if names.len() > SHOWN { format!(" and {} more", names.len() - SHOWN) } else { String::new() };
    format!("{} {kind}: {}{more}", names.len(), names[..names.len().min(SHOWN)].join(", "))
}

#[cfg(test)]
mod tests {
    use super::super::tests::part;
    use super::*;

    /// An edit between the pixels of the small copy changes the scores at the masks' own sizes.
    #[test]
    fn edits_at_the_own_size_are_named() {
        let with = |digests: [&str; 2]| PartPrint {
            own: digests.concat(),
            each_own: digests.map(String::from).into(),
            ..part(&[("a", "cat", "0011223344556677"), ("b", "dog", "1011223344556677")])
        };
        let before = with(["1", "2"]);
        assert!(!before.differs(&before.clone()));
        assert!(before.differs(&with(["1", "3"])));
        let words = "1 with other pixels, or another mask, at their own size: \"b\"";
        assert_eq!(before.difference(&with(["1", "3"])), [words]);
        assert_eq!(before.difference_in_any_size(&with(["1", "3"])), [words]);
        // A run of an earlier version has no such digests.
        let old = PartPrint { own: String::new(), each_own: vec![], ..before.clone() };
        assert!(!old.differs(&with(["1", "3"])) && !with(["1", "3"]).differs(&old));
        assert!(old.difference_in_any_size(&with(["1", "3"])).is_empty());
    }

    #[test]
    fn each_kind_of_change_is_named() {
        let before = part(&[("a", "cat", "1"), ("b", "cat", "2"), ("c", "dog", "3")]);
        let words = |now: &[(&str, &str, &str)]| before.difference(&part(now)).join("; ");
        assert_eq!(words(&[("a", "cat", "1"), ("c", "dog", "3")]), "1 removed: \"b\"");
        assert_eq!(
            words(&[("a", "dog", "1"), ("b", "cat", "2"), ("c", "dog", "3")]),
            "1 of another class: \"a\" (\"cat\", now \"dog\")"
        );
        assert_eq!(words(&[("a", "cat", "9"), ("b", "cat", "2"), ("c", "dog", "3")]), "1 with other pixels: \"a\"");
        assert_eq!(words(&[("b", "cat", "2"), ("a", "cat", "1"), ("c", "dog", "3")]), "in another order");
        let many: Vec<_> = ["p", "q", "r", "s"].map(|name| (name, "cat", "5")).into();
        assert_eq!(words(&many), "4 added: \"p\", \"q\", \"r\" and 1 more; 3 removed: \"a\", \"b\", \"c\"");
    }

    /// Digests depend on the image size, so differing digests of all images say nothing. Lengths of files do not depend
    /// on it.
    #[test]
    fn changed_images_are_found_at_another_size_too() {
        let images = |digests: [&str; 2], set: &str| PartPrint {
            set: set.into(),
            ..part(&[("a", "cat", digests[0]), ("b", "dog", digests[1])])
        };
        let (one, two, three) = ("0011223344556677", "1011223344556677", "2011223344556677");
        let before = images([one, two], "lengths");
        let words = |now: &PartPrint| before.difference_in_any_size(now).join("; ");
        assert_eq!(words(&before), "");
        assert_eq!(words(&images([one, three], "lengths")), "1 with other pixels: \"b\"");
        assert_eq!(words(&images([three, one], "lengths")), "", "another size");
        assert_eq!(words(&images([three, one], "others")), "their files have other lengths");
        assert_eq!(
            words(&part(&[("a", "dog", three), ("b", "dog", one)])),
            "1 of another class: \"a\" (\"cat\", now \"dog\")"
        );
    }
}
