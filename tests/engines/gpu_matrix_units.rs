//! The kernels for matrix units give the results of the twin with operands rounded to f16: on emulated units, and on
//! those of the adapter.

use std::sync::Mutex;

use shadegrad::exec::Slice;
use shadegrad::exec::gpu::EngineOptions;
use shadegrad::exec::registry::KernelError;
use shadegrad::internals::exec::shader::{
    Lines, Matrix, Shader, Target, Tile, TileLimits, Tiling, candidates, shader, shared_taps,
};
use shadegrad::kernel::KernelCall;
use shadegrad::shape::{Element, Window};

use crate::common::case::{Case, Context};
use crate::common::compare::{Accuracy, Failures, allowed};
use crate::common::tiles::{amidst, around_batch_norm, options};
use crate::common::{gpu, run_on, twin};

/// A kernel for matrix units with their functions emulated, as SPV_KHR_cooperative_matrix defines them. Matrices of
/// functions that end in T are stored row by row, the others column by column. Each of a subgroup's 8 invocations has a
/// row of the sums. An operand stays in memory. An element of memory has the number of halves of [`Lines::unit`].
fn emulated(source: &str) -> String {
    const FUNCTIONS: &str = "
var<private> own_row: u32;
// Terms of a product, 8. A driver that knew the number would unroll the loop, and compile for minutes.
var<private> terms: u32;
// Offset of the first half, and distance in halves to the next line and to the next term.
struct Operand { at: u32, line: u32, term: u32 }
struct SumRow { low: vec4<f32>, high: vec4<f32> }

fn a_by_rows(at: u32, stride: u32) -> Operand { return Operand(at * UNIT, stride * UNIT, 1u); }
fn a_by_columns(at: u32, stride: u32) -> Operand { return Operand(at * UNIT, 1u, stride * UNIT); }
fn b_by_rows(at: u32, stride: u32) -> Operand { return Operand(at * UNIT, 1u, stride * UNIT); }
fn b_by_columns(at: u32, stride: u32) -> Operand { return Operand(at * UNIT, stride * UNIT, 1u); }
fn multiply_add(a: Operand, b: Operand, c: SumRow) -> SumRow {
    var sum = c;
    for (var k = 0u; k < terms; k++) {
        let left = half_a(a.at + own_row * a.line + k * a.term);
        let first = b.at + k * b.term;
        sum.low += left * vec4<f32>(half_b(first), half_b(first + b.line), half_b(first + 2u * b.line), half_b(first + 3u * b.line));
        let last = first + 4u * b.line;
        sum.high += left * vec4<f32>(half_b(last), half_b(last + b.line), half_b(last + 2u * b.line), half_b(last + 3u * b.line));
    }
    return sum;
}
";
    const HALVES: &str = "
const UNIT: u32 = 1u;
fn half_a(at: u32) -> f32 { return f32(tile_a[at]); }
fn half_b(at: u32) -> f32 { return f32(tile_b[at]); }
";
    const VECTORS: &str = "
const UNIT: u32 = 4u;
fn half_a(at: u32) -> f32 { return f32(tile_a[at / 4u][at % 4u]); }
fn half_b(at: u32) -> f32 { return f32(tile_b[at / 4u][at % 4u]); }
";
    const SUMS_IN_VECTORS: &str = "
fn store_c(c: SumRow, at: u32, stride: u32) {
    tile_c[at + own_row * stride] = c.low;
    tile_c[at + own_row * stride + 1u] = c.high;
}
";
    const SUMS: &str = "
fn store_c(c: SumRow, at: u32, stride: u32) {
    for (var i = 0u; i < 4u; i++) {
        tile_c[at + own_row * stride + i] = c.low[i];
        tile_c[at + own_row * stride + 4u + i] = c.high[i];
    }
}
";
    let memory = if source.contains("tile_a: array<f16") { HALVES } else { VECTORS };
    let builtins = "subgroup_invocation_id) lane: u32,\n    @builtin(subgroup_id) subgroup: u32,\n    @builtin(";
    let calls = [
        ("enable wgpu_cooperative_matrix;", ""),
        (
            "    let tile = wid.x",
            "    let lane = thread % 8u;\n    own_row = lane;\n    terms = 8u + (thread >> 31u);\n    let subgroup = thread / 8u;\n    let tile = wid.x",
        ),
        ("coop_mat8x8<f32, C>()", "SumRow()"),
        ("coopLoadT<coop_mat8x8<f16, A>>(", "a_by_rows("),
        ("coopLoad<coop_mat8x8<f16, A>>(", "a_by_columns("),
        ("coopLoadT<coop_mat8x8<f16, B>>(", "b_by_rows("),
        ("coopLoad<coop_mat8x8<f16, B>>(", "b_by_columns("),
        ("coopStoreT(", "store_c("),
        ("coopMultiplyAdd(", "multiply_add("),
    ];
    let mut out = String::new();
    for line in source.replace(builtins, "").lines() {
        let mut text = line.to_owned();
        if text.contains("coopLoad") || text.contains("coopStore") {
            for tile in ["&tile_a[", "&tile_b[", "&tile_c["] {
                text = text.replace(tile, "");
            }
            text = text.replace("], ", ", ");
        }
        for (from, to) in calls {
            text = text.replace(from, to);
        }
        out += &text;
        out.push('\n');
    }
    assert!(!out.contains("coop"), "a function of matrix units is left:\n{out}");
    let sums = if source.contains("tile_c: array<f32") { SUMS } else { SUMS_IN_VECTORS };
    out + FUNCTIONS + memory + sums
}

