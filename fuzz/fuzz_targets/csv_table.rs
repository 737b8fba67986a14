//! A table of paths and labels, with one label per image and with several.
#![no_main]

use std::sync::LazyLock;

use shadegrad_fuzz::{Folder, fuzz_target};

static FOLDER: LazyLock<Folder> =
    LazyLock::new(|| Folder::new("labels.csv", &["a.png", "images/b.png", "images/c.png"], &[]));

fuzz_target!(|bytes: &[u8]| {
    FOLDER.classes(bytes);
    FOLDER.labels(bytes);
});
