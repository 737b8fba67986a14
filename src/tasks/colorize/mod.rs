//! `train colorize`: lightness in, colours out.

pub mod metrics;
pub mod onnx;

use std::sync::Arc;
use std::sync::atomic::AtomicBool;

use image::RgbImage;

use crate::data::augment::Purpose;
use crate::data::{
    Batch, ColorSpace, ColorizationSource, ImageSplits, Normalization, PreparedImages, SetOptions, SizeOptions, Source,
    lightness, open_images, prepare_images,
};
use crate::exec::{AnyEngine, ExecError, PlanId, Session};
use crate::fuse::{FuseOptions, fuse};
use crate::graph::{Graph, GraphError, StateTable, Value};
use crate::nn::{Mode, Network};
use crate::ops::{self, Regression};
use crate::run::card::{ModelCard, TaskKind};
use crate::run::history::{EpochRow, Score};
use crate::run::pictures::{self, Comparison, Curve};
use crate::run::run_dir::RunDir;
use crate::shape::TensorType;
use crate::tasks::classify::{filled, spread};
use crate::tasks::colorize::metrics::ImageScores;
use crate::tasks::segment::STREETS_VAL;
use crate::train::TrainError;
use crate::train::config::ColorizeConfig;
use crate::train::launch::Launch;
use crate::train::model::{Model, start_from};
use crate::train::step::{Phase, Update, append_training, port};
use crate::train::task::Task;
use crate::train::trainer::{Observer, Outcome, Trainer};

/// Validation images shown in the run's picture.
const SHOWN: usize = 6;

/// Colorization as a task of the common loop.
pub struct Colorization {
    card: ModelCard,
    space: ColorSpace,
    training: Option<(Regression, Update)>,
    val: Option<Arc<PreparedImages>>,
}

/// Result of an evaluation.
#[derive(Clone, Debug)]
pub struct ColorizeEvaluation {
    loss: f64,
    /// Scores of each image, in the order in which they came.
    pub images: Vec<ImageScores>,
    /// Index and coloured picture of the images to be shown.
    pub shown: Vec<(usize, RgbImage)>,
    wanted: Vec<usize>,
}

impl Colorization {
    /// For evaluation and prediction with a trained model; `val` are the images that it is evaluated on.
    ///
    /// # Errors
    /// When the model was trained for something else.
    pub fn trained(card: ModelCard, val: Option<Arc<PreparedImages>>) -> Result<Self, TrainError> {
        if card.task != TaskKind::Colorize {
            return Err(TrainError::OtherTask { task: card.task, wanted: TaskKind::Colorize });
        }
        let space = ColorSpace::of_channels(card.classes.len());
        Ok(Colorization { card, space, training: None, val })
    }

    /// What it predicts.
    pub fn space(&self) -> ColorSpace {
        self.space
    }

    /// A photograph of any size in the colours that the model gives it; its own lightness stays.
    ///
    /// # Errors
    /// When the device is lost.
    pub fn colorize(&self, model: &mut Model, photo: &RgbImage) -> Result<RgbImage, TrainError> {
        let [h, w] = self.card.image_size;
        let mut small = vec![0; 3 * h * w];
        crate::data::stretch_into(photo, w as u32, h as u32, &mut small);
        let batch = Batch { images: lightness(&small), indices: vec![0], ..Batch::default() };
        let predicted = model.forward(self, 1, &batch)?.swap_remove(0);
        Ok(self.space.recolor(photo, &predicted, (h, w))?)
    }

    fn network(&self, g: &mut Graph, n: usize, mode: Mode) -> Result<Value, GraphError> {
        let [h, w] = self.card.image_size;
        let images = g.input(port::IMAGES, TensorType::channels([n, h, w, 1]));
        self.card.network.apply(g, images, mode)
    }
}

impl Task for Colorization {
    type Evaluation = ColorizeEvaluation;

    fn card(&self) -> &ModelCard {
        &self.card
    }

    fn training_graph(&self, states: StateTable, n: usize, phase: Phase) -> Result<Graph, GraphError> {
        let (loss, update) = self.training.ok_or(GraphError::EvaluationOnly)?;
        let mut g = Graph::with_states(states);
        let predicted = self.network(&mut g, n, Mode::Train)?;
        let targets = g.input(port::TARGETS, g.ty(predicted).clone());
        let [loss, totals] = ops::regression_loss(&mut g, predicted, targets, loss)?;
        g.output(port::LOSS, loss);
        g.output(port::TOTALS, totals);
        append_training(&mut g, [loss, totals], &update, phase)?;
        fuse(&mut g, FuseOptions::default());
        Ok(g)
    }

