//! A file of LabelMe's polygons.
#![no_main]

use std::sync::LazyLock;

use shadegrad_fuzz::{Folder, fuzz_target};

static FOLDER: LazyLock<Folder> = LazyLock::new(|| {
    Folder::new("a.json", &["a.png", "b.png"], &[])
        .with("b.json", r#"{"imagePath":"b.png","imageHeight":8,"imageWidth":12,"shapes":[{"label":"x","points":[[1,1],[9,1],[5,7]]}]}"#)
});

fuzz_target!(|bytes: &[u8]| {
    FOLDER.masks(bytes);
});