/// Small tiles for matrix units, because Mesa takes minutes to compile many barriers. They cover several subgroups
/// along columns and rows, several matrices of each, several steps of the sum, whole and split sums, one buffer and
/// two, and one or several blocks of 4, 2 and 1 terms.
fn matrix_tiles(matrix: Matrix) -> [Tile; 7] {
    let tiling = Tiling::Cooperative(matrix);
    let wide = Tile {
        tiling,
        threads: [1, 2],
        columns_each: 2,
        rows_each: 1,
        depth: 2,
        buffers: 1,
        splits: 1,
        winograd: 0,
        taps: [1, 1],
    };
    let high = Tile { threads: [2, 1], columns_each: 1, rows_each: 2, depth: 1, ..wide };
    let ahead = |tile| Tile { buffers: 2, ..tile };
    let narrow = Tile { threads: [1, 4], columns_each: 1, ..wide };
    let alone = Tile { threads: [1, 1], ..wide };
    [
        wide,
        ahead(high),
        Tile { splits: 3, ..ahead(wide) },
        Tile { splits: 5, ..high },
        ahead(wide),
        narrow,
        ahead(alone),
    ]
}

/// Small tiles with patches, with few sums each, because there is one for each tap.
fn tiles_of_patches(matrix: Matrix, taps: [usize; 2]) -> [Tile; 3] {
    let narrow = Tile { taps, columns_each: 1, ..matrix_tiles(matrix)[4] };
    let wide = Tile { threads: [2, 1], columns_each: 2, depth: 1, buffers: 1, splits: 4, ..narrow };
    [narrow, wide, Tile { threads: [1, 1], rows_each: 2, depth: 3, buffers: 1, splits: 5, ..narrow }]
}

/// The units of llvmpipe in Mesa 26, with the operand layout of NVIDIA's units and with that of all others.
const OF_LLVMPIPE: [Matrix; 2] =
    [Matrix { size: 8, lanes: 8, lines: Lines::AsTheyCome }, Matrix { size: 8, lanes: 8, lines: Lines::Turned }];

/// The tile of every matrix kernel, its units, and whether they are emulated.
static MATRIX_TILE: Mutex<(usize, Matrix, bool)> = Mutex::new((0, OF_LLVMPIPE[0], true));

