//! The tiles that the tuner may choose for the matrix kernels. Each gives the results of the twin. The tuner keeps its
//! record, survives a broken one, and never chooses a tile that computes wrongly.

use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use shadegrad::exec::Slice;
use shadegrad::exec::gpu::EngineOptions;
use shadegrad::exec::registry::KernelError;
use shadegrad::graph::{GraphError, Value};
use shadegrad::internals::exec::shader::{
    BindingKind, Shader, StageBinding, Target, Tile, TileLimits, Tiling, candidates, merged_partials, shader,
};
use shadegrad::internals::kernel::ConvGeometry;
use shadegrad::kernel::KernelCall;
use shadegrad::ops::{self, ConvSpec};
use shadegrad::shape::{Padding, TensorType, Window};

use crate::common::case::{Builder, Case, Context};
use crate::common::compare::{Accuracy, Failures, allowed};
use crate::common::table::OpCase;
use crate::common::tiles::{amidst, around_batch_norm, options};
use crate::common::{gpu, run_on, twin};

/// Four convolutions with their gradients:
///
/// - sizes that are not multiples of any tile's, but larger than half of each;
/// - sizes that are multiples, as in networks: guards are dropped, and no tile reaches into two taps;
/// - a small map in groups, with sums long enough to be split among workgroups, unlike phases and a full epilogue;
/// - a convolution before and one after a BatchNorm, whose tiles write statistics.
fn cases() -> [Case; 4] {
    let large = OpCase::new("conv2d_of_tiles", |b| {
        let x = b.random("x", [2, 7, 9, 68]);
        let w = b.random_of("w", TensorType::kernel([3, 3, 68, 76]));
        ops::conv2d(&mut b.graph, x, w, ConvSpec::from(Window::square(3).padding(1)))
    });
    let long = OpCase::new("conv2d_of_long_sums", |b| {
        let x = b.random("x", [2, 5, 4, 2 * 132]);
        let w = b.random_of("w", TensorType::kernel([3, 3, 132, 2 * 140]));
        let bias = b.random("bias", [2 * 140]);
        let spec = ConvSpec { window: Window::square(3).stride(2).padding(1), groups: 2 };
        let y = ops::conv2d(&mut b.graph, x, w, spec)?;
        ended(b, y, bias)
    });
    let even = OpCase::new("conv2d_of_whole_tiles", |b| {
        let x = b.random("x", [2, 8, 8, 64]);
        let w = b.random_of("w", TensorType::kernel([3, 3, 64, 128]));
        ops::conv2d(&mut b.graph, x, w, ConvSpec::from(Window::square(3).padding(1)))
    });
    let normalized = around_batch_norm([3, 19, 21, 36], 76);
    let fused = [long, normalized].map(|op| op.case(Context::Alone).fused());
    let [long, normalized] = fused;
    [large.case(Context::Alone), even.case(Context::Alone), long, normalized]
}

/// relu(y + bias + a tensor like y).
fn ended(b: &mut Builder, y: Value, bias: Value) -> Result<Value, GraphError> {
    let ty = b.graph.ty(y).clone();
    let addend = b.random_of("addend", ty);
    let y = ops::add_bias(&mut b.graph, y, bias)?;
    let y = ops::add(&mut b.graph, y, addend)?;
    ops::relu(&mut b.graph, y)
}

/// Runs the cases on new engines and compares with the twin.
fn check(what: &str, options: EngineOptions, failures: &mut Failures) {
    check_all(cases(), what, options, failures);
}

fn check_all(cases: impl IntoIterator<Item = Case>, what: &str, options: EngineOptions, failures: &mut Failures) {
    for case in cases {
        let expected = twin().run(&case).expect("the twin runs");
        let mut engine = gpu::open_with(options.clone());
        let found = run_on(&mut engine, &case).unwrap_or_else(|e| panic!("{what}: {e}")).pop().expect("a step");
        failures.all_close(&format!("{}, {what}", case.name), &found, &expected, allowed(&case.plan(), Accuracy::Wgsl));
    }
}

/// Held by the test that sets [`CANDIDATE`].
static TILES: Mutex<()> = Mutex::new(());

