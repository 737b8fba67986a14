//! The examples do what they say, in their quick form.

#[allow(dead_code, reason = "main is not called")]
#[path = "../../examples/classify.rs"]
mod classify;
#[allow(dead_code, reason = "main is not called")]
#[path = "../../examples/colorize.rs"]
mod colorize;
#[allow(dead_code, reason = "main is not called")]
#[path = "../../examples/custom_model.rs"]
mod custom_model;
#[allow(dead_code, reason = "main is not called")]
#[path = "../../examples/segment.rs"]
mod segment;

#[test]
fn the_custom_model_learns() {
    let accuracy = custom_model::train(true).expect("it runs");
    assert!(accuracy > 0.3, "ten classes, one in ten by chance: {accuracy}");
}

#[test]
fn the_classifier_leaves_weights_and_pictures() {
    let folder = tempfile::tempdir().expect("a temporary folder");
    let outcome = classify::run(true, Some(folder.path().join("run"))).expect("it runs");
    assert_eq!(outcome.rows.len(), 2);
    for name in ["curves.png", "confusion.png", "samples.png", "best.safetensors"] {
        assert!(outcome.run.join(name).is_file(), "{name}");
    }
}

#[test]
fn dense_tasks_leave_a_table_and_a_figure() {
    for (run, column) in [(segment::run as fn(bool, &std::path::Path) -> _, "mean IoU"), (colorize::run, "PSNR")] {
        let folder = tempfile::tempdir().expect("a temporary folder");
        let table: String = run(true, folder.path()).expect("it runs");
        assert!(table.contains(column) && table.lines().count() >= 4, "{table}");
        for name in ["comparison.png", "comparison.md", "comparison.csv"] {
            assert!(folder.path().join(name).is_file(), "{name}");
        }
    }
}
