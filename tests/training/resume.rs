//! `--resume`: a run that stops after any step and is resumed ends with the bits of an uninterrupted run.

use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, AtomicU32, AtomicUsize, Ordering};

use crate::stop_after::StopAfter;
use shadegrad::data::Augment;
use shadegrad::interop::safetensors::TensorFile;
use shadegrad::precision::Precision;
use shadegrad::run::{EpochRow, ImageSize, RunDir, RunError, Unresumable};
use shadegrad::tasks::segment::{self, SegmentConfig};
use shadegrad::train::{Observer, Outcome, Schedule, StepProgress, TrainError};

/// Settings with state: momentum, a plateau schedule, averaged weights, accumulated gradients, augmentation, shuffling.
pub(crate) fn config(device: &str, out: &Path) -> SegmentConfig {
    SegmentConfig {
        out: Some(out.to_owned()),
        device: device.into(),
        scenes: 20,
        epochs: 3,
        batch_size: 2,
        accumulate: 3,
        lr: 3e-3,
        image_size: ImageSize { height: 32, width: 32 },
        base: 4,
        depth: 2,
        augment: Augment::STRONG,
        schedule: Some(Schedule::Plateau),
        patience: 0,
        warmup: Some(0.5),
        ema: 0.9,
        log_norms: true,
        seed: 3,
        ..SegmentConfig::default()
    }
}

fn train(config: &SegmentConfig, steps: usize) -> Result<Outcome, TrainError> {
    let stop = AtomicBool::new(false);
    segment::train(config, &StopAfter::new(steps, &stop), &stop)
}

/// Metrics without the columns that depend on the clock.
pub(crate) fn metrics(run: &Path) -> Vec<EpochRow> {
    let rows = RunDir::open(run).expect("a run").read_metrics().expect("metrics");
    rows.into_iter().map(|row| EpochRow { images_per_s: 0.0, data_wait: 0.0, seconds: 0.0, ..row }).collect()
}

/// Batches of the run: 3 epochs of 10.
const STEPS: usize = 30;

/// Compares an uninterrupted run with runs that stop after each of `stops` steps and are resumed.
fn stop_and_resume((device, precision): (&str, Precision), stops: impl IntoIterator<Item = usize>) {
    let place = tempfile::tempdir().expect("a temporary folder");
    let whole = place.path().join("whole");
    let config = |run: &Path| SegmentConfig { precision, ..config(device, run) };
    let outcome = train(&config(&whole), usize::MAX).unwrap_or_else(|e| panic!("{e}"));
    assert!(!outcome.interrupted && outcome.rows.len() == 3);
    assert!(!whole.join("resume.safetensors").exists(), "the run has finished");
    let lr: Vec<f64> = outcome.rows.iter().map(|row| row.lr).collect();
    let bytes = |run: &Path, name: &str| std::fs::read(run.join(name)).unwrap_or_else(|e| panic!("{name}: {e}"));
    for stop in stops {
        let run: PathBuf = place.path().join(format!("stopped-{stop}"));
        let first = train(&config(&run), stop).unwrap_or_else(|e| panic!("{e}"));
        assert!(first.interrupted, "stopped after {stop} of {STEPS}");
        // As on the command line: the settings of the run, and its folder.
        let resumed = SegmentConfig { resume: Some(run.clone()), ..config(&run) };
        let second = train(&resumed, usize::MAX).unwrap_or_else(|e| panic!("after step {stop}: {e}"));
        assert!(!second.interrupted && second.rows.len() == 3, "after step {stop}");
        assert_eq!(second.best.map(|b| b.epoch), outcome.best.as_ref().map(|b| b.epoch), "after step {stop}");
        assert_eq!(metrics(&run), metrics(&whole), "after step {stop}; learning rates were {lr:?}");
        for name in ["last.safetensors", "best.safetensors", "norms.csv", "layers.csv", "iou.csv", "samples.png"] {
            assert!(bytes(&run, name) == bytes(&whole, name), "{name} differs after step {stop}");
        }
        std::fs::remove_dir_all(&run).expect("removes");
    }
}

#[test]
fn a_run_resumed_at_any_of_20_points_ends_with_the_same_bits() {
    // They include ends of epochs (10, 20) and batches within an accumulated step.
    stop_and_resume(("cpu", Precision::F32), (1..=STEPS - 1).filter(|step| !step.is_multiple_of(3)).take(20));
}

