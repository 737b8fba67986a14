//! `shadegrad sweep`: rows and grids, means over seeds, diverged runs, and resuming a stopped sweep.

use std::path::Path;

use shadegrad::workflows::Sweep;

use crate::support::Place;

/// A folder with photos and a sweep file. Each run takes about a second.
fn place(sweep: &str) -> Place {
    let place = Place::with_photos(4);
    let base = "task = \"classify\"\n[base]\nmodel = \"cnn\"\ndata = \"photos\"\nimage_size = 16\nbatch_size = 8\nepochs = 1\ndevice = \"cpu\"\n";
    place.write("sweep.toml", format!("{base}{sweep}"));
    place
}

#[test]
fn rows_are_run_marked_and_skipped_when_done() {
    let rows = "[[run]]\noptimizer = \"adam\"\nlr = 1e-3\n[[run]]\noptimizer = \"sgd\"\nlr = 1e30\n[[run]]\nlr = 1e-3\nseed = 1\n";
    let place = place(rows);
    let outcome = place.run("sweep sweep.toml --out s").fine();
    outcome.printed(&["run 1 of 3 (lr=0.001 optimizer=adam) begins", "run 2 of 3", "diverged", "written: s/sweep.md"]);
    let table = String::from_utf8(place.bytes("s/sweep.csv")).expect("text");
    let lines: Vec<&str> = table.lines().collect();
    assert_eq!(lines.len(), 4, "{table}");
    assert!(lines[0].starts_with("rank,") && lines[0].contains("accuracy,best epoch,run"), "{table}");
    assert!(lines[3].contains("diverged") && lines[3].contains("sgd"), "those that diverged are last: {table}");
    assert!(place.has("s/001/best.safetensors") && place.has("s/003/curves.png"));
    let before = place.bytes("s/001/last.safetensors");
    // An unfinished run is moved aside and repeated; finished runs stay.
    std::fs::remove_file(place.path("s/003/curves.png")).expect("removes");
    let again = place.run("sweep sweep.toml --out s").fine();
    again.printed(&["run 1 of 3 (lr=0.001 optimizer=adam) is done, 1 epoch", "run 3 of 3 (lr=0.001 seed=1) begins"]);
    assert!(place.has("s/003/curves.png") && place.has("s/003.unfinished-1/metrics.csv"));
    assert!(place.bytes("s/001/last.safetensors") == before, "the finished run is as it was");
}

#[test]
fn a_grid_averages_over_seeds() {
    let place = place("[grid]\nlr = [1e-3, 1e-4]\nseed = [0, 1]\n");
    place.run("sweep sweep.toml --out s").fine().printed(&["run 4 of 4", " ± "]);
    let table = String::from_utf8(place.bytes("s/sweep.md")).expect("text");
    assert_eq!(
        table.lines().filter(|line| line.starts_with('|')).count(),
        4,
        "two settings of two seeds each: {table}"
    );
    // Three validation images are too few to distinguish the two settings.
    assert!(table.contains("\n\nRows 1 to 2 differ by less than two standard errors of a difference ("), "{table}");
    let facts: serde_json::Value = serde_json::from_slice(&place.bytes("s/sweep.json")).expect("JSON");
    assert_eq!(facts["within_chance"]["rows"], 2, "{facts}");
    assert_eq!(facts["rows"][0]["scores"].as_array().map(Vec::len), Some(2), "{facts}");
    assert!(table.lines().nth(2).is_some_and(|best| best.contains("**1**")), "the best is bold: {table}");
    let plain = place.run("sweep sweep.toml --out t --sample 1").fine().printed(&["run 1 of 1"]);
    assert!(!plain.stdout.contains('\u{1b}'), "no color in a pipe: {}", plain.stdout);
    let colored = place.run("--color always sweep sweep.toml --out t --sample 1").fine();
    assert!(colored.stdout.contains("\u{1b}[1m1"), "the best is bold: {}", colored.stdout);
}

/// A fifth of the epochs and some of the images: the table shows these numbers.
#[test]
fn a_sweep_runs_in_small_with_the_numbers_that_ran() {
    let place = place("[[run]]\nepochs = 10\n[[run]]\nepochs = 15\nlr = 1e-4\n");
    place
        .run("sweep sweep.toml --out s --scale-epochs 0.1 --limit 4")
        .fine()
        .printed(&["run 2 of 2 (epochs=2 lr=0.0001)"]);
    let table = String::from_utf8(place.bytes("s/sweep.csv")).expect("text");
    let mut epochs: Vec<&str> = table.lines().skip(1).filter_map(|row| row.split(',').nth(1)).collect();
    epochs.sort_unstable();
    assert_eq!(epochs, ["1", "2"], "{table}");
    assert_eq!([place.metrics("s/001").len(), place.metrics("s/002").len()], [1, 2]);
    let config = String::from_utf8(place.bytes("s/001/config.toml")).expect("text");
    assert!(config.contains("limit = 4"), "{config}");
    place.run("sweep sweep.toml --out t --scale-epochs 0").refused(&[]);
}

