//! `classes.toml`.
#![no_main]

use std::sync::LazyLock;

use shadegrad_fuzz::{Folder, fuzz_target};

static FOLDER: LazyLock<Folder> =
    LazyLock::new(|| Folder::new("classes.toml", &["images/a.png", "images/b.png"], &["masks/a.png", "masks/b.png"]));

fuzz_target!(|bytes: &[u8]| {
    FOLDER.masks(bytes);
});