#[test]
fn a_resumed_run_on_a_gpu_ends_with_the_same_bits() {
    let device = std::env::var("SHADEGRAD_TEST_DEVICE").unwrap_or_else(|_| "llvmpipe".into());
    let stops = std::env::var("SHADEGRAD_STOPS").ok().and_then(|count| count.parse().ok()).unwrap_or(2);
    let points = || (1..=STEPS - 1).filter(|step| step % 3 == 2 || *step == 10).skip(1);
    stop_and_resume((&device, Precision::F32), points().take(stops));
    // The loss scale is a state.
    stop_and_resume((&device, Precision::F16), points().take(1));
}

#[test]
fn a_run_in_16_bits_continues_in_32_on_a_device_without_them() {
    let device = std::env::var("SHADEGRAD_TEST_DEVICE").unwrap_or_else(|_| "llvmpipe".into());
    let place = tempfile::tempdir().expect("a temporary folder");
    let run = place.path().join("run");
    let half = SegmentConfig { precision: Precision::F16, epochs: 1, ..config(&device, &run) };
    let kept = || std::fs::read_to_string(run.join("config.toml")).expect("settings");
    assert!(train(&half, 2).unwrap_or_else(|e| panic!("{e}")).interrupted);
    assert!(kept().contains("precision = \"f16\""));
    let wide = SegmentConfig { device: "cpu".into(), resume: Some(run.clone()), ..half };
    assert!(train(&wide, 2).unwrap_or_else(|e| panic!("{e}")).interrupted);
    assert!(kept().contains("precision = \"f32\""), "the settings are those of the run");
    // Back to f16: missing states start from their initial values.
    let half = SegmentConfig { device, ..wide };
    assert!(!train(&half, usize::MAX).unwrap_or_else(|e| panic!("{e}")).interrupted);
}

#[test]
fn a_run_that_cannot_be_resumed_is_refused_and_unchanged() {
    let place = tempfile::tempdir().expect("a temporary folder");
    let run = place.path().join("run");
    let resumed = |run: &Path| SegmentConfig { resume: Some(run.to_owned()), ..config("cpu", run) };
    assert!(train(&resumed(&run), 1).is_err(), "there is no such run");
    train(&config("cpu", &run), 4).unwrap_or_else(|e| panic!("{e}"));
    let kept =
        || ["resume.safetensors", "config.toml", "run.json"].map(|name| std::fs::read(run.join(name)).expect(name));
    let before = kept();
    // Another network.
    let error = train(&SegmentConfig { base: 8, ..resumed(&run) }, 1).unwrap_err().to_string();
    assert!(error.contains("cannot be resumed") && error.contains("settings"), "{error}");
    assert!(kept() == before, "the run is as it was, so that it can still go on");
    // A position before the first epoch, or before that of the best score.
    let path = run.join("resume.safetensors");
    for (key, value) in [("epoch", 0), ("best", 9)] {
        let mut file = TensorFile::read(&path).expect("a state");
        let text = file.metadata.get_mut("progress").expect("a position");
        let mut position: serde_json::Value = serde_json::from_str(text).expect("JSON");
        position[key] = value.into();
        *text = position.to_string();
        file.write_atomic(&path).expect("writes");
        let error = train(&resumed(&run), 1).unwrap_err().to_string();
        assert!(error.contains("resume.safetensors") && error.contains("no usable `progress`"), "{error}");
        std::fs::write(&path, &before[0]).expect("writes");
    }
    train(&resumed(&run), usize::MAX).unwrap_or_else(|e| panic!("{e}"));
    match train(&resumed(&run), 1) {
        Err(TrainError::Run(RunError::CannotResume { reason: Unresumable::Done { epochs: 3 }, .. })) => {}
        other => panic!("{other:?}"),
    }
    // As a run of an earlier version, which kept no state.
    std::fs::remove_file(run.join("finished.safetensors")).expect("removes");
    match train(&SegmentConfig { epochs: 4, ..resumed(&run) }, 1) {
        Err(TrainError::Run(RunError::CannotResume { reason: Unresumable::NoState { weights }, .. })) => {
            assert_eq!(weights, run.join("best.safetensors"));
        }
        other => panic!("{other:?}"),
    }
}

/// Stops in the validation of the epoch after `done` epochs, or right after `done` epochs.
struct StopLate<'a> {
    done: u32,
    in_validation: bool,
    stop: &'a AtomicBool,
    epochs: AtomicU32,
    steps: AtomicUsize,
}

impl<'a> StopLate<'a> {
    fn new(done: u32, in_validation: bool, stop: &'a AtomicBool) -> Self {
        StopLate { done, in_validation, stop, epochs: 0.into(), steps: 0.into() }
    }
}

