//! The images of MNIST's idx format.
#![no_main]

use std::sync::LazyLock;

use shadegrad_fuzz::{Folder, fuzz_target};

static FOLDER: LazyLock<Folder> = LazyLock::new(|| {
    Folder::new("train-images-idx3-ubyte", &[], &[])
        .with("train-labels-idx1-ubyte", [0, 0, 8, 1, 0, 0, 0, 4, 0, 1, 0, 1])
});

fuzz_target!(|bytes: &[u8]| {
    FOLDER.classes(bytes);
});
