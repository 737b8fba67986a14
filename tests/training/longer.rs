//! `--resume` of a finished run with more epochs.

use std::path::Path;
use std::sync::Mutex;
use std::sync::atomic::AtomicBool;

use shadegrad::interop::safetensors::TensorFile;
use shadegrad::run::{EpochRow, ImageSize, RunError, Unresumable};
use shadegrad::tasks::segment::{self, SegmentConfig};
use shadegrad::train::settings::Optimizer;
use shadegrad::train::{Observer, Outcome, Schedule, StepProgress, TrainError};

use crate::resume::{config, metrics};

/// Settings with state on small images, for several runs in a test.
fn light(out: &Path) -> SegmentConfig {
    let image_size = ImageSize { height: 16, width: 16 };
    SegmentConfig { scenes: 12, image_size, base: 2, depth: 1, ..config("cpu", out) }
}

/// Keeps the lines with which a run begins.
#[derive(Default)]
struct Lines(Mutex<Vec<String>>);

impl Observer for Lines {
    fn reading(&self, _: usize, _: usize) {}
    fn begins(&self, lines: &[String]) {
        self.0.lock().expect("not poisoned").extend_from_slice(lines);
    }
    fn step(&self, _: &StepProgress) {}
    fn epoch(&self, _: &EpochRow, _: usize) {}
}

/// Trains without a stop, and returns the outcome with the lines at its start.
fn train_whole(config: &SegmentConfig) -> Result<(Outcome, String), TrainError> {
    let lines = Lines::default();
    let outcome = segment::train(config, &lines, &AtomicBool::new(false))?;
    Ok((outcome, lines.0.into_inner().expect("not poisoned").join("\n")))
}

#[test]
fn a_finished_run_goes_on_to_the_bits_of_a_longer_one() {
    let place = tempfile::tempdir().expect("a temporary folder");
    let cases = [
        ("adam, average, plateau", light(Path::new(""))),
        (
            "sgd, step",
            SegmentConfig {
                optimizer: Optimizer::Sgd,
                schedule: Some(Schedule::Step),
                step_size: 2,
                ema: 0.0,
                accumulate: 1,
                ..light(Path::new(""))
            },
        ),
        ("early stop that does not come", SegmentConfig { early_stop: 4, ..light(Path::new("")) }),
    ];
    for (index, (what, config)) in cases.into_iter().enumerate() {
        let [whole, parts] = ["whole", "parts"].map(|name| place.path().join(format!("{name}-{index}")));
        let config = |run: &Path, epochs| SegmentConfig { out: Some(run.to_owned()), epochs, ..config.clone() };
        let (outcome, _) = train_whole(&config(&whole, 4)).unwrap_or_else(|e| panic!("{what}: {e}"));
        let (first, _) = train_whole(&config(&parts, 1)).unwrap_or_else(|e| panic!("{what}: {e}"));
        assert!(!first.interrupted && parts.join("finished.safetensors").is_file(), "{what}");
        for epochs in [2, 4] {
            let more = SegmentConfig { resume: Some(parts.clone()), ..config(&parts, epochs) };
            let (outcome, lines) = train_whole(&more).unwrap_or_else(|e| panic!("{what}: {e}"));
            assert_eq!(outcome.rows.len(), epochs, "{what}");
            assert!(!lines.contains("schedule"), "{what}: {lines}");
        }
        assert_eq!(metrics(&parts), metrics(&whole), "{what}; {:?}", outcome.rows);
        let bytes = |run: &Path, name: &str| std::fs::read(run.join(name)).unwrap_or_else(|e| panic!("{name}: {e}"));
        for name in ["last.safetensors", "best.safetensors", "norms.csv", "iou.csv", "samples.png", "curves.png"] {
            assert!(bytes(&parts, name) == bytes(&whole, name), "{what}: {name} differs");
        }
        let state = |run: &Path| TensorFile::read(&run.join("finished.safetensors")).expect("reads").tensors;
        assert!(state(&parts) == state(&whole), "{what}: the states differ");
        assert!(!parts.join("resume.safetensors").exists());
    }
}

#[test]
fn a_schedule_over_the_length_of_the_run_says_what_changes() {
    let place = tempfile::tempdir().expect("a temporary folder");
    let run = place.path().join("run");
    let cosine = SegmentConfig { epochs: 1, warmup: Some(0.0), schedule: Some(Schedule::Cosine), ..light(&run) };
    train_whole(&cosine).unwrap_or_else(|e| panic!("{e}"));
    let more = SegmentConfig { resume: Some(run.clone()), epochs: 3, ..cosine };
    let (_, lines) = train_whole(&more).unwrap_or_else(|e| panic!("{e}"));
    // 2 steps an epoch: 0.003 · ½(1 + cos(π/2)), then 0.003 · ½(1 + cos(2π/6)).
    let note =
        "cosine schedule spans 3 epochs now, not 1: the learning rate was 1.500e-3 at the last step and is 2.250e-3";
    assert!(lines.contains(note), "{lines}");
}

#[test]
fn a_run_that_the_early_stop_ended_goes_on_with_a_later_one_alone() {
    let place = tempfile::tempdir().expect("a temporary folder");
    let [whole, run] = ["whole", "run"].map(|name| place.path().join(name));
    // At this rate the score soon stops improving.
    let start = |run: &Path, epochs| SegmentConfig { lr: 1e-12, ema: 0.0, epochs, ..light(run) };
    let stopped = SegmentConfig { early_stop: 1, ..start(&run, 9) };
    let (outcome, _) = train_whole(&stopped).unwrap_or_else(|e| panic!("{e}"));
    let done = outcome.rows.len();
    assert!(outcome.ended_early && done < 6, "{done}");
    let more = SegmentConfig { resume: Some(run.clone()), epochs: 20, ..stopped };
    match train_whole(&more) {
        Err(TrainError::Run(RunError::CannotResume { reason, .. })) => match reason {
            Unresumable::EndedEarly { epochs, early_stop: 1 } => assert_eq!(epochs, done),
            other => panic!("{other}"),
        },
        other => panic!("{other:?}"),
    }
    let more = SegmentConfig { early_stop: 0, epochs: done + 1, ..more };
    train_whole(&more).unwrap_or_else(|e| panic!("{e}"));
    train_whole(&start(&whole, done + 1)).unwrap_or_else(|e| panic!("{e}"));
    assert_eq!(metrics(&run), metrics(&whole));
}
