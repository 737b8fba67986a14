//! Prediction for image files, as text or as pictures in a folder.

use std::collections::HashSet;
use std::io::ErrorKind;
use std::path::{Path, PathBuf};

use serde_json::{Map, Value as Json};

use super::WorkflowError;
use super::evaluation::task_of;
use crate::data::{BadImage, DataError, OUTPUT_MARK, SampleDepth, decode_bands, has_16_bits};
use crate::exec;
use crate::interop::files::{FileError, write_atomic};
use crate::run::names::new_folder;
use crate::run::{Checkpoint, RunDir, RunError};
use crate::tasks::predict::Predictor;
use crate::tasks::prediction::Prediction;
use crate::tasks::{Explain, TaskError};
use crate::train::TrainError;

/// A trained model and the folder of its predictions.
pub struct Predictions {
    predictor: Box<dyn Predictor>,
    depth: SampleDepth,
    names: Names,
    /// Explanation beside each prediction.
    explain: Option<Explain>,
}

/// An image file without a prediction.
#[derive(Debug, thiserror::Error)]
pub enum Missed {
    /// It cannot be read.
    #[error("{0}")]
    Read(BadImage),
    /// Its prediction cannot be written.
    #[error("{}: {error}", image.display())]
    Write {
        /// The image.
        image: PathBuf,
        /// Why.
        error: FileError,
    },
}

/// Whether every further write would fail too.
fn is_full(error: &FileError) -> bool {
    matches!(error.source.kind(), ErrorKind::StorageFull | ErrorKind::QuotaExceeded | ErrorKind::ReadOnlyFilesystem)
}

/// The prediction for an image file.
pub struct Predicted {
    /// The image.
    pub image: PathBuf,
    /// Pictures written; empty if the task predicts text.
    pub files: Vec<PathBuf>,
    /// The prediction as a line of text; may be empty if there are files.
    pub text: String,
    /// The prediction as JSON.
    pub json: Map<String, Json>,
}

impl Predictions {
    /// The model of a checkpoint on a device. Pictures go into `out`, by default the next `runs/predict-NNN`.
    ///
    /// # Errors
    /// When `out` is taken, the task does not predict, or the device cannot be opened.
    pub fn open(checkpoint: &Checkpoint, device: &str, out: Option<&Path>) -> Result<Self, WorkflowError> {
        let predictor = task_of(checkpoint)?.predictor(checkpoint, exec::open(device)?)?;
        let names = Names { out: out.map(Path::to_owned), folder: None, taken: HashSet::new() };
        let depth = SampleDepth::default();
        depth.fix_to(checkpoint.card.known_sample_bits());
        let predictions = Predictions { predictor, depth, names, explain: None };
        predictions.check_free()?;
        Ok(predictions)
    }

    /// Adds a picture of the parts of each image that decide about a class.
    ///
    /// # Errors
    /// When the task or its averages over mirror images cannot be explained, or the folder of pictures is taken.
    pub fn explained(mut self, checkpoint: &Checkpoint, how: Explain) -> Result<Self, WorkflowError> {
        let task = task_of(checkpoint)?;
        if !self.predictor.explains() {
            return Err(task.unsupported("explain predictions; classify, multi-label and segment do").into());
        }
        if checkpoint.card.network.is_mirrored() {
            return Err(task.unsupported("explain averages over mirror images").into());
        }
        self.explain = Some(how);
        self.check_free()?;
        Ok(self)
    }

    fn check_free(&self) -> Result<(), WorkflowError> {
        Ok(self.names.out.as_deref().filter(|_| self.writes()).map_or(Ok(()), RunDir::check_free)?)
    }

    /// Whether predictions are written as pictures.
    pub fn writes(&self) -> bool {
        self.explain.is_some() || self.predictor.writes()
    }

    /// How the network takes pictures and the memory for it, in words; see [`Predictor::note`].
    pub fn note(&self) -> Option<String> {
        self.predictor.note()
    }

