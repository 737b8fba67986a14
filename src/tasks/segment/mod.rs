//! `train segment`: images and masks in, a class for every pixel out.

pub mod metrics;

use std::sync::Arc;
use std::sync::atomic::AtomicBool;

use image::RgbImage;

use crate::data::augment::Purpose;
use crate::data::{
    self, Batch, PreparedPairs, SegmentationSource, SegmentationSplits, SetOptions, SizeOptions, Source,
    open_segmentation, prepare_segmentation,
};
use crate::exec::{AnyEngine, ExecError, PlanId, Session};
use crate::fuse::{FuseOptions, fuse};
use crate::graph::{Graph, GraphError, StateTable};
use crate::label::IGNORED;
use crate::nn::Mode;
use crate::ops::{self, CrossEntropyOptions, DiceOptions};
use crate::run::card::{ModelCard, TaskKind};
use crate::run::confusion::ConfusionMatrix;
use crate::run::history::{EpochRow, Score};
use crate::run::pictures::{self, Comparison, Curve};
use crate::run::run_dir::RunDir;
use crate::shape::TensorType;
use crate::tasks::classify::{filled, normalization, spread};
use crate::tasks::segment::metrics::SegmentationScores;
use crate::train::TrainError;
use crate::train::config::{SegmentConfig, SegmentLoss};
use crate::train::launch::Launch;
use crate::train::model::{Model, start_from};
use crate::train::step::{Phase, Update, append_training, port};
use crate::train::task::Task;
use crate::train::trainer::{Observer, Outcome, Trainer};

/// Validation scenes of the built-in data.
pub(crate) const STREETS_VAL: usize = 64;

/// Validation images shown in the run's picture.
const SHOWN: usize = 6;

/// What is minimised, and how.
#[derive(Clone, Debug)]
struct Training {
    loss: SegmentLoss,
    /// One per class, where there are any.
    class_weights: Option<Vec<f32>>,
    update: Update,
}

/// Segmentation as a task of the common loop.
pub struct Segmentation {
    card: ModelCard,
    training: Option<Training>,
    /// Pairs that predictions are shown beside, and written for.
    val: Option<Arc<PreparedPairs>>,
}

/// Result of an evaluation.
#[derive(Clone, Debug)]
pub struct SegmentEvaluation {
    loss: f64,
    counted: f64,
    /// Truth against prediction, over all pixels of the set that count.
    pub confusion: ConfusionMatrix,
    /// Index and predicted classes of the images to be shown.
    pub shown: Vec<(usize, Vec<u8>)>,
    wanted: Vec<usize>,
}

impl SegmentEvaluation {
    /// Mean cross entropy of the pixels that count.
    pub fn loss(&self) -> f64 {
        self.loss / self.counted.max(1.0)
    }

    /// The scores of the whole set.
    pub fn scores(&self) -> SegmentationScores {
        SegmentationScores::of(&self.confusion)
    }
}

impl Segmentation {
    /// For evaluation and prediction with a trained model; `val` are the pairs of which some are kept to be shown.
    ///
    /// # Errors
    /// When the model was trained for something else.
    pub fn trained(card: ModelCard, val: Option<Arc<PreparedPairs>>) -> Result<Self, TrainError> {
        if card.task != TaskKind::Segment {
            return Err(TrainError::OtherTask { task: card.task, wanted: TaskKind::Segment });
        }
        Ok(Segmentation { card, training: None, val })
    }

    /// The class of each pixel, for one image of the card's size that is normalized.
    ///
    /// # Errors
    /// When the device is lost.
    pub fn predict(&self, model: &mut Model, image: Vec<f32>) -> Result<Vec<u8>, TrainError> {
        let batch = Batch { images: image, indices: vec![0], ..Batch::default() };
        let outputs = model.forward(self, 1, &batch)?;
        Ok(outputs[2].iter().map(|&class| class as u8).collect())
    }

    fn pixels(&self) -> usize {
        self.card.image_size.iter().product()
    }