/// Index of the candidate that every call gets.
static CANDIDATE: AtomicUsize = AtomicUsize::new(0);

fn forced(call: &KernelCall<Slice>, target: Target, _: Option<Tile>) -> Result<Shader, KernelError> {
    let tiles = candidates(call, target.tiling, TileLimits::WEBGPU);
    shader(call, target, tiles.get(CANDIDATE.load(Ordering::Relaxed) % tiles.len().max(1)).copied())
}

/// Each candidate runs one of the cases in turn, with all three directions of its convolution.
#[test]
fn every_tile_matches_the_twin() {
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
    run_tiles(most, |candidate, place| candidate % 4 == place);
}

#[test]
#[ignore = "compiles kernels for minutes; the test above runs each candidate in one of the cases"]
fn every_tile_matches_the_twin_in_every_case() {
    let calls = cases().into_iter().flat_map(|case| case.plan().calls);
    let most = calls.map(|c| candidates(&c.call, Tiling::Workgroup, TileLimits::WEBGPU).len()).max();
    run_tiles(most.unwrap_or(0), |_, _| true);
}

/// Runs each candidate in the cases whose place is picked for it.
fn run_tiles(count: usize, is_picked: impl Fn(usize, usize) -> bool) {
    let _one_at_a_time = TILES.lock().unwrap_or_else(PoisonError::into_inner);
    let mut failures = Failures::default();
    for candidate in 0..count {
        CANDIDATE.store(candidate, Ordering::Relaxed);
        let picked = cases().into_iter().enumerate().filter(|(place, _)| is_picked(candidate, *place));
        let options = EngineOptions { shaders: forced, ..options() };
        check_all(picked.map(|(_, case)| case), &format!("candidate {candidate}"), options, &mut failures);
    }
    failures.none();
}

/// Number of stages that read operands from buffers, and from textures of few rows.
static FROM: [AtomicUsize; 2] = [AtomicUsize::new(0), AtomicUsize::new(0)];

fn small_textures(call: &KernelCall<Slice>, target: Target, tile: Option<Tile>) -> Result<Shader, KernelError> {
    let made = shader(call, Target { texture_rows: target.texture_rows.map(|_| 8), ..target }, tile)?;
    for (count, kind) in FROM.iter().zip([BindingKind::Read, BindingKind::Texture]) {
        let both = [0, 1].map(|index| StageBinding { index, kind });
        let stages = made.stages.iter().filter(|stage| stage.bindings.starts_with(&both));
        count.fetch_add(if is_convolution(call) { stages.count() } else { 0 }, Ordering::Relaxed);
    }
    Ok(made)
}

fn is_convolution(call: &KernelCall<Slice>) -> bool {
    call.geometry::<ConvGeometry>().is_some()
}

/// Number of stages of matrix kernels with sizes at run time, and with constant sizes for lack of room.
static SIZES: [AtomicUsize; 2] = [AtomicUsize::new(0), AtomicUsize::new(0)];

fn few_immediates(call: &KernelCall<Slice>, target: Target, tile: Option<Tile>) -> Result<Shader, KernelError> {
    let room = 4 * 16;
    let made = shader(call, Target { immediates: target.immediates.map(|_| room), ..target }, tile)?;
    for stage in &made.stages {
        assert!(size_of_val(stage.sizes.as_slice()) <= room, "{} has sizes {:?}", call.kernel, stage.sizes);
        let at_run_time = stage.source.contains("var<immediate>");
        assert_eq!(at_run_time, !stage.sizes.is_empty(), "{}", stage.source);
        let of_matrices = is_convolution(call) && target.immediates.is_some();
        SIZES[usize::from(!at_run_time)].fetch_add(usize::from(of_matrices), Ordering::Relaxed);
    }
    Ok(made)
}