impl Observer for StopLate<'_> {
    fn reading(&self, _: usize, _: usize) {}
    fn begins(&self, _: &[String]) {}
    fn step(&self, _: &StepProgress) {
        self.steps.fetch_add(1, Ordering::Relaxed);
    }
    fn evaluating(&self, _: usize, _: usize) {
        if self.in_validation && self.epochs.load(Ordering::Relaxed) == self.done {
            self.stop.store(true, Ordering::Relaxed);
        }
    }
    fn epoch(&self, row: &EpochRow, _: usize) {
        self.epochs.store(row.epoch, Ordering::Relaxed);
        if !self.in_validation && row.epoch == self.done {
            self.stop.store(true, Ordering::Relaxed);
        }
    }
}

/// A stop within a validation or before the final pictures: the trained steps are kept, and nothing is trained twice.
#[test]
fn a_stop_after_the_steps_of_an_epoch_resumes_to_the_same_bits() {
    let place = tempfile::tempdir().expect("a temporary folder");
    let whole = place.path().join("whole");
    let outcome = train(&config("cpu", &whole), usize::MAX).unwrap_or_else(|e| panic!("{e}"));
    let bytes = |run: &Path, name: &str| std::fs::read(run.join(name)).unwrap_or_else(|e| panic!("{name}: {e}"));
    for (what, in_validation, rows) in
        [("validation 1", true, 0), ("validation 2", true, 1), ("before the results", false, 3)]
    {
        let run = place.path().join(what);
        let stop = AtomicBool::new(false);
        let observer = StopLate::new(rows, in_validation, &stop);
        let first = segment::train(&config("cpu", &run), &observer, &stop).unwrap_or_else(|e| panic!("{what}: {e}"));
        assert!(first.interrupted && first.rows.len() == rows as usize && first.verdict.is_none(), "{what}: {first:?}");
        assert!(run.join("resume.safetensors").is_file() && !run.join("confusion.png").exists(), "{what}");
        let resumed = SegmentConfig { resume: Some(run.clone()), ..config("cpu", &run) };
        let stop = AtomicBool::new(false);
        let observer = StopLate::new(u32::MAX, false, &stop);
        let second = segment::train(&resumed, &observer, &stop).unwrap_or_else(|e| panic!("{what}: {e}"));
        assert!(!second.interrupted && second.verdict.is_some(), "{what}");
        assert_eq!(
            observer.steps.into_inner(),
            [STEPS - 10, STEPS - 20, 0][rows.min(2) as usize],
            "{what}: steps that were trained"
        );
        assert_eq!(second.best.map(|b| b.epoch), outcome.best.as_ref().map(|b| b.epoch), "{what}");
        assert_eq!(metrics(&run), metrics(&whole), "{what}");
        let rows = RunDir::open(&run).expect("a run").read_metrics().expect("metrics");
        let timed = |row: &EpochRow| row.images_per_s > 0.0 && (0.0..=1.0).contains(&row.data_wait);
        assert!(rows.iter().all(timed), "the speed of the steps before the stop: {what}: {rows:?}");
        for name in ["last.safetensors", "best.safetensors", "norms.csv", "layers.csv", "iou.csv", "samples.png"] {
            assert!(bytes(&run, name) == bytes(&whole, name), "{name} differs: {what}");
        }
        assert!(!run.join("resume.safetensors").exists() && run.join("finished.safetensors").is_file(), "{what}");
    }
}

struct StopAfterEpoch<'a>(&'a AtomicBool);

impl Observer for StopAfterEpoch<'_> {
    fn reading(&self, _: usize, _: usize) {}
    fn begins(&self, _: &[String]) {}
    fn step(&self, _: &StepProgress) {}
    fn epoch(&self, _: &EpochRow, _: usize) {
        self.0.store(true, Ordering::Relaxed);
    }
}