/// `seeds` multiplies the rows, and a sample draws rows with all their seeds.
#[test]
fn seeds_repeat_every_row() {
    let seeded =
        |rows: &str| Sweep::parse(&format!("task = \"classify\"\nseeds = [3, 5]\n{rows}"), Path::new("s.toml"));
    let cells = seeded("[[run]]\nlr = 1e-3\n[grid]\nlr = [1e-4, 1e-5]\n").expect("a sweep").cells;
    let names: Vec<&str> = cells.iter().map(|cell| cell.name.as_str()).collect();
    assert_eq!(names[..3], ["lr=0.001 seed=3", "lr=0.001 seed=5", "lr=0.0001 seed=3"]);
    assert_eq!(names.len(), 6);
    let refused = seeded("[[run]]\nseed = 1\n").err().expect("two readings");
    assert!(refused.to_string().contains("`seeds` beside"), "{refused}");
    let twice = "task = \"classify\"\nseeds = [3, 5, 3]\n[[run]]\n";
    let refused = Sweep::parse(twice, Path::new("s.toml")).err().expect("a seed twice").to_string();
    assert!(refused.contains("`seeds` has 3 twice"), "{refused}");
    let place = place("[[run]]\nlr = 1e-3\n");
    let text = String::from_utf8(place.bytes("sweep.toml")).expect("text");
    place.write("sweep.toml", format!("seeds = [0, 1]\n{text}"));
    place.run("sweep sweep.toml --out s").fine().printed(&["run 2 of 2 (lr=0.001 seed=1)", " ± "]);
}

#[test]
fn wrong_sweeps_are_refused_before_the_first_run() {
    for (text, parts) in [
        ("", &["no run", "[[run]]"][..]),
        ("[[run]]\nlearning = 1\n", &["run 1", "unknown key `learning`"]),
        ("[[run]]\nlr = 1e-3\n[[run]]\nlr = -1.0\n", &["run 2", "lr", "above 0"]),
        ("[[runs]]\nlr = 1\n", &["sweep.toml", "runs"]),
        ("[[run]]\nlr = 1e-3\n[[run]]\nlr = 1e-4\n[[run]]\nlr = 1e-3\n", &["runs 1 and 3 are equal (lr=0.001)"]),
        ("[grid]\nlr = [1e-3, 1e-3]\n", &["runs 1 and 2 are equal (lr=0.001)"]),
    ] {
        let place = place(text);
        place.run("sweep sweep.toml --out s").refused(parts);
        assert!(!place.has("s/001"));
    }
    let place = Place::new();
    place.write("sweep.toml", "task = \"dance\"");
    place.run("sweep sweep.toml --out s").refused(&["\"dance\"", "classify, multi-label, segment or colorize"]);
}

/// Two of four runs continue after the first epoch, one of these after the second. The table marks the stopped ones.
#[test]
fn halving_stops_the_worst_runs() {
    let place = place("[grid]\nlr = [1e-3, 1e-9, 3e-3, 1e-8]\n");
    let line = "sweep sweep.toml --out s --halving 2 --set epochs=4";
    place.run(line).fine().printed(&["stopped after epoch 1", "stopped after epoch 2"]);
    let epochs: Vec<usize> = (1..=4).map(|run| place.metrics(&format!("s/00{run}")).len()).collect();
    let mut sorted = epochs.clone();
    sorted.sort_unstable();
    assert_eq!(sorted, [1, 1, 2, 4], "{epochs:?}");
    // The runs with vanishing learning rates stop first. A second call changes nothing.
    let before = place.bytes("s/sweep.csv");
    place.run(line).fine().printed(&["paused after epoch 1"]);
    assert!(place.bytes("s/sweep.csv") == before);
    place.run("sweep sweep.toml --out t --set epochs").refused(&["--set epochs", "KEY=VALUE"]);
    place.run("sweep sweep.toml --out t --set epoch=3").refused(&["epoch", "epochs"]);
}

