//! Training on several ranks, here threads of one process: the number of ranks changes no bit.

use std::path::Path;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::mpsc::{Receiver, Sender, channel};
use std::sync::{Arc, Mutex};

use crate::stop_after::StopAfter;
use shadegrad::ranks::{RankError, Ranks};
use shadegrad::tasks::{Task, task};
use shadegrad::train::settings::{Given, Resolved};
use shadegrad::train::{Outcome, TrainError};

/// A rank in a thread.
struct Thread {
    rank: usize,
    send: Vec<Sender<Vec<u8>>>,
    receive: Vec<Mutex<Receiver<Vec<u8>>>>,
    /// Flips a bit of the first weight that the rank receives.
    faulty: AtomicBool,
}

impl std::fmt::Debug for Thread {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "rank {}", self.rank)
    }
}

/// Ranks that are linked by channels.
fn linked(size: usize) -> Vec<Thread> {
    let mut ranks: Vec<Thread> =
        (0..size).map(|rank| Thread { rank, send: vec![], receive: vec![], faulty: false.into() }).collect();
    for to in 0..size {
        for from in 0..size {
            let (sender, receiver) = channel();
            ranks[from].send.push(sender);
            ranks[to].receive.push(Mutex::new(receiver));
        }
    }
    ranks
}

impl Ranks for Thread {
    fn rank(&self) -> usize {
        self.rank
    }
    fn size(&self) -> usize {
        self.send.len()
    }
    fn exchange(&self, send: &[(usize, &[u8])], receive: &mut [(usize, &mut [u8])], _: bool) -> Result<(), RankError> {
        for (to, message) in send {
            // A rank that has ended receives nothing.
            let _ = self.send[*to].send(message.to_vec());
        }
        for (from, into) in receive {
            let gone = RankError::Silent { rank: self.rank, size: self.size(), silent: vec![*from], seconds: 0 };
            let message = self.receive[*from].lock().expect("not poisoned").recv().map_err(|_| gone)?;
            assert_eq!(message.len(), into.len(), "rank {} to {}", from, self.rank);
            into.copy_from_slice(&message);
            // The weights are the first long message.
            if into.len() > 1000 && self.faulty.swap(false, Ordering::Relaxed) {
                into[0] ^= 1;
            }
        }
        Ok(())
    }
    fn abort(&self, code: u8) -> ! {
        panic!("rank {} ends all with {code}", self.rank)
    }
}

fn segment() -> &'static dyn Task {
    task("segment").expect("a built-in task")
}

/// 10 training images: a batch of 8 in four shards, and a last one of 2 in one.
const SETTINGS: &str = "device = \"cpu\"\nscenes = 13\nepochs = 2\nbatch_size = 8\nshards = 4\naccumulate = 2\nema = 0.9\n\
                        lr = 0.003\naugment = \"light\"\nseed = 5\nimage_size = \"16x16\"\nbase = 2\ndepth = 1\nschedule = \"plateau\"\n";

fn settings(more: &str) -> Resolved {
    let table = toml::from_str(&format!("{more}\n{SETTINGS}")).expect("settings");
    segment().resolve(&Given::of_table(table, Path::new("settings"))).unwrap_or_else(|e| panic!("{e}"))
}

/// Trains on ranks with these settings.
fn train(of_ranks: Vec<Resolved>, stop: Option<usize>, steps: usize) -> Vec<Result<Outcome, TrainError>> {
    train_on(linked(of_ranks.len()), of_ranks, stop, steps)
}

/// Trains with a rank for each settings, and returns each rank's result. `stop` is a rank that asks for a stop at its first step.
fn train_on(
    ranks: Vec<Thread>,
    of_ranks: Vec<Resolved>,
    stop: Option<usize>,
    steps: usize,
) -> Vec<Result<Outcome, TrainError>> {
    let run = |(thread, mut settings): (Thread, Resolved)| {
        let rank = thread.rank;
        settings.ranks = Arc::new(thread);
        let flag = AtomicBool::new(stop == Some(rank));
        let observer = StopAfter::new(steps, &flag);
        segment().open(&settings, &observer)?.train(&observer, &flag)
    };
    std::thread::scope(|scope| {
        let threads: Vec<_> = ranks.into_iter().zip(of_ranks).map(|pair| scope.spawn(move || run(pair))).collect();
        threads.into_iter().map(|thread| thread.join().expect("no panic")).collect()
    })
}

