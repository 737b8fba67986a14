//! `--shards`: batches that are cut into parts.

use std::path::Path;
use std::sync::atomic::AtomicBool;

use crate::stop_after::StopAfter;
use shadegrad::data::Augment;
use shadegrad::interop::safetensors::{TensorData, TensorFile};
use shadegrad::run::ImageSize;
use shadegrad::tasks::classify::{self, ClassifyConfig};
use shadegrad::tasks::colorize::{self, ColorizeConfig};
use shadegrad::tasks::segment::{self, SegmentConfig};
use shadegrad::train::settings::{Given, Optimizer, TaskSettings};
use shadegrad::train::{Observer, Outcome, TrainError};

type Train<C> = fn(&C, &dyn Observer, &AtomicBool) -> Result<Outcome, TrainError>;

/// Trains for a number of steps at most. `more` are settings as in a config file.
fn run<C: TaskSettings>(train: Train<C>, (config, more): (&str, &str), out: &Path, steps: usize) {
    let mut table: toml::Table = toml::from_str(&format!("device = \"cpu\"\n{config}\n{more}")).expect("settings");
    let key = if more.contains("resuming") { "resume" } else { "out" };
    table.remove("resuming");
    table.insert(key.into(), out.to_str().expect("a name").into());
    let config = C::resolve(&Given::of_table(table, Path::new("settings"))).unwrap_or_else(|e| panic!("{e}"));
    let stop = AtomicBool::new(false);
    train(&config, &StopAfter::new(steps, &stop), &stop).unwrap_or_else(|e| panic!("{e}"));
}

/// A run whose loader has one thread until it stops, and two threads after it is resumed, ends with the bits of one without a stop.
fn repeats<C: TaskSettings>(train: Train<C>, config: &str, steps: usize) {
    let place = tempfile::tempdir().expect("a folder");
    let path = |name: &str| place.path().join(name);
    let bytes = |name: &str| std::fs::read(path(name).join("last.safetensors")).expect("weights");
    run(train, (config, "loader_threads = 2"), &path("whole"), usize::MAX);
    run(train, (config, "loader_threads = 1"), &path("stopped"), steps);
    assert!(bytes("stopped") != bytes("whole"), "it has stopped");
    run(train, (config, "loader_threads = 2\nresuming = true"), &path("stopped"), usize::MAX);
    assert!(bytes("stopped") == bytes("whole"), "{} resumed", C::TASK);
}

/// 10 training images: a batch of 8 in four shards, and a last one of 2.
const COMMON: &str = "scenes = 13\nepochs = 2\nbatch_size = 8\nshards = 4\naccumulate = 2\nema = 0.9\nclip = 0.5\nlr = 0.003\n\
                      augment = \"light\"\nseed = 5\n";

#[test]
fn shards_of_a_classifier_repeat_to_the_bit() {
    // ResNet18 has 11 million weights: two steps, of one batch in shards each.
    let own = "scenes = 10\nepochs = 1\nbatch_size = 4\nshards = 2\nema = 0.9\naugment = \"light\"\nmixup = 0.4\nimage_size = 16\n";
    repeats::<ClassifyConfig>(classify::train, own, 1);
}

#[test]
fn shards_of_a_segmenter_repeat_to_the_bit() {
    let own = "image_size = \"16x16\"\nbase = 2\ndepth = 1\nclass_weights = \"median\"\nlog_norms = true\n";
    repeats::<SegmentConfig>(segment::train, &format!("{COMMON}{own}"), 3);
}

#[test]
fn shards_of_a_colorizer_repeat_to_the_bit() {
    let own = "image_size = \"16x16\"\nbase = 2\ndepth = 1\nloss = \"classes\"\n";
    repeats::<ColorizeConfig>(colorize::train, &format!("{COMMON}{own}"), 3);
}

/// The running statistics in a checkpoint, by name.
fn statistics(run: &Path) -> Vec<(String, Vec<f32>)> {
    let file = TensorFile::read(&run.join("last.safetensors")).expect("weights");
    let running = file.tensors.into_iter().filter(|(name, _)| name.contains("running_"));
    let values = |data: TensorData| match data {
        TensorData::F32(values) => values,
        other @ TensorData::I64(_) => panic!("{other:?}"),
    };
    running.map(|(name, tensor)| (name, values(tensor.data))).collect()
}

#[test]
fn running_statistics_move_by_the_mean_over_the_shards() {
    let place = tempfile::tempdir().expect("a folder");
    // The weights do not move, so the statistics of a shard are those of a batch of its images.
    let config = |batch_size: usize, shards: usize, out: &str| SegmentConfig {
        out: Some(place.path().join(out)),
        device: "cpu".into(),
        scenes: 10,
        epochs: 1,
        batch_size,
        shards: Some(shards),
        lr: 1e-30,
        optimizer: Optimizer::Sgd,
        image_size: ImageSize { height: 16, width: 16 },
        base: 2,
        depth: 1,
        augment: Augment::NONE,
        ..SegmentConfig::default()
    };
    let after = |batch_size, shards, steps: usize, out: &str| {
        let stop = AtomicBool::new(false);
        let observer = StopAfter::new(steps, &stop);
        segment::train(&config(batch_size, shards, out), &observer, &stop).unwrap_or_else(|e| panic!("{e}"));
        statistics(&place.path().join(out))
    };
    let (one, two, cut) = (after(2, 1, 1, "one"), after(2, 1, 2, "two"), after(4, 2, 1, "cut"));
    assert!(!cut.is_empty());
    for (((name, one), (_, two)), (_, cut)) in one.iter().zip(&two).zip(&cut) {
        let start = if name.ends_with("running_var") { 1.0 } else { 0.0 };
        for ((one, two), cut) in one.iter().zip(two).zip(cut) {
            // r' = r + (m − r) / 10 for each batch of 2.
            let (first, second) = (10.0 * one - 9.0 * start, 10.0 * two - 9.0 * one);
            let expected = 0.9 * start + 0.1 * (first + second) / 2.0;
            assert!((cut - expected).abs() < 2e-5 * (1.0 + expected.abs()), "{name}: {cut}, expected {expected}");
        }
    }
    assert!(one.iter().zip(&two).any(|((_, a), (_, b))| a != b), "the batches must differ");
}