#[test]
fn sizes_without_room_in_immediates_are_constants() {
    let mut failures = Failures::default();
    // Few columns: lanes of a subgroup cover rows as well.
    let narrow = around_batch_norm([3, 19, 21, 12], 20).case(Context::Midst).fused();
    let stride = amidst("conv2d_of_stride_2", [2, 5, 7, 8], [8, 12], Window::square(3).stride(2).padding(1));
    for shaders in [shader, few_immediates] {
        let options = EngineOptions { shaders, tiling: None, ..options() };
        check_all(cases().into_iter().chain([narrow.clone(), stride.clone()]), "sizes", options, &mut failures);
    }
    failures.none();
    let [at_run_time, constant] = SIZES.each_ref().map(|count| count.load(Ordering::Relaxed));
    assert!(
        at_run_time > 0 && constant > 0 || std::env::var_os("SHADEGRAD_TEST_DEVICE").is_some(),
        "{at_run_time} at run time, {constant} constant"
    );
}

#[test]
fn operands_without_room_in_a_texture_are_read_from_their_buffers() {
    let mut failures = Failures::default();
    let as_it_comes = EngineOptions { tiling: None, ..options() };
    check("textures with room for all", as_it_comes.clone(), &mut failures);
    check("textures of few rows", EngineOptions { shaders: small_textures, ..as_it_comes.clone() }, &mut failures);
    let found = FROM.each_ref().map(|count| count.load(Ordering::Relaxed));
    let textures = gpu::open_with(as_it_comes).tiling().in_registers();
    assert_eq!(found.map(|n| n > 0), [true, textures], "from buffers and from textures: {found:?}");
    failures.none();
}

/// Index of the Winograd candidate, number of calls that had one, and largest number of candidates of a call.
static WINOGRAD: [AtomicUsize; 3] = [AtomicUsize::new(0), AtomicUsize::new(0), AtomicUsize::new(0)];

/// The Winograd tiles of a call within `scratch` bytes of scratch memory.
fn winograd_tiles(call: &KernelCall<Slice>, tiling: Tiling, scratch: usize) -> Vec<Tile> {
    let limits = TileLimits { bytes: 32 << 10, scratch, ..TileLimits::WEBGPU };
    candidates(call, tiling, limits).into_iter().filter(|tile| tile.winograd > 0).collect()
}

/// Tiles in one part, then tiles in the fewest parts above one.
fn by_winograd(call: &KernelCall<Slice>, target: Target, _: Option<Tile>) -> Result<Shader, KernelError> {
    let mut tiles = winograd_tiles(call, target.tiling, TileLimits::WEBGPU.scratch);
    let scarcer = (0..200).rev().map(|i| winograd_tiles(call, target.tiling, i * 100_000));
    tiles.extend(scarcer.into_iter().find(|tiles| tiles.iter().any(|tile| tile.winograd > 1)).unwrap_or_default());
    WINOGRAD[2].fetch_max(tiles.len(), Ordering::Relaxed);
    let tile = tiles.iter().copied().cycle().nth(WINOGRAD[0].load(Ordering::Relaxed));
    WINOGRAD[1].fetch_add(usize::from(tile.is_some()), Ordering::Relaxed);
    if let Some(tile) = tile {
        PARTS.fetch_max(tile.winograd, Ordering::Relaxed);
    }
    shader(call, target, tile)
}

/// Largest number of parts of a call.
static PARTS: AtomicUsize = AtomicUsize::new(0);

