//! The tiles that a tuner may give the matrix kernels: every one computes what the twin does, and the tuner itself keeps
//! what it found, survives a broken record, and never takes a tile that computes wrongly.

mod common;

use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use common::case::{Case, Place};
use common::compare::{Accuracy, Failures, allowed};
use common::table::OpCase;
use common::{gpu, run_on, twin};
use shadegrad::exec::gpu::EngineOptions;
use shadegrad::exec::shader::{Shader, Tile, TileLimits, Tiling, candidates, shader};
use shadegrad::kernel::KernelCall;
use shadegrad::ops::{self, ConvSpec};
use shadegrad::plan::Slice;
use shadegrad::shape::{TensorType, Window};

/// A convolution with its gradients, of sizes that are no multiples of any tile's but larger than half of each; and one
/// of a small map, with sums long enough to be split among workgroups, in groups, with unlike phases and a bias.
fn cases() -> [Case; 2] {
    let large = OpCase::new("conv2d_of_tiles", |b| {
        let x = b.random("x", [2, 7, 9, 68]);
        let w = b.random_of("w", TensorType::kernel([3, 3, 68, 76]));
        ops::conv2d(&mut b.graph, x, w, ConvSpec::from(Window::square(3, 1, 1)))
    });
    let long = OpCase::new("conv2d_of_long_sums", |b| {
        let x = b.random("x", [2, 5, 4, 2 * 132]);
        let w = b.random_of("w", TensorType::kernel([3, 3, 132, 2 * 140]));
        let bias = b.random("bias", [2 * 140]);
        let spec = ConvSpec { window: Window::square(3, 2, 1), groups: 2 };
        let y = ops::conv2d(&mut b.graph, x, w, spec)?;
        ops::add_bias(&mut b.graph, y, bias)
    });
    [large.case(Place::Alone), long.case(Place::Alone).fused()]
}

fn options() -> EngineOptions {
    let (cache_dir, tiling, tune) = (None, Some(Tiling::Workgroup), Some(Duration::ZERO));
    EngineOptions { checked: false, cache_dir, tiling, tune, ..EngineOptions::default() }
}

/// Runs the case on a new engine and compares with the twin.
fn check(what: &str, options: EngineOptions, failures: &mut Failures) {
    for case in cases() {
        let expected = twin().run(&case).expect("the twin runs");
        let mut engine = gpu::open_with(options.clone());
        let found = run_on(&mut engine, &case).unwrap_or_else(|e| panic!("{what}: {e}")).pop().expect("a step");
        failures.all_close(&format!("{}, {what}", case.name), &found, &expected, allowed(&case.plan(), Accuracy::Wgsl));
    }
}

/// Which candidate every call gets.
static CANDIDATE: AtomicUsize = AtomicUsize::new(0);

fn forced(call: &KernelCall<Slice>, tiling: Tiling, _: Option<Tile>) -> Shader {
    let tiles = candidates(call, tiling, TileLimits::WEBGPU);
    shader(call, tiling, tiles.get(CANDIDATE.load(Ordering::Relaxed) % tiles.len().max(1)).copied())
}

#[test]
fn every_tile_computes_the_same() {
    let calls: Vec<_> = cases().iter().flat_map(|case| case.plan().calls).collect();
    let tiles: Vec<_> = calls.iter().map(|c| candidates(&c.call, Tiling::Workgroup, TileLimits::WEBGPU)).collect();
    let most = tiles.iter().map(Vec::len).max().unwrap_or(0);
    assert!(most > 10, "{most} candidates");
    let split = |kernel: &str| {
        let of_kernel = calls.iter().zip(&tiles).filter(|(c, _)| c.call.kernel == kernel);
        of_kernel.flat_map(|(_, tiles)| tiles).map(|tile| tile.splits).max()
    };
    assert!(
        split("conv_fwd") > Some(4) && split("conv_dgrad") > Some(2),
        "{:?}",
        ["conv_fwd", "conv_dgrad"].map(split)
    );
    let mut failures = Failures::default();
    for candidate in 0..most {
        CANDIDATE.store(candidate, Ordering::Relaxed);
        check(&format!("candidate {candidate}"), EngineOptions { shaders: forced, ..options() }, &mut failures);
    }
    failures.none();
}

/// Every tile but the fixed choice gives twice the result, in the twinkling of an eye.
fn sabotaged(call: &KernelCall<Slice>, tiling: Tiling, tile: Option<Tile>) -> Shader {
    let mut made = shader(call, tiling, tile);
    let fixed = candidates(call, tiling, TileLimits::WEBGPU).first().copied();
    if call.kernel == "conv_fwd" && tile.is_some() && tile != fixed {
        let wrong = made.source.replace("] = r;", "] = 2.0 * r;").replace("k += DEPTH", "k += 4u * DEPTH");
        assert_ne!(wrong, made.source);
        made.source = wrong;
    }
    made
}

#[test]
fn what_is_found_is_kept_and_what_is_wrong_is_not_taken() {
    let folder = tempfile::tempdir().expect("a temporary folder");
    let records = || -> Vec<std::path::PathBuf> {
        let files = std::fs::read_dir(folder.path()).expect("the folder").map(|f| f.expect("a file").path());
        files.filter(|path| path.extension().is_some_and(|e| e == "tuned")).collect()
    };
    let tuned = |shaders, seconds| EngineOptions {
        shaders,
        cache_dir: Some(folder.path().to_owned()),
        tune: Some(Duration::from_secs(seconds)),
        ..options()
    };
    let mut failures = Failures::default();
    check("untuned", tuned(shader, 0), &mut failures);
    assert_eq!(records().len(), 0, "no time, no record");
    // Time for all candidates of the three kernels.
    check("sabotaged", tuned(sabotaged, 60), &mut failures);
    check("sabotaged, from the record", tuned(sabotaged, 0), &mut failures);
    let record = records().pop().expect("a record");
    let whole = std::fs::read(&record).expect("it can be read");
    for broken in [&whole[..whole.len() / 2], b"not ours".as_slice(), &[]] {
        std::fs::write(&record, broken).expect("it can be written");
        check("a broken record", tuned(shader, 0), &mut failures);
    }
    check("tuned anew", tuned(shader, 1), &mut failures);
    assert!(std::fs::read(&record).expect("it can be read").len() > 16, "written anew");
    failures.none();
}
