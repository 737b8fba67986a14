//! Lists of parts.

use std::path::Path;

use shadegrad::data::{SetOptions, Why, open_images, open_segmentation};

use super::{NAMES, pairs, segmentation, stripes, write};
use crate::{class_folders, open, refused, temp};

fn stems(set: &dyn shadegrad::data::SegmentationDataset) -> Vec<String> {
    let stem = |i| Path::new(&set.name(i)).file_stem().unwrap().to_string_lossy().into_owned();
    (0..set.len()).map(stem).collect()
}

/// An existing list divides the set, with any form of names and in any encoding.
#[test]
fn lists_divide_a_set_in_every_form_of_names_and_encoding() {
    let line = |form: &str, name: &str| form.replace("{}", name);
    let utf16 = |text: &str| [0xFEFF].into_iter().chain(text.encode_utf16()).flat_map(u16::to_le_bytes).collect();
    let encodings: [fn(&str) -> Vec<u8>; 3] = [
        |text| text.as_bytes().to_vec(),
        |text| format!("\u{feff}{}", text.replace('\n', "\r\n")).into_bytes(),
        |_| vec![],
    ];
    for form in [
        "{}",
        "{}.png",
        "images/{}.png",
        "images/{}.png masks/{}.png",
        "images/{}.png,masks/{}.png",
        "/a/b/images/{}.png",
    ] {
        for (which, encode) in encodings.iter().enumerate() {
            let dir = temp();
            pairs(dir.path(), NAMES, |_| stripes(&[0, 1, 2]));
            for (part, names) in [("train", &NAMES[2..]), ("val", &NAMES[..2])] {
                let text: String = names.iter().map(|name| line(form, name) + "\n").collect();
                let bytes = if which == 2 { utf16(&text) } else { encode(&text) };
                write(&dir.path().join(format!("{part}.txt")), bytes);
            }
            let splits = segmentation(dir.path()).unwrap_or_else(|e| panic!("{form}: {e}"));
            assert_eq!(
                (stems(&*splits.train), stems(&*splits.val)),
                (NAMES[2..].map_strings(), NAMES[..2].map_strings()),
                "{form}"
            );
            assert_eq!(splits.decisions.lists, ["train.txt", "val.txt"]);
        }
    }
    let dir = temp();
    pairs(dir.path(), NAMES, |_| stripes(&[0, 1, 2]));
    write(&dir.path().join("train.txt"), "im 0\nim 1\nim 9\n");
    write(&dir.path().join("val.txt"), "im 2\n");
    refused(segmentation(dir.path()).map(|_| ()), &["train.txt, line 3", "'im 9'"]);
    write(&dir.path().join("train.txt"), "im 0\nim 1\n");
    let splits = segmentation(dir.path()).unwrap();
    let unlisted: Vec<_> = splits.decisions.left_out.iter().filter(|one| one.why == Why::InNoList).collect();
    assert_eq!(unlisted.len(), 3);
    write(&dir.path().join("val.txt"), b"caf\xe9\n");
    refused(segmentation(dir.path()).map(|_| ()), &["val.txt", "line 1 is not UTF-8"]);
}

trait MapStrings {
    fn map_strings(&self) -> Vec<String>;
}

impl MapStrings for [&str] {
    fn map_strings(&self) -> Vec<String> {
        self.iter().map(ToString::to_string).collect()
    }
}

#[test]
fn lists_divide_every_kind_of_set() {
    let dir = temp();
    class_folders(dir.path(), &["a", "b"], 4);
    write(&dir.path().join("train.txt"), "a/0.png\na/1\nb/0.png 1\nb/1.png 1\n");
    write(&dir.path().join("val.txt"), "a/2.png\nb/2.png\n");
    let splits = open(dir.path()).unwrap();
    assert_eq!((splits.train.len(), splits.val.len(), splits.by_seed), (4, 2, false));
    assert_eq!((0..4).map(|i| splits.train.label(i)).collect::<Vec<_>>(), [0, 0, 1, 1]);
    let images = open_images(dir.path(), &SetOptions::default()).unwrap();
    assert_eq!((images.train.len(), images.val.len()), (4, 2), "the same lists, whose labels do not matter");
    write(&dir.path().join("train.txt"), "a/0.png\nb/9.png 1\n");
    let images = open_images(dir.path(), &SetOptions::default());
    refused(images.map(|_| ()), &["train.txt, line 2", "'b/9.png 1' names no image"]);
    write(&dir.path().join("train.txt"), "a/0.png\nb/3\n");
    let images = open_images(dir.path(), &SetOptions::default()).unwrap();
    assert_eq!((images.train.len(), images.val.len()), (2, 2));
    write(&dir.path().join("val.txt"), "2.png\n");
    refused(open(dir.path()).map(|_| ()), &["val.txt, line 1", "may be a/2.png or b/2.png"]);
}

/// No image is silently taken out of one list because another one names it too.
#[test]
fn lists_that_contradict_each_other_are_refused() {
    let both = |dir: &Path| {
        write(&dir.join("train.txt"), "im 0\nim 1\nim 2\nim 3\n");
        write(&dir.join("val.txt"), "im 3\nim 4\nim 5\n");
    };
    let dir = temp();
    pairs(dir.path(), NAMES, |_| stripes(&[0, 1]));
    both(dir.path());
    refused(segmentation(dir.path()).map(|_| ()), &["im 3.png", "train part", "val part", "train.txt, val.txt"]);
    let splits = open_segmentation(dir.path(), &SetOptions { skip_bad: true, ..SetOptions::default() });
    let splits = splits.unwrap();
    assert_eq!((splits.train.len(), splits.val.len()), (3, 2), "the image of both lists is left out of both");

    let dir = temp();
    class_folders(dir.path(), &["a", "b"], 4);
    let names = |numbers: std::ops::Range<usize>| -> String {
        ["a", "b"].iter().flat_map(|class| numbers.clone().map(move |n| format!("{class}/{n}.png\n"))).collect()
    };
    write(&dir.path().join("train.txt"), names(0..3));
    write(&dir.path().join("val.txt"), names(2..4));
    refused(open(dir.path()).map(|_| ()), &["val.txt, line 1", "a/2.png", "train.txt, line 3"]);
    write(&dir.path().join("train.txt"), names(0..2));
    open(dir.path()).unwrap();
    // Lists in another folder must agree.
    write(&dir.path().join("splits/train.txt"), names(2..4));
    write(&dir.path().join("splits/val.txt"), names(0..2));
    refused(
        open(dir.path()).map(|_| ()),
        &["splits/train.txt, line 1", "a/2.png into train, which is in val by the lists train.txt, val.txt"],
    );
    write(&dir.path().join("splits/train.txt"), names(0..2));
    write(&dir.path().join("splits/val.txt"), names(2..4));
    open(dir.path()).unwrap();
}