/// Convolutions by Winograd in all three directions: whole and partial tiles, both paddings, channels that fill vectors
/// or not, split sums of weight gradients, statistics; in one part and in several.
#[test]
fn winograd_matches_the_twin() {
    let case = |name: &str, x: [usize; 4], o: usize, padding: Padding| {
        let case = OpCase::new(name, move |b| {
            let (w, bias) = (b.random_of("w", TensorType::kernel([3, 3, x[3], o])), b.random("bias", [o]));
            let x = b.random("x", x);
            let window = Window { padding, ..Window::square(3).padding(1) };
            let y = ops::conv2d(&mut b.graph, x, w, ConvSpec::from(window))?;
            ended(b, y, bias)
        });
        case.case(Context::Alone).fused()
    };
    let unlike = Padding { top: 3, left: 0, bottom: 1, right: 4 };
    let cases = [
        case("whole tiles", [4, 20, 16, 128], 128, Window::square(3).padding(1).padding),
        case("cut tiles", [2, 22, 23, 65], 67, unlike),
        around_batch_norm([3, 20, 24, 65], 67).case(Context::Alone).fused(),
        around_batch_norm([3, 19, 21, 65], 67).case(Context::Alone).fused(),
    ];
    let count = cases.len();
    let mut failures = Failures::default();
    let mut tried = 0;
    while tried == 0 || tried / count < WINOGRAD[2].load(Ordering::Relaxed) {
        let (tile, case) = (tried / count, tried % count);
        tried += 1;
        // Each tile runs one of the cases in turn.
        if case != tile % count {
            continue;
        }
        let case = &cases[case];
        WINOGRAD[0].store(tile, Ordering::Relaxed);
        WINOGRAD[1].store(0, Ordering::Relaxed);
        let expected = twin().run(case).expect("the twin runs");
        let mut engine = gpu::open_with(EngineOptions { shaders: by_winograd, ..options() });
        let found = run_on(&mut engine, case).unwrap_or_else(|e| panic!("{}: {e}", case.name)).pop().expect("a step");
        let convolutions = case.plan().calls.iter().filter(|c| c.call.kernel.starts_with("conv_")).count();
        assert_eq!(WINOGRAD[1].load(Ordering::Relaxed), convolutions, "all three directions");
        failures.all_close(&case.name, &found, &expected, allowed(&case.plan(), Accuracy::Wgsl));
    }
    assert!(tried >= 8 * count, "64×64, 128×64 and more, in one part and in several: {tried} runs");
    assert!(PARTS.load(Ordering::Relaxed) > 1, "several parts");
    failures.none();
}

/// Statistics of the rows of one channel, in the form of a line of [segments, C/4, (a, b), 4].
fn of_rows(rows: &[f64], moments: bool) -> [f64; 2] {
    let mean = rows.iter().sum::<f64>() / rows.len() as f64;
    match moments {
        true => [mean, rows.iter().map(|v| (v - mean).powi(2)).sum()],
        false => [rows.iter().sum(), rows.iter().map(|v| 3.0 * v).sum()],
    }
}

/// A Winograd tile covers other rows of the result than other tiles do. The moments of a segment, and a split of a
/// weight gradient, are then sums over other pixels. Judged one by one they differ, and the tuner would drop right
/// tiles: on a first GPU it dropped most of the tiles that were three times as fast. Merged they are equal.
#[test]
fn partial_results_over_other_pixels_merge_to_equal_results() {
    let case = around_batch_norm([3, 49, 48, 8], 12).case(Context::Alone).fused();
    let calls: Vec<_> = case.plan().calls.into_iter().map(|planned| planned.call).collect();
    let mut seen = [0; 3];
    for call in &calls {
        let last = call.bindings.len() - 1;
        let Some(merge) = merged_partials(call, last) else { continue };
        let value = |i: usize| ((i * 7919 % 1009) as f64 / 1009.0 - 0.3) * (1.0 + (i % 5) as f64);
        let each_way: Vec<Vec<f32>> = [0, 1]
            .map(|way| {
                if call.kernel == "conv_wgrad" {
                    seen[2] += 1;
                    let (splits, len) = (call.consts().usize("SPLITS"), 3 * 3 * 8 * 12);
                    // Terms 0..4·splits of every value, four per split: neighbors, or terms that are `splits` apart.
                    let term = |split: usize, i: usize| if way == 0 { 4 * split + i } else { split + i * splits };
                    let part = |split: usize, at: usize| (0..4).map(|i| value(term(split, i) + 31 * at)).sum::<f64>();
                    return merge(&(0..splits * len).map(|i| part(i / len, i % len) as f32).collect::<Vec<_>>());
                }
                let moments = call.kernel == "conv_fwd";
                seen[usize::from(moments)] += 1;
                let [rows, each, segments, c4] =
                    ["ROWS", "SEGMENT_ROWS", "SEGMENTS", "C4"].map(|name| call.consts().usize(name));
                assert!(segments > 2 && !rows.is_multiple_of(each), "{segments} segments of {rows} rows");
                let row = |i: usize| if way == 0 { i } else { (i * 1009 + 5) % rows };
                let mut kept = vec![0.0; segments * c4 * 8];
                for (segment, channel) in (0..segments).flat_map(|s| (0..4 * c4).map(move |c| (s, c))) {
                    let own = segment * each..rows.min((segment + 1) * each);
                    let values: Vec<f64> = own.map(|i| value(row(i) * 17 + channel) + channel as f64).collect();
                    let at = (segment * c4 + channel / 4) * 8 + channel % 4;
                    let [a, b] = of_rows(&values, moments);
                    (kept[at], kept[at + 4]) = (a as f32, b as f32);
                }
                merge(&kept)
            })
            .into();
        let scale = each_way[0].iter().fold(0.0f32, |scale, v| scale.max(v.abs()));
        assert!(scale > 0.1 && each_way[0].len() == each_way[1].len(), "{}: {scale}", call.kernel);
        let differ = each_way[0].iter().zip(&each_way[1]).any(|(a, b)| (a - b).abs() > 1e-5 * scale);
        assert!(!differ, "{}: {:?}", call.kernel, each_way.iter().map(|way| &way[..4]).collect::<Vec<_>>());
    }
    assert!(seen.iter().all(|&n| n > 0), "sums, moments, splits: {seen:?}");
}

