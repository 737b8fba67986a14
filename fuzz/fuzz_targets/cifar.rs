//! A binary batch of CIFAR-10.
#![no_main]

use std::sync::LazyLock;

use shadegrad_fuzz::{Folder, fuzz_target};

static FOLDER: LazyLock<Folder> =
    LazyLock::new(|| Folder::new("data_batch_1.bin", &[], &[]).with("batches.meta.txt", "cat\ndog\n"));

fuzz_target!(|bytes: &[u8]| {
    FOLDER.classes(bytes);
});
