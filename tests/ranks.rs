//! Training under `mpirun` on this machine. `CHECK_MPI=1 scripts/test` builds and runs it with the feature `mpi`.

#[path = "support/mod.rs"]
mod support;

use std::process::{Child, Command, Output, Stdio};
use std::time::{Duration, Instant};

use support::Place;

/// 13 training images: a batch of 8 in eight shards, and a last one of 5.
const SETTINGS: &str = "device = \"cpu\"\nscenes = 13\nbatch_size = 8\nshards = 8\naccumulate = 2\nema = 0.9\nlr = 0.003\n\
                        augment = \"light\"\nseed = 5\nimage_size = \"16x16\"\nbase = 2\ndepth = 1\n";

/// `mpirun` with a program per rank, given as its arguments.
fn mpirun(place: &Place, of_ranks: &[String]) -> Command {
    let mut command = Command::new("mpirun");
    command.args(["--oversubscribe", "--allow-run-as-root", "--bind-to", "none"]);
    command.current_dir(place.path("")).stdin(Stdio::null()).env("RAYON_NUM_THREADS", "1");
    for (rank, line) in of_ranks.iter().enumerate() {
        command.args(if rank > 0 { vec![":", "-n", "1"] } else { vec!["-n", "1"] });
        command.arg(env!("CARGO_BIN_EXE_shadegrad")).args(line.split_whitespace());
    }
    command
}

fn run(place: &Place, of_ranks: &[String]) -> (Option<i32>, String) {
    let Output { status, stdout, stderr } = mpirun(place, of_ranks).output().expect("mpirun starts");
    (status.code(), [stdout, stderr].map(|bytes| String::from_utf8_lossy(&bytes).into_owned()).concat())
}

fn place() -> Place {
    let place = Place::new();
    place.write("settings.toml", SETTINGS);
    place
}

fn line(more: &str) -> String {
    format!("train segment --config settings.toml {more}")
}

/// One process, and ranks of 8, 4, 2 and 1 shards, train with these settings to the same bits.
fn same_bits(task: &str, settings: &str) {
    let place = Place::new();
    place.write("settings.toml", settings);
    let line = |out: &str| format!("train {task} --config settings.toml --out {out}");
    place.run(&line("1")).fine();
    for size in [2, 4, 8] {
        let (code, text) = run(&place, &vec![line(&size.to_string()); size]);
        assert_eq!(code, Some(0), "{text}");
        assert_eq!(text.matches("epoch  1/").count(), 1, "rank 0 alone prints: {text}");
        for file in ["last.safetensors", "best.safetensors"] {
            assert!(
                place.bytes(&format!("{size}/{file}")) == place.bytes(&format!("1/{file}")),
                "{file} of {task} on {size} ranks"
            );
        }
    }
}

#[test]
fn ranks_of_mpi_give_the_bits_of_one_process() {
    same_bits("segment", &format!("{SETTINGS}epochs = 2\n"));
}

#[test]
fn ranks_that_train_a_resnet_give_the_bits_of_one_process() {
    // 11 million weights: two buckets of messages, and more.
    let settings = "device = \"cpu\"\nscenes = 13\nepochs = 1\nbatch_size = 8\nshards = 8\naccumulate = 2\nema = 0.9\nlr = 0.003\n\
                    augment = \"light\"\nseed = 5\nimage_size = 36\nmodel = \"resnet18\"\n";
    same_bits("classify", settings);
}

#[test]
fn ranks_that_colorize_give_the_bits_of_one_process() {
    same_bits("colorize", &format!("{SETTINGS}epochs = 2\nloss = \"classes\"\n"));
}

#[test]
fn a_run_goes_on_with_another_number_of_ranks_to_the_same_bits() {
    let place = place();
    let more = "--schedule constant";
    place.run(&line(&format!("{more} --epochs 3 --out whole"))).fine();
    let (code, text) = run(&place, &vec![line(&format!("{more} --epochs 1 --out parts")); 4]);
    assert_eq!(code, Some(0), "{text}");
    for (epochs, size) in [(2, 2), (3, 8)] {
        let resume = format!("train segment --resume parts --epochs {epochs}");
        let (code, text) = run(&place, &vec![resume; size]);
        assert_eq!(code, Some(0), "{text}");
    }
    assert!(place.bytes("parts/last.safetensors") == place.bytes("whole/last.safetensors"));
}

