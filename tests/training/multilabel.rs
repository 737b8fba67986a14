//! Multi-label classification from images to every verb: it overfits a few images, its thresholds are part of the
//! model, and labels follow the class list of the model. A resumed run ends with the same bits.

use std::fs;
use std::path::{Path, PathBuf};
use std::sync::atomic::AtomicBool;

use crate::stop_after::StopAfter;
use shadegrad::data::scenes::{SceneOptions, SeveralScenes};
use shadegrad::data::{Augment, ImageDataset};
use shadegrad::run::{Checkpoint, RunDir};
use shadegrad::tasks::multilabel::{
    self, MACRO_F1, MEAN_AVERAGE_PRECISION, MultiLabelConfig, MultiLabelEvaluation, PositiveWeights,
};
use shadegrad::tasks::{Part, typed};
use shadegrad::train::{Evaluation, Outcome};
use shadegrad::workflows::{EvalOptions, Predictions, compare, evaluate};

/// Number of images to overfit. The validation images are copies of them.
const IMAGES: usize = 8;

fn scenes() -> SeveralScenes {
    SeveralScenes::new(SceneOptions { seed: 5, count: IMAGES, side: 32 })
}

/// Names of the kinds in scene `index`.
fn names(index: usize) -> Vec<String> {
    scenes().kinds(index).iter().map(|&kind| SeveralScenes::class_names()[kind].clone()).collect()
}

/// Scenes as files, each `copies` times in training and once in validation, with a table of label lists.
fn data(folder: &Path, copies: usize) -> PathBuf {
    let mut table = "path,split,labels\n".to_owned();
    for index in 0..IMAGES {
        let picture = scenes().image(index).expect("draws");
        let training = (0..copies).map(|copy| (format!("train-{index}-{copy}.png"), "train"));
        for (name, part) in training.chain([(format!("val-{index}.png"), "val")]) {
            picture.save(folder.join(&name)).expect("saves");
            table += &format!("{name},{part},{}\n", names(index).join(";"));
        }
    }
    let path = folder.join("labels.csv");
    fs::write(&path, table).expect("writes");
    path
}

fn config(data: &Path, out: &Path) -> MultiLabelConfig {
    MultiLabelConfig {
        data: Some(data.to_owned()),
        out: Some(out.to_owned()),
        device: "cpu".into(),
        image_size: 32,
        batch_size: IMAGES,
        ..MultiLabelConfig::default()
    }
}

fn train(config: &MultiLabelConfig, steps: usize) -> Outcome {
    let stop = AtomicBool::new(false);
    let observer = StopAfter::new(steps, &stop);
    multilabel::train(config, &observer, &stop).unwrap_or_else(|e| panic!("{e}"))
}

fn eval_options(data: Option<PathBuf>) -> EvalOptions {
    EvalOptions { data, part: Some(Part::Val), device: "cpu".into(), ..EvalOptions::default() }
}

/// The labels of each image in an evaluation.
fn labels(found: &MultiLabelEvaluation) -> Vec<Vec<&str>> {
    (0..found.scored.len()).map(|row| found.decided(row)).collect()
}

#[test]
fn a_run_overfits_its_images_and_every_verb_gives_their_labels() {
    let place = tempfile::tempdir().expect("a temporary folder");
    let (table, run) = (data(place.path(), 10), place.path().join("run"));
    let outcome = train(&MultiLabelConfig { epochs: 2, ..config(&table, &run) }, usize::MAX);
    let losses: Vec<f64> = outcome.rows.iter().map(|row| row.train_loss).collect();
    // At chance each class has a loss of ln 2 = 0.69.
    assert!(losses[0] < 0.75 && losses[1] < 0.15, "{losses:?}");
    let best = outcome.best.expect("a best epoch");
    assert_eq!((best.score(&MEAN_AVERAGE_PRECISION), best.score(&MACRO_F1)), (Some(1.0), Some(1.0)));
    let classes_csv = fs::read_to_string(run.join("classes.csv")).expect("a table of classes");
    assert!(
        classes_csv.starts_with("class,images,average precision,F1,precision,recall,threshold,AUROC\n"),
        "{classes_csv}"
    );
    assert!(run.join("samples.png").is_file());

    let checkpoint = Checkpoint::open(&run).expect("a checkpoint");
    let evaluated = evaluate(&checkpoint, &eval_options(None)).unwrap_or_else(|e| panic!("{e}"));
    let found = [evaluated.found];
    let found = typed::<MultiLabelEvaluation>(&found)[0];
    assert!(!found.chooses_thresholds(), "the thresholds are those of the checkpoint");
    assert_eq!(Evaluation::scores(found), best.scores);
    let truth: Vec<Vec<String>> = (0..IMAGES).map(names).collect();
    assert_eq!(labels(found), truth);
    assert!(found.summary().contains("thresholds: those of the model"), "{}", found.summary());

    let paths: Vec<PathBuf> = (0..IMAGES).map(|index| place.path().join(format!("val-{index}.png"))).collect();
    let mut model = Predictions::open(&checkpoint, "cpu", None).unwrap_or_else(|e| panic!("{e}"));
    let (predicted, bad) = model.predict(&paths).unwrap_or_else(|e| panic!("{e}"));
    assert!(bad.is_empty());
    for ((one, truth), row) in predicted.iter().zip(&truth).zip(0..) {
        let mut labels: Vec<&str> =
            one.json["labels"].as_array().unwrap().iter().map(|l| l.as_str().unwrap()).collect();
        labels.sort_unstable();
        assert_eq!(labels, *truth, "{}", one.text);
        for (class, p) in checkpoint.card.classes.iter().zip(found.scored.probabilities(row)) {
            let printed = one.json["probabilities"][class].as_f64().expect("a number");
            assert!((printed - f64::from(*p)).abs() < 1e-5, "{class}: {printed} and {p}");
        }
    }

    let models = ["a", "b"].map(|name| (name.to_owned(), Checkpoint::open(&run).expect("a checkpoint")));
    let compared = compare(&models, &eval_options(None)).unwrap_or_else(|e| panic!("{e}"));
    let folder = place.path().join("compared");
    fs::create_dir(&folder).expect("a folder");
    compared.write(&folder).unwrap_or_else(|e| panic!("{e}"));
    let text = fs::read_to_string(folder.join("comparison.csv")).expect("a table");
    assert!(text.contains("mean average precision") && text.contains("\na,1.000,1.000,1.000,1.000,–,–,–\n"), "{text}");
    // Two equal models disagree on no image.
    assert!(text.contains("\nb,1.000,1.000,1.000,1.000,0,0,1.000\n"), "{text}");
}

