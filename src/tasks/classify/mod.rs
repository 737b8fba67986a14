//! `train classify`: data in, trained ResNet18 in a run directory out.

use std::sync::Arc;
use std::sync::atomic::AtomicBool;

use crate::data::augment::Purpose;
use crate::data::scenes::SceneDataset;
use crate::data::{
    Batch, ClassificationSource, Normalization, OpenOptions, PrepareOptions, Prepared, Source, Splits,
    open_classification, prepare,
};
use crate::exec::{AnyEngine, ExecError, PlanId, Session};
use crate::fuse::{FuseOptions, fuse};
use crate::graph::{Graph, GraphError, StateTable};
use crate::label::IGNORED;
use crate::nn::{Network, ResNet18};
use crate::ops::CrossEntropyOptions;
use crate::run::card::{ModelCard, TaskKind};
use crate::run::confusion::ConfusionMatrix;
use crate::run::history::{EpochRow, Score};
use crate::run::mistakes;
use crate::run::pictures::{self, Curve, Sheet};
use crate::run::run_dir::RunDir;
use crate::train::TrainError;
use crate::train::config::{ClassifyConfig, Normalize};
use crate::train::launch::Launch;
use crate::train::model::{Model, start_from};
use crate::train::step::{Phase, StepOptions, Update, append_loss, append_training, evaluation_graph, port};
use crate::train::task::Task;
pub use crate::train::trainer::Outcome;
use crate::train::trainer::{Observer, Trainer};

/// Validation images of the built-in scenes.
pub(crate) const SCENES_VAL: usize = 500;
/// Tells the seeds of the two parts of built-in data apart.
pub(crate) const SCENES_VAL_SEED: u64 = 0x5eed_0000_0000;

impl ClassifyConfig {
    /// The graph options of a full batch.
    pub fn step_options(&self) -> StepOptions {
        let update = self.settings().update();
        StepOptions {
            images: [self.batch_size, self.image_size, self.image_size, 3],
            loss: CrossEntropyOptions {
                label_smoothing: self.label_smoothing as f32,
                soft_labels: self.mix().is_on(),
                ..Default::default()
            },
            optimizer: update.optimizer,
            clip: update.clip,
            fuse: FuseOptions::default(),
        }
    }

    /// Refuses images that the network would shrink to nothing.
    ///
    /// # Errors
    /// [`TrainError::ImageTooSmall`].
    pub fn require_large_images(&self) -> Result<(), TrainError> {
        let (size, least) = (self.image_size, ResNet18::MIN_IMAGE_SIZE);
        if size < least { Err(TrainError::ImageTooSmall { size, least }) } else { Ok(()) }
    }
}

/// Classification as a task of the common loop.
pub struct Classification {
    card: ModelCard,
    training: Option<(CrossEntropyOptions, Update)>,
    val: Option<Arc<Prepared>>,
}

/// Result of an evaluation.
#[derive(Clone, Debug)]
pub struct Evaluation {
    loss: f64,
    /// Truth against prediction.
    pub confusion: ConfusionMatrix,
    /// Prediction and its probability for each image of the set, in the order of the set.
    pub predictions: Vec<(usize, f32)>,
}

impl Evaluation {
    /// Mean loss over the images.
    pub fn loss(&self) -> f64 {
        self.loss / self.confusion.total().max(1) as f64
    }
    /// Share of images predicted rightly.
    pub fn accuracy(&self) -> f64 {
        self.confusion.accuracy().unwrap_or(0.0)
    }
}

impl Classification {
    /// For evaluation and prediction with a trained model.
    ///
    /// # Errors
    /// When the model was trained for something else.
    pub fn trained(card: ModelCard) -> Result<Self, TrainError> {
        if card.task != TaskKind::Classify {
            return Err(TrainError::OtherTask { task: card.task, wanted: TaskKind::Classify });
        }
        Ok(Classification { card, training: None, val: None })
    }

    /// Probabilities of all classes for images that are normalized and of the card's size, `[N,H,W,3]`, at most
    /// `batch_size` of them.
    ///
    /// # Errors
    /// When the device is lost.
    pub fn predict(&self, model: &mut Model, batch_size: usize, images: Vec<f32>) -> Result<Vec<Vec<f32>>, TrainError> {
        let n = images.len() / self.card.input_len();
        let batch = Batch { images, indices: (0..n).collect(), ..Batch::default() };
        let outputs = model.forward(self, batch_size, &batch)?;
        Ok(outputs[0].chunks_exact(self.card.classes.len()).take(n).map(softmax).collect())
    }
}

impl Task for Classification {
    type Evaluation = Evaluation;

    fn card(&self) -> &ModelCard {
        &self.card
    }