    /// Image, labels and logits of a graph for `n` images.
    fn network(&self, g: &mut Graph, n: usize, mode: Mode) -> Result<[crate::graph::Value; 2], GraphError> {
        let [h, w] = self.card.image_size;
        let images = g.input(port::IMAGES, TensorType::channels([n, h, w, 3]));
        let labels = g.input(port::LABELS, TensorType::flat(n * h * w));
        Ok([self.card.network.apply(g, images, mode)?, labels])
    }
}

impl Task for Segmentation {
    type Evaluation = SegmentEvaluation;

    fn card(&self) -> &ModelCard {
        &self.card
    }

    fn training_graph(&self, states: StateTable, n: usize, phase: Phase) -> Result<Graph, GraphError> {
        let training = self.training.as_ref().ok_or(GraphError::EvaluationOnly)?;
        let mut g = Graph::with_states(states);
        let [logits, labels] = self.network(&mut g, n, Mode::Train)?;
        let weights = training.class_weights.as_ref();
        let weights = weights.map(|w| g.input(port::CLASS_WEIGHTS, TensorType::channels([w.len()])));
        let options = CrossEntropyOptions { ignore_index: Some(IGNORED), ..Default::default() };
        let [cross_entropy, totals] = ops::softmax_cross_entropy(&mut g, logits, labels, weights, options)?;
        let mut dice = || {
            let options = DiceOptions { ignore_index: Some(IGNORED), ..Default::default() };
            ops::dice_loss(&mut g, logits, labels, options)
        };
        let loss = match training.loss {
            SegmentLoss::CrossEntropy => cross_entropy,
            SegmentLoss::Dice => dice()?,
            SegmentLoss::Both => {
                let dice = dice()?;
                ops::add(&mut g, cross_entropy, dice)?
            }
        };
        g.output(port::LOSS, loss);
        g.output(port::TOTALS, totals);
        append_training(&mut g, [loss, totals], &training.update, phase)?;
        fuse(&mut g, FuseOptions::default());
        Ok(g)
    }

    fn evaluation_graph(&self, states: StateTable, n: usize) -> Result<Graph, GraphError> {
        let mut g = Graph::with_states(states);
        let [logits, labels] = self.network(&mut g, n, Mode::Eval)?;
        let options = CrossEntropyOptions { ignore_index: Some(IGNORED), ..Default::default() };
        let [_, totals] = ops::softmax_cross_entropy(&mut g, logits, labels, None, options)?;
        let predictions = ops::argmax(&mut g, logits)?;
        let counts = ops::confusion(&mut g, labels, predictions, self.card.classes.len())?;
        g.output(port::TOTALS, totals);
        g.output(port::COUNTS, counts);
        g.output(port::PREDICTIONS, predictions);
        fuse(&mut g, FuseOptions::default());
        Ok(g)
    }

    fn feed(&self, session: &mut Session<AnyEngine>, plan: PlanId, batch: &Batch, n: usize) -> Result<(), ExecError> {
        let label = |&l: &u32| if l == u32::from(data::IGNORED) { IGNORED as f32 } else { l as f32 };
        let mut labels: Vec<f32> = batch.labels.iter().map(label).collect();
        labels.resize(n * self.pixels(), IGNORED as f32);
        session.write(plan, port::IMAGES, &filled(&batch.images, n * self.card.input_len()))?;
        session.write(plan, port::LABELS, &labels)?;
        match self.training.as_ref().and_then(|t| t.class_weights.as_ref()) {
            Some(weights) if session.plan(plan).input(port::CLASS_WEIGHTS).is_some() => {
                session.write(plan, port::CLASS_WEIGHTS, weights)
            }
            _ => Ok(()),
        }
    }

    fn begin(&self, samples: usize) -> SegmentEvaluation {
        let wanted = if self.val.is_some() { spread(samples, SHOWN).collect() } else { vec![] };
        let confusion = ConfusionMatrix::new(self.card.classes.len());
        SegmentEvaluation { loss: 0.0, counted: 0.0, confusion, shown: vec![], wanted }
    }

