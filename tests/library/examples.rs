//! The examples work, in their quick form.

use std::path::Path;
use std::sync::atomic::AtomicBool;

use crate::stop_after::StopAfter;
use shadegrad::train::settings::Given;

#[expect(dead_code, reason = "main is not called")]
#[path = "../../examples/classify.rs"]
mod classify;
#[expect(dead_code, reason = "main is not called")]
#[path = "../../examples/colorize.rs"]
mod colorize;
#[expect(dead_code, reason = "main is not called")]
#[path = "../../examples/custom_model.rs"]
mod custom_model;
#[expect(dead_code, reason = "main is not called")]
#[path = "../../examples/custom_task.rs"]
mod custom_task;
#[expect(dead_code, reason = "main is not called")]
#[path = "../../examples/segment.rs"]
mod segment;

#[test]
fn the_custom_model_learns() {
    let accuracy = custom_model::train(true).expect("it runs");
    assert!(accuracy > 0.3, "ten classes, one in ten by chance: {accuracy}");
}

#[test]
fn the_classifier_writes_weights_and_pictures() {
    let folder = tempfile::tempdir().expect("a temporary folder");
    let outcome = classify::run(true, Some(folder.path().join("run"))).expect("it runs");
    assert_eq!(outcome.rows.len(), 2);
    for name in ["curves.png", "confusion.png", "samples.png", "best.safetensors"] {
        assert!(outcome.run.join(name).is_file(), "{name}");
    }
}

#[test]
fn dense_tasks_write_a_table_and_a_figure() {
    for (run, column) in [(segment::run as fn(bool, &Path) -> _, "mean IoU"), (colorize::run, "PSNR")] {
        let folder = tempfile::tempdir().expect("a temporary folder");
        let table: String = run(true, folder.path()).expect("it runs");
        assert!(table.contains(column) && table.lines().count() >= 4, "{table}");
        for name in ["comparison.png", "comparison.md", "comparison.csv"] {
            assert!(folder.path().join(name).is_file(), "{name}");
        }
    }
}

#[test]
fn a_task_from_outside_trains_reports_and_exports() {
    let folder = tempfile::tempdir().expect("a temporary folder");
    let out = folder.path().join("run");
    let error = custom_task::run(&out).expect("it runs");
    assert!(error < 0.15, "a constant 0.5 has an error of 0.25: {error}");
    let html = std::fs::read_to_string(out.join("report.html")).expect("a report");
    assert!(html.contains("Brightness: run") && html.contains("Mean error"), "its own title and panel");
    assert!(out.join("model.onnx").is_file());
    let text = std::fs::read_to_string(out.join("metrics.csv")).expect("metrics");
    assert!(text.lines().next().is_some_and(|names| names.contains("val_error")), "{text}");
}

#[test]
fn a_task_from_outside_resumes_to_the_same_bits() {
    custom_task::register();
    let folder = tempfile::tempdir().expect("a temporary folder");
    let task = shadegrad::tasks::task("brightness").expect("registered");
    let train = |shards: usize, extra: &[(&str, &Path)], steps: usize| {
        let text = format!("device = \"cpu\"\naccumulate = 2\nema = 0.9\nshards = {shards}\n");
        let mut table: toml::Table = text.parse().expect("TOML");
        table.extend(extra.iter().map(|(key, path)| ((*key).to_owned(), path.display().to_string().into())));
        let settings = task.resolve(&Given::of_table(table, Path::new("the test"))).expect("valid");
        let stop = AtomicBool::new(false);
        let observer = StopAfter::new(steps, &stop);
        task.open(&settings, &observer).expect("opens").train(&observer, &stop).expect("trains")
    };
    let bytes = |run: &Path| std::fs::read(run.join("last.safetensors")).expect("weights");
    for shards in [1, 2] {
        let [whole, parted] = ["whole", "parted"].map(|name| folder.path().join(format!("{name}{shards}")));
        assert!(!train(shards, &[("out", &whole)], 0).interrupted);
        // Within a step of two accumulated batches.
        assert!(train(shards, &[("out", &parted)], 13).interrupted);
        assert!(!train(shards, &[("out", &parted), ("resume", &parted)], 0).interrupted);
        assert!(bytes(&whole) == bytes(&parted), "not the same bits with {shards} shards");
    }
}
