//! Scores of trust against those of scikit-learn, SciPy and the formulas in `tests/fixtures/trust.json`, which
//! `generate_trust.py` makes.

use serde::Deserialize;
use shadegrad::internals::run::trust::{auroc, is_among};
use shadegrad::internals::tasks::segment::boundary::{BoundaryScores, boundary_f1};
use shadegrad::run::{Calibration, ConfusionMatrix};

#[derive(Deserialize)]
struct Fixture {
    classes: Vec<Classes>,
    boundary: Vec<Boundary>,
}

#[derive(Deserialize)]
struct Classes {
    truth: Vec<usize>,
    probabilities: Vec<Vec<f32>>,
    precision: Vec<Option<f64>>,
    recall: Vec<Option<f64>>,
    f1: Vec<Option<f64>>,
    auroc: Vec<Option<f64>>,
    ece: f64,
    top5: f64,
}

#[derive(Deserialize)]
struct Boundary {
    width: usize,
    truth: String,
    predicted: String,
    f1: Vec<Option<f64>>,
}

fn fixture() -> Fixture {
    serde_json::from_str(include_str!("../fixtures/trust.json")).expect("the fixture is JSON")
}

#[track_caller]
fn equal(what: &str, found: Option<f64>, wanted: Option<f64>) {
    let close = match (found, wanted) {
        (Some(a), Some(b)) => (a - b).abs() < 1e-12,
        (a, b) => a == b,
    };
    assert!(close, "{what}: {found:?}, the reference has {wanted:?}");
}

/// The second case has many equal probabilities, among which scikit-learn's top-5 chooses others.
#[test]
fn scores_of_classes_are_those_of_scikit_learn() {
    for (case, of) in fixture().classes.into_iter().enumerate() {
        let classes = of.precision.len();
        let best = |p: &Vec<f32>| (0..classes).fold(0, |best, k| if p[k] > p[best] { k } else { best });
        let mut matrix = ConfusionMatrix::new(classes);
        for (p, &truth) in of.probabilities.iter().zip(&of.truth) {
            matrix.add(truth, best(p)).expect("a class");
        }
        for class in 0..classes {
            let what = |score: &str| format!("case {case}, class {class}, {score}");
            equal(&what("precision"), matrix.precision(class), of.precision[class]);
            equal(&what("recall"), matrix.recall(class), of.recall[class]);
            equal(&what("F1"), matrix.f1(class), of.f1[class]);
            let samples = of.probabilities.iter().zip(&of.truth).map(|(p, truth)| (p[class], *truth == class));
            equal(&what("AUROC"), auroc(samples), of.auroc[class]);
        }
        if case == 0 {
            let among = of.probabilities.iter().zip(&of.truth).filter(|(p, truth)| is_among(p, **truth, 5)).count();
            equal("top-5", Some(among as f64 / of.truth.len() as f64), Some(of.top5));
        }
        let sure = of.probabilities.iter().zip(&of.truth).map(|(p, &truth)| (f64::from(p[best(p)]), best(p) == truth));
        let calibration = Calibration::of(sure).expect("predictions");
        equal("ECE", Some(calibration.ece), Some(of.ece));
        assert_eq!(calibration.bins.iter().map(|bin| bin.count).sum::<u64>(), of.truth.len() as u64);
        equal("accuracy", Some(calibration.accuracy), matrix.accuracy());
    }
    assert_eq!((auroc([(0.5, true)].into_iter()), Calibration::of(std::iter::empty())), (None, None));
}

#[test]
fn boundaries_are_those_of_distance_transforms() {
    let pixels = |text: &str| -> Vec<u8> { text.bytes().map(|c| if c == b'.' { 255 } else { c - b'0' }).collect() };
    for Boundary { width, truth, predicted, f1 } in fixture().boundary {
        let (truth, predicted) = (pixels(&truth), pixels(&predicted));
        let found = boundary_f1(&truth, &predicted, width, f1.len());
        for (class, (found, wanted)) in found.iter().zip(&f1).enumerate() {
            equal(&format!("width {width}, class {class}"), *found, *wanted);
        }
        let same = boundary_f1(&truth, &truth, width, f1.len());
        assert!(same.iter().flatten().all(|&score| score == 1.0), "{same:?}");
        let mut set = BoundaryScores::new(f1.len());
        [&found, &same].into_iter().for_each(|scores| set.add(scores));
        let mean = f1.iter().flatten().sum::<f64>() / f1.iter().flatten().count() as f64;
        equal("mean", set.mean(), Some((mean + 1.0) / 2.0));
        equal("class 0", set.of_class(0), f1[0].map(|score| (score + 1.0) / 2.0));
    }
}

/// The probabilities of weights that overflow.
#[test]
fn confidences_that_are_no_numbers_are_counted_and_named() {
    let found = Calibration::of([(f64::NAN, false), (0.9, true)].into_iter()).expect("predictions");
    assert_eq!(found.bins.iter().map(|bin| bin.count).sum::<u64>(), 2);
    assert!(found.words().ends_with("some probabilities are no numbers"), "{}", found.words());
}
