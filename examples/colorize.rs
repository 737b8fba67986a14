//! Trains UNet to colorize built-in street scenes, with and without skip connections, and compares the two:
//!
//!     cargo run --release --example colorize [-- --quick]
//!
//! Set `data` to a folder of photographs to learn from their colors.

use std::error::Error;
use std::path::{Path, PathBuf};
use std::sync::atomic::AtomicBool;

use shadegrad::run::{Checkpoint, ImageSize, new_folder};
use shadegrad::tasks::colorize::{ColorizeConfig, train};
use shadegrad::workflows::{EvalOptions, compare};

/// Trains both into folders of `out` and writes `comparison.png` there.
///
/// # Errors
/// If the data or the device fail, or a file cannot be written.
pub fn run(quick: bool, out: &Path) -> Result<String, Box<dyn Error>> {
    let mut models = vec![];
    for (name, skips) in [("with skips", true), ("without", false)] {
        let folder = out.join(if skips { "skips" } else { "plain" });
        // Found by trial: after fewer steps both are pale.
        let (epochs, batch_size, lr) = (10, 4, 2e-3);
        let mut config =
            ColorizeConfig { skips, base: 16, epochs, batch_size, lr, out: Some(folder), ..Default::default() };
        if quick {
            let image_size = ImageSize { height: 32, width: 48 };
            config = ColorizeConfig { scenes: 16, epochs: 1, depth: 2, base: 8, image_size, ..config };
        }
        let outcome = train(&config, &(), &AtomicBool::new(false))?;
        models.push((name.to_owned(), Checkpoint::open(&outcome.run)?));
    }
    let comparison = compare(&models, &EvalOptions::default())?;
    comparison.write(out)?;
    Ok(comparison.compared.table.text(|text| text))
}

fn main() -> Result<(), Box<dyn Error>> {
    let out: PathBuf = new_folder(None, "example-colorize")?;
    println!("{}", run(std::env::args().any(|a| a == "--quick"), &out)?);
    println!("figure: {}/comparison.png", out.display());
    Ok(())
}