    fn evaluation_graph(&self, states: StateTable, n: usize) -> Result<Graph, GraphError> {
        let mut g = Graph::with_states(states);
        let predicted = self.network(&mut g, n, Mode::Eval)?;
        g.output(port::PREDICTIONS, predicted);
        fuse(&mut g, FuseOptions::default());
        Ok(g)
    }

    fn feed(&self, session: &mut Session<AnyEngine>, plan: PlanId, batch: &Batch, n: usize) -> Result<(), ExecError> {
        let len = n * self.card.input_len();
        session.write(plan, port::IMAGES, &filled(&batch.images, len))?;
        if session.plan(plan).input(port::TARGETS).is_some() {
            session.write(plan, port::TARGETS, &filled(&batch.targets, len * self.space.channels()))?;
        }
        Ok(())
    }

    fn begin(&self, samples: usize) -> ColorizeEvaluation {
        ColorizeEvaluation { loss: 0.0, images: vec![], shown: vec![], wanted: spread(samples, SHOWN).collect() }
    }

    fn add(&self, to: &mut ColorizeEvaluation, batch: &Batch, outputs: Vec<Vec<f32>>) -> Result<(), TrainError> {
        let Some(val) = &self.val else { return Ok(()) };
        let loss = self.training.map_or(Regression::L1, |(loss, _)| loss);
        let (len, channels) = (self.card.input_len(), self.space.channels());
        let images = batch.images.chunks_exact(len).zip(outputs[0].chunks_exact(len * channels));
        for ((input, predicted), (&index, target)) in
            images.zip(batch.indices.iter().zip(batch.targets.chunks_exact(len * channels)))
        {
            let terms = predicted.iter().zip(target).map(|(&p, &t)| loss.of(f64::from(p - t)));
            to.loss += terms.sum::<f64>() / (len * channels) as f64;
            let picture = picture(val.size(), self.space.decode(input, predicted));
            to.images.push(ImageScores::of(&truth(val, index)?, &picture)?);
            if to.wanted.contains(&index) {
                to.shown.push((index, picture));
            }
        }
        Ok(())
    }

    fn scores(&self, e: &ColorizeEvaluation) -> (f64, Vec<(Score, f64)>) {
        let loss = e.loss / e.images.len().max(1) as f64;
        let Some(mean) = ImageScores::mean(&e.images) else { return (loss, vec![]) };
        let list = [
            (Score::Psnr, mean.psnr),
            (Score::Ssim, mean.ssim),
            (Score::DeltaE, mean.delta_e),
            (Score::Colourfulness, mean.colourfulness),
        ];
        (loss, list.to_vec())
    }

    fn counts_right(&self) -> bool {
        false
    }

    fn curve(&self) -> Curve {
        let series = vec![("validation", Score::Psnr)];
        Curve { title: "PSNR", axis: "dB", percent: false, series }
    }

    fn draw(&self, run: &RunDir, best: &EpochRow, found: &ColorizeEvaluation) -> Result<Vec<&'static str>, TrainError> {
        let Some(val) = &self.val else { return Ok(vec![]) };
        let title = format!("Validation images after epoch {}", best.epoch);
        let mut figure = Comparison::new(title, ["grey", "prediction", "truth"].map(String::from).to_vec());
        for (index, predicted) in &found.shown {
            let truth = truth(val, *index)?;
            let scores = ImageScores::of(&truth, predicted)?;
            let caption = format!("{:.1} dB, SSIM {:.3}", scores.psnr, scores.ssim);
            let grey = grey(&truth);
            figure.row([grey, predicted.clone(), truth].into_iter().zip([String::new(), caption, String::new()]));
        }
        pictures::save_png(&figure.draw()?, &run.samples_path())?;
        Ok(vec!["samples.png"])
    }
}

fn picture((height, width): (u32, u32), rgb: Vec<u8>) -> RgbImage {
    RgbImage::from_raw(width, height, rgb).unwrap_or_default()
}