/// The table must never attribute results to settings that did not produce them.
#[test]
fn folders_with_runs_of_other_settings_are_refused() {
    let place = place("[[run]]\nlr = 1e-3\n[[run]]\nlr = 1e-4\n");
    place.run("sweep sweep.toml --out s").fine();
    let kept = || (place.list("s"), place.list("s/002"), place.bytes("s/sweep.csv"));
    let before = kept();
    let text = String::from_utf8(place.bytes("sweep.toml")).expect("text");
    place.write("inserted.toml", text.replacen("[[run]]", "[[run]]\nlr = 1e-2\n[[run]]", 1));
    place.run("sweep inserted.toml --out s").refused(&["s/001", "lr is 0.001 there and 0.01 here", "--out"]);
    place.run("sweep sweep.toml --out s --set seed=5").refused(&["s/001", "seed is 0 there and 5 here"]);
    place.run("sweep sweep.toml --out s --set epochs=2").refused(&["epochs is 1 there and 2 here"]);
    assert!(kept() == before, "nothing was trained or moved");
    // Settings that do not change results may differ.
    place
        .run("sweep sweep.toml --out s --set loader_threads=1 --device cpu")
        .fine()
        .printed(&["run 2 of 2", "is done"]);
}

/// A table must not rank runs of two data sets, nor shrink to the runs before a fault.
#[test]
fn runs_on_other_data_are_refused() {
    let place = place("[[run]]\nlr = 1e-3\n[[run]]\nlr = 1e-4\n");
    place.run("sweep sweep.toml --out s").fine();
    let kept = || (place.list("s"), place.list("s/002"), place.bytes("s/sweep.csv"));
    let before = kept();
    place.run("sweep sweep.toml --out s").fine().printed(&["run 2 of 2", "is done"]);
    std::fs::rename(place.path("photos/disc/00.png"), place.path("photos/grass/zz.png")).expect("moves");
    let more = String::from_utf8(place.bytes("sweep.toml")).expect("text") + "[[run]]\nlr = 1e-2\n";
    place.write("more.toml", more);
    place.run("sweep more.toml --out s").refused(&["s/001", "on other data", "images", "another folder"]);
    // The table of a smaller sweep would include the other runs.
    place.run("sweep sweep.toml --out s --sample 1").refused(&["on other data", "flags: --out"]);
    assert!(kept() == before, "nothing was trained or moved");
    std::fs::rename(place.path("photos/grass/zz.png"), place.path("photos/disc/00.png")).expect("moves");
    place.run("sweep more.toml --out s").fine().printed(&["run 2 of 3", "run 3 of 3 (lr=0.01) begins"]);
}

/// A stopped run can continue to more epochs. A folder that is not a run stays untouched.
#[test]
fn unfinished_runs_are_resumed_and_other_folders_stay() {
    let rows = place("[grid]\nlr = [1e-3, 1e-9]\n");
    rows.run("sweep sweep.toml --out s --halving 2 --set epochs=2").fine();
    rows.run("sweep sweep.toml --out s --halving 2 --set epochs=3").refused(&["s/001", "epochs is 2 there and 3 here"]);
    std::fs::remove_dir_all(rows.path("s/001")).expect("removes");
    rows.run("sweep sweep.toml --out s --set epochs=3").fine();
    assert_eq!(["s/001", "s/002"].map(|run| rows.metrics(run).len()), [3, 3]);
    let mine = place("[[run]]\nlr = 1e-3\n");
    mine.folder("s/001");
    mine.write("s/001/thesis.txt", "mine");
    mine.run("sweep sweep.toml --out s").refused(&["s/001", "no run"]);
    assert_eq!(mine.list("s"), ["001"]);
}

#[test]
fn a_failed_run_does_not_stop_the_others() {
    let place = place("[[run]]\ndata = \"nowhere\"\n[[run]]\nlr = 1e-3\n");
    let outcome = place.run("sweep sweep.toml --out s");
    let outcome = outcome.refused(&["1 of 2 runs failed", "run 1 (data=nowhere)", "nowhere"]);
    outcome.printed(&["run 2 of 2 (lr=0.001) begins", "written: s/sweep.md"]);
    let table = String::from_utf8(place.bytes("s/sweep.csv")).expect("text");
    let last = table.lines().nth(2).expect("two rows");
    assert!(last.contains("failed: ") && last.contains("nowhere"), "{table}");
    assert!(place.has("s/002/curves.png"));
}

/// The eleven rows of the reference table are valid.
#[test]
fn the_sweep_file_of_the_examples_is_valid() {
    let path = concat!(env!("CARGO_MANIFEST_DIR"), "/examples/sweeps/resnet18.toml");
    let sweep = Sweep::read(Path::new(path), None, 0).expect("valid");
    assert_eq!(sweep.cells.len(), 11);
    assert_eq!(sweep.cells[0].name, "batch_size=32 epochs=10 lr=0.001 optimizer=adam");
}
