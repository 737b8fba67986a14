//! One seed gives one result: training gives the same bits every time, with any number of threads that load images or
//! compute. `tests/engines/gpu_engine.rs` checks adapters.

use crate::support::{Place, RESNET, assert_same_bytes};

/// Trains into the run `out` with these numbers of threads.
fn train(place: &Place, out: &str, loader_threads: usize, compute_threads: usize) {
    // 27 images in batches of 4: full batches and a smaller last one, in the order of the seed.
    let mix = "--augment light --mixup 0.4 --cutmix 1";
    let line =
        format!("{RESNET} {mix} --out {out} --batch-size 4 --epochs 2 --seed 7 --loader-threads {loader_threads}");
    place.run_with(&line, &[("RAYON_NUM_THREADS", &compute_threads.to_string())]).fine();
}

#[test]
fn training_gives_the_same_bits_with_any_number_of_threads() {
    let place = Place::with_photos(9);
    train(&place, "first", 1, 1);
    for (out, loader_threads, compute_threads, what) in [
        ("again", 1, 1, "the same command again"),
        ("loaders", 4, 1, "4 loader threads instead of 1"),
        ("threads", 1, 2, "2 compute threads instead of 1"),
    ] {
        train(&place, out, loader_threads, compute_threads);
        for checkpoint in ["last.safetensors", "best.safetensors"] {
            let path = |run: &str| place.path(&format!("{run}/{checkpoint}"));
            assert_same_bytes(&format!("{checkpoint} with {what}"), &path("first"), &path(out));
        }
        for (a, b) in place.metrics("first").iter().zip(&place.metrics(out)) {
            assert_eq!((a.train_loss, a.val_loss), (b.train_loss, b.val_loss), "{what}");
        }
        assert_eq!(place.metrics(out).len(), 2, "{what}");
        std::fs::remove_dir_all(place.path(out)).expect("removes"); // 90 MB a run
    }
}

#[test]
fn another_seed_gives_other_weights() {
    let place = Place::with_photos(4);
    for seed in [1, 2] {
        place.run(&format!("{RESNET} --out {seed} --batch-size 4 --epochs 1 --seed {seed}")).fine();
    }
    assert!(place.bytes("1/last.safetensors") != place.bytes("2/last.safetensors"));
}