#[test]
fn changed_images_within_an_epoch_are_refused() {
    let place = tempfile::tempdir().expect("a temporary folder");
    let run = place.path().join("run");
    let start = SegmentConfig { accumulate: 1, ..config("cpu", &run) };
    let resumed = SegmentConfig { resume: Some(run.clone()), ..start.clone() };
    assert!(train(&start, 14).unwrap_or_else(|e| panic!("{e}")).interrupted);
    for (what, other) in [
        ("the batch size was 2 and now is 5", SegmentConfig { batch_size: 5, ..resumed.clone() }),
        ("the number of training images was 20 and now is 24", SegmentConfig { scenes: 24, ..resumed.clone() }),
        ("the seed was 3 and now is 4", SegmentConfig { seed: 4, ..resumed.clone() }),
        ("shuffle was true and now is false", SegmentConfig { shuffle: false, ..resumed.clone() }),
        ("1 epoch is done; expected a larger number of epochs", SegmentConfig { epochs: 1, ..resumed.clone() }),
    ] {
        let error = train(&other, 1).unwrap_err().to_string();
        assert!(error.contains(what), "{error}");
        assert!(run.join("resume.safetensors").is_file(), "it can still go on");
    }
    // Files of earlier versions lack the entry.
    let path = run.join("resume.safetensors");
    let mut file = TensorFile::read(&path).expect("reads");
    let mut progress: serde_json::Value = serde_json::from_str(&file.metadata["progress"]).expect("JSON");
    assert!(progress.as_object_mut().expect("an object").remove("order").is_some());
    assert!(progress["sums"].as_object_mut().expect("an object").remove("weight").is_some());
    assert!(progress["plateau"].as_object_mut().expect("an object").remove("score").is_some());
    file.metadata.insert("progress".into(), progress.to_string());
    file.write_atomic(&path).expect("writes");
    // At the end of an epoch, all of these may change if changes are allowed.
    let stop = AtomicBool::new(false);
    segment::train(&resumed, &StopAfterEpoch(&stop), &stop).unwrap_or_else(|e| panic!("{e}"));
    let other = SegmentConfig { batch_size: 5, seed: 4, shuffle: false, allow_changed_data: Some(true), ..resumed };
    assert_eq!(train(&other, usize::MAX).unwrap_or_else(|e| panic!("{e}")).rows.len(), 3);
}

/// Requires the results of the first part to be gone while the second part runs.
struct NoResults<'a> {
    path: &'a Path,
    epochs: AtomicUsize,
}

impl Observer for NoResults<'_> {
    fn reading(&self, _: usize, _: usize) {}
    fn begins(&self, _: &[String]) {}
    fn step(&self, _: &StepProgress) {
        for name in ["iou.csv", "confusion.csv", "confusion.png", "curves.png"] {
            assert!(!self.path.join(name).exists(), "{name} is of the first part");
        }
        // The better epochs of the second part draw samples.
        let epochs = self.epochs.load(Ordering::Relaxed);
        assert!(epochs > 0 || !self.path.join("samples.png").exists(), "samples.png is of the first part");
    }
    fn epoch(&self, _: &EpochRow, _: usize) {
        self.epochs.fetch_add(1, Ordering::Relaxed);
    }
}

/// A killed run has written norms, events and results after its last checkpoint.
#[test]
fn results_after_the_last_checkpoint_are_removed_on_resume() {
    let place = tempfile::tempdir().expect("a temporary folder");
    let [whole, run] = ["whole", "run"].map(|name| place.path().join(name));
    let of = |run: &Path| SegmentConfig { tensorboard: true, ..config("cpu", run) };
    train(&of(&whole), usize::MAX).unwrap_or_else(|e| panic!("{e}"));
    let resumed = SegmentConfig { resume: Some(run.clone()), ..of(&run) };
    assert!(train(&of(&run), 8).unwrap_or_else(|e| panic!("{e}")).interrupted);
    let place_of_old = std::fs::read(run.join("resume.safetensors")).expect("reads");
    assert!(train(&resumed, 15).unwrap_or_else(|e| panic!("{e}")).interrupted);
    for name in ["iou.csv", "confusion.csv", "confusion.png", "samples.png"] {
        std::fs::write(run.join(name), "results of the first part").expect("writes");
    }
    std::fs::write(run.join("resume.safetensors"), place_of_old).expect("writes");
    let never = AtomicBool::new(false);
    segment::train(&resumed, &NoResults { path: &run, epochs: AtomicUsize::new(0) }, &never)
        .unwrap_or_else(|e| panic!("{e}"));
    let bytes = |run: &Path, name: &str| std::fs::read(run.join(name)).expect(name);
    assert_eq!(metrics(&run), metrics(&whole));
    for name in ["norms.csv", "iou.csv", "samples.png", "last.safetensors"] {
        assert!(bytes(&run, name) == bytes(&whole, name), "{name} differs");
    }
    // Times and speeds differ, but their lengths are equal.
    let events = "events.out.tfevents.shadegrad";
    assert_eq!(bytes(&run, events).len(), bytes(&whole, events).len(), "each epoch once");
}
