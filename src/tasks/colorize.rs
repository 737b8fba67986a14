//! Colorization: colors from lightness.

mod evaluation;
pub(crate) mod metrics;
mod objective;
mod onnx;
mod output;
mod predict;
mod settings;

use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::AtomicBool;

use image::RgbImage;

pub use evaluation::ColorizeEvaluation;
pub use metrics::{CompareError, ImageScores};
pub use objective::Colorization;
pub use output::ColorOutput;
pub use predict::ColorizePredictor;
pub use settings::{ColorizeConfig, ColorizeLoss, ColorizeModel};

use super::data::{
    Chosen, Compared, DataSource, Figure, ImageSet, Part, STREETS_VAL, both, on_demand_line, typed, unreadable,
};
use super::export::{OnnxNetwork, OnnxOutput};
use super::hub::HubTask;
use super::predict::Predictor;
use super::samples::{Sample, Samples};
use super::{Example, Task, TaskError};
use crate::data::augment::Keeps;
use crate::data::check::{CheckOptions, CheckReport, check_images};
use crate::data::color_bins::{bin_weights, count_bins};
use crate::data::correct::{Corrected, correct_images};
use crate::data::{
    BadImage, ColorSpace, ColorizationSource, ImageSplits, Normalization, PreparedImages, Source, cover_into,
    lightness, open_images, prepare,
};
use crate::exec::AnyEngine;
use crate::nn::Averaged;
use crate::run::card::ModelCard;
use crate::run::image_size::Fit;
use crate::run::pictures::PictureTable;
use crate::run::score::{Better, Panel, Unit};
use crate::run::table::Table;
use crate::run::task_card::TaskCard;
use crate::run::{Checkpoint, Score};
use crate::train::open::TrainingData;
use crate::train::settings::{Normalize, Resolved};
use crate::train::start::{self, StartFile};
use crate::train::{Evaluation, Objective, Observer, Outcome, TrainError, Trainer};

/// Peak signal-to-noise ratio, at most 100 dB for an image.
pub const PSNR: Score = Score::new("val_psnr", "PSNR", Unit::Decibel, Better::Higher);
/// Structural similarity, up to 1.
pub const SSIM: Score = Score::new("val_ssim", "SSIM", Unit::Index, Better::Higher);
/// Mean color difference in CIELAB.
pub const DELTA_E: Score = Score::new("val_delta_e", "ΔE", Unit::Number, Better::Lower);
/// Colorfulness of Hasler & Süsstrunk (2003).
pub const COLORFULNESS: Score = Score::new("val_colourfulness", "colorfulness", Unit::Number, Better::Neither);

/// A mirrored photograph keeps its colors. Changed colors or an erased patch would change the target.
const KEEPS: Keeps = Keeps { mirror: true, color: false, erase: false };

/// The task.
pub struct Colorize;

/// Trains, and writes the results into a new run folder. `stop` ends training after the current step.
///
/// # Errors
/// See [`TrainError`]. Files written before the error stay.
pub fn train(config: &ColorizeConfig, observer: &dyn Observer, stop: &AtomicBool) -> Result<Outcome, TrainError> {
    open(config, observer)?.train(observer, stop)
}

/// Reads the data, builds the model and creates the run folder.
///
/// # Errors
/// As [`train`].
pub fn open(config: &ColorizeConfig, observer: &dyn Observer) -> Result<Trainer, TrainError> {
    Colorize.open(&Resolved::of(config)?, observer)
}

impl Task for Colorize {
    crate::settings_of_task!(ColorizeConfig);

