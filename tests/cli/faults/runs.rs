//! Running and damaged runs: two writers, missing or truncated files, changed data and settings.

use std::process::Child;
use std::time::Duration;

use crate::support::{Outcome, Place};

/// Training with a few milliseconds per step.
const SCENES: &str =
    "train segment --scenes 10 --image-size 16 --base 2 --depth 1 --batch-size 5 --device cpu --schedule constant";

/// Starts a run of many epochs and waits until some have ended.
fn under_way(place: &Place, line: &str, run: &str, epochs: usize) -> Child {
    let child = place.start(line);
    for _ in 0..2000 {
        let metrics = std::fs::read_to_string(place.path(&format!("{run}/metrics.csv"))).unwrap_or_default();
        if metrics.lines().count() > epochs && place.has(&format!("{run}/resume.safetensors")) {
            return child;
        }
        std::thread::sleep(Duration::from_millis(10));
    }
    killed(child);
    panic!("{run} has no {epochs} epochs");
}

/// Kills a process, as a power cut does.
fn killed(mut child: Child) {
    child.kill().expect("kills");
    child.wait().expect("ends");
}

/// A run that was killed after some epochs.
fn killed_run(epochs: usize) -> Place {
    let place = Place::new();
    killed(under_way(&place, &format!("{SCENES} --epochs 100000 --out run"), "run", epochs));
    place
}

#[test]
fn a_finished_run_goes_on_with_more_epochs() {
    let place = Place::new();
    place.run(&format!("{SCENES} --epochs 3 --out whole")).fine();
    place.run(&format!("{SCENES} --epochs 1 --out run")).fine().printed(&["weights:  run/best.safetensors"]);
    place.run("train segment --resume run --epochs 3").fine().printed(&["epoch  3/3"]);
    for name in ["last.safetensors", "best.safetensors", "samples.png"] {
        assert!(place.bytes(&format!("run/{name}")) == place.bytes(&format!("whole/{name}")), "{name} differs");
    }
    place.run("train segment --resume run --epochs 3").refused(&[
        "run cannot be resumed",
        "3 epochs are done",
        "--epochs",
    ]);
    std::fs::remove_file(place.path("run/finished.safetensors")).expect("removes");
    let outcome = place.run("train segment --resume run --epochs 4");
    outcome.refused(&["run cannot be resumed", "no finished.safetensors", "--init run/best.safetensors"]);
}

#[test]
fn a_run_has_one_writer_and_a_killed_writer_blocks_no_other() {
    let place = killed_run(2);
    assert!(place.has("run/.shadegrad-lock"), "a killed process removes nothing");
    let resume = format!("{SCENES} --resume run --epochs 100000");
    let rows = std::fs::read_to_string(place.path("run/metrics.csv")).expect("rows").lines().count();
    let child = under_way(&place, &resume, "run", rows + 2);
    let config = place.bytes("run/config.toml");
    let pid = format!("process {} on ", child.id());
    place.run(&format!("{resume} --log-norms")).refused(&["run is in use", &pid, "wait until that process has ended"]);
    assert!(place.bytes("run/config.toml") == config, "a refused command changes nothing");
    // Readers need no lock.
    place.run("eval run --device cpu").fine();
    place.run("report run --out page.html").fine();
    killed(child);
    let epochs: Vec<u32> = place.metrics("run").iter().map(|row| row.epoch).collect();
    assert!(epochs.iter().copied().eq(1..=epochs.len() as u32), "each epoch once: {epochs:?}");
    place.write("run/.writing-a1B2c3", "half a checkpoint");
    let to_end = format!("{SCENES} --resume run --epochs {}", epochs.len() + 2);
    place.run(&to_end).fine();
    assert!(place.list("run").iter().all(|name| !name.starts_with('.')), "{:?}", place.list("run"));
}