    /// A note on images that were darker than those of training, after the predictions; see [`SampleDepth::note_for_model`].
    pub fn note_on_images(&self) -> Option<String> {
        self.depth.note_for_model()
    }

    /// Reads all 16-bit images before their predictions if the model was trained on images of 8 bits. If all need fewer
    /// bits, they are refused, because their white is not known.
    pub fn look_at(&self, images: &[PathBuf]) {
        if !self.depth.is_open() {
            return;
        }
        for path in images.iter().filter(|path| has_16_bits(path)) {
            // A file that cannot be read is reported at its prediction.
            let _ = decode_bands(path, &self.depth, self.predictor.channels());
        }
        self.depth.refuse_dark();
    }

    /// Images per batch.
    pub fn batch(&self) -> usize {
        self.predictor.batch()
    }

    /// Predicts for at most [`Predictions::batch`] image files. Files that cannot be read, and predictions that cannot be
    /// written, for example under a name that is too long, are returned with the reason.
    ///
    /// # Errors
    /// When the device is lost, or the disk is full.
    pub fn predict(&mut self, paths: &[PathBuf]) -> Result<(Vec<Predicted>, Vec<Missed>), WorkflowError> {
        let (mut images, mut names, mut missed) = (vec![], vec![], vec![]);
        for path in paths {
            match decode_bands(path, &self.depth, self.predictor.channels()) {
                Ok(image) => {
                    images.push(image);
                    names.push(path.clone());
                }
                Err(DataError::BadImage(image)) => missed.push(Missed::Read(image)),
                Err(other) => return Err(other.into()),
            }
        }
        if images.is_empty() {
            return Ok((vec![], missed));
        }
        let predictions = match &self.explain {
            Some(how) => self.predictor.explain(images, how)?,
            None => self.predictor.predict_bands(images)?,
        };
        let mut found = vec![];
        for (image, prediction) in names.into_iter().zip(predictions) {
            match self.write(image.clone(), prediction) {
                Ok(predicted) => found.push(predicted),
                Err(WorkflowError::Task(TaskError::Train(TrainError::Run(RunError::File(error)))))
                    if !is_full(&error) =>
                {
                    missed.push(Missed::Write { image, error });
                }
                Err(error) => return Err(error),
            }
        }
        Ok((found, missed))
    }

    fn write(&mut self, image: PathBuf, prediction: Prediction) -> Result<Predicted, WorkflowError> {
        let Prediction { files, text, json } = prediction;
        let mut written = vec![];
        if !files.is_empty() {
            let name = self.names.next(&image);
            for (suffix, png) in files {
                let path = self.names.path(&format!("{name}-{suffix}.png"))?;
                write_atomic(&path, |writer| writer.write_all(&png))?;
                written.push(path);
            }
        }
        Ok(Predicted { image, files: written, text, json })
    }
}

/// Names of pictures: the image's name, followed by a number if that is taken.
struct Names {
    /// The requested folder.
    out: Option<PathBuf>,
    /// The folder, made with the first picture, so that no empty folder remains.
    folder: Option<PathBuf>,
    /// Names in use, in lower case, because some file systems ignore case.
    taken: HashSet<String>,
}

impl Names {
    fn next(&mut self, image: &Path) -> String {
        let stem = image.file_stem().map_or_else(|| "image".into(), |s| s.to_string_lossy().into_owned());
        let mut name = stem.clone();
        for number in 2.. {
            if self.taken.insert(name.to_lowercase()) {
                break;
            }
            name = format!("{stem}-{number}");
        }
        name
    }

    fn path(&mut self, file: &str) -> Result<PathBuf, WorkflowError> {
        let folder = match self.folder.take() {
            Some(folder) => folder,
            None => {
                let folder = new_folder(self.out.as_deref(), "predict")?;
                // The mark keeps these pictures out of a data set around the folder.
                write_atomic(&folder.join(OUTPUT_MARK), |_| Ok(()))?;
                folder
            }
        };
        let path = folder.join(file);
        self.folder = Some(folder);
        Ok(path)
    }
}