    fn add(&self, to: &mut SegmentEvaluation, batch: &Batch, outputs: Vec<Vec<f32>>) -> Result<(), TrainError> {
        to.loss += f64::from(outputs[0][0]);
        to.counted += f64::from(outputs[0][3]);
        to.confusion.add_counts(&outputs[1]);
        for (image, &index) in outputs[2].chunks_exact(self.pixels()).zip(&batch.indices) {
            if to.wanted.contains(&index) {
                to.shown.push((index, image.iter().map(|&class| class as u8).collect()));
            }
        }
        Ok(())
    }

    fn scores(&self, e: &SegmentEvaluation) -> (f64, Vec<(Score, f64)>) {
        let scores = e.scores();
        let list = [
            (Score::MeanIou, scores.mean_iou),
            (Score::WeightedIou, scores.weighted_iou),
            (Score::PixelAccuracy, scores.pixel_accuracy),
        ];
        (e.loss(), list.into_iter().map(|(s, v)| (s, v.unwrap_or(0.0))).collect())
    }

    fn counts_right(&self) -> bool {
        true
    }

    fn curve(&self) -> Curve {
        let series = vec![("mean", Score::MeanIou), ("weighted", Score::WeightedIou)];
        Curve { title: "IoU on validation", axis: "intersection over union", percent: true, series }
    }

    fn draw(&self, run: &RunDir, best: &EpochRow, found: &SegmentEvaluation) -> Result<Vec<&'static str>, TrainError> {
        run.write_confusion(&found.confusion, &self.card.classes)?;
        run.write_file("iou.csv", &iou_table(&self.card.classes, found))?;
        let confusion = pictures::confusion_picture(&found.confusion, &self.card.classes)?;
        pictures::save_png(&confusion, &run.confusion_path())?;
        let Some(val) = &self.val else { return Ok(vec!["confusion.png", "iou.csv"]) };
        let title = format!("Validation images after epoch {}", best.epoch);
        let mut figure = Comparison::new(title, ["image", "truth", "prediction"].map(String::from).to_vec());
        figure.legend = self.card.classes.iter().cloned().zip(self.card.palette.iter().copied()).collect();
        for (index, predicted) in &found.shown {
            let (image, truth) = pair(val, *index)?;
            let shown = pictures::painted(val.size(), predicted, &self.card.palette);
            let iou = image_iou(&truth, predicted, self.card.classes.len());
            let masks = [pictures::painted(val.size(), &truth, &self.card.palette), shown];
            let captions = [String::new(), String::new(), format!("mean IoU {:.3}", iou.unwrap_or(0.0))];
            figure.row(std::iter::once(image).chain(masks).zip(captions));
        }
        pictures::save_png(&figure.draw()?, &run.samples_path())?;
        Ok(vec!["samples.png", "confusion.png", "iou.csv"])
    }
}

/// Image and mask of a prepared pair.
///
/// # Errors
/// When it is not in memory and can no longer be read.
pub fn pair(pairs: &PreparedPairs, index: usize) -> Result<(RgbImage, Vec<u8>), TrainError> {
    let (height, width) = pairs.size();
    let pair = pairs.pair(index)?;
    let (image, mask) = pair.split_at(3 * (height * width) as usize);
    Ok((RgbImage::from_raw(width, height, image.to_vec()).unwrap_or_default(), mask.to_vec()))
}

/// Mean IoU of one image, over the classes in its truth or its prediction.
pub fn image_iou(truth: &[u8], predicted: &[u8], classes: usize) -> Option<f64> {
    let mut confusion = ConfusionMatrix::new(classes);
    for (&t, &p) in truth.iter().zip(predicted) {
        // Ignored pixels are out of range.
        let _ = confusion.add(t.into(), p.into());
    }
    SegmentationScores::of(&confusion).mean_iou
}

/// `iou.csv`: class, pixels, IoU (empty where the class is neither there nor predicted).
fn iou_table(classes: &[String], found: &SegmentEvaluation) -> String {
    let mut csv = csv::Writer::from_writer(vec![]);
    let _ = csv.write_record(["class", "pixels", "iou"]);
    for (class, iou) in found.scores().iou.iter().enumerate() {
        let iou = iou.map_or(String::new(), |iou| format!("{iou:.4}"));
        // Writing into memory does not fail.
        let _ = csv.write_record([&classes[class], &found.confusion.row_total(class).to_string(), &iou]);
    }
    csv.into_inner().map(|bytes| String::from_utf8_lossy(&bytes).into_owned()).unwrap_or_default()
}

