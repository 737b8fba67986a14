//! The one main loop of all matrix kernels: register tiles, from global memory directly or through tiles in workgroup
//! memory. naga writes no unrolled loops, so the inner loops are unrolled here.

use std::fmt::Write;

use super::staged::{self, Piece, staged_loop};
use super::statistics::Statistics;
use super::tile::{ONE_TAP, Operands, Product, SUBGROUP, Tile, Tiling};
use super::{cooperative, for_items, results};
use crate::shape::LANES;

/// The entry point for a shader file that defines `a_row`, `a_load`, `b_load`, `store` and the range of the sum. With
/// [`Operands::SumInVectors`] these are `taps` and `TAP4`, and where an operand lies is looked for once a tap: `a_tap` gives
/// the place of a vector of a tap, `b_tap` and `b_place` that of a term and a column, and `a_load` and `b_load` take how far
/// behind it to load; `store` consists of `place` and `store_at`. Else they are `k_begin`, `k_end`, and `K_ALL` and `K_PART`,
/// the terms of all sums and of each, and loads take a `pixel`, which may be the `next_pixel`, and a term and a column.
///
/// Where sums are split, the parts go to the scratch memory, which is the binding `parts_at`, one split behind the other,
/// and [`finish`] stores them. With `statistics` it is what they leave of the tiles
/// that goes there.
pub fn main_loop(
    tile: Tile,
    operands: Operands,
    product: Product,
    parts_at: usize,
    statistics: Option<&Statistics>,
) -> String {
    let mut out = String::new();
    let Product { m, n, .. } = product;
    let (tiles_m, tiles_n) = (m.div_ceil(tile.rows(operands)), n.div_ceil(tile.columns()));
    // Guards that can never be false are left out of the inner loop.
    let _ = writeln!(out, "const N_EXACT: bool = {};", n.is_multiple_of(tile.columns()));
    let in_registers = tile.tiling.in_registers();
    let exact = match (in_registers, operands) {
        (true, _) => "true",
        (false, Operands::RowsInVectors) if tile.taps != ONE_TAP => "true",
        (false, Operands::SumInVectors) => "false",
        (false, Operands::RowsInVectors) => "K_ALL % DEPTH == 0u && K_PART % DEPTH == 0u",
    };
    let _ = writeln!(out, "const K_EXACT: bool = {exact};");
    let [tx, ty] = tile.threads;
    let (rows, cols) = (tile.rows_each, tile.columns_each);
    let constants = [
        ("TX", tx),
        ("TY", ty),
        ("TILE_M", tile.rows_of_tap(operands) / if operands == Operands::RowsInVectors { LANES } else { 1 }),
        ("TILE_N", tile.columns() / LANES),
        ("TILES_M", tiles_m),
        ("TILES_N", tiles_n),
        ("DEPTH", tile.steps(operands)),
    ];
    for (name, value) in constants {
        let _ = writeln!(out, "const {name}: u32 = {value}u;");
    }
    let with_taps = !in_registers && operands == Operands::SumInVectors;
    if with_taps {
        out.push_str(TAPS);
    }
    if let (Tiling::Cooperative(matrix), true) = (tile.tiling, tile.taps != ONE_TAP) {
        let _ = writeln!(out, "const PATCH_H: u32 = {}u;\nconst PATCH_W: u32 = {}u;", tile.depth, matrix.size);
        out.push_str(PATCHES);
    }
    let split = tile.splits > 1;
    if operands == Operands::SumInVectors {
        out.push_str(STORE);
    }
    if split {
        out.push_str(&parts(tile, product, parts_at));
        out.push_str(STORE_PART);
    }
    if let Some(statistics) = statistics {
        out.push_str(&statistics.declarations(parts_at));
    }
    if tile.tiling == Tiling::Workgroup {
        for (name, vectors) in ["a", "b"].iter().zip(tile.vectors(operands)) {
            let _ = writeln!(out, "var<workgroup> tile_{name}: array<vec4<f32>, {}>;", vectors * tile.buffers);
        }
    }
    if let Tiling::Cooperative(matrix) = tile.tiling {
        out.push_str(&cooperative::declarations(tile, matrix, operands));
    }
    let subgroup = tile.tiling == Tiling::Subgroup;
    let along = if subgroup { ["lane % TX", "lane / TX"] } else { ["lid.x", "lid.y"] };
    let place = |axis: usize| if tile.threads[axis] == 1 { "0u" } else { along[axis] };
    let _ = write!(
        out,
        "@compute @workgroup_size({})
fn main(
    @builtin(workgroup_id) wid: vec3<u32>,
    @builtin(num_workgroups) count: vec3<u32>,
    @builtin({}
) {{
    let tile = wid.x + wid.y * count.x;
    let product = tile / (TILES_N * TILES_M);
    {}
    if (product < BATCH{}) {{
        let n0 = (tile % TILES_N) * TILE_N;
        let m0 = ((tile / TILES_N) % TILES_M) * TILE_M;
{}",
        // A lane's number is there along one axis only.
        match tile.tiling {
            Tiling::Workgroup | Tiling::Register => format!("{tx}, {ty}"),
            Tiling::Subgroup | Tiling::Cooperative(_) => tile.invocations().to_string(),
        },
        match tile.tiling {
            Tiling::Workgroup | Tiling::Register => "local_invocation_id) lid: vec3<u32>,",
            Tiling::Subgroup => "subgroup_invocation_id) lane: u32,",
            Tiling::Cooperative(_) => {
                "subgroup_invocation_id) lane: u32,
    @builtin(subgroup_id) subgroup: u32,
    @builtin(local_invocation_index) thread: u32,"
            }
        },
        if split { "let batch = product % BATCH;\n    let split = product / BATCH;" } else { "let batch = product;" },
        if split { " * SPLITS_K" } else { "" },
        match tile.tiling {
            Tiling::Cooperative(_) => String::new(),
            _ => format!("        let tx = {};\n        let ty = {};\n", place(0), place(1)),
        },
    );
    if let Tiling::Cooperative(matrix) = tile.tiling {
        cooperative::body(&mut out, tile, matrix, operands);
        if let Some(statistics) = statistics {
            statistics.leave_stored(&mut out, tile, operands);
        }
        out.push_str("    }\n}\n");
        return out;
    }
    for (i, j) in pairs(accumulators(operands, rows), cols) {
        let _ = writeln!(out, "        var c{i}_{j} = vec4<f32>();");
    }
    match tile.tiling {
        Tiling::Register | Tiling::Subgroup => register_loop(&mut out, tile, (operands, product.lanes)),
        Tiling::Workgroup | Tiling::Cooperative(_) => workgroup_loop(&mut out, tile, (operands, product.lanes)),
    }
    results::stores(&mut out, tile, operands);
    if let Some(statistics) = statistics {
        statistics.leave(&mut out, tile);
    }
    out.push_str("    }\n}\n");
    out
}

/// The binding of the parts, and where a value lies in it.
fn parts(tile: Tile, Product { m, n, .. }: Product, parts_at: usize) -> String {
    format!(
        "const SPLITS_K: u32 = {}u;
const M_ALL: u32 = {m}u;
const N4_ALL: u32 = {}u;
@group(0) @binding({parts_at}) var<storage, read_write> parts: array<vec4<f32>>;
",
        tile.splits,
        n / LANES,
    )
}

const TAPS: &str = include_str!("../../../shaders/shared/taps.wgsl");
const PATCHES: &str = include_str!("../../../shaders/shared/patches.wgsl");

const STORE: &str = "
const NOWHERE: u32 = 0xffffffffu;
fn store(batch: u32, m: u32, n: u32, v: vec4<f32>) { store_at(batch, place(batch, m), n, v); }
";

const STORE_PART: &str = "
fn store_part(split: u32, batch: u32, m: u32, n: u32, v: vec4<f32>) {
    if (m < M_ALL && (N_EXACT || n < N4_ALL)) {
        parts[((split * BATCH + batch) * M_ALL + m) * N4_ALL + n] = v;
    }
}
";

/// The entry point that adds up the parts of split sums, in their order, one invocation per vector, and stores them as
/// the kernel would have.
pub fn finish(tile: Tile, (operands, product): (Operands, Product), parts_at: usize) -> String {
    let sum = "        var sum = vec4<f32>();
        for (var split = 0u; split < SPLITS_K; split++) {
            sum += parts[split * ITEMS + i];
        }
        store(i / (M_ALL * N4_ALL), (i / N4_ALL) % M_ALL, i % N4_ALL, sum);
";
    format!(
        "{}const N_EXACT: bool = true;\nconst K_EXACT: bool = true;\n{}{}",
        parts(tile, product, parts_at),
        if operands == Operands::SumInVectors { STORE } else { "" },
        for_items(sum)
    )
}

/// Every row with every column.
pub(super) fn pairs(rows: usize, cols: usize) -> impl Iterator<Item = (usize, usize)> {
    (0..rows).flat_map(move |i| (0..cols).map(move |j| (i, j)))
}

/// Accumulated rows of one invocation.
pub(super) fn accumulators(operands: Operands, rows_each: usize) -> usize {
    if operands == Operands::RowsInVectors { rows_each * LANES } else { rows_each }
}

/// `c += a · b` for the tile of one invocation and `terms` terms of the sum; `a(term, i)` and `b(term, j)` are the texts
/// that load the operands. Where the sum runs along the vectors, they hold 4 terms each, `lanes` of which are not padding.
fn multiply(
    out: &mut String,
    tile: Tile,
    (operands, lanes): (Operands, usize),
    terms: usize,
    a: impl Fn(usize, usize) -> String,
    b: impl Fn(usize, usize) -> String,
) {
    let (rows, cols) = (tile.rows_each, tile.columns_each);
    let sums = operands == Operands::SumInVectors;
    // What is padding in the left operand adds nothing.
    for term in (0..terms).filter(|&term| !sums || term < lanes) {
        let held = if sums { 0 } else { term };
        for i in (0..rows).filter(|_| held == term) {
            let _ = writeln!(out, "            let a{held}_{i} = {};", a(held, i));
        }
        for j in 0..cols {
            let _ = writeln!(out, "            let b{term}_{j} = {};", b(term, j));
        }
        for (i, j) in pairs(accumulators(operands, rows), cols) {
            let (from, lane) = if sums { (i, term) } else { (i / LANES, i % LANES) };
            if lane >= lanes {
                continue;
            }
            let lane = ["x", "y", "z", "w"][lane];
            let _ = writeln!(out, "            c{i}_{j} += a{held}_{from}.{lane} * b{term}_{j};");
        }
    }
}

/// Inner loops that read the operands from buffers or textures: one over the taps and one over their channels, so that what
/// depends on the tap alone is computed once; or one over the pixels. With [`Tiling::Subgroup`] an invocation loads
/// every [`SUBGROUP`]th row for all of them, else the rows that it computes.
fn register_loop(out: &mut String, tile: Tile, (operands, lanes): (Operands, usize)) {
    let loaded = loaded(tile);
    for i in 0..loaded {
        let row = match tile.tiling {
            Tiling::Subgroup => format!("lane + {}u", i * SUBGROUP),
            _ => format!("ty + {i}u * TY"),
        };
        let _ = writeln!(out, "        let row{i} = a_row(batch, m0 + {row});");
    }
    // Row ty + i · TY of the tile, from the invocation that holds it.
    let a = |_, i: usize| {
        let first = i * tile.threads[1];
        let lane = if tile.threads[1] == 1 { "" } else { " + ty" };
        match tile.tiling {
            Tiling::Subgroup => format!("subgroupShuffle(v{}, {}u{lane})", first / SUBGROUP, first % SUBGROUP),
            _ => format!("v{i}"),
        }
    };
    if operands == Operands::RowsInVectors {
        out.push_str("        var p = pixel(batch, k_begin(batch));\n");
        out.push_str("        for (var k = k_begin(batch); k < k_end(batch); k++) {\n");
        for i in 0..loaded {
            let _ = writeln!(out, "            let v{i} = vec4<f32>(a_load(row{i}, p));");
        }
        multiply(out, tile, (operands, lanes), 1, a, |_, j| {
            format!("vec4<f32>(b_load(batch, k, n0 + tx + {j}u * TX))")
        });
        out.push_str("            p = next_pixel(p);\n        }\n");
        return;
    }
    out.push_str("        for (var tap = 0u; tap < taps(batch); tap++) {\n");
    for i in 0..loaded {
        let _ = writeln!(out, "            let tap{i} = a_tap(batch, row{i}, tap, 0u);");
    }
    out.push_str("            let weights = b_tap(batch, tap);\n");
    out.push_str("            for (var c = 0u; c < TAP4; c++) {\n");
    for i in 0..loaded {
        let _ = writeln!(out, "            let v{i} = vec4<f32>(a_load(tap{i}, c));");
    }
    multiply(out, tile, (operands, lanes), LANES, a, |term, j| {
        format!("vec4<f32>(b_load(b_place(weights, 0u, n0 + tx + {j}u * TX), c * 4u + {term}u))")
    });
    out.push_str("            }\n        }\n");
}

/// Rows that an invocation loads.
pub(super) fn loaded(tile: Tile) -> usize {
    match tile.tiling {
        Tiling::Subgroup => tile.rows_each * tile.threads[1] / SUBGROUP,
        _ => tile.rows_each,
    }
}

/// The loop over tiles in workgroup memory.
fn workgroup_loop(out: &mut String, tile: Tile, (operands, lanes): (Operands, usize)) {
    let _ = writeln!(out, "        let thread = lid.x + lid.y * TX;");
    let multiply = |out: &mut String| multiply_tiles(out, tile, (operands, lanes));
    staged_loop(out, tile, operands, &pieces(tile, operands), tile.vectors(operands), multiply);
}

/// The vectors that an invocation brings to workgroup memory.
fn pieces(tile: Tile, operands: Operands) -> Vec<Piece> {
    let threads = tile.invocations();
    let (rows, cols) = (tile.threads[1] * tile.rows_each, tile.threads[0] * tile.columns_each);
    let sums = operands == Operands::SumInVectors;
    let depth_b = if sums { tile.depth * LANES } else { tile.depth };
    let slot = move |l: usize| format!("(thread + {}u)", l * threads);
    let left = move |l: usize| {
        // A vector of padding per row where vectors run along the sum: see `Tile::vectors`.
        let (row, step, at) = if sums {
            ("/ DEPTH", "% DEPTH", format!("{0} / DEPTH * (DEPTH + 1u) + {0} % DEPTH", slot(l)))
        } else {
            ("% TILE_M", "/ TILE_M", slot(l))
        };
        let place = format!(
            "        let row{l} = a_row(batch, m0 + {0} {row});
        let step{l} = {0} {step};
        let at{l} = {at};
",
            slot(l)
        );
        let (taps, along) = staged::along(operands, l);
        let load = move |k: &str| format!("            let next_a{l} = vec4<f32>({});\n", along(k));
        let store = format!("            tile_a[half_a + at{l}] = next_a{l};\n");
        Piece { place, taps, load: Box::new(load), store }
    };
    let right = move |l: usize| {
        let (step, column) = (format!("{} / TILE_N", slot(l)), format!("n0 + {} % TILE_N", slot(l)));
        let (taps, across) = staged::across(operands, l, step, column);
        let load = move |k: &str| format!("            let next_b{l} = vec4<f32>({});\n", across(k, 0));
        let store = format!("            tile_b[half_b + {}] = next_b{l};\n", slot(l));
        Piece { place: String::new(), taps, load: Box::new(load), store }
    };
    (0..rows * tile.depth / threads).map(left).chain((0..cols * depth_b / threads).map(right)).collect()
}

/// The products of tiles in workgroup memory, 4 terms a turn.
fn multiply_tiles(out: &mut String, tile: Tile, (operands, lanes): (Operands, usize)) {
    let (turn, own_a, own_b, stride_a) = match operands {
        Operands::SumInVectors => (1, "ty * (DEPTH + 1u) + s", "s * (4u * TILE_N) + tx", "(TY * (DEPTH + 1u))"),
        Operands::RowsInVectors => (LANES, "s * TILE_M + ty", "s * TILE_N + tx", "TY"),
    };
    // What is known beforehand is added last, so that it becomes part of the instruction that reads.
    let _ = writeln!(
        out,
        "            for (var s = 0u; s < DEPTH; s += {turn}u) {{
            let from_a = half_a + {own_a};
            let from_b = half_b + {own_b};"
    );
    let a = |term, i| format!("tile_a[from_a + ({term}u * TILE_M + {i}u * {stride_a})]");
    let b = |term, j| format!("tile_b[from_b + ({term}u * TILE_N + {j}u * TX)]");
    multiply(out, tile, (operands, lanes), LANES, a, b);
    out.push_str("            }\n");
}