#[test]
fn a_sweep_has_one_writer() {
    let place = Place::new();
    place.write(
        "sweep.toml",
        "task = \"segment\"\n[base]\nscenes = 10\nimage_size = \"16x16\"\nbase = 2\ndepth = 1\nbatch_size = 5\ndevice = \"cpu\"\nepochs = 100000\n[grid]\nlr = [1e-3, 1e-4]\n",
    );
    let child = under_way(&place, "sweep sweep.toml --out s", "s/001", 1);
    let names = place.list("s");
    place.run("sweep sweep.toml --out s").refused(&["s is in use", &format!("process {} on ", child.id())]);
    assert_eq!(place.list("s"), names, "nothing was renamed");
    killed(child);
}

#[test]
fn a_damaged_history_is_restored_and_no_worse_epoch_becomes_the_best() {
    let place = killed_run(3);
    let whole = place.bytes("run/metrics.csv");
    let text = String::from_utf8(whole.clone()).expect("text");
    let lines: Vec<&str> = text.lines().collect();
    let best = place.bytes("run/best.safetensors");
    let twice = format!("{}\n{}\n{}\n{}\n", lines[0], lines[1], lines[1], lines[2..].join("\n"));
    let damages = [
        ("it is empty", String::new()),
        ("its rows are epochs 2", format!("{}\n{}\n", lines[0], lines[2..].join("\n"))),
        ("its rows are epochs 1, 1, 2", twice),
        ("cannot be read", text.replacen("\n2,", "\nzwei,", 1)),
        ("its values were changed", text.replacen("\n1,", "\n1,9", 1)),
    ];
    let done = place.checkpoint("run/resume.safetensors").metadata["epochs"].lines().count() - 1;
    for (problem, damaged) in damages {
        place.write("run/metrics.csv", damaged);
        let page = format!("{}.html", problem.len());
        let report = place.run(&format!("report run --out {page}")).fine();
        assert!(report.stderr.contains("run/metrics.csv is damaged"), "{}", report.stderr);
        // One epoch more. At a rate of almost 0 it is not better than the best.
        let line = format!("{SCENES} --resume run --epochs {}", done + 1);
        let copy = copied(&place);
        let outcome = copy.run(&line).fine();
        outcome.printed(&["metrics.csv is damaged", problem, "restored"]);
        assert_eq!(copy.metrics("run")[..done], shadegrad_rows(&whole)[..done], "{problem}");
    }
    // A row that was cut off after the checkpoint is written again.
    place.write("run/metrics.csv", format!("{}\n{}", text.trim_end(), &lines[1][..lines[1].len() / 2]));
    copied(&place).run(&format!("{SCENES} --resume run --epochs {}", done + 1)).fine();
    assert!(place.bytes("run/best.safetensors") == best);
}

/// The rows of a `metrics.csv`.
fn shadegrad_rows(csv: &[u8]) -> Vec<shadegrad::run::EpochRow> {
    shadegrad::run::EpochRow::read_csv(csv, &[]).expect("rows")
}

/// The epoch that a run resumes with.
fn next_epoch(place: &Place) -> usize {
    place.checkpoint("run/resume.safetensors").metadata["epochs"].lines().count()
}

/// A copy of the run in another place.
fn copied(place: &Place) -> Place {
    let copy = Place::new();
    copy.folder("run");
    for name in place.list("run").iter().filter(|name| !name.starts_with('.')) {
        copy.write(&format!("run/{name}"), place.bytes(&format!("run/{name}")));
    }
    copy
}

#[test]
fn missing_best_weights_are_reported_at_the_start() {
    let place = killed_run(3);
    let kept = place.checkpoint("run/resume.safetensors");
    let progress: serde_json::Value = serde_json::from_str(&kept.metadata["progress"]).expect("JSON");
    let (best, epoch) = (progress["best"].as_u64().expect("a best"), progress["epoch"].as_u64().expect("an epoch"));
    let config = place.bytes("run/config.toml");
    std::fs::remove_file(place.path("run/best.safetensors")).expect("removes");
    let line = format!("{SCENES} --resume run --epochs {}", epoch + 1);
    let last = place.checkpoint("run/last.safetensors").metadata["epoch"].parse::<u64>().expect("a number");
    if best + 1 == epoch && last == best {
        place.run(&line).fine().printed(&["best.safetensors is damaged (it is gone): it is restored from last"]);
    } else {
        place.run(&line).refused(&["the weights of the best epoch", "it is gone", "--init run/last.safetensors"]);
        assert!(place.bytes("run/config.toml") == config);
        let report = place.run("report run --out page.html").fine();
        assert!(report.stderr.contains("run/best.safetensors is damaged: it is gone"), "{}", report.stderr);
    }
}

