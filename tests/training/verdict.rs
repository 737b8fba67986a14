//! The rules of a verdict: for each, a run that shows it and one that does not.

use shadegrad::run::{
    Baseline, Calibration, ConfusionMatrix, EpochRow, Evidence, FindingKind, Next, Score, TRAIN_ACCURACY, TaskCard,
    Verdict, Yardstick,
};
use shadegrad::tasks::Task;
use shadegrad::tasks::classify::Classify;
use shadegrad::tasks::segment::Segment;
use shadegrad::train::settings::Setting;

/// A run in numbers.
struct Run {
    task: TaskCard,
    /// Training loss, validation loss, training accuracy and decisive score of each epoch.
    epochs: Vec<[f64; 4]>,
    settings: &'static str,
    images: [usize; 2],
    sigma: f64,
    baseline: f64,
    /// Standard error of the gain over the baseline, image by image.
    gain_sigma: Option<f64>,
    confusion: Option<ConfusionMatrix>,
    calibration: Option<Calibration>,
    diverged: bool,
}

impl Run {
    /// A classification run of two classes that learns.
    fn of(epochs: &[[f64; 4]]) -> Self {
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
            diverged: false,
        }
    }

    fn verdict(&self) -> Verdict {
        let decisive: Score = self.task.decisive().expect("a score").clone();
        let row = |(index, &[train_loss, val_loss, right, value]): (usize, &[f64; 4])| EpochRow {
            epoch: index as u32 + 1,
            train_loss,
            val_loss,
            scores: vec![(TRAIN_ACCURACY, right), (decisive.clone(), value)],
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
        let yardstick = Yardstick { sigma: Some(self.sigma), baseline: Some(baseline) };
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
            diverged: self.diverged,
        };
        evidence.verdict().expect("a verdict")
    }

    fn kinds(&self) -> Vec<FindingKind> {
        self.verdict().findings.iter().map(|finding| finding.kind).collect()
    }
}

/// Converged, with little distance between the parts.
fn good() -> Run {
    Run::of(&[[1.0, 0.9, 0.5, 0.6], [0.6, 0.6, 0.7, 0.75], [0.45, 0.5, 0.8, 0.8], [0.42, 0.5, 0.83, 0.81]])
}

fn train(settings: &[(&str, &str)]) -> Next {
    Next::Train(settings.iter().map(|&(key, value)| (key.to_owned(), value.to_owned())).collect())
}

#[test]
fn a_good_run_learns_and_leads_to_predictions() {
    let verdict = good().verdict();
    assert_eq!(
        verdict.headline,
        "accuracy 81.0 % ± 1.0 on 1000 validation images, after epoch 4 of 4; always “ants” gives 50.0 %"
    );
    assert_eq!(verdict.findings.len(), 1, "{verdict:?}");
    assert_eq!(verdict.findings[0].kind, FindingKind::Learns);
    assert_eq!(verdict.next, [Next::Predict]);
}

/// 244 photographs of ants and bees from scratch, as a first run of a new user gives them.
#[test]
fn a_small_set_learned_by_heart_is_named_with_its_numbers() {
    let epochs = [
        [0.70, 0.72, 0.55, 0.54],
        [0.60, 0.69, 0.66, 0.60],
        [0.45, 0.66, 0.78, 0.647],
        [0.30, 0.72, 0.88, 0.63],
        [0.15, 0.85, 0.95, 0.62],
        [0.10, 0.95, 0.975, 0.62],
    ];
    let run = Run { images: [122, 153], sigma: 0.0386, baseline: 0.542, ..Run::of(&epochs) };
    let verdict = run.verdict();
    assert_eq!(
        run.kinds(),
        [FindingKind::Overfits, FindingKind::Memorizes, FindingKind::FewImages, FindingKind::FewValidationImages]
    );
    let texts: Vec<&str> = verdict.findings.iter().map(|finding| finding.text.as_str()).collect();
    assert!(texts[0].starts_with("overfits from epoch 3") && texts[0].contains("0.660 to 0.950"), "{texts:?}");
    assert!(texts[1].contains("97.5 %") && texts[1].contains("62.0 %"), "{texts:?}");
    assert!(texts[2].contains("61 per class"), "{texts:?}");
    assert!(texts[3].contains("11 points"), "{texts:?}");
    assert_eq!(verdict.next[0], train(&[("pretrained", "true"), ("finetune", "true")]), "helps most with few images");
    assert_eq!(verdict.next[1], train(&[("augment", "light")]));
    assert_eq!(verdict.next[2], train(&[("weight_decay", "1e-4"), ("early_stop", "3")]));
    let many = Run { images: [1000, 153], ..run };
    assert_eq!(many.verdict().next[0], train(&[("augment", "light")]));
}

