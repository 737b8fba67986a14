//! Faults during training: a loss that is not finite, a full disk.

use crate::support::{Outcome, Place, RESNET, TRAIN};

#[test]
fn a_loss_of_nan_stops_the_run_and_is_traced_to_its_layer() {
    let place = Place::with_photos(6);
    let outcome =
        place.run(&format!("{TRAIN} --auto false --out run --batch-size 4 --epochs 3 --optimizer sgd --lr 1e30"));
    // Products of weights near 1e30 are finite, but their squares are not: the first variance is infinite.
    outcome
        .refused(&["the loss is NaN at step 2 of epoch 1", "learning rate 1e30", "in the layer `bn1 (batch_norm)`"])
        .refused(&["no checkpoint had been written yet", "Lower the learning rate", "flags: a lower --lr, --clip 1"]);
    assert!(place.has("run/config.toml"), "what was tried can be looked up");
    assert!(!place.has("run/last.safetensors") && !place.has("run/best.safetensors"), "no useless weights");
}

/// Pixels divided by 1e-39 are infinite. A first loss that is not finite leaves no curve to draw.
#[test]
fn a_range_test_without_a_finite_loss_names_the_layer() {
    let place = Place::with_photos(4);
    let line = "lr-find classify --data photos --model cnn --image-size 16 --batch-size 4 --device cpu --steps 10";
    let outcome = place.run(&format!("{line} --normalize 0,0,0/1e-39,1e-39,1e-39"));
    outcome.refused(&[
        "the loss is NaN at step 1 of epoch 1",
        "learning rate 1e-7",
        "in the layer `conv1",
        "normalize",
    ]);
}

/// A decay of 3 / lr multiplies every weight by -2 per step. Normalization hides this until squares overflow.
#[test]
fn the_last_good_checkpoint_survives_a_loss_of_nan() {
    let place = Place::with_photos(6);
    let flags = "--batch-size 5 --epochs 30 --optimizer sgd --lr 0.01 --momentum 0 --weight-decay 300";
    let outcome = place.run(&format!("{TRAIN} --auto false --out run {flags}"));
    let outcome = outcome.refused(&[
        "learning rate 0.01",
        "the weights of the last epoch with finite losses are in run/last.safetensors",
        "Lower the learning rate",
        "flags: a lower --lr, --clip 1",
    ]);
    // An infinite variance does not reach the loss, but `predict` refuses such weights, so they are not saved.
    let loss = ["loss is NaN at step", "update is NaN at step"].iter().any(|said| outcome.stderr.contains(said));
    let epoch = place.metrics("run").len() + 1;
    assert!(loss && epoch > 1 && outcome.stderr.contains(&format!("of epoch {epoch} ")), "{}", outcome.stderr);
    place.run("predict run/last.safetensors photos/disc/00.png --device cpu").fine().printed(&["photos/disc/00.png: "]);
}

/// A limit on file size simulates a full disk: metrics and settings fit, a checkpoint does not.
#[cfg(unix)]
#[test]
fn a_full_disk_is_reported_and_keeps_the_metrics() {
    let place = Place::with_photos(2);
    let line = format!("{RESNET} --out run --batch-size 3 --epochs 2");
    let outcome = place.run_in_shell("trap '' XFSZ; ulimit -f 8000;", &line);
    outcome.refused(&["cannot write run/last.safetensors: ", "choose another folder"]);
    assert_eq!(
        place.list("run"),
        ["config.toml", "metrics.csv", "run.json"],
        "no half checkpoint and no temporary file"
    );
    assert_eq!(String::from_utf8_lossy(&place.bytes("run/metrics.csv")).lines().count(), 2, "names and an epoch");
}

/// The disk fills up after the first checkpoint, which must stay complete.
#[cfg(target_os = "linux")]
#[test]
fn a_disk_that_fills_up_keeps_the_last_checkpoint() {
    let place = Place::with_photos(2);
    let mut child = place.start_in_shell("trap '' XFSZ;", &format!("{RESNET} --out run --batch-size 3 --epochs 1000"));
    while !place.has("run/best.safetensors") {
        assert!(child.try_wait().expect("a process").is_none(), "it ended before its first checkpoint");
        std::thread::sleep(std::time::Duration::from_millis(5));
    }
    let limit = ["--pid", &child.id().to_string(), "--fsize=4000000"];
    let limited = std::process::Command::new("prlimit").args(limit).status().expect("util-linux's prlimit runs");
    assert!(limited.success());
    let outcome = Outcome::new("train until the disk is full", &child.wait_with_output().expect("ends"));
    outcome.refused(&["cannot write run/", "safetensors: ", "choose another folder"]);
    let names = place.list("run");
    assert!(names.iter().all(|name| !name.starts_with(".writing-")), "{names:?}");
    for name in ["last", "best"] {
        place.run(&format!("predict run/{name}.safetensors photos/disc/00.png --device cpu")).fine();
    }
}

