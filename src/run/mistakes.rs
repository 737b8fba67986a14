//! The images that a classifier was most sure of and wrong about: often those with a wrong label.

use image::RgbImage;
use image::imageops::{FilterType, resize};
use serde::{Deserialize, Serialize};

use crate::data::Prepared;
use crate::run::pictures;
use crate::run::run_dir::{RunDir, RunDirError};
use crate::tasks::classify::Evaluation;
use crate::train::TrainError;

/// So many are kept.
const KEPT: usize = 24;
/// Longest side of their pictures.
const SIDE: u32 = 192;

/// An image predicted wrongly: a row of `errors/errors.csv`.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Mistake {
    /// Its picture, in the same folder.
    pub picture: String,
    /// The image, for people: its path, or its number in the set.
    pub image: String,
    /// Its class.
    pub truth: String,
    /// The class predicted.
    pub prediction: String,
    /// Probability given to that class.
    pub probability: f64,
}

/// Writes the most confident mistakes of an evaluation of `val`, with their pictures, into `errors/`; nothing if there
/// are none. Gives their number.
///
/// # Errors
/// When an image can no longer be read, or the disk refuses.
pub fn write(run: &RunDir, val: &Prepared, found: &Evaluation) -> Result<usize, TrainError> {
    let wrong = |&i: &usize| found.predictions[i].0 != val.label(i) as usize;
    let mut indices: Vec<usize> = (0..val.len()).filter(wrong).collect();
    indices.sort_by(|&a, &b| found.predictions[b].1.total_cmp(&found.predictions[a].1));
    indices.truncate(KEPT);
    if indices.is_empty() {
        return Ok(0);
    }
    let folder = run.make_errors_folder()?;
    let mut csv = csv::Writer::from_writer(vec![]);
    for (place, &i) in indices.iter().enumerate() {
        let (class, probability) = found.predictions[i];
        let mistake = Mistake {
            picture: format!("{:02}.png", place + 1),
            image: val.describe(i),
            truth: val.class_names()[val.label(i) as usize].clone(),
            prediction: val.class_names()[class].clone(),
            probability: f64::from(probability),
        };
        let side = val.image_size();
        let image = RgbImage::from_raw(side, side, val.pixels(i)?.into_owned()).unwrap_or_default();
        let image = if side > SIDE { resize(&image, SIDE, SIDE, FilterType::Triangle) } else { image };
        pictures::save_png(&image, &folder.join(&mistake.picture))?;
        // Writing into memory does not fail.
        let _ = csv.serialize(mistake);
    }
    let table = csv.into_inner().map(|bytes| String::from_utf8_lossy(&bytes).into_owned()).unwrap_or_default();
    run.write_file("errors/errors.csv", &table)?;
    Ok(indices.len())
}

/// The mistakes kept in a run; none where there is no such file.
///
/// # Errors
/// When the file is there and cannot be read.
pub fn read(run: &RunDir) -> Result<Vec<Mistake>, RunDirError> {
    let Some(text) = run.read_file("errors/errors.csv")? else { return Ok(vec![]) };
    let rows: Result<_, csv::Error> = csv::Reader::from_reader(text.as_bytes()).deserialize().collect();
    rows.map_err(|source| RunDirError::Table { path: run.path().join("errors/errors.csv"), source })
}
