//! Runs in numbers, for the rules of a verdict.

use shadegrad::run::{
    Baseline, Calibration, ConfusionMatrix, EpochRow, Evidence, FindingKind, Next, PartPixels, Pixels, Score,
    TRAIN_ACCURACY, TaskCard, Truth, Verdict, Yardstick,
};
use shadegrad::tasks::Task;
use shadegrad::tasks::classify::Classify;
use shadegrad::tasks::colorize::COLORFULNESS;

/// A run in numbers.
pub struct Run {
    pub task: TaskCard,
    /// Training loss, validation loss, training accuracy and decisive score of each epoch.
    pub epochs: Vec<[f64; 4]>,
    pub settings: &'static str,
    pub images: [usize; 2],
    /// Standard error of the score; 0 if unknown.
    pub sigma: f64,
    pub baseline: f64,
    /// Standard error of the gain over the baseline, image by image.
    pub gain_sigma: Option<f64>,
    pub confusion: Option<ConfusionMatrix>,
    pub calibration: Option<Calibration>,
    /// Training and validation images of each class.
    pub counts: Option<Vec<[usize; 2]>>,
    pub pixels: Option<PartPixels>,
    /// Height and width of the network's input, and those of a typical picture.
    pub sizes: Option<[[usize; 2]; 2]>,
    /// Colorfulness of the predictions and of the true pictures.
    pub colorfulness: Option<[f64; 2]>,
    pub batch_norm: bool,
    pub diverged: bool,
}

impl Run {
    /// A classification run of two classes that learns.
    pub fn of(epochs: &[[f64; 4]]) -> Self {
        Run {
            task: Classify.card(),
            epochs: epochs.to_vec(),
            settings: "model = \"resnet18\"\nlr = 0.001\nschedule = \"constant\"\naugment = \"none\"\nweight_decay = 0.0\n",
            images: [1000, 1000],
            sigma: 0.01,
            baseline: 0.5,
            gain_sigma: None,
            confusion: None,
            calibration: None,
            counts: None,
            pixels: None,
            sizes: None,
            colorfulness: None,
            batch_norm: true,
            diverged: false,
        }
    }

    pub fn verdict(&self) -> Verdict {
        self.judged().expect("a verdict")
    }

    /// The verdict, if the run has one.
    pub fn judged(&self) -> Option<Verdict> {
        let decisive: Score = self.task.decisive().expect("a score").clone();
        let row = |(index, &[train_loss, val_loss, right, value]): (usize, &[f64; 4])| EpochRow {
            epoch: index as u32 + 1,
            train_loss,
            val_loss,
            scores: [(TRAIN_ACCURACY, right), (decisive.clone(), value)]
                .into_iter()
                .chain(self.colorfulness.map(|[predicted, _]| (COLORFULNESS, predicted)))
                .collect(),
            lr: 1e-3,
            images_per_s: 10.0,
            data_wait: 0.0,
            seconds: 1.0,
        };
        let rows: Vec<EpochRow> = self.epochs.iter().enumerate().map(row).collect();
        let value = |row: &EpochRow| row.score(&decisive).expect("scored");
        let best = rows.iter().reduce(|a, b| if value(b) > value(a) { b } else { a }).expect("an epoch");
        let outputs = ["ants", "bees"].map(String::from);
        let baseline = Baseline { name: "always “ants”".into(), value: self.baseline, gain_sigma: self.gain_sigma };
        let yardstick = Yardstick {
            sigma: Some(self.sigma).filter(|sigma| *sigma > 0.0),
            baseline: Some(baseline),
            truth: self.colorfulness.map(|[_, value]| Truth { name: COLORFULNESS.name.to_string(), value }),
        };
        let evidence = Evidence {
            task: &self.task,
            training_images: self.images[0],
            validation_images: self.images[1],
            outputs: &outputs,
            settings: &toml::from_str(self.settings).expect("TOML"),
            rows: &rows,
            best,
            yardstick: &yardstick,
            confusion: self.confusion.as_ref(),
            calibration: self.calibration.as_ref(),
            class_counts: self.counts.as_deref(),
            pixels: self.pixels.as_ref(),
            image_size: self.sizes.map_or([64, 64], |[seen, _]| seen),
            picture: self.sizes.map(|[_, own]| own),
            batch_norm: self.batch_norm,
            diverged: self.diverged,
        };
        evidence.verdict()
    }

    pub fn kinds(&self) -> Vec<FindingKind> {
        self.verdict().findings.iter().map(|finding| finding.kind).collect()
    }
}

/// A converged run with little difference between training and validation.
pub fn good() -> Run {
    Run::of(&[[1.0, 0.9, 0.5, 0.6], [0.6, 0.6, 0.7, 0.75], [0.45, 0.5, 0.8, 0.8], [0.42, 0.5, 0.83, 0.81]])
}

pub fn train(settings: &[(&str, &str)]) -> Next {
    Next::Train(settings.iter().map(|&(key, value)| (key.to_owned(), value.to_owned())).collect())
}

pub fn text(run: &Run, kind: FindingKind) -> Option<String> {
    run.verdict().findings.into_iter().find(|finding| finding.kind == kind).map(|finding| finding.text)
}

/// Counts of two classes, truth in rows.
pub fn matrix(counts: [[u32; 2]; 2]) -> Option<ConfusionMatrix> {
    let mut matrix = ConfusionMatrix::new(2);
    for (truth, row) in counts.into_iter().enumerate() {
        for (prediction, count) in row.into_iter().enumerate() {
            (0..count).for_each(|_| matrix.add(truth, prediction).expect("a class"));
        }
    }
    Some(matrix)
}

/// Images of 4 values: brightness scatters by 0.1 between them, and contrast hardly.
pub fn pixels(brightness: f32, contrast: f32) -> Pixels {
    let image = |index: i16| {
        let mean = brightness + 0.1 * f32::from(index % 3 - 1);
        [mean - contrast, mean + contrast, mean - contrast, mean + contrast]
    };
    Pixels::of((0..60).map(image)).expect("values")
}