/// PSNR differs more between photographs than between models: the gain over the grey picture is counted image by image.
#[test]
fn a_gain_on_each_image_is_better_than_a_guess() {
    let epochs = [[1.0, 0.9, 0.5, 0.6], [0.6, 0.6, 0.7, 0.75], [0.45, 0.5, 0.8, 0.8], [0.42, 0.5, 0.83, 0.81]];
    let run = |gain_sigma| Run { sigma: 0.05, baseline: 0.75, gain_sigma, ..Run::of(&epochs) };
    assert_eq!(run(None).kinds()[0], FindingKind::NoBetterThanBaseline);
    assert!(!run(Some(0.01)).kinds().contains(&FindingKind::NoBetterThanBaseline));
    assert_eq!(run(Some(0.04)).kinds()[0], FindingKind::NoBetterThanBaseline);
}

/// A run that still improves goes on before its rate or its data are doubted.
#[test]
fn a_guess_that_still_improves_goes_on() {
    let epochs =
        [[0.70, 0.70, 0.50, 0.50], [0.66, 0.67, 0.50, 0.50], [0.62, 0.63, 0.51, 0.505], [0.57, 0.58, 0.52, 0.51]];
    let run = Run::of(&epochs);
    assert_eq!(run.kinds()[..2], [FindingKind::NoBetterThanBaseline, FindingKind::NotConverged]);
    assert_eq!(run.verdict().next[..2], [Next::Continue { epochs: 8 }, Next::FindRate]);
    let flat =
        [[0.70, 0.70, 0.50, 0.50], [0.66, 0.69, 0.50, 0.505], [0.63, 0.69, 0.51, 0.50], [0.62, 0.69, 0.52, 0.50]];
    assert_eq!(Run::of(&flat).verdict().next[0], Next::FindRate);
}

/// The kind that a run shows, and that the good run does not.
#[test]
fn each_rule_finds_its_run_and_no_other() {
    let shown = [
        (FindingKind::Diverged, Run { diverged: true, ..good() }),
        (FindingKind::NoBetterThanBaseline, Run { baseline: 0.8, ..good() }),
        (FindingKind::Memorizes, Run::of(&[[1.0, 0.9, 0.5, 0.6], [0.5, 0.6, 0.7, 0.7], [0.46, 0.6, 0.95, 0.7]])),
        (
            FindingKind::RateTooHigh,
            Run::of(&[[1.0, 0.9, 0.5, 0.6], [1.2, 1.0, 0.5, 0.6], [0.9, 0.9, 0.6, 0.65], [1.1, 0.95, 0.6, 0.64]]),
        ),
        (FindingKind::LearnsSlowly, Run::of(&[[1.0, 1.0, 0.5, 0.6], [0.98, 0.99, 0.5, 0.6], [0.97, 0.99, 0.5, 0.61]])),
        (
            FindingKind::NotConverged,
            Run::of(&[[1.0, 0.9, 0.5, 0.6], [0.8, 0.8, 0.6, 0.65], [0.6, 0.65, 0.7, 0.7], [0.5, 0.55, 0.75, 0.75]]),
        ),
        (
            FindingKind::PartsDiffer,
            Run::of(&[[1.0, 2.4, 0.5, 0.55], [0.8, 2.0, 0.6, 0.6], [0.7, 2.0, 0.65, 0.62], [0.68, 2.0, 0.66, 0.62]]),
        ),
        (FindingKind::FewImages, Run { images: [150, 1000], ..good() }),
        (FindingKind::FewValidationImages, Run { sigma: 0.03, ..good() }),
    ];
    for (kind, run) in &shown {
        assert!(run.kinds().contains(kind), "{kind:?}: {:?}", run.verdict());
        assert!(!good().kinds().contains(kind), "{kind:?}");
        assert!(run.verdict().next.len() <= 3);
    }
}

