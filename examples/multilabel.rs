//! Trains ResNet18 for images with several labels through the library as `shadegrad train multi-label` does:
//!
//!     cargo run --release --example multilabel [-- --quick]
//!
//! Without `data` it learns built-in scenes of several objects. Set `data` to a table with a list column, or to class
//! folders in which an image may be in several, to learn from your images.

use std::error::Error;
use std::path::PathBuf;
use std::sync::atomic::AtomicBool;

use shadegrad::tasks::multilabel::{MACRO_F1, MEAN_AVERAGE_PRECISION, MultiLabelConfig, train};
use shadegrad::train::Outcome;

/// Trains into `out`, or into the next free folder in `runs`. `quick` uses few scenes.
///
/// # Errors
/// If the data or the device fail, or a file cannot be written.
pub fn run(quick: bool, out: Option<PathBuf>) -> Result<Outcome, Box<dyn Error>> {
    let mut config = MultiLabelConfig { out, ..MultiLabelConfig::default() };
    if quick {
        config = MultiLabelConfig { scenes: 200, epochs: 2, image_size: 32, batch_size: 20, ..config };
    }
    Ok(train(&config, &(), &AtomicBool::new(false))?)
}

fn main() -> Result<(), Box<dyn Error>> {
    let outcome = run(std::env::args().any(|a| a == "--quick"), None)?;
    for row in &outcome.rows {
        let score = |score| row.score(score).unwrap_or_default();
        let (ranked, f1) = (score(&MEAN_AVERAGE_PRECISION), score(&MACRO_F1));
        println!("epoch {}: mean average precision {ranked:.3}, macro F1 {f1:.3}", row.epoch);
    }
    println!("tables and pictures: {0}/classes.csv, {0}/curves.png, {0}/samples.png", outcome.run.display());
    println!("weights and thresholds: {}/best.safetensors", outcome.run.display());
    Ok(())
}
