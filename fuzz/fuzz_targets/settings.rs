//! The `config.toml` of each task.
#![no_main]

use std::sync::LazyLock;

use shadegrad::tasks::tasks;
use shadegrad::train::settings::Given;
use shadegrad_fuzz::{Folder, fuzz_target, report};

static FOLDER: LazyLock<Folder> = LazyLock::new(|| Folder::new("config.toml", &[], &[]));

fuzz_target!(|bytes: &[u8]| {
    let path = FOLDER.write(bytes);
    for task in tasks() {
        report(task.resolve(&Given::of_file(path)).map(|settings| settings.toml));
    }
});