#[test]
fn damaged_settings_and_facts_are_restored() {
    let place = killed_run(2);
    let config = String::from_utf8(place.bytes("run/config.toml")).expect("text");
    let next = next_epoch(&place);
    for damaged in ["", &config[..config.len() / 2], "lr = [[[", "\0\0\0"] {
        let copy = copied(&place);
        copy.write("run/config.toml", damaged);
        copy.write("run/run.json", "{\"version\"");
        let eval = copy.run("eval run --device cpu");
        assert!(eval.stderr.contains("run/config.toml"), "{}", eval.stderr);
        copy.run(&format!("train segment --resume run --epochs {next}"))
            .fine()
            .printed(&["config.toml is damaged: its settings are restored", "run.json is damaged"]);
        let restored = String::from_utf8(copy.bytes("run/config.toml")).expect("text");
        assert!(restored.contains("base = 2") && restored.contains(&format!("epochs = {next}\n")), "{restored}");
    }
}

#[test]
fn changed_data_and_settings_are_named_and_need_consent() {
    let place = Place::with_photos(4);
    let line = "train colorize --data photos --batch-size 4 --image-size 16 --base 2 --depth 1 --device cpu";
    killed(under_way(&place, &format!("{line} --epochs 100000 --out run"), "run", 1));
    let config = place.bytes("run/config.toml");
    let resume = format!("train colorize --resume run --epochs {}", next_epoch(&place));
    let refused = |flags: &str, parts: &[&str]| {
        place
            .run(&format!("{resume} {flags}"))
            .refused(&["run cannot be resumed", "--allow-changed-data"])
            .refused(parts);
        assert!(place.bytes("run/config.toml") == config, "a refused command changes nothing");
    };
    refused("--seed 1", &["seed was 0 and is 1"]);
    refused("--lr 0.5 --batch-size 3", &["lr was ", "batch_size was 4 and is 3"]);
    let rename = |from: &str, to: &str| std::fs::rename(place.path(from), place.path(to)).expect("renames");
    rename("photos/disc/00.png", "gone.png");
    refused("", &["removed: ", "disc/00.png"]);
    rename("gone.png", "photos/grass/77.png");
    refused("", &["removed: ", "added: ", "grass/77.png"]);
    rename("photos/grass/77.png", "photos/disc/00.png");
    // The same file with a later time, in a folder of another name, is the same data.
    place.write("photos/disc/00.png", place.bytes("photos/disc/00.png"));
    rename("photos", "pictures");
    copied_with(&place, "pictures").run(&format!("{resume} --data pictures")).fine();
    rename("pictures", "photos");
    let outcome = place.run(&format!("{resume} --lr 0.0005 --allow-changed-data")).fine();
    outcome.printed(&["note:    continues with a change: lr was ", " and is 0.0005"]);
}