    fn training_graph(&self, states: StateTable, n: usize, phase: Phase) -> Result<Graph, GraphError> {
        let (loss, update) = self.training.as_ref().ok_or(GraphError::EvaluationOnly)?;
        let ([h, w], mut g) = (self.card.image_size, Graph::with_states(states));
        let network = |g: &mut Graph, x, mode| self.card.network.apply(g, x, mode);
        let ends = append_loss(&mut g, &network, [n, h, w, 3], *loss)?;
        append_training(&mut g, ends, update, phase)?;
        fuse(&mut g, FuseOptions::default());
        Ok(g)
    }

    fn evaluation_graph(&self, states: StateTable, n: usize) -> Result<Graph, GraphError> {
        let [h, w] = self.card.image_size;
        let network = |g: &mut Graph, x, mode| self.card.network.apply(g, x, mode);
        evaluation_graph(states, &network, [n, h, w, 3], FuseOptions::default())
    }

    fn feed(&self, session: &mut Session<AnyEngine>, plan: PlanId, batch: &Batch, n: usize) -> Result<(), ExecError> {
        // Images to predict come without labels.
        let mut labels: Vec<f32> = batch.labels.iter().map(|&l| l as f32).collect();
        labels.resize(n, IGNORED as f32);
        session.write(plan, port::IMAGES, &filled(&batch.images, n * self.card.input_len()))?;
        if !batch.targets.is_empty() {
            return session.write(plan, port::TARGETS, &batch.targets);
        }
        session.write(plan, port::LABELS, &labels)
    }

    fn begin(&self, samples: usize) -> Evaluation {
        let confusion = ConfusionMatrix::new(self.card.classes.len());
        Evaluation { loss: 0.0, confusion, predictions: vec![(0, 0.0); samples] }
    }

    fn add(&self, to: &mut Evaluation, batch: &Batch, outputs: Vec<Vec<f32>>) -> Result<(), TrainError> {
        let classes = self.card.classes.len();
        to.loss += f64::from(outputs[1][0]);
        for ((row, &truth), &index) in outputs[0].chunks_exact(classes).zip(&batch.labels).zip(&batch.indices) {
            let p = softmax(row);
            let best = (0..classes).fold(0, |best, k| if p[k] > p[best] { k } else { best });
            to.predictions[index] = (best, p[best]);
            // Both are below `classes`: labels are checked when the data is opened.
            let _ = to.confusion.add(truth as usize, best);
        }
        Ok(())
    }

    fn scores(&self, evaluation: &Evaluation) -> (f64, Vec<(Score, f64)>) {
        (evaluation.loss(), vec![(Score::Accuracy, evaluation.accuracy())])
    }

    fn counts_right(&self) -> bool {
        true
    }

    fn curve(&self) -> Curve {
        Curve {
            title: "Accuracy",
            axis: "correct images",
            percent: true,
            series: vec![("training", Score::TrainAccuracy), ("validation", Score::Accuracy)],
        }
    }

    fn draw(&self, run: &RunDir, best: &EpochRow, found: &Evaluation) -> Result<Vec<&'static str>, TrainError> {
        let classes = &self.card.classes;
        let confusion = pictures::confusion_picture(&found.confusion, classes)?;
        pictures::save_png(&confusion, &run.confusion_path())?;
        run.write_confusion(&found.confusion, classes)?;
        let Some(val) = &self.val else { return Ok(vec!["confusion.png"]) };
        let mistakes = mistakes::write(run, val, found)?;
        let mut cells = Vec::new();
        for i in spread(val.len(), 24) {
            let size = val.image_size();
            let pixels = val.pixels(i)?.into_owned();
            let Some(image) = image::RgbImage::from_raw(size, size, pixels) else { continue };
            let (class, p) = found.predictions[i];
            let truth = &classes[val.label(i) as usize];
            cells.push(pictures::prediction_cell(image, &classes[class], truth, f64::from(p)));
        }
        let title = format!("Validation images after epoch {}: prediction (truth)", best.epoch);
        let sheet = Sheet { title, columns: 6, cell_size: 192, cells };
        pictures::save_png(&sheet.draw()?, &run.samples_path())?;
        let errors = (mistakes > 0).then_some("errors/");
        Ok(["confusion.png", "samples.png"].into_iter().chain(errors).collect())
    }
}

/// `count` indices evenly spread over a set, which is often sorted by class.
pub(crate) fn spread(len: usize, count: usize) -> impl Iterator<Item = usize> {
    let shown = len.min(count);
    (0..shown).map(move |i| i * len / shown)
}