    fn help(&self) -> &'static str {
        "Train colorization: colors for grey images"
    }

    fn examples(&self) -> &'static [Example] {
        &[
            Example { settings: &[("base", "16"), ("lr", "1e-3")], about: "built-in streets, no data needed" },
            Example { settings: &[("data", "DIR"), ("base", "16"), ("lr", "1e-3"), ("loss", "classes")], about: "" },
        ]
    }

    fn card(&self) -> TaskCard {
        let panel = |title, axis, score: Score| Panel::new(title, axis, &[("validation", score)]);
        TaskCard {
            task: self.name().into(),
            title: "Colorization".into(),
            scores: vec![PSNR, SSIM, DELTA_E, COLORFULNESS],
            panels: vec![
                panel("PSNR", "dB", PSNR),
                panel("SSIM", "similarity", SSIM),
                panel("ΔE", "mean color difference", DELTA_E),
                panel("Colorfulness", "colorfulness", COLORFULNESS),
            ],
            confusion: None,
            tables: vec![],
            balance: None,
            roles: settings::ROLES,
        }
    }

    fn read(&self, settings: &Resolved, observer: &dyn Observer) -> Result<TrainingData, TrainError> {
        let config: ColorizeConfig = settings.read()?;
        let start = StartFile::find(&config.network(), &settings.common, observer)?;
        let mut from = DataSource::of(settings, config.image_size);
        let splits = open_data(&from)?;
        let mut decisions = splits.decisions.clone();
        let picture = |index| splits.train.image(index).ok();
        from.note_size(splits.train.len(), picture, (Fit::Cut, &mut decisions));
        let [train, val] = both([splits.train, splits.val], &from.prepare_options(), observer)?;
        let card = ModelCard {
            task: self.name().to_owned(),
            network: config.network(),
            classes: config.output().names(),
            palette: vec![],
            image_size: [from.size.height, from.size.width],
            normalization: Normalization::NONE,
            own: Default::default(),
        }
        .with_sample_bits(train.known_sample_bits());
        let source = |part: &Arc<PreparedImages>, how| {
            Arc::new(ColorizationSource::new(part.clone(), config.output().space()).augmented(how))
        };
        let augmentation = config.augment.prepare(KEEPS, config.seed);
        let counts = format!("{} training and {} validation images", train.len(), val.len());
        if !train.grey().is_empty() {
            decisions.notes.push(format!("{} training images have no color", train.grey().len()));
        }
        decisions.notes.extend(train.depth_note());
        // Lightness and colors have fixed ranges. A line names weights that expect other ranges.
        let (_, pixel_lines) = start::normalization(Normalize::None, start.as_ref(), || Normalization::NONE)?;
        let weights = match config.loss {
            ColorizeLoss::Classes => bin_weights(&count_bins(&train)?, config.rebalance),
            _ => vec![],
        };
        Ok(TrainingData {
            objective: Box::new(Colorization::training(card, &config, weights, Some(val.clone()))),
            sources: [source(&train, augmentation), source(&val, None)],
            stem: format!("{}-unet{}", self.name(), if config.skips { "" } else { "-noskip" }),
            lines: std::iter::once(format!("data:    {}, {counts}", splits.format))
                .chain(on_demand_line([&train, &val]))
                .chain(pixel_lines)
                .collect(),
            decisions,
            skipped: unreadable([&train, &val]),
        })
    }

    fn image_set(&self, card: &ModelCard, from: &DataSource, part: Option<Part>) -> Result<Chosen, TaskError> {
        let splits = open_data(from)?;
        let (set, part) = from.choose(part, (splits.train, splits.val, splits.test))?;
        set.depth().into_iter().for_each(|depth| depth.fix_to(card.known_sample_bits()));
        let prepared = Arc::new(prepare(&[set], &from.prepare_options(), &|_, _| {})?.remove(0));
        Ok(Chosen { set: Box::new(ColorImages(prepared)), part, by_seed: splits.by_seed })
    }

    fn compares(&self) -> bool {
        true
    }

    fn averaged(&self, card: &ModelCard) -> Option<Averaged> {
        Some(match ColorOutput::of(card) {
            ColorOutput::Values(_) => Averaged::Outputs,
            ColorOutput::Bins => Averaged::Softmax,
        })
    }

    fn predictor(&self, checkpoint: &Checkpoint, engine: Box<AnyEngine>) -> Result<Box<dyn Predictor>, TaskError> {
        Ok(Box::new(ColorizePredictor::new(checkpoint, engine)?))
    }

    fn samples(&self, settings: &Resolved) -> Result<Samples, TaskError> {
        let config: ColorizeConfig = settings.read()?;
        let mut from = DataSource::of(settings, config.image_size);
        let train = open_data(&from)?.train;
        from.decide_size(train.len(), |index| train.image(index).ok());
        let size = from.size;
        let count = train.len();
        let read = move |index: usize| {
            let mut rgb = vec![0; 3 * size.height * size.width];
            let image = train.image(index)?;
            let own = (image.height() as usize, image.width() as usize);
            cover_into(&image, size.width as u32, size.height as u32, &mut rgb);
            Ok(Sample { index, name: train.name(index), rgb, mask: vec![], size: (size.height, size.width), own })
        };
        Ok(Samples { count, size, legend: vec![], crops: None, keeps: KEEPS, mix: None, read: Box::new(read) })
    }

    fn check_data(&self, data: &Path, options: &CheckOptions<'_>) -> Result<CheckReport, TaskError> {
        Ok(check_images(data, options)?)
    }

    fn correct_data(&self, data: &Path, options: &CheckOptions<'_>, to: &Path) -> Result<Corrected, TaskError> {
        Ok(correct_images(data, options, to)?)
    }

    /// The outputs are colors, not classes of the data. Models with different outputs are compared by their pictures.
    fn has_classes(&self) -> bool {
        false
    }

    fn input_channels(&self) -> usize {
        1
    }

    fn hub(&self) -> HubTask {
        HubTask { pipeline: "image-to-image", center_crop: false }
    }

    fn export(&self, onnx: &mut OnnxNetwork<'_>) -> Result<OnnxOutput, TaskError> {
        let ([h, w], output) = (onnx.card.image_size, ColorOutput::of(onnx.card));
        let space = output.space();
        let images = onnx.images.clone();
        let own = onnx::own_lightness(&mut onnx.builder, &images)?;
        let input = onnx::network_input(&mut onnx.builder, &own)?;
        let mut predicted = onnx.network(&input)?;
        if output == ColorOutput::Bins {
            predicted = onnx::annealed_mean(&mut onnx.builder, &predicted)?;
        }
        let value = onnx::recolored(&mut onnx.builder, space, &own, &predicted)?;
        let about = format!(
            "[N,3,{h},{w}]: red, green and blue from 0 to 1, of the predicted colors and the image's own lightness"
        );
        let metadata = vec![("color_space".to_owned(), space.name().to_owned())];
        Ok(OnnxOutput { name: "rgb", value, axes: vec![3, h, w], about, metadata })
    }
}

