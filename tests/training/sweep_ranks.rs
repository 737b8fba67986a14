//! A sweep over ranks, here threads of one process.

use std::path::Path;
use std::sync::Mutex;
use std::sync::atomic::AtomicBool;

use crate::linked::linked;
use shadegrad::ranks::Ranks;
use shadegrad::train::Observer;
use shadegrad::workflows::{Sweep, SweepError, SweepObserver, SweepRunState};

/// Four runs: one has no data, one diverges. After an epoch, the better half continues.
const SWEEP: &str = "task = \"segment\"\nhalving = 2\n[base]\ndevice = \"cpu\"\nscenes = 13\nepochs = 2\nbatch_size = 8\nimage_size = \"16x16\"\n\
                     base = 2\ndepth = 1\nloader_threads = 1\n\
                     [[run]]\nlr = 0.001\n[[run]]\nlr = 0.003\n[[run]]\nlr = 0.01\ndata = \"missing\"\n\
                     [[run]]\nlr = 1e30\noptimizer = \"sgd\"\n";

/// Keeps the ends of runs.
#[derive(Default)]
struct Ends(Mutex<Vec<(usize, SweepRunState)>>);

impl SweepObserver for Ends {
    fn run(&self, number: usize, _: usize, _: &str, state: &SweepRunState) {
        if *state != SweepRunState::Begins {
            self.0.lock().expect("not poisoned").push((number, state.clone()));
        }
    }
    fn steps(&self) -> &dyn Observer {
        &()
    }
}

fn sweep(text: &str) -> Sweep {
    Sweep::parse(text, Path::new("sweep.toml")).unwrap_or_else(|e| panic!("{e}"))
}

/// Runs a sweep on ranks, of which each reads its own text. Returns the ends of the runs.
fn run(texts: &[&str], out: &Path) -> Vec<Result<Vec<(usize, SweepRunState)>, SweepError>> {
    let serve = |(thread, text): (crate::linked::Thread, &&str)| {
        let (stop, ends) = (AtomicBool::new(false), Ends::default());
        match thread.rank() {
            0 => drop(sweep(text).run_over(&thread, out, None, (&ends, &stop))?),
            _ => sweep(text).serve(&thread, out, None, &stop)?,
        }
        Ok(ends.0.into_inner().expect("not poisoned"))
    };
    std::thread::scope(|scope| {
        let pairs = linked(texts.len()).into_iter().zip(texts);
        let threads: Vec<_> = pairs.map(|pair| scope.spawn(move || serve(pair))).collect();
        threads.into_iter().map(|thread| thread.join().expect("no panic")).collect()
    })
}

#[test]
fn a_sweep_over_ranks_has_the_table_of_one_process() {
    let place = tempfile::tempdir().expect("a folder");
    let path = |name: &str| place.path().join(name);
    let table = |name: &str, file: &str| std::fs::read_to_string(path(name).join(file)).expect("a table");
    let (one, three) = ("one", "three");
    run(&[SWEEP], &path(one)).remove(0).unwrap_or_else(|e| panic!("{e}"));
    let mut results = run(&[SWEEP; 3], &path(three));
    let ends = results.remove(0).unwrap_or_else(|e| panic!("{e}"));
    assert!(results.iter().all(Result::is_ok), "{results:?}");
    for file in ["sweep.md", "sweep.csv"] {
        assert_eq!(table(three, file), table(one, file));
    }
    let failed: Vec<usize> =
        ends.iter().filter(|(_, state)| matches!(state, SweepRunState::Failed(_))).map(|(number, _)| *number).collect();
    assert_eq!(failed, [3], "the run without data, and no other");
    assert!(ends.contains(&(4, SweepRunState::Diverged)), "{ends:?}");
    // A restart trains only the failed run.
    let done = std::fs::read(path(three).join("001/last.safetensors")).expect("weights");
    std::fs::remove_file(path(three).join("sweep.md")).expect("a table");
    run(&[SWEEP; 2], &path(three)).into_iter().for_each(|result| drop(result.unwrap_or_else(|e| panic!("{e}"))));
    assert_eq!(table(three, "sweep.md"), table(one, "sweep.md"));
    assert!(std::fs::read(path(three).join("001/last.safetensors")).expect("weights") == done);
}

#[test]
fn ranks_with_another_sweep_are_refused() {
    let place = tempfile::tempdir().expect("a folder");
    let other = SWEEP.replace("lr = 0.003", "lr = 0.004");
    for result in run(&[SWEEP, &other], &place.path().join("a")) {
        let error = result.expect_err("refused").to_string();
        assert!(error.contains("rank 1 has other runs") || error.contains("rank 0 has other runs"), "{error}");
    }
    assert!(!place.path().join("a/001").exists(), "nothing is trained");
}