/// Counts of two classes, truth in rows.
fn matrix(counts: [[u32; 2]; 2]) -> Option<ConfusionMatrix> {
    let mut matrix = ConfusionMatrix::new(2);
    for (truth, row) in counts.into_iter().enumerate() {
        for (prediction, count) in row.into_iter().enumerate() {
            (0..count).for_each(|_| matrix.add(truth, prediction).expect("a class"));
        }
    }
    Some(matrix)
}

#[test]
fn the_pair_with_most_errors_is_named() {
    let text = |counts| {
        let found = Run { confusion: matrix(counts), ..good() }.verdict().findings;
        found.into_iter().find(|finding| finding.kind == FindingKind::Confuses).map(|finding| finding.text)
    };
    assert_eq!(
        text([[38, 12], [6, 44]]).expect("found"),
        "most errors: 24.0 % of the images of “ants” are taken for “bees”"
    );
    assert_eq!(
        text([[95, 5], [20, 80]]).expect("found"),
        "most errors: 20.0 % of the images of “bees” are taken for “ants”"
    );
    assert_eq!(text([[95, 5], [5, 95]]), None, "less than a tenth");
    assert_eq!(text([[8, 2], [2, 8]]), None, "two images prove nothing");
}

#[test]
fn probabilities_above_the_accuracy_are_found() {
    let predictions = |confidence: f64, right: usize| (0..100).map(move |index| (confidence, index < right));
    let run = |confidence, right| Run { calibration: Calibration::of(predictions(confidence, right)), ..good() };
    let sure = run(0.97, 81).verdict();
    let text =
        "overconfident: the mean confidence is 97.0 % at an accuracy of 81.0 %, so that probabilities are too high";
    assert!(sure.findings.iter().any(|finding| finding.text == text), "{sure:?}");
    assert!(sure.findings[0].kind == FindingKind::Learns, "{sure:?}");
    for fine in [run(0.83, 81), run(0.6, 81)] {
        assert!(!fine.kinds().contains(&FindingKind::Overconfident), "{:?}", fine.verdict());
    }
}

/// One epoch with a higher training loss may be chance.
#[test]
fn a_single_rise_says_nothing_about_the_rate() {
    let run = Run::of(&[[1.0, 0.9, 0.5, 0.6], [1.2, 1.0, 0.5, 0.6], [0.9, 0.9, 0.6, 0.65], [0.8, 0.95, 0.6, 0.64]]);
    assert!(!run.kinds().contains(&FindingKind::RateTooHigh), "{:?}", run.verdict());
}

#[test]
fn rare_classes_are_found_by_their_scores() {
    let run = Run { task: Segment.card(), confusion: matrix([[900, 10], [80, 10]]), ..good() };
    assert!(run.kinds().contains(&FindingKind::UnequalClasses), "{:?}", run.verdict());
    assert!(run.verdict().next.contains(&train(&[("class_weights", "median")])));
    for fine in [matrix([[900, 10], [10, 80]]), matrix([[450, 50], [450, 50]])] {
        let run = Run { task: Segment.card(), confusion: fine, ..good() };
        assert!(!run.kinds().contains(&FindingKind::UnequalClasses), "{:?}", run.verdict());
    }
}

#[test]
fn a_run_that_still_improves_goes_on_where_its_schedule_allows() {
    let epochs = [[1.0, 0.9, 0.5, 0.6], [0.8, 0.8, 0.6, 0.65], [0.6, 0.65, 0.7, 0.7], [0.5, 0.55, 0.75, 0.75]];
    assert_eq!(Run::of(&epochs).verdict().next, [Next::Continue { epochs: 8 }]);
    let cosine = Run { settings: "schedule = \"cosine\"\n", ..Run::of(&epochs) };
    assert_eq!(cosine.verdict().next, [train(&[("epochs", "8")])]);
}

/// A step names settings that its task has.
#[test]
fn steps_change_settings_that_exist() {
    let of = |task: &dyn Task| task.settings().iter().map(|setting: &Setting| setting.key).collect::<Vec<_>>();
    for key in ["augment", "pretrained", "finetune", "weight_decay", "early_stop", "epochs", "lr"] {
        assert!(of(&Classify).contains(&key) && of(&Segment).contains(&key), "{key}");
    }
    assert!(of(&Segment).contains(&"class_weights") && of(&Classify).contains(&"sampler"));
}
