//! Scores against those of scikit-learn in `tests/fixtures/multilabel_scores.json`, which `generate_multilabel.py`
//! makes.

use serde::Deserialize;
use shadegrad::internals::tasks::multilabel::metrics::{DEFAULT_THRESHOLD, Scored};

#[derive(Deserialize)]
struct Case {
    name: String,
    truth: Vec<Vec<u8>>,
    probabilities: Vec<Vec<f32>>,
    classes: Vec<Class>,
    mean_average_precision: f64,
    micro_average_precision: f64,
    macro_f1: f64,
    micro_f1: f64,
}

#[derive(Deserialize)]
struct Class {
    average_precision: Option<f64>,
    f1: Option<f64>,
    threshold: Option<f32>,
}

fn scored(truth: &[Vec<u8>], probabilities: &[Vec<f32>]) -> Scored {
    let mut scored = Scored::new(truth[0].len());
    for (truth, probabilities) in truth.iter().zip(probabilities) {
        let labels: Vec<u32> = (0..).zip(truth).filter(|(_, flag)| **flag == 1).map(|(label, _)| label).collect();
        scored.add(&labels, probabilities);
    }
    scored
}

#[track_caller]
fn equal(what: &str, found: Option<f64>, wanted: Option<f64>) {
    let close = match (found, wanted) {
        (Some(a), Some(b)) => (a - b).abs() < 1e-12,
        (a, b) => a == b,
    };
    assert!(close, "{what}: {found:?}, scikit-learn has {wanted:?}");
}

#[test]
fn scores_are_those_of_scikit_learn() {
    let cases: Vec<Case> = serde_json::from_str(include_str!("../fixtures/multilabel_scores.json")).unwrap();
    assert!(cases.len() >= 6);
    for case in &cases {
        let scored = scored(&case.truth, &case.probabilities);
        let thresholds = scored.best_thresholds();
        for (k, class) in case.classes.iter().enumerate() {
            let what = format!("{}, class {k}", case.name);
            equal(&what, scored.average_precision(k), class.average_precision);
            equal(&what, scored.decisions(k, thresholds[k]).f1(), class.f1);
            match class.threshold {
                None => assert_eq!(thresholds[k], DEFAULT_THRESHOLD),
                // The threshold makes the same decisions: it is at most the lowest accepted probability, and above all
                // lower ones.
                Some(lowest) => {
                    let at = thresholds[k];
                    let alike = case.probabilities.iter().all(|row| (row[k] >= at) == (row[k] >= lowest));
                    assert!(at <= lowest && alike, "{what}: threshold {at} for {lowest}");
                }
            }
        }
        equal(&case.name, scored.mean_average_precision(), Some(case.mean_average_precision));
        equal(&case.name, scored.micro_average_precision(), Some(case.micro_average_precision));
        equal(&case.name, scored.macro_f1(&thresholds), Some(case.macro_f1));
        equal(&case.name, scored.micro_f1(&thresholds), Some(case.micro_f1));
    }
}

/// The order of images does not matter, even among equal probabilities.
#[test]
fn scores_of_ties_do_not_depend_on_the_order() {
    let (mut truth, mut p) = (vec![], vec![]);
    for i in 0..30 {
        truth.push(vec![u8::from(i % 3 == 0), u8::from(i % 7 == 1)]);
        p.push(vec![(i % 4) as f32 / 4.0, 0.5]);
    }
    let forward = scored(&truth, &p);
    truth.reverse();
    p.reverse();
    let backward = scored(&truth, &p);
    assert_eq!(forward.mean_average_precision(), backward.mean_average_precision());
    assert_eq!(forward.best_thresholds(), backward.best_thresholds());
    // All images have equal probabilities: precision is the share of positives.
    equal("a constant", forward.average_precision(1), Some(5.0 / 30.0));
    equal("prevalence", forward.mean_prevalence(), Some((10.0 / 30.0 + 5.0 / 30.0) / 2.0));
}

#[test]
fn thresholds_between_neighboring_floats_decide_as_measured() {
    let high = 0.5f32;
    let low = high.next_down();
    let scored = scored(&[vec![1], vec![0]], &[vec![high], vec![low]]);
    let threshold = scored.best_threshold(0).unwrap();
    assert_eq!(scored.decisions(0, threshold).f1(), Some(1.0), "threshold {threshold}");
    let none = self::scored(&[vec![0]], &[vec![0.9]]);
    assert_eq!((none.best_threshold(0), none.average_precision(0), none.mean_average_precision()), (None, None, None));
}