fn on_matrix_units(call: &KernelCall<Slice>, target: Target, _: Option<Tile>) -> Result<Shader, KernelError> {
    if !call.kernel.starts_with("conv_") {
        return shader(call, target, None);
    }
    let (tile, units, emulate) = *MATRIX_TILE.lock().expect("no test fails while it holds this");
    let [plain, patches] = [
        matrix_tiles(units).to_vec(),
        shared_taps(call).map_or_else(Vec::new, |taps| tiles_of_patches(units, taps).to_vec()),
    ];
    let tile = match (plain.get(tile), call.kernel == "conv_wgrad") {
        (Some(&tile), false) => tile,
        // The op splits the sums of weight gradients.
        (Some(&tile), true) => Tile { splits: 1, ..tile },
        // Only weight gradients have patches.
        (None, _) => patches.get(tile - plain.len()).copied().unwrap_or(plain[plain.len() - 1]),
    };
    let mut made = shader(call, target, Some(tile))?;
    if emulate {
        let first = &mut made.stages[0].source;
        *first = emulated(first);
    }
    Ok(made)
}

/// Runs the tiles for matrix units and compares with the twin.
fn check_matrix_tiles(units: Matrix, emulate: bool, failures: &mut Failures) {
    let plain = matrix_tiles(units).len();
    // Without padding, taps reach pixels beyond the map. More taps take long to compile. Only tiles with operands in
    // the order of memory write statistics, so one tile is enough for the others.
    let (all, patches, with_statistics) = match units.lines {
        Lines::AsTheyCome => (plain + 1, plain..plain + tiles_of_patches(units, [2, 2]).len(), plain),
        Lines::Turned => (plain, 0..0, 1),
    };
    // Rows and columns of a patch differ.
    let uneven = Window { kernel_size: [3, 2], ..Window::square(1) };
    let cases = [
        (amidst("conv2d_of_tiles", [2, 5, 7, 36], [36, 44], Window::square(3).padding(1)), 0..plain),
        (amidst("conv2d_of_stride_2", [2, 5, 4, 36], [36, 20], Window::square(3).stride(2).padding(1)), 0..plain),
        (amidst("conv2d_of_whole_tiles", [2, 8, 8, 32], [32, 32], Window::square(3).padding(1)), 0..all),
        (amidst("conv2d_of_uneven_taps", [3, 6, 11, 20], [20, 44], uneven), patches),
        (around_batch_norm([3, 19, 21, 12], 20).case(Context::Midst).fused(), 0..with_statistics),
    ];
    for (index, (case, tiles)) in cases.into_iter().enumerate() {
        let halved = case.halved();
        let calls = halved.plan().calls;
        let expected = twin().run(&case).expect("the twin runs");
        // Weights are rounded too. The bound is that of ops_match_twin.
        let stored = calls.iter().filter(|c| c.call.elements.contains(&Element::F16)).count() + 1;
        let rounding = 4.0 * f64::exp2(-10.0) * (stored as f64).sqrt();
        // Each case runs every second tile, the even or the odd ones in turn, and all tiles with patches.
        for tile in tiles.filter(|tile| *tile >= plain || tile % 2 == index % 2) {
            *MATRIX_TILE.lock().expect("no test fails while it holds this") = (tile, units, emulate);
            let mut engine = gpu::open_with(EngineOptions { shaders: on_matrix_units, ..options() });
            let found = run_on(&mut engine, &halved).unwrap_or_else(|e| panic!("{tile}: {e}")).pop().expect("a step");
            let what = format!("{}, tile {tile}, {units:?}", halved.name);
            failures.all_close(&what, &found, &expected, allowed(&case.plan(), Accuracy::Wgsl) + rounding);
        }
    }
}