/// Columns and threshold are the run's: `--resume` and `eval` read the data as training did. A label or a mask that was
/// changed is named.
#[test]
fn relabelled_tables_and_repainted_masks_are_named() {
    let place = Place::with_photos(4);
    let table = |label: &str| {
        let mut text = "Picture,Weight,Kind,Split\n".to_owned();
        for class in place.list("photos").into_iter().filter(|name| !name.ends_with(".csv")) {
            for (number, name) in place.list(&format!("photos/{class}")).into_iter().enumerate() {
                let kind = if number == 0 && class == "disc" { label } else { class.as_str() };
                // Without this column the split would follow the labels.
                let split = if number == 3 { "val" } else { "train" };
                text += &format!("{class}/{name},{number},{kind},{split}\n");
            }
        }
        place.write("photos/t.csv", text);
    };
    table("disc");
    let line = "train classify --data photos/t.csv --label-column kind --batch-size 4 --image-size 32 --device cpu";
    killed(under_way(&place, &format!("{line} --epochs 100000 --out run"), "run", 1));
    place.run("eval run --device cpu").fine().printed(&["photos/t.csv, val part"]);
    let resume = format!("train classify --resume run --epochs {}", next_epoch(&place));
    table("grass");
    place.run(&resume).refused(&["of another class", "disc/00.png", "--allow-changed-data"]);
    table("disc");
    place.run(&resume).fine().printed(&["labels in column 'Kind'"]);

    let place = Place::new();
    let mask = |bright: u8| image::GrayImage::from_fn(16, 16, |x, _| image::Luma([if x < 8 { 0 } else { bright }]));
    for folder in ["set/images", "set/masks"] {
        place.folder(folder);
    }
    for number in 0..5u8 {
        let picture =
            image::RgbImage::from_fn(16, 16, |x, y| image::Rgb([(x * 16) as u8, (y * 16) as u8, number * 40]));
        picture.save(place.path(&format!("set/images/{number}.png"))).expect("saves");
        mask(200 + number).save(place.path(&format!("set/masks/{number}.png"))).expect("saves");
    }
    let line =
        "train segment --data set --mask-threshold 128 --batch-size 4 --image-size 16 --base 2 --depth 1 --device cpu";
    killed(under_way(&place, &format!("{line} --epochs 100000 --out run"), "run", 1));
    let resume = format!("train segment --resume run --epochs {}", next_epoch(&place));
    let repaint = |bright: u8| mask(bright).save(place.path("set/masks/0.png")).expect("saves");
    repaint(100);
    place.run(&resume).refused(&["with another mask", "images/0.png", "--allow-changed-data"]);
    place.run(&format!("{resume} --mask-threshold 99")).refused(&["mask_threshold was 128 and is 99"]);
    // Another brightness of the same class is the same mask.
    repaint(255);
    place.run("eval run --device cpu").fine();
    place.run(&resume).fine();
}

/// A copy of the run, with a folder of images of three classes.
fn copied_with(place: &Place, images: &str) -> Place {
    let copy = copied(place);
    for class in place.list(images) {
        copy.folder(&format!("{images}/{class}"));
        for name in place.list(&format!("{images}/{class}")) {
            let path = format!("{images}/{class}/{name}");
            copy.write(&path, place.bytes(&path));
        }
    }
    copy
}

#[test]
fn a_longer_schedule_reports_the_jump_of_the_learning_rate() {
    let place = Place::new();
    let line = SCENES.replace("constant", "cosine");
    killed(under_way(&place, &format!("{line} --epochs 1000 --out run"), "run", 1));
    let next = next_epoch(&place);
    let outcome = place.run(&format!("train segment --resume run --epochs {next}")).fine();
    outcome.printed(&[&format!("the cosine schedule spans {next} epochs now, not 1000: the learning rate was")]);
}

/// Two signals at once, as from a terminal and a wrapper, count as one.
#[cfg(unix)]
#[test]
fn two_signals_at_once_still_give_a_checkpoint() {
    let place = Place::new();
    let child = place.start(&format!("{} --scenes 400 --epochs 3 --out run", SCENES.replace("--scenes 10 ", "")));
    while !place.has("run/run.json") {
        std::thread::sleep(Duration::from_millis(5));
    }
    std::thread::sleep(Duration::from_millis(300));
    for _ in 0..2 {
        let sent = std::process::Command::new("kill").args(["-INT", &child.id().to_string()]).status().expect("kill");
        assert!(sent.success());
        std::thread::sleep(Duration::from_millis(3));
    }
    let outcome = Outcome::new("train", &child.wait_with_output().expect("ends"));
    assert_eq!(outcome.code, Some(130));
    assert!(place.has("run/resume.safetensors") && place.has("run/last.safetensors"), "{:?}", place.list("run"));
}

