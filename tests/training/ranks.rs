//! Training on several ranks, here threads of one process: the number of ranks changes no bit.

use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use crate::linked::{Thread, linked};
use crate::stop_after::StopAfter;
use shadegrad::ranks::tree::{Threads, TreeSum};
use shadegrad::ranks::{Buckets, Divisors, Messages, Ranks, Shares, Wire, mean_of_shards, traffic};
use shadegrad::tasks::{Task, task};
use shadegrad::train::settings::{Given, Resolved};
use shadegrad::train::{Outcome, TrainError};

fn segment() -> &'static dyn Task {
    task("segment").expect("a built-in task")
}

/// 13 training images: a batch of 8 in four shards, and a last one of 5 in three.
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

/// Trains with a rank for each settings, and returns each rank's result. `stop` is a rank that requests a stop at its
/// first step.
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
    // A rank that follows requests the stop, in the middle of an accumulated step; the run goes on with other numbers
    // of ranks.
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
    // The weights are the first long message.
    ranks[1].faulty.store(1, Ordering::Relaxed);
    for result in train_on(ranks, vec![settings; 3], None, usize::MAX) {
        let error = result.expect_err("refused").to_string();
        assert!(error.contains("rank 1 has other weights than rank 0 after step 1 of epoch 1"), "{error}");
    }
    assert!(!place.path().join("a/last.safetensors").exists(), "such weights are not saved");
}

/// A run with its settings, changed, on ranks. Returns the outcome of rank 0.
fn outcome(ranks: Vec<Thread>, settings: &Resolved) -> Outcome {
    let settings = vec![settings.clone(); ranks.len()];
    let mut results = train_on(ranks, settings, None, usize::MAX);
    results.iter().for_each(|result| assert!(result.is_ok(), "{results:?}"));
    results.remove(0).expect("checked")
}

fn out(place: &tempfile::TempDir, name: &str) -> String {
    format!("out = {:?}", place.path().join(name).to_str().expect("a name"))
}

/// The settings with other values.
fn changed(more: &str, changes: &[(&str, &str)]) -> Resolved {
    let text = changes.iter().fold(SETTINGS.to_owned(), |text, (from, to)| text.replace(from, to));
    let table = toml::from_str(&format!("{more}\n{text}")).expect("settings");
    segment().resolve(&Given::of_table(table, Path::new("settings"))).unwrap_or_else(|e| panic!("{e}"))
}

#[test]
fn an_evaluation_over_ranks_has_the_bits_of_one_process() {
    let place = tempfile::tempdir().expect("a folder");
    // 64 validation images: five batches of 12, and one of 4.
    let changes = [("epochs = 2", "epochs = 1"), ("batch_size = 8", "batch_size = 12")];
    let bits = |outcome: &Outcome| {
        let row = &outcome.rows[0];
        let scores = row.scores.iter().filter(|(score, _)| !score.of_training());
        (row.val_loss.to_bits(), scores.map(|(score, value)| (score.clone(), value.to_bits())).collect::<Vec<_>>())
    };
    let one = outcome(linked(1), &changed(&out(&place, "1"), &changes));
    for size in [2, 3, 4] {
        let found = outcome(linked(size), &changed(&out(&place, &size.to_string()), &changes));
        assert_eq!(bits(&found), bits(&one), "{size} ranks");
    }
}

#[test]
fn weights_are_compared_between_epochs_where_asked() {
    let place = tempfile::tempdir().expect("a folder");
    let changes =
        [("batch_size = 8", "batch_size = 4"), ("accumulate = 2", "check_every = 2"), ("base = 2", "base = 4")];
    let ranks = linked(2);
    // One message per group of states at the start (weights, their average, two moments). Then four per step: for each
    // of two buckets, the gradients of a segment and the sums of the other segment.
    let states = 4;
    ranks[1].faulty.store(states + 4 * 3, Ordering::Relaxed);
    for result in train_on(ranks, vec![changed(&out(&place, "a"), &changes); 2], None, usize::MAX) {
        let error = result.expect_err("refused").to_string();
        assert!(error.contains("rank 1 has other weights than rank 0 after step 4 of epoch 1"), "{error}");
    }
}

#[test]
fn shares_change_no_bit_on_equal_devices() {
    let place = tempfile::tempdir().expect("a folder");
    let bytes = |name: &str| std::fs::read(place.path().join(name).join("last.safetensors")).expect("a file");
    outcome(linked(2), &settings(&out(&place, "equal")));
    outcome(linked(2), &settings(&format!("{}\nshares = [3, 1]", out(&place, "three"))));
    assert!(bytes("three") == bytes("equal"));
    let facts = std::fs::read_to_string(place.path().join("three/run.json")).expect("facts");
    let facts: serde_json::Value = serde_json::from_str(&facts).expect("JSON");
    assert_eq!(facts["ranks"]["shares"], serde_json::json!([3, 1]));
    for (shares, message) in
        [("[3]", "1 shares (3) for 2 ranks"), ("[1, 9]", "rank 0 has no shard: the shares 1, 9 divide 4")]
    {
        let refused = settings(&format!("{}\nshares = {shares}", out(&place, "none")));
        let error = train(vec![refused; 2], None, usize::MAX).remove(0).expect_err("refused").to_string();
        assert!(error.contains(message), "{error}");
    }
}

