//! Trains ResNet18 through the library as `shadegrad train classify` does, and prints the paths of the pictures:
//!
//!     cargo run --release --example classify [-- --quick]
//!
//! Without `data` it learns the built-in scenes. Set `data` to a folder of class folders to learn from your images.

use std::error::Error;
use std::path::PathBuf;
use std::sync::atomic::AtomicBool;

use shadegrad::tasks::classify::ACCURACY;
use shadegrad::tasks::classify::ClassifyConfig;
use shadegrad::tasks::classify::train;
use shadegrad::train::Outcome;

/// Trains into `out`, or into the next free folder in `runs`. `quick` uses few scenes.
///
/// # Errors
/// If the data or the device fail, or a file cannot be written.
pub fn run(quick: bool, out: Option<PathBuf>) -> Result<Outcome, Box<dyn Error>> {
    let mut config = ClassifyConfig { out, ..ClassifyConfig::default() };
    if quick {
        config = ClassifyConfig { scenes: 60, epochs: 2, image_size: 32, batch_size: 20, ..config };
    }
    // `&()` observes nothing; a custom `Observer` receives every step. The flag, once set, ends the run.
    Ok(train(&config, &(), &AtomicBool::new(false))?)
}

fn main() -> Result<(), Box<dyn Error>> {
    let outcome = run(std::env::args().any(|a| a == "--quick"), None)?;
    for row in &outcome.rows {
        let accuracy = 100.0 * row.score(&ACCURACY).unwrap_or_default();
        println!("epoch {}: validation accuracy {accuracy:.1} %, {:.0} images/s", row.epoch, row.images_per_s);
    }
    println!("pictures: {0}/curves.png, {0}/confusion.png, {0}/samples.png", outcome.run.display());
    println!("weights:  {}/best.safetensors", outcome.run.display());
    Ok(())
}