/// Emulated units always run. The adapter's units run if it has some.
#[test]
fn tiles_for_matrix_units_match_the_twin() {
    if !gpu::has_half("tiles for matrix units") {
        return;
    }
    let mut failures = Failures::default();
    for units in OF_LLVMPIPE {
        check_matrix_tiles(units, true, &mut failures);
    }
    let own: Vec<Matrix> = gpu::open_with(options()).matrices().collect();
    println!("matrix units of the adapter: {own:?}");
    match own[..] {
        [] => {}
        [units] => check_matrix_tiles(units, false, &mut failures),
        // The driver chooses the size of subgroups. Tiles for the other size compute wrongly, which the tuner detects.
        _ => {
            let mut each = own.iter().map(|&units| {
                let mut failures = Failures::default();
                check_matrix_tiles(units, false, &mut failures);
                failures
            });
            assert!(each.any(|failures| failures.count() == 0), "neither size of subgroups computes the same");
        }
    }
    failures.none();
}

/// Patches need taps that reach neighboring pixels, and few enough taps for a subgroup to hold their sums.
#[test]
fn only_near_taps_share_a_patch() {
    let shared = |window: Window| {
        let plan = amidst("conv2d", [2, 9, 9, 8], [8, 8], window).plan();
        plan.calls.iter().filter_map(|planned| shared_taps(&planned.call)).collect::<Vec<_>>()
    };
    assert_eq!(shared(Window::square(3).padding(1)), [[3, 3]], "the weight gradient, and nothing else");
    assert_eq!(shared(Window::square(3).stride(2).padding(1)), [] as [[usize; 2]; 0]);
    assert_eq!(shared(Window { dilation: [1, 2], ..Window::square(3).padding(2) }), [] as [[usize; 2]; 0]);
    assert_eq!(shared(Window::square(1)), [] as [[usize; 2]; 0], "one tap has none to share with");
    assert_eq!(shared(Window::square(5).padding(2)), [] as [[usize; 2]; 0], "25 matrices of sums");
}

/// Matrix units take operands in 16 bits, Winograd's transforms operands in 32. Taps share a patch where most of it lies on
/// the map.
#[test]
fn tiles_are_for_operands_of_their_width() {
    let unit = Matrix { size: 16, lanes: 32, lines: Lines::AsTheyCome };
    let limits =
        TileLimits { invocations: 1024, bytes: 48 << 10, cooperative: [Some(unit), None], ..TileLimits::WEBGPU };
    let tiles = |case: &Case| -> Vec<Tile> {
        let plan = case.plan();
        let tiles = plan.calls.iter().flat_map(|planned| candidates(&planned.call, Tiling::Workgroup, limits));
        tiles.collect()
    };
    // Tiles for matrix units, and those among them with patches.
    let offered = |case: &Case| {
        let units: Vec<Tile> =
            tiles(case).into_iter().filter(|tile| matches!(tile.tiling, Tiling::Cooperative(_))).collect();
        (units.len(), units.iter().filter(|tile| tile.taps != [1, 1]).count())
    };
    let of_map =
        |[rows, columns]: [usize; 2]| amidst("conv2d", [2, rows, columns, 64], [64, 64], Window::square(3).padding(1));
    let winograd = |case: &Case| tiles(case).iter().filter(|tile| tile.winograd > 0).count();
    assert_eq!(offered(&of_map([32, 32])), (0, 0));
    assert!(winograd(&of_map([32, 32])) > 0 && winograd(&of_map([32, 32]).halved()) == 0);
    let (units, patches) = offered(&of_map([32, 32]).halved());
    assert!(units > patches && patches > 0, "{units}, {patches} of them with patches");
    let (units, patches) = offered(&of_map([128, 7]).halved());
    assert!(units > 0 && patches == 0, "a patch is wider than twice this map: {units}, {patches}");
    let (units, patches) = offered(&of_map([7, 128]).halved());
    assert!(units > patches && patches > 0, "a patch has few rows: {units}, {patches}");
}