#[test]
fn unlike_devices_get_shares_by_speed_and_keep_them() {
    let place = tempfile::tempdir().expect("a folder");
    let changes = [("device = \"cpu\"", "device = \"cpu,llvmpipe\"")];
    let shares = || {
        let facts = std::fs::read_to_string(place.path().join("a/run.json")).expect("facts");
        let facts: serde_json::Value = serde_json::from_str(&facts).expect("JSON");
        assert!(facts["ranks"]["devices"][1].as_str().is_some_and(|name| name.contains("llvmpipe")), "{facts}");
        facts["ranks"]["shares"].clone()
    };
    outcome(linked(2), &changed(&out(&place, "a"), &changes));
    let measured = shares();
    assert_eq!(measured.as_array().expect("a list").iter().filter_map(serde_json::Value::as_u64).sum::<u64>(), 4);
    // Shares that no measurement gives: the software adapter is slower.
    let path = place.path().join("a/run.json");
    let mut facts: serde_json::Value = serde_json::from_slice(&std::fs::read(&path).expect("facts")).expect("JSON");
    facts["ranks"]["shares"] = serde_json::json!([1, 3]);
    std::fs::write(&path, facts.to_string()).expect("written");
    let resumed = out(&place, "a").replace("out", "resume");
    outcome(linked(2), &changed(&resumed, &[changes[0], ("epochs = 2", "epochs = 3")]));
    assert_eq!(shares(), serde_json::json!([1, 3]), "those of the run before");
}

/// Buckets of vectors whose last 100 values belong to all layers.
fn buckets(len: usize) -> Buckets {
    Buckets::new(len - 100, len)
}

/// Divisors of the values before the first 1500, which lie within a segment, and of the others. With a weight of 1 and 1 image, a
/// mean is a sum.
fn divisors(weight: f32, images: f32) -> Divisors {
    Divisors { end: 1500, weight, images }
}

/// The sums of vectors of shards on all ranks, step by step. Returns the sums, and the bytes that each rank sent.
fn sums(shares: &Shares, vectors: &[Vec<Vec<f32>>], wire: Wire, exact: bool) -> (Vec<Vec<f32>>, Vec<usize>) {
    means(shares, vectors, (wire, exact), divisors(1.0, 1.0))
}

/// The means of vectors of shards on all ranks, step by step. Returns the means, and the bytes that each rank sent.
fn means(
    shares: &Shares,
    vectors: &[Vec<Vec<f32>>],
    (wire, exact): (Wire, bool),
    divisors: Divisors,
) -> (Vec<Vec<f32>>, Vec<usize>) {
    let threads = linked(shares.ranks());
    let counters: Vec<_> = threads.iter().map(|thread| thread.sent.clone()).collect();
    let run = |thread: Thread| {
        let mut messages = Messages::new(wire);
        let step = |(number, vectors): (usize, &Vec<Vec<f32>>)| {
            let (buckets, own) = (buckets(vectors[0].len()), shares.part(thread.rank(), vectors.len()));
            let mut nodes = |bucket: usize| {
                let (mut sum, values) =
                    (TreeSum::new(vectors.len(), Threads::Calling), buckets.values()[bucket].clone());
                own.clone().for_each(|shard| sum.add(shard..shard + 1, vectors[shard][values.clone()].to_vec()));
                Some(sum.into_nodes())
            };
            let exact = exact && number + 1 == vectors.len();
            let wire = (&mut messages, exact);
            let mean =
                mean_of_shards(&thread, (shares, vectors.len()), (&buckets, divisors), (&mut nodes, vec![]), wire)
                    .expect("ranks answer");
            mean.expect("all nodes are there")
        };
        vectors.iter().enumerate().map(step).collect::<Vec<_>>()
    };
    let mut all: Vec<_> = std::thread::scope(|scope| {
        let threads: Vec<_> = threads.into_iter().map(|thread| scope.spawn(|| run(thread))).collect();
        threads.into_iter().map(|thread| thread.join().expect("no panic")).collect()
    });
    assert!(all.iter().all(|means| *means == all[0]), "all ranks have the same mean");
    (all.remove(0), counters.iter().map(|counter| counter.load(Ordering::Relaxed)).collect())
}

