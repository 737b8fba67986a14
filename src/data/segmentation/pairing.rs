//! Reads the marks of images and masks in the names of files: `x_mask`, `x_leftImg8bit`.

const MASK_SUFFIXES: [&str; 17] = [
    "labelids",
    "labeltrainids",
    "segmentation",
    "annotation",
    "groundtruth",
    "labels",
    "label",
    "masks",
    "mask",
    "annot",
    "anno",
    "ann",
    "lab",
    "seg",
    "gt",
    "l",
    "p",
];

/// Marks before the names of masks, and before those of their images.
const MASK_PREFIXES: [&str; 6] = ["mask", "gt", "label", "seg", "ann", "annotation"];
const IMAGE_PREFIXES: [&str; 4] = ["img", "image", "rgb", "photo"];

const IMAGE_SUFFIXES: [&str; 6] = ["leftimg8bit", "image", "img", "rgb", "sat", "photo"];

/// `stem` without one of `suffixes` after `_`, `-` or `.`; `None` if it has none. Suffixes of one letter count in upper
/// case only: `x_L`, not `x_l`.
fn without(stem: &str, suffixes: &[&str]) -> Option<String> {
    let at = stem.rfind(['_', '-', '.'])?;
    let (front, suffix) = (&stem[..at], &stem[at + 1..]);
    let known = suffixes.iter().any(|known| match known.len() {
        1 => suffix == known.to_uppercase(),
        _ => suffix.eq_ignore_ascii_case(known),
    });
    (known && !front.is_empty()).then(|| front.to_string())
}

/// `stem` of a mask without its mark; `None` if it has none. Where an image has several masks, all but one may have a
/// number: `x_mask`, `x_mask_1`.
pub(crate) fn mask_base(stem: &str) -> Option<String> {
    let marked = |stem: &str| {
        let base = without(stem, &MASK_SUFFIXES)?;
        Some(without(&base, &["gtFine", "gt"]).unwrap_or(base))
    };
    marked(stem).or_else(|| {
        let (front, number) = stem.rsplit_once(['_', '-'])?;
        let is_number = !number.is_empty() && number.bytes().all(|b| b.is_ascii_digit());
        if is_number { marked(front) } else { None }
    })
}

/// The names that the image of a mask with a mark in front may have: `0`, `img_0`, … for `mask_0`.
pub(crate) fn bases_of_prefixed(stem: &str) -> Vec<String> {
    let Some(at) = stem.find(['_', '-', '.']) else { return Vec::new() };
    let (prefix, rest) = (&stem[..at], &stem[at + 1..]);
    if !MASK_PREFIXES.iter().any(|known| prefix.eq_ignore_ascii_case(known)) || rest.is_empty() {
        return Vec::new();
    }
    let marked = IMAGE_PREFIXES.iter().map(|image| format!("{image}{}", &stem[at..]));
    std::iter::once(rest.to_owned()).chain(marked).collect()
}

/// `stem` of an image without its mark.
pub(crate) fn image_base(stem: &str) -> String {
    without(stem, &IMAGE_SUFFIXES).unwrap_or_else(|| stem.to_string())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn marks_are_removed() {
        assert_eq!(mask_base("x_L"), Some("x".into()));
        assert_eq!(mask_base("x_l"), None);
        assert_eq!(mask_base("x-mask"), Some("x".into()));
        assert_eq!(mask_base("x (2)_mask_1"), Some("x (2)".into()));
        assert_eq!(mask_base("x_1"), None);
        assert_eq!(mask_base("x_gtFine_labelIds"), Some("x".into()));
        assert_eq!(bases_of_prefixed("GT_0")[..2], ["0", "img_0"]);
        assert_eq!(bases_of_prefixed("x_0"), [""; 0]);
        assert_eq!(image_base("x_leftImg8bit"), "x");
        assert_eq!(image_base("x_y"), "x_y");
    }
}