/// The data of a run: what `--data` names, or built-in street scenes.
pub(crate) fn open_data(config: &SegmentConfig) -> Result<SegmentationSplits, TrainError> {
    if let Some(path) = &config.data {
        let (val_split, seed, skip_bad) = (config.val_split as f32, config.seed, config.skip_bad);
        return Ok(open_segmentation(path, &SetOptions { val_split, seed, skip_bad })?);
    }
    let size = (config.image_size.height as u32, config.image_size.width as u32);
    Ok(SegmentationSplits::streets(config.seed, [config.scenes, STREETS_VAL, 0], size))
}

/// Trains by `config` and writes everything into a new run directory. `stop` ends it after the current step.
///
/// # Errors
/// See [`TrainError`]; whatever had been written stays.
pub fn train(config: &SegmentConfig, observer: &dyn Observer, stop: &AtomicBool) -> Result<Outcome, TrainError> {
    open(config, observer)?.train(observer, stop)
}

/// Reads the data and makes the model and the run directory: all but the training.
///
/// # Errors
/// As [`train`].
pub fn open(config: &SegmentConfig, observer: &dyn Observer) -> Result<Trainer<Segmentation>, TrainError> {
    config.validate()?;
    let launch = Launch::new(config.settings(), config.to_toml()?)?;
    let settings = &launch.settings;
    let splits = open_data(config)?;
    let size = SizeOptions {
        skip_bad: config.skip_bad,
        ..SizeOptions::new(config.image_size.height as u32, config.image_size.width as u32)
    };
    let told = |done, total| observer.reading(done, total);
    let mut parts = prepare_segmentation(&[splits.train, splits.val], &size, &told)?;
    let (val, train) = (Arc::new(parts.remove(1)), Arc::new(parts.remove(0)));
    let classes = train.classes();
    let card = ModelCard {
        task: TaskKind::Segment,
        network: config.network(classes.len()),
        classes: classes.names.clone(),
        palette: classes.palette.clone(),
        image_size: [config.image_size.height, config.image_size.width],
        normalization: normalization(config.normalize, || train.sums().normalization()),
    };
    let weights = config.class_weights.weights(train.class_pixels(), train.class_image_pixels());
    let class_weights = (config.class_weights != Default::default()).then_some(weights);
    let training = Training { loss: config.loss, class_weights, update: settings.update() };
    let task = Segmentation { card, training: Some(training), val: Some(val.clone()) };
    let mut model = Model::for_training(&task, launch.engine, settings.batch_size.min(train.len()), settings)?;
    let init = config.init.as_deref().filter(|_| launch.resumed.is_none());
    let started = init.map(|path| start_from(&mut model, path)).transpose()?;
    let table = task.card.normalization;
    let source =
        |part: &Arc<PreparedPairs>, how| Arc::new(SegmentationSource::new(part.clone(), &table).augmented(how));
    let augmentation = config.augment.prepare(Purpose::Segment, config.seed);
    let stem = format!("segment-{}", config.model.name());
    let make_run = |settings: &_| Launch::make_run(settings, &launch.toml, &stem);
    let sources: [Arc<dyn Source>; 2] = [source(&train, augmentation), source(&val, None)];
    let trainer = Trainer::new(task, launch.settings, model, sources, make_run, launch.resumed)?;
    let mut lines = vec![
        format!("device:  {}", trainer.model().session.engine().name()),
        format!("data:    {}, {} training and {} validation images", splits.format, train.len(), val.len()),
        format!("classes: {classes}"),
        format!("run:     {}", trainer.run().path().display()),
    ];
    lines.extend(started);
    let left_out = splits.left_out.iter().chain(train.bad()).chain(val.bad());
    lines.extend(left_out.map(|bad| format!("skipped {bad}")));
    lines.extend(trainer.left_out());
    lines.extend(launch.precision);
    observer.begins(&lines);
    Ok(trainer)
}