/// Results of another run in the folder of a run are not results of this run.
#[test]
fn results_that_a_run_did_not_write_are_named() {
    let place = Place::new();
    let scenes = "train segment --scenes 10 --image-size 16 --base 2 --depth 1 --batch-size 5 --device cpu --epochs 1";
    place.run(&format!("{scenes} --out run")).fine();
    place.run(&format!("{scenes} --seed 3 --out other")).fine();
    assert_eq!(place.run("report run --out good.html").fine().stderr, "");
    for name in ["confusion.csv", "trust.json", "iou.csv", "samples.png"] {
        let own = place.bytes(&format!("run/{name}"));
        place.write(&format!("run/{name}"), place.bytes(&format!("other/{name}")));
        let outcome = place.run(&format!("report run --out {name}.html")).fine();
        let words = format!("run/{name} is damaged: it is not the file that the run wrote");
        assert!(outcome.stderr.contains(&words), "{}", outcome.stderr);
        place.write(&format!("run/{name}"), own);
    }
    let facts = String::from_utf8(place.bytes("run/run.json")).expect("UTF-8");
    let mut json: serde_json::Value = serde_json::from_str(&facts).expect("JSON");
    json["outputs"].as_array_mut().expect("names").swap(0, 1);
    place.write("run/run.json", json.to_string());
    let outcome = place.run("report run --out swapped.html").fine();
    assert!(
        outcome.stderr.contains("run/run.json is damaged: its outputs are not the classes of"),
        "{}",
        outcome.stderr
    );
}

/// A file that a report would show and cannot is named in the report and on the console.
#[test]
fn files_that_a_report_cannot_show_are_named() {
    let place = Place::new();
    let scenes = "train segment --scenes 10 --image-size 16 --base 2 --depth 1 --batch-size 5 --device cpu --epochs 1";
    place.run(&format!("{scenes} --out run")).fine();
    let said = |name: &str, problem: &str| {
        let outcome = place.run(&format!("report run --out {}.html", name.replace('/', "-"))).fine();
        let words = format!("run/{name} is damaged: {problem}");
        assert!(outcome.stderr.contains(&words), "{words}: {}", outcome.stderr);
        let page = String::from_utf8(place.bytes(&format!("{}.html", name.replace('/', "-")))).expect("UTF-8");
        assert!(page.contains(&words), "{name}");
    };
    for name in ["trust.json", "iou.csv", "samples.png"] {
        let own = place.bytes(&format!("run/{name}"));
        std::fs::remove_file(place.path(&format!("run/{name}"))).expect("removes");
        said(name, "it is gone");
        place.write(&format!("run/{name}"), own);
    }
    // Not among the results whose digests the run keeps, because each epoch adds rows.
    let own = place.bytes("run/layers.csv");
    place.write("run/layers.csv", "epoch,layer\n1,conv1\n");
    said("layers.csv", "CSV deserialize error");
    place.write("run/layers.csv", own);
    // A file of another size is not read.
    let own = place.bytes("run/metrics.csv");
    let file = std::fs::OpenOptions::new().write(true).open(place.path("run/metrics.csv")).expect("opens");
    file.set_len(3 << 30).expect("grows");
    said("metrics.csv", "it cannot be read: it has 3221225472 bytes");
    place.write("run/metrics.csv", own);
    // A run of an earlier version keeps no digests.
    let facts = String::from_utf8(place.bytes("run/run.json")).expect("UTF-8");
    let mut json: serde_json::Value = serde_json::from_str(&facts).expect("JSON");
    json.as_object_mut().expect("an object").remove("result_digests");
    place.write("run/run.json", json.to_string());
    place.write("run/trust.json", "{ half");
    let outcome = place.run("report run --out half.html").fine();
    assert!(outcome.stderr.contains("run/trust.json is damaged: "), "{}", outcome.stderr);
}
