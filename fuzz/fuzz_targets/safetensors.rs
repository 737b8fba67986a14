//! A file of weights.
#![no_main]

use std::sync::LazyLock;

use shadegrad::interop::safetensors::TensorFile;
use shadegrad_fuzz::{Folder, fuzz_target, report};

static FOLDER: LazyLock<Folder> = LazyLock::new(|| Folder::new("weights.safetensors", &[], &[]));

fuzz_target!(|bytes: &[u8]| {
    report(TensorFile::read(FOLDER.write(bytes)).map(|_| ()));
});