/// Values followed by zeros up to a length.
pub(crate) fn filled(values: &[f32], len: usize) -> std::borrow::Cow<'_, [f32]> {
    if values.len() == len {
        return values.into();
    }
    let mut filled = values.to_vec();
    filled.resize(len, 0.0);
    filled.into()
}

/// The data of a run: what `--data` names, or the built-in scenes.
pub(crate) fn open_data(config: &ClassifyConfig) -> Result<Splits, TrainError> {
    match &config.data {
        Some(path) => {
            let options = OpenOptions { val_split: config.val_split as f32, seed: config.seed };
            Ok(open_classification(path, &options)?)
        }
        None => {
            let size = config.image_size as u32;
            Ok(Splits {
                train: Arc::new(SceneDataset::new(config.seed, config.scenes, size)),
                val: Arc::new(SceneDataset::new(config.seed ^ SCENES_VAL_SEED, SCENES_VAL, size)),
                test: None,
                by_seed: false,
                format: "built-in scenes",
            })
        }
    }
}

/// Trains by `config` and writes everything into a new run directory. `stop` ends it after the current step.
///
/// # Errors
/// See [`TrainError`]; whatever had been written stays.
pub fn train(config: &ClassifyConfig, observer: &dyn Observer, stop: &AtomicBool) -> Result<Outcome, TrainError> {
    open(config, observer)?.train(observer, stop)
}

/// Reads the data and makes the model and the run directory: all but the training.
///
/// # Errors
/// As [`train`].
pub fn open(config: &ClassifyConfig, observer: &dyn Observer) -> Result<Trainer<Classification>, TrainError> {
    config.validate()?;
    config.require_large_images()?;
    let launch = Launch::new(config.settings(), config.to_toml()?)?;
    let settings = &launch.settings;
    let splits = open_data(config)?;
    let options = PrepareOptions { skip_bad: config.skip_bad, ..PrepareOptions::new(config.image_size as u32) };
    let mut parts = prepare(&[splits.train, splits.val], &options, &|done, total| observer.reading(done, total))?;
    let (val, train) = (Arc::new(parts.remove(1)), Arc::new(parts.remove(0)));
    let classes = train.class_names().to_vec();
    let card = ModelCard {
        task: TaskKind::Classify,
        network: Network::ResNet18 { classes: classes.len(), stem: config.stem },
        classes,
        palette: vec![],
        image_size: [config.image_size; 2],
        normalization: normalization(config.normalize, || train.sums().normalization()),
    };
    let step = config.step_options();
    let task = Classification { card, training: Some((step.loss, settings.update())), val: Some(val.clone()) };
    let mut model = Model::for_training(&task, launch.engine, settings.batch_size.min(train.len()), settings)?;
    let init = config.init.as_deref().filter(|_| launch.resumed.is_none());
    let started = init.map(|path| start_from(&mut model, path)).transpose()?;
    let table = task.card.normalization;
    let source = |part: &Arc<Prepared>| ClassificationSource::new(part.clone(), &table);
    let augmentation = config.augment.prepare(Purpose::Classify, config.seed);
    let stem = "classify-resnet18";
    let make_run = |settings: &_| Launch::make_run(settings, &launch.toml, stem);
    let sources: [Arc<dyn Source>; 2] =
        [Arc::new(source(&train).augmented(augmentation).mixed(config.mix())), Arc::new(source(&val))];
    let trainer = Trainer::new(task, launch.settings, model, sources, make_run, launch.resumed)?;
    let mut lines = vec![
        format!("device: {}", trainer.model().session.engine().name()),
        format!(
            "data:   {}, {} training and {} validation images, {} classes",
            splits.format,
            train.len(),
            val.len(),
            train.class_names().len()
        ),
        format!("run:    {}", trainer.run().path().display()),
    ];
    lines.extend(started);
    lines.extend(train.bad().iter().chain(val.bad()).map(|bad| format!("skipped {bad}")));
    lines.extend(trainer.left_out());
    lines.extend(launch.precision);
    observer.begins(&lines);
    Ok(trainer)
}

/// The normalization that a setting names.
pub(crate) fn normalization(setting: Normalize, of_data: impl FnOnce() -> Normalization) -> Normalization {
    match setting {
        Normalize::Dataset => of_data(),
        Normalize::Imagenet => Normalization::IMAGENET,
        Normalize::None => Normalization::NONE,
    }
}

fn softmax(logits: &[f32]) -> Vec<f32> {
    let top = logits.iter().copied().fold(f32::NEG_INFINITY, f32::max);
    let e: Vec<f32> = logits.iter().map(|&v| (v - top).exp()).collect();
    let sum: f32 = e.iter().sum();
    e.into_iter().map(|v| v / sum).collect()
}