#[test]
fn sums_in_16_bits_lose_nothing_over_the_steps() {
    // The same gradients in each of 6 steps of 6 shards: without feedback, rounding errors would add up.
    let value = |shard: usize, i: usize| ((shard * 7919 + i * 104_729) % 1000) as f32 / 3e7 - 1e-5;
    let vectors: Vec<Vec<f32>> = (0..6).map(|shard| (0..5000).map(|i| value(shard, i)).collect()).collect();
    let (steps, shares) = (vec![vectors.clone(); 6], Shares::new(&[3, 2, 1], 3, 6).expect("shares"));
    let error = |wire: Wire, exact: bool| {
        let (found, _) = sums(&shares, &steps, wire, exact);
        let of_value = |i: usize| {
            let found: f64 = found.iter().map(|sum| f64::from(sum[i])).sum();
            let exact: f64 = steps.iter().flatten().map(|vector| f64::from(vector[i])).sum();
            (found - exact).abs()
        };
        (0..5000).map(of_value).fold(0.0, f64::max)
    };
    let largest: f64 =
        (0..5000).map(|i| vectors.iter().map(|vector| f64::from(vector[i])).sum::<f64>().abs()).fold(0.0, f64::max);
    // A value lacks at most the rounding of one step, by each of two senders and by the rank that adds.
    let half = error(Wire::F16, false);
    assert!(half < 3.0 * largest * 2f64.powi(-12), "{half:e}, largest {largest:e}");
    assert!(half > 10.0 * error(Wire::F32, false), "it is rounded");
    assert!(error(Wire::F16, true) < largest * 2f64.powi(-20), "the last step brings what was lost");
}

#[test]
fn a_mean_is_the_sum_divided_once_on_every_rank() {
    let value = |shard: usize, i: usize| ((shard * 7919 + i * 104_729) % 1000) as f32 / 3e4 - 1e-2;
    let vectors: Vec<Vec<f32>> = (0..6).map(|shard| (0..5000).map(|i| value(shard, i)).collect()).collect();
    let steps = vec![vectors; 3];
    for shares in [vec![1], vec![1, 1], vec![3, 2, 1]] {
        let shares = Shares::new(&shares, shares.len(), 6).expect("shares");
        for (wire, exact) in [(Wire::F32, false), (Wire::F16, false), (Wire::F16, true)] {
            let (sums, _) = sums(&shares, &steps, wire, exact);
            // A weight of 0 counts as 1.
            for (weight, images, by) in [(7.0, 3.0, 7.0), (0.0, 3.0, 1.0)] {
                let (means, _) = means(&shares, &steps, (wire, exact), divisors(weight, images));
                for (mean, sum) in means.iter().zip(&sums) {
                    let expected: Vec<f32> =
                        sum.iter().enumerate().map(|(i, sum)| sum / if i < 1500 { by } else { images }).collect();
                    assert!(*mean == expected, "{shares:?} {wire:?} {exact} {weight}");
                }
            }
        }
    }
}

#[test]
fn traffic_is_predicted_to_the_byte() {
    let vectors = |shards: usize, len: usize| vec![vec![vec![1.0; len]; shards]];
    for (shares, shards, len) in [(vec![1, 1], 8, 3000), (vec![1, 1, 1], 8, 3000), (vec![3, 1], 4, 2_200_000)] {
        let shares = Shares::new(&shares, shares.len(), shards).expect("shares");
        for wire in [Wire::F32, Wire::F16] {
            let (_, sent) = sums(&shares, &vectors(shards, len), wire, false);
            assert_eq!(sent, traffic((&shares, shards), &buckets(len), wire), "{shares:?} {wire:?}");
        }
    }
}

#[test]
fn training_in_16_bits_repeats_and_resumes_after_an_epoch_to_the_bit() {
    let place = tempfile::tempdir().expect("a folder");
    let bytes = |name: &str| std::fs::read(place.path().join(name).join("last.safetensors")).expect("a file");
    let half = |more: &str| settings(&format!("{more}\nwire = \"f16\""));
    let exact = outcome(linked(2), &settings(&out(&place, "exact")));
    let first = outcome(linked(2), &half(&out(&place, "a")));
    outcome(linked(2), &half(&out(&place, "b")));
    assert!(bytes("a") == bytes("b") && bytes("a") != bytes("exact"));
    let (exact, first) = (exact.rows[1].val_loss, first.rows[1].val_loss);
    assert!((exact - first).abs() < 1e-3 * exact, "{first} instead of {exact}");
    // Two batches an epoch, the second of them exact: the run stops after it.
    let results = train(vec![half(&out(&place, "c")); 2], None, 2);
    assert!(results[0].as_ref().is_ok_and(|outcome| outcome.interrupted), "{results:?}");
    outcome(linked(2), &half(&out(&place, "c").replace("out", "resume")));
    assert!(bytes("a") == bytes("c"));
}
