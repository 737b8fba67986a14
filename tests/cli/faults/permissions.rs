//! Files and folders that may not be read: each is an error that names it, and none is skipped.

use std::os::unix::fs::{MetadataExt, PermissionsExt};
use std::process::{Command, Stdio};

use crate::support::{Outcome, Place};

/// Runs `shadegrad LINE` without root's right to read every file.
fn run(place: &Place, line: &str) -> Outcome {
    let program = env!("CARGO_BIN_EXE_shadegrad");
    let is_root = std::fs::metadata("/proc/self").expect("/proc is mounted").uid() == 0;
    let mut command = Command::new(if is_root { "setpriv" } else { program });
    if is_root {
        command.args(["--bounding-set=-dac_override,-dac_read_search", program]);
    }
    let output = command.args(line.split_whitespace()).current_dir(place.path("")).stdin(Stdio::null()).output();
    let output = output.unwrap_or_else(|error| {
        panic!("as root, this test needs setpriv (util-linux), which drops the right to read every file: {error}")
    });
    Outcome::new(line, &output)
}

/// Takes all rights from `name`, runs `line`, which must name it, and gives the rights back.
fn named(place: &Place, name: &str, line: &str) {
    let path = place.path(name);
    let before = std::fs::metadata(&path).expect("there").permissions();
    let set = |rights| std::fs::set_permissions(&path, rights).expect("sets rights");
    set(std::fs::Permissions::from_mode(0o000));
    let outcome = run(place, line);
    set(before);
    let all = format!("{}{}", outcome.stdout, outcome.stderr);
    assert!(outcome.code == Some(2) && all.contains(name) && all.contains("Permission denied"), "{line}: {all}");
}

#[test]
fn data_that_may_not_be_read_is_named() {
    let place = Place::with_photos(4);
    for task in ["classify", "multi-label", "colorize"] {
        let check = format!("data check --task {task} photos");
        for name in ["photos/disc/00.png", "photos/grass", "photos"] {
            named(&place, name, &check);
        }
    }
    // Files that may divide the set, by their names, keys or columns.
    let files = [
        ("train.txt", "disc/00.png\n"),
        ("split.json", "{\"train\": [\"disc/00.png\"]}"),
        ("dataset.json", "{\"train\": [\"disc/00.png\"], \"val\": [\"disc/02.png\"]}"),
        ("info.csv", "name,set\ndisc/00.png,train\ndisc/02.png,val\n"),
    ];
    for (name, text) in files {
        let name = format!("photos/{name}");
        place.write(&name, text);
        for task in ["classify", "colorize"] {
            named(&place, &name, &format!("data check --task {task} photos"));
        }
        std::fs::remove_file(place.path(&name)).expect("removes");
    }
}

#[test]
fn files_of_a_run_that_may_not_be_read_are_named() {
    let place = Place::new();
    let scenes = "train segment --scenes 10 --image-size 16 --base 2 --depth 1 --batch-size 5 --device cpu --epochs 1";
    run(&place, &format!("{scenes} --out run")).fine();
    named(&place, "run/best.safetensors", "eval run --device cpu");
    named(&place, "run/config.toml", "eval run --device cpu");
    named(&place, "run/finished.safetensors", "train segment --resume run --epochs 2 --device cpu");
    named(&place, "run/best.safetensors", &format!("{scenes} --init run --out other"));
    let rights = |mode| std::fs::set_permissions(place.path("run/metrics.csv"), std::fs::Permissions::from_mode(mode));
    rights(0o000).expect("sets rights");
    let outcome = run(&place, "report run");
    assert!(
        outcome.stderr.contains("metrics.csv is damaged: it cannot be read: Permission denied"),
        "{}",
        outcome.stderr
    );
}