#[test]
fn any_number_of_ranks_gives_the_same_bits() {
    let place = tempfile::tempdir().expect("a folder");
    let path = |name: &str| place.path().join(name).to_str().expect("a name").to_owned();
    let bytes = |name: &str, file: &str| std::fs::read(place.path().join(name).join(file)).expect("a file");
    for size in [1, 2, 3, 4] {
        let name = size.to_string();
        for result in train(vec![settings(&format!("out = {:?}", path(&name))); size], None, usize::MAX) {
            result.unwrap_or_else(|e| panic!("{size} ranks: {e}"));
        }
        for file in ["last.safetensors", "best.safetensors", "samples.png"] {
            assert!(bytes(&name, file) == bytes("1", file), "{file} of {size} ranks");
        }
    }
    // A rank that follows asks for the stop, in the middle of an accumulated step; the run goes on with other numbers of ranks.
    let results = train(vec![settings(&format!("out = {:?}", path("stopped"))); 4], Some(2), usize::MAX);
    assert!(results.iter().all(|result| result.as_ref().is_ok_and(|outcome| outcome.interrupted)), "{results:?}");
    let resumed = || settings(&format!("resume = {:?}", path("stopped")));
    train(vec![resumed(); 2], None, 2).into_iter().for_each(|result| drop(result.unwrap_or_else(|e| panic!("{e}"))));
    assert!(bytes("stopped", "last.safetensors") != bytes("1", "last.safetensors"), "it has stopped again");
    train(vec![resumed()], None, usize::MAX)
        .into_iter()
        .for_each(|result| drop(result.unwrap_or_else(|e| panic!("{e}"))));
    assert!(bytes("stopped", "last.safetensors") == bytes("1", "last.safetensors"), "on 4, 2 and 1 ranks");
}

#[test]
fn ranks_that_differ_are_refused_before_the_first_step() {
    let place = tempfile::tempdir().expect("a folder");
    let out = |name: &str| format!("out = {:?}", place.path().join(name).to_str().expect("a name"));
    let other = |change: (&str, &str)| {
        let table =
            toml::from_str(&format!("{}\n{}", out("a"), SETTINGS.replace(change.0, change.1))).expect("settings");
        segment().resolve(&Given::of_table(table, Path::new("settings"))).unwrap_or_else(|e| panic!("{e}"))
    };
    let refused = |change: (&str, &str)| {
        let mut results = train(vec![settings(&out("a")), settings(&out("a")), other(change)], None, usize::MAX);
        assert!(!place.path().join("a").exists(), "nothing is written");
        assert!(results.iter().all(Result::is_err), "{change:?}");
        results.remove(0).expect_err("refused").to_string()
    };
    let error = refused(("lr = 0.003", "lr = 0.004"));
    assert!(error.contains("rank 2: lr is 0.004, on rank 0 0.003"), "{error}");
    let error = refused(("seed = 5", "seed = 6"));
    assert!(error.contains("rank 2: seed is 6, on rank 0 5") && error.contains("other data"), "{error}");
    let mut results = train(vec![settings(&out("a")); 5], None, usize::MAX);
    let error = results.remove(0).expect_err("refused").to_string();
    assert!(error.contains("5 ranks need 5 shards or more, but the run has 4"), "{error}");
}

#[test]
fn a_rank_with_other_weights_is_named() {
    let place = tempfile::tempdir().expect("a folder");
    let settings = settings(&format!("out = {:?}", place.path().join("a").to_str().expect("a name")));
    let ranks = linked(3);
    ranks[1].faulty.store(true, Ordering::Relaxed);
    for result in train_on(ranks, vec![settings; 3], None, usize::MAX) {
        let error = result.expect_err("refused").to_string();
        assert!(error.contains("rank 1 has other weights than rank 0 after step 1 of epoch 1"), "{error}");
    }
    assert!(!place.path().join("a/last.safetensors").exists(), "such weights are not saved");
}