/// Images to evaluate colorization models on.
struct ColorImages(Arc<PreparedImages>);

impl ImageSet for ColorImages {
    fn len(&self) -> usize {
        self.0.len()
    }

    fn skipped(&self) -> &[BadImage] {
        self.0.bad()
    }

    fn note(&self) -> Option<String> {
        self.0.note_for_model()
    }

    fn measure(&self, card: &ModelCard) -> Result<(Box<dyn Objective>, Arc<dyn Source>), TaskError> {
        let objective = Colorization::trained(card.clone(), Some(self.0.clone()))?;
        let source = ColorizationSource::new(self.0.clone(), objective.space());
        Ok((Box::new(objective), Arc::new(source)))
    }

    fn compare(
        &self,
        card: &ModelCard,
        names: &[String],
        found: &[Box<dyn Evaluation>],
    ) -> Result<Compared, TaskError> {
        let _ = card;
        let found = typed::<ColorizeEvaluation>(found);
        let columns = [PSNR, SSIM, DELTA_E, COLORFULNESS];
        let means: Vec<_> = found.iter().map(|f| ImageScores::mean(&f.images).unwrap_or_default()).collect();
        let values = means.iter().map(|m| {
            let values = [m.psnr, m.ssim, m.delta_e, m.colorfulness];
            columns.iter().zip(values).map(|(c, v)| c.format(v)).collect()
        });
        let mut rows: Vec<(String, Vec<String>)> = names.iter().cloned().zip(values).collect();
        let truth = means.first().map_or(0.0, |m| m.true_colorfulness);
        rows.push(("truth".into(), vec!["–".into(), "–".into(), "–".into(), COLORFULNESS.format(truth)]));
        let names_of_scores = columns.iter().map(|c| c.name.to_string()).collect();
        let table = Table { row: "model", columns: names_of_scores, rows, bold: None };
        let title = format!("{} images, scores of each", self.0.len());
        let columns = std::iter::once("grey".to_owned()).chain(names.iter().cloned()).chain(["truth".to_owned()]);
        let mut figure = PictureTable::new(title, columns.collect());
        for row in 0..found.first().map_or(0, |first| first.shown.len()) {
            figure.row(self.row(&found, row)?);
        }
        Ok(Compared { table, classes: None, figure: Figure::Pictures(figure) })
    }
}

impl ColorImages {
    /// The lightness of an image, the colors of each model, and the true colors.
    fn row(&self, found: &[&ColorizeEvaluation], row: usize) -> Result<Vec<(RgbImage, String)>, TaskError> {
        let truth = truth(&self.0, found[0].shown[row].0)?;
        let mut cells = vec![(grey(&truth), String::new())];
        for one in found {
            let picture = &one.shown[row].1;
            let scores = ImageScores::of(&truth, picture)?;
            cells.push((picture.clone(), format!("{:.1} dB, SSIM {:.3}", scores.psnr, scores.ssim)));
        }
        cells.push((truth, String::new()));
        Ok(cells)
    }
}

fn picture((height, width): (u32, u32), rgb: Vec<u8>) -> RgbImage {
    RgbImage::from_raw(width, height, rgb).unwrap_or_default()
}

/// A prepared image.
///
/// # Errors
/// When it is not in memory and its file cannot be read.
fn truth(images: &PreparedImages, index: usize) -> Result<RgbImage, TrainError> {
    Ok(picture(images.size(), images.sample(index)?.into_owned()))
}

/// The lightness of a picture, as grey.
fn grey(image: &RgbImage) -> RgbImage {
    let input = lightness(image.as_raw());
    let colorless = vec![0.0; 2 * input.len()];
    picture((image.height(), image.width()), ColorSpace::Lab.decode(&input, &colorless))
}

/// The named data set, or the built-in street scenes.
fn open_data(from: &DataSource) -> Result<ImageSplits, TrainError> {
    match &from.data {
        Some(path) => Ok(open_images(path, &from.set_options())?),
        None => Ok(ImageSplits::streets(from.seed, [from.scenes, STREETS_VAL, 0], from.size_u32())),
    }
}