/// After three steps the weights are -1000 times their start. Training losses are finite, but evaluation overflows.
#[test]
fn a_validation_loss_of_nan_stops_the_run_before_anything_is_saved() {
    let place = Place::with_photos(6);
    let flags = "--batch-size 5 --epochs 30 --optimizer sgd --lr 0.01 --momentum 0 --weight-decay 1100";
    let outcome = place.run(&format!("{RESNET} --auto false --out run {flags}"));
    outcome
        .refused(&["the validation loss is NaN at step 3 of epoch 1", "learning rate 0.01", "in the layer `layer4"])
        .refused(&["no checkpoint had been written yet"]);
    assert!(!place.has("run/last.safetensors") && !place.has("run/best.safetensors"), "no useless weights");
}

/// The weights, gradients and moments take 372 MB.
#[cfg(target_os = "linux")]
#[test]
fn too_little_memory_is_one_line() {
    let place = Place::new();
    let line = "train segment --scenes 10 --image-size 32 --base 64 --depth 4 --batch-size 5 --device cpu --out run";
    let outcome = place.run_in_shell("ulimit -v 400000;", line);
    outcome.refused(&["out of memory while making the states", "make the network smaller", "--base or --depth"]);
    assert!(!place.has("run"), "nothing is written");
}

/// An abort, as by an allocation that fails, is an error like other errors.
#[cfg(unix)]
#[test]
fn an_abort_is_one_line_and_exit_code_2() {
    let place = Place::new();
    let line = "train segment --scenes 10 --image-size 16 --base 2 --depth 1 --device cpu --epochs 100000 --out run";
    let child = place.start(line);
    while !place.has("run/run.json") {
        std::thread::sleep(std::time::Duration::from_millis(5));
    }
    let sent = std::process::Command::new("kill").args(["-ABRT", &child.id().to_string()]).status().expect("kill");
    assert!(sent.success());
    let outcome = Outcome::new(line, &child.wait_with_output().expect("ends"));
    outcome.refused(&["the process was aborted, most likely because memory is used up", "--batch-size"]);
}

/// A warning that nobody can read changes the exit code.
#[cfg(target_os = "linux")]
#[test]
fn a_full_standard_error_shows_in_the_exit_code() {
    let place = Place::new();
    let scenes = "train segment --scenes 10 --image-size 16 --base 2 --depth 1 --batch-size 5 --device cpu --epochs 1";
    place.run(&format!("{scenes} --out run")).fine();
    place.run_in_shell("", "export run --out whole.onnx 2>/dev/full").fine();
    place.write("run/metrics.csv", "");
    let outcome = place.run_in_shell("", "export run --out model.onnx 2>/dev/full");
    assert_eq!(outcome.code, Some(2));
    outcome.printed(&["lines for the standard error could not be written there"]);
    assert_eq!(place.bytes("model.onnx"), place.bytes("whole.onnx"));
}

/// Results and help that cannot be written change the exit code, also if the standard output was closed before the
/// start.
#[cfg(target_os = "linux")]
#[test]
fn lost_results_show_in_the_exit_code() {
    let place = Place::new();
    for line in ["devices", "--help", "train classify --help", "--version"] {
        for (end, problem) in [(">&-", "it is closed"), (">/dev/full", "No space left")] {
            let outcome = place.run_in_shell("", &format!("{line} {end}"));
            outcome.refused(&["cannot write the results to the standard output", problem]);
        }
        place.run_in_shell("", &format!("{line} >/dev/null")).fine();
    }
    let scenes = "train segment --scenes 10 --image-size 16 --base 2 --depth 1 --batch-size 5 --device cpu --epochs 1";
    for (end, run) in [(">&-", "closed"), (">/dev/full", "full")] {
        let outcome = place.run_in_shell("", &format!("{scenes} --out {run} {end}"));
        outcome.refused(&["cannot write the results to the standard output"]);
        assert!(place.has(&format!("{run}/best.safetensors")));
    }
}