/// Columns in another order, classes without images, and classes that the model lacks.
#[test]
fn labels_follow_the_class_list_of_the_model() {
    let place = tempfile::tempdir().expect("a temporary folder");
    let (table, run) = (data(place.path(), 1), place.path().join("run"));
    train(&MultiLabelConfig { epochs: 1, ..config(&table, &run) }, usize::MAX);
    let checkpoint = Checkpoint::open(&run).expect("a checkpoint");
    let reversed: Vec<String> = checkpoint.card.classes.iter().rev().cloned().collect();
    let row = |(part, index): (&str, usize)| {
        let name = if part == "val" { format!("val-{index}") } else { format!("train-{index}-0") };
        let flags: Vec<&str> =
            reversed.iter().map(|class| if names(index).contains(class) { "1" } else { "0" }).collect();
        format!("{name}.png,{part},{}\n", flags.join(","))
    };
    let rows: String = (0..IMAGES).map(|index| ("train", index)).chain([("val", 0), ("val", 1)]).map(row).collect();
    let columns = place.path().join("columns.csv");
    fs::write(&columns, format!("path,split,{}\n{rows}", reversed.join(","))).expect("writes");
    let evaluated = evaluate(&checkpoint, &eval_options(Some(columns.clone()))).unwrap_or_else(|e| panic!("{e}"));
    let found = [evaluated.found];
    let found = typed::<MultiLabelEvaluation>(&found)[0];
    for index in 0..2 {
        let truth: Vec<&String> = checkpoint
            .card
            .classes
            .iter()
            .zip(found.scored.truth(index))
            .filter(|(_, t)| **t)
            .map(|(c, _)| c)
            .collect();
        assert_eq!(truth, names(index).iter().collect::<Vec<_>>());
    }
    let absent = checkpoint.card.classes.iter().find(|&class| !names(0).contains(class) && !names(1).contains(class));
    let absent = absent.expect("two images do not have every class");
    let summary = found.summary();
    assert!(
        summary.contains("not in the means, since no image has the label: ") && summary.contains(absent),
        "{summary}"
    );
    fs::write(&columns, format!("path,split,{}\n{rows}", reversed.join(",").replace(&reversed[0], "zebra")))
        .expect("writes");
    let refused = evaluate(&checkpoint, &eval_options(Some(columns))).err().expect("another class");
    assert!(refused.to_string().contains("zebra"), "{refused}");
}

#[test]
fn a_resumed_run_ends_with_the_same_bits() {
    let place = tempfile::tempdir().expect("a temporary folder");
    let table = data(place.path(), 1);
    let config = |run: &Path| MultiLabelConfig {
        epochs: 2,
        batch_size: 3,
        label_smoothing: 0.1,
        positive_weights: PositiveWeights::Balanced,
        mixup: 0.4,
        augment: Augment::LIGHT,
        ema: 0.9,
        ..config(&table, run)
    };
    let (whole, stopped) = (place.path().join("whole"), place.path().join("stopped"));
    assert!(!train(&config(&whole), usize::MAX).interrupted);
    // Within the second epoch of 3 steps.
    assert!(train(&config(&stopped), 4).interrupted);
    let resumed = MultiLabelConfig { resume: Some(stopped.clone()), ..config(&stopped) };
    assert!(!train(&resumed, usize::MAX).interrupted);
    for name in ["last.safetensors", "best.safetensors", "classes.csv", "samples.png"] {
        let bytes = |run: &Path| fs::read(run.join(name)).unwrap_or_else(|e| panic!("{name}: {e}"));
        assert!(bytes(&stopped) == bytes(&whole), "{name} differs");
    }
    let rows = |run: &Path| RunDir::open(run).expect("a run").read_metrics().expect("metrics");
    let scores =
        |run: &Path| rows(run).into_iter().map(|row| (row.train_loss, row.val_loss, row.scores)).collect::<Vec<_>>();
    assert_eq!(scores(&stopped), scores(&whole));
}
