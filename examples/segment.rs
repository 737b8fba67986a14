//! Trains UNet and ResNet18 with an up-sampling head on built-in street scenes, and compares the two:
//!
//!     cargo run --release --example segment [-- --quick]
//!
//! Set `data` to a folder of images and masks to learn other classes.

use std::error::Error;
use std::path::{Path, PathBuf};
use std::sync::atomic::AtomicBool;

use shadegrad::run::{Checkpoint, ImageSize, new_folder};
use shadegrad::tasks::segment::{SegmentConfig, SegmentModel, train};
use shadegrad::workflows::{EvalOptions, compare};

/// Trains both into folders of `out` and writes `comparison.png` there.
///
/// # Errors
/// If the data or the device fail, or a file cannot be written.
pub fn run(quick: bool, out: &Path) -> Result<String, Box<dyn Error>> {
    let mut models = vec![];
    for model in [SegmentModel::UNet, SegmentModel::ResNet18Seg] {
        let folder = out.join(model.name());
        let mut config = SegmentConfig { model, base: 16, lr: 1e-3, out: Some(folder.clone()), ..Default::default() };
        if quick {
            let image_size = ImageSize { height: 32, width: 48 };
            config = SegmentConfig { scenes: 16, epochs: 1, depth: 2, base: 8, image_size, ..config };
        }
        let outcome = train(&config, &(), &AtomicBool::new(false))?;
        models.push((model.name().to_owned(), Checkpoint::open(&outcome.run)?));
    }
    let comparison = compare(&models, &EvalOptions::default())?;
    comparison.write(out)?;
    Ok(comparison.compared.table.text(|text| text))
}

fn main() -> Result<(), Box<dyn Error>> {
    let out: PathBuf = new_folder(None, "example-segment")?;
    println!("{}", run(std::env::args().any(|a| a == "--quick"), &out)?);
    println!("figure: {}/comparison.png", out.display());
    Ok(())
}