#[test]
fn a_sweep_and_a_rate_test_run_over_ranks() {
    let place = place();
    place.write(
        "sweep.toml",
        format!("task = \"segment\"\n[base]\n{SETTINGS}epochs = 1\n[grid]\nclip = [0.1, 0.2, 0.3]\n"),
    );
    place.run("sweep sweep.toml --out 1").fine();
    let (code, text) = run(&place, &vec!["sweep sweep.toml --out 3".to_owned(); 3]);
    assert_eq!(code, Some(0), "{text}");
    assert!(place.bytes("3/sweep.csv") == place.bytes("1/sweep.csv"), "{text}");
    let find = |out: &str| format!("lr-find segment --config settings.toml --steps 10 --out {out}");
    place.run(&find("lr1")).fine();
    let (code, text) = run(&place, &vec![find("lr4"); 4]);
    assert_eq!(code, Some(0), "{text}");
    assert!(place.bytes("lr4/lr_find.csv") == place.bytes("lr1/lr_find.csv"), "{text}");
}

#[test]
fn a_dry_run_names_the_work_of_each_rank_and_writes_nothing() {
    let place = place();
    let (code, text) = run(&place, &vec![line("--out a --dry-run"); 2]);
    assert_eq!(code, Some(0), "{text}");
    assert_eq!(text.matches("dry run: no folder is made").count(), 1, "rank 0 alone prints: {text}");
    for rank in ["rank 0:", "rank 1:"] {
        let line = text.lines().find(|line| line.starts_with(rank)).expect("a line");
        assert!(line.contains("4 shards of a batch, sends 0.0"), "{line}");
    }
    assert!(!place.has("a"), "nothing is written");
}

#[test]
fn ranks_that_differ_are_refused() {
    let place = place();
    let (code, text) = run(&place, &[line("--out a"), line("--out a --lr 0.004")]);
    assert_eq!(code, Some(2), "{text}");
    assert!(text.contains("rank 1: lr is 0.004, on rank 0 0.003"), "{text}");
    assert!(!place.has("a"), "nothing is written");
}

/// Waits until a file is there.
fn wait_for(place: &Place, file: &str) {
    let start = Instant::now();
    while !place.has(file) {
        assert!(start.elapsed() < Duration::from_secs(120), "{file} is not written");
        std::thread::sleep(Duration::from_millis(50));
    }
}

/// Starts two ranks, waits for the first checkpoint, sends a signal to the rank that follows, and returns the job.
fn signaled(place: &Place, signal: &str) -> Child {
    let script = format!("echo $$ > pid.$OMPI_COMM_WORLD_RANK; exec '{}' \"$@\"", env!("CARGO_BIN_EXE_shadegrad"));
    let mut command = Command::new("mpirun");
    command.args(["--oversubscribe", "--allow-run-as-root", "--bind-to", "none", "-n", "2", "sh", "-c", &script, "sh"]);
    command.args(line("--epochs 100000 --out run").split_whitespace());
    command.current_dir(place.path("")).stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null());
    let job = command.env("RAYON_NUM_THREADS", "1").spawn().expect("mpirun starts");
    wait_for(place, "run/resume.safetensors");
    let pid = String::from_utf8(place.bytes("pid.1")).expect("a number");
    assert!(Command::new("kill").args([signal, pid.trim()]).status().expect("kill starts").success());
    job
}

#[test]
fn a_signal_to_any_rank_ends_all_with_a_checkpoint() {
    let place = place();
    let code = signaled(&place, "-TERM").wait().expect("it ends").code();
    assert_eq!(code, Some(130));
    assert!(place.metrics("run").len() < 100_000);
    place.checkpoint("run/last.safetensors");
    place.checkpoint("run/resume.safetensors");
}

#[test]
fn a_rank_that_dies_ends_the_job_with_a_whole_checkpoint() {
    let place = place();
    let mut job = signaled(&place, "-KILL");
    let start = Instant::now();
    let code = job.wait().expect("it ends").code();
    assert_eq!(code, Some(137), "128 + SIGKILL");
    assert!(start.elapsed() < Duration::from_secs(30), "{:?}", start.elapsed());
    place.checkpoint("run/last.safetensors");
    place.checkpoint("run/resume.safetensors");
}