/// Every tile but the fixed choice is very fast and gives twice the result.
fn sabotaged(call: &KernelCall<Slice>, target: Target, tile: Option<Tile>) -> Result<Shader, KernelError> {
    let mut made = shader(call, target, tile)?;
    let fixed = candidates(call, target.tiling, TileLimits::WEBGPU).first().copied();
    if call.kernel == "conv_fwd" && tile.is_some() && tile != fixed {
        for stage in made.stages.iter_mut().filter(|stage| stage.source.contains("k += DEPTH")) {
            let wrong = stage.source.replace("] = r;", "] = 2.0 * r;").replace("] = v;", "] = 2.0 * v;");
            let wrong = wrong.replace("k += DEPTH", "k += 4u * DEPTH");
            assert_ne!(wrong, stage.source);
            stage.source = wrong;
        }
    }
    Ok(made)
}

#[test]
fn the_tuner_keeps_its_record_and_never_chooses_a_wrong_tile() {
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
    // All matrix kernels, with partial results. Mesa compiles each candidate twice, as it is and sabotaged.
    let [.., normalized] = cases();
    let check = |what: &str, options, failures: &mut _| check_all([normalized.clone()], what, options, failures);
    check("untuned", tuned(shader, 0), &mut failures);
    assert_eq!(records().len(), 0, "no time, no record");
    // Time for all candidates, also on a busy machine.
    check("sabotaged", tuned(sabotaged, 300), &mut failures);
    check("sabotaged, from the record", tuned(sabotaged, 0), &mut failures);
    let record = records().pop().expect("a record");
    let whole = std::fs::read(&record).expect("it can be read");
    for broken in [&whole[..whole.len() / 2], b"not ours".as_slice(), &[]] {
        std::fs::write(&record, broken).expect("it can be written");
        check("a broken record", tuned(shader, 0), &mut failures);
    }
    check("tuned anew", tuned(shader, 1), &mut failures);
    // Each start makes progress, even with little time.
    std::fs::remove_file(&record).expect("it can be removed");
    let blink = EngineOptions { tune: Some(Duration::from_nanos(1)), ..tuned(shader, 0) };
    let case = amidst("a step", [2, 5, 7, 36], [36, 44], Window::square(3).padding(1));
    for starts in 1..=3 {
        run_on(&mut gpu::open_with(blink.clone()), &case).expect("it runs");
        let text = std::fs::read(&record).expect("it can be read");
        let kinds = text.windows(5).filter(|w| *w == b"conv_").count();
        assert_eq!(kinds, starts, "kinds of calls with a record after {starts} starts");
    }
    if gpu::has_half("tuning calls in 16 bits") {
        let half = amidst("half", [2, 5, 7, 36], [36, 44], Window::square(3).padding(1)).halved();
        let mut engine = gpu::open_with(tuned(shader, 1));
        run_on(&mut engine, &half).expect("calls in 16 bits are tuned as well");
        assert!(std::fs::read(&record).expect("it can be read").len() > 16, "written again");
    }
    failures.none();
}
