//! A signal ends a training after its step, with a checkpoint.

use std::io::{BufRead, BufReader, Read};

use shadegrad::interop::safetensors::TensorData;

use crate::support::{Outcome, Place, RESNET};

/// Starts a training with these flags in a shell after `before`, and sends a signal after its start.
fn signaled(place: &Place, before: &str, flags: &str, signal: &str) -> Outcome {
    let line = format!("{RESNET} --out run --batch-size 4 {flags}");
    let mut child = place.start_in_shell(before, &line);
    let mut stdout = BufReader::new(child.stdout.take().expect("piped"));
    let mut text = String::new();
    while !text.lines().last().is_some_and(|line| line.starts_with("run: ")) {
        assert!(stdout.read_line(&mut text).expect("reads") > 0, "it ended before its first step");
    }
    let kill = std::process::Command::new("kill").args([signal, &child.id().to_string()]).status();
    assert!(kill.expect("kill runs").success());
    stdout.read_to_string(&mut text).expect("reads");
    let mut outcome = Outcome::new(&line, &child.wait_with_output().expect("ends"));
    outcome.stdout = text;
    outcome
}

/// Ctrl-C, the signal by which clusters and containers end a job, and that of a terminal that closes.
#[test]
fn signals_end_after_the_step_with_a_checkpoint() {
    for signal in ["-INT", "-TERM", "-HUP"] {
        let place = Place::with_photos(40); // 96 for training
        let outcome = signaled(&place, "", "--epochs 50", signal);
        assert_eq!(outcome.code, Some(130), "128 + SIGINT: {}{}", outcome.stdout, outcome.stderr);
        let is_hangup = signal == "-HUP"; // Nobody reads the line then.
        assert!(is_hangup || outcome.stderr.contains("stopping after this step"), "{}", outcome.stderr);
        let next = "next:     shadegrad train classify --resume run";
        let outcome = outcome.printed(&["interrupted; the weights so far are in run/last.safetensors", next]);
        let counter = &place.checkpoint("run/last.safetensors").tensors["bn1.num_batches_tracked"].data;
        let TensorData::I64(steps) = counter else { panic!("{counter:?}") };
        assert!((1..24).contains(&steps[0]), "within the first epoch of 24 steps: {steps:?}, {}", outcome.stdout);
        place.run("predict run photos/disc/00.png --device cpu").fine();
    }
}

/// `nohup` ignores hangups.
#[test]
fn a_run_that_ignores_hangups_continues() {
    let place = Place::with_photos(4);
    signaled(&place, "trap '' HUP;", "--epochs 2", "-HUP").fine().printed(&["best validation accuracy"]);
}
