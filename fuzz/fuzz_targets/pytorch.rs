//! A file of weights that torch.save wrote, in both layouts.
#![no_main]

use std::sync::LazyLock;

use shadegrad::interop::weight_file::WeightFile;
use shadegrad_fuzz::{Folder, fuzz_target, report};

static FOLDER: LazyLock<Folder> = LazyLock::new(|| Folder::new("weights.pth", &[], &[]));

fuzz_target!(|bytes: &[u8]| {
    match WeightFile::open(FOLDER.write(bytes)) {
        Ok(file) => file.shapes().for_each(|(name, _)| report(file.read(name))),
        Err(error) => report::<(), _>(Err(error)),
    }
});