/// A prepared image.
///
/// # Errors
/// When it is not in memory and can no longer be read.
pub fn truth(images: &PreparedImages, index: usize) -> Result<RgbImage, TrainError> {
    Ok(picture(images.size(), images.pixels(index)?.into_owned()))
}

/// The lightness of a picture alone.
pub fn grey(image: &RgbImage) -> RgbImage {
    let input = lightness(image.as_raw());
    let colourless = vec![0.0; 2 * input.len()];
    picture((image.height(), image.width()), ColorSpace::Lab.decode(&input, &colourless))
}

/// The data of a run: what `--data` names, or built-in street scenes.
pub(crate) fn open_data(config: &ColorizeConfig) -> Result<ImageSplits, TrainError> {
    if let Some(path) = &config.data {
        let (val_split, seed, skip_bad) = (config.val_split as f32, config.seed, config.skip_bad);
        return Ok(open_images(path, &SetOptions { val_split, seed, skip_bad })?);
    }
    let size = (config.image_size.height as u32, config.image_size.width as u32);
    Ok(ImageSplits::streets(config.seed, [config.scenes, STREETS_VAL, 0], size))
}

/// Trains by `config` and writes everything into a new run directory. `stop` ends it after the current step.
///
/// # Errors
/// See [`TrainError`]; whatever had been written stays.
pub fn train(config: &ColorizeConfig, observer: &dyn Observer, stop: &AtomicBool) -> Result<Outcome, TrainError> {
    open(config, observer)?.train(observer, stop)
}

/// Reads the data and makes the model and the run directory: all but the training.
///
/// # Errors
/// As [`train`].
pub fn open(config: &ColorizeConfig, observer: &dyn Observer) -> Result<Trainer<Colorization>, TrainError> {
    config.validate()?;
    let launch = Launch::new(config.settings(), config.to_toml()?)?;
    let settings = &launch.settings;
    let splits = open_data(config)?;
    let size = SizeOptions {
        skip_bad: config.skip_bad,
        ..SizeOptions::new(config.image_size.height as u32, config.image_size.width as u32)
    };
    let told = |done, total| observer.reading(done, total);
    let mut parts = prepare_images(&[splits.train, splits.val], &size, &told)?;
    let (val, train) = (Arc::new(parts.remove(1)), Arc::new(parts.remove(0)));
    let channels: &[&str] = if config.color_space == ColorSpace::Lab { &["a", "b"] } else { &["red", "green", "blue"] };
    let card = ModelCard {
        task: TaskKind::Colorize,
        network: Network::UNet(config.network()),
        classes: channels.iter().map(|&c| c.to_owned()).collect(),
        palette: vec![],
        image_size: [config.image_size.height, config.image_size.width],
        normalization: Normalization::NONE,
    };
    let training = Some((config.loss.regression(), settings.update()));
    let task = Colorization { card, space: config.color_space, training, val: Some(val.clone()) };
    let mut model = Model::for_training(&task, launch.engine, settings.batch_size.min(train.len()), settings)?;
    let init = config.init.as_deref().filter(|_| launch.resumed.is_none());
    let started = init.map(|path| start_from(&mut model, path)).transpose()?;
    let source = |part: &Arc<PreparedImages>, how| {
        Arc::new(ColorizationSource::new(part.clone(), config.color_space).augmented(how))
    };
    let augmentation = config.augment.prepare(Purpose::Colorize, config.seed);
    let stem = if config.skips { "colorize-unet" } else { "colorize-unet-noskip" };
    let make_run = |settings: &_| Launch::make_run(settings, &launch.toml, stem);
    let sources: [Arc<dyn Source>; 2] = [source(&train, augmentation), source(&val, None)];
    let trainer = Trainer::new(task, launch.settings, model, sources, make_run, launch.resumed)?;
    let mut lines = vec![
        format!("device: {}", trainer.model().session.engine().name()),
        format!("data:   {}, {} training and {} validation images", splits.format, train.len(), val.len()),
        format!("run:    {}", trainer.run().path().display()),
    ];
    lines.extend(started);
    if !train.grey().is_empty() {
        lines.push(format!("note:   {} training images have no colour", train.grey().len()));
    }
    lines.extend(train.bad().iter().chain(val.bad()).map(|bad| format!("skipped {bad}")));
    lines.extend(trainer.left_out());
    lines.extend(launch.precision);
    observer.begins(&lines);
    Ok(trainer)
}
