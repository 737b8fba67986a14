//! The one main loop of all matrix kernels: register tiles, from global memory directly or through tiles in workgroup
//! memory. naga writes no unrolled loops, so the inner loops are unrolled here.

use std::fmt::Write;

use crate::shape::LANES;

/// Where the operands of the inner loop come from.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Tiling {
    /// Tiles in workgroup memory, for GPUs.
    Workgroup,
    /// Registers only, for software adapters: barriers are expensive there (a 64×64 workgroup tile reached 2–3 GFLOP/s
    /// on llvmpipe, registers alone 8–11).
    Register,
    /// As `Register`, for software adapters with subgroups of [`SUBGROUP`]: the invocations of one load different rows of
    /// the left operand and show them to each other. llvmpipe (Mesa 22.3) loads inside of a loop lane by lane, even from
    /// one address for all, while a shuffle is one instruction: 9.2 GFLOP/s a core where `Register` reaches 5.
    Subgroup,
}

/// Invocations in a subgroup, and in a workgroup, of [`Tiling::Subgroup`].
pub const SUBGROUP: usize = 8;

/// Along which axis the left operand's vectors run.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Operands {
    /// `a_load(tap, c)` gives 4 terms of the sum, channels of a tap, for one row (forward, input gradient).
    SumInVectors,
    /// `a_load(row, pixel)` gives 4 rows for one term; rows count vectors (weight gradient).
    RowsInVectors,
}

/// Sizes of the tiles.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Tile {
    /// Where the operands come from.
    pub tiling: Tiling,
    /// Invocations along the columns and rows.
    pub threads: [usize; 2],
    /// Columns of one invocation, in vectors.
    pub columns_each: usize,
    /// Rows of one invocation: single rows, or vectors of rows.
    pub rows_each: usize,
    /// Steps of the sum per tile in workgroup memory, in units of `k`.
    pub depth: usize,
}

impl Tile {
    /// A fixed choice by the sizes of the product.
    pub fn choose(tiling: Tiling, operands: Operands, n: usize) -> Tile {
        let vectors = operands == Operands::RowsInVectors;
        match tiling {
            // 64×64 outputs by 64 invocations of 8×8 each: 16 vector loads from workgroup memory per 256 FMAs. The sum
            // advances 16 terms a tile.
            Tiling::Workgroup => Tile {
                tiling,
                threads: [8, 8],
                columns_each: 2,
                rows_each: if vectors { 2 } else { 8 },
                depth: if vectors { 16 } else { 4 },
            },
            // Neighbours along the columns, so that their loads of the right operand lie side by side: with neighbours
            // along the rows, 8×2 vectors each, a product of 4096×64×576 ran at 1.8 GFLOP/s a core instead of 5.
            Tiling::Register | Tiling::Subgroup => {
                let tx = (n / LANES).next_power_of_two().min(SUBGROUP);
                let threads = [tx, SUBGROUP / tx];
                let held = tiling == Tiling::Subgroup;
                let columns_each = if !held && (n / LANES).is_multiple_of(2 * tx) { 2 } else { 1 };
                // What is held by shuffles costs no load, so more rows share a load of the right operand.
                let rows_each = match (held, vectors) {
                    // Where few columns leave the lanes to the rows, fewer each: 16 loads of rows in one loop take
                    // minutes to compile with bounds checks.
                    (true, false) => (4 * tx).min(16),
                    (true, true) => (2 * tx).min(8),
                    (false, false) => 8,
                    (false, true) => 2,
                };
                Tile { tiling, threads, columns_each, rows_each, depth: 1 }
            }
        }
    }

    /// Outputs of a workgroup along the columns, in floats.
    pub fn columns(&self) -> usize {
        self.threads[0] * self.columns_each * LANES
    }

    /// Outputs of a workgroup along the rows, in floats.
    pub fn rows(&self, operands: Operands) -> usize {
        self.threads[1] * self.rows_each * if operands == Operands::RowsInVectors { LANES } else { 1 }
    }
}

/// The entry point for a shader file that defines `a_row`, `a_load`, `b_load`, `store` and the range of the sum: `taps`,
/// `a_tap`, `b_tap` and `TAP4` with [`Operands::SumInVectors`], else `k_begin`, `k_end` and `pixel`.
pub fn main_loop(tile: Tile, operands: Operands, m: usize, n: usize) -> String {
    let mut out = String::new();
    let (tiles_m, tiles_n) = (m.div_ceil(tile.rows(operands)), n.div_ceil(tile.columns()));
    // Guards that can never be false are left out of the inner loop.
    let _ = writeln!(out, "const N_EXACT: bool = {};", n.is_multiple_of(tile.columns()));
    let _ = writeln!(out, "const K_EXACT: bool = {};", tile.tiling != Tiling::Workgroup);
    let [tx, ty] = tile.threads;
    let (rows, cols) = (tile.rows_each, tile.columns_each);
    let constants = [
        ("TX", tx),
        ("TY", ty),
        ("TILE_M", ty * rows),
        ("TILE_N", tx * cols),
        ("TILES_M", tiles_m),
        ("TILES_N", tiles_n),
        ("DEPTH", tile.depth),
    ];
    for (name, value) in constants {
        let _ = writeln!(out, "const {name}: u32 = {value}u;");
    }
    if tile.tiling == Tiling::Workgroup {
        // One vector of padding per row keeps invocations that read different rows off the same memory bank.
        let (a, b) = match operands {
            Operands::SumInVectors => (ty * rows * (tile.depth + 1), tile.depth * LANES * tx * cols),
            Operands::RowsInVectors => (tile.depth * ty * rows, tile.depth * tx * cols),
        };
        let _ = writeln!(out, "var<workgroup> tile_a: array<vec4<f32>, {a}>;");
        let _ = writeln!(out, "var<workgroup> tile_b: array<vec4<f32>, {b}>;");
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
    let batch = tile / (TILES_N * TILES_M);
    if (batch < BATCH) {{
        let n0 = (tile % TILES_N) * TILE_N;
        let m0 = ((tile / TILES_N) % TILES_M) * TILE_M;
        let tx = {};
        let ty = {};
",
        // A lane's number is there along one axis only.
        if subgroup { SUBGROUP.to_string() } else { format!("{tx}, {ty}") },
        if subgroup { "subgroup_invocation_id) lane: u32," } else { "local_invocation_id) lid: vec3<u32>," },
        place(0),
        place(1),
    );
    for (i, j) in pairs(accumulators(operands, rows), cols) {
        let _ = writeln!(out, "        var c{i}_{j} = vec4<f32>();");
    }
    match tile.tiling {
        Tiling::Register | Tiling::Subgroup => register_loop(&mut out, tile, operands),
        Tiling::Workgroup => workgroup_loop(&mut out, tile, operands),
    }
    for (i, j) in pairs(accumulators(operands, rows), cols) {
        let row = match operands {
            Operands::SumInVectors => format!("m0 + ty + {i}u * TY"),
            Operands::RowsInVectors => format!("(m0 + ty + {}u * TY) * 4u + {}u", i / LANES, i % LANES),
        };
        let _ = writeln!(out, "        store(batch, {row}, n0 + tx + {j}u * TX, c{i}_{j});");
    }
    out.push_str("    }\n}\n");
    out
}

fn pairs(rows: usize, cols: usize) -> impl Iterator<Item = (usize, usize)> {
    (0..rows).flat_map(move |i| (0..cols).map(move |j| (i, j)))
}

/// Accumulated rows of one invocation.
fn accumulators(operands: Operands, rows_each: usize) -> usize {
    if operands == Operands::RowsInVectors { rows_each * LANES } else { rows_each }
}

/// `c += a · b` for the tile of one invocation; `a(i)` and `b(term, j)` are the texts that load the operands.
fn multiply(
    out: &mut String,
    tile: Tile,
    operands: Operands,
    a: impl Fn(usize) -> String,
    b: impl Fn(usize, usize) -> String,
) {
    let (rows, cols) = (tile.rows_each, tile.columns_each);
    for i in 0..rows {
        let _ = writeln!(out, "            let a{i} = {};", a(i));
    }
    let terms = if operands == Operands::SumInVectors { LANES } else { 1 };
    for term in 0..terms {
        for j in 0..cols {
            let _ = writeln!(out, "            let b{term}_{j} = {};", b(term, j));
        }
        for (i, j) in pairs(accumulators(operands, rows), cols) {
            let (from, lane) = if terms == LANES { (i, term) } else { (i / LANES, i % LANES) };
            let lane = ["x", "y", "z", "w"][lane];
            let _ = writeln!(out, "            c{i}_{j} += a{from}.{lane} * b{term}_{j};");
        }
    }
}

/// Inner loops that read the operands from global memory: one over the taps and one over their channels, so that what
/// depends on the tap alone is computed once; or one over the pixels. With [`Tiling::Subgroup`] an invocation loads
/// every [`SUBGROUP`]th row for all of them, else the rows that it computes.
fn register_loop(out: &mut String, tile: Tile, operands: Operands) {
    let subgroup = tile.tiling == Tiling::Subgroup;
    let loaded = if subgroup { tile.rows_each * tile.threads[1] / SUBGROUP } else { tile.rows_each };
    for i in 0..loaded {
        let row = if subgroup { format!("lane + {}u", i * SUBGROUP) } else { format!("ty + {i}u * TY") };
        let _ = writeln!(out, "        let row{i} = a_row(batch, m0 + {row});");
    }
    // Row ty + i · TY of the tile, where it is held.
    let a = |i: usize| {
        let first = i * tile.threads[1];
        let lane = if tile.threads[1] == 1 { "" } else { " + ty" };
        match subgroup {
            true => format!("subgroupShuffle(v{}, {}u{lane})", first / SUBGROUP, first % SUBGROUP),
            false => format!("v{i}"),
        }
    };
    if operands == Operands::RowsInVectors {
        out.push_str("        for (var k = k_begin(batch); k < k_end(batch); k++) {\n");
        out.push_str("            let p = pixel(batch, k);\n");
        for i in 0..loaded {
            let _ = writeln!(out, "            let v{i} = a_load(row{i}, p);");
        }
        multiply(out, tile, operands, a, |_, j| format!("b_load(batch, k, n0 + tx + {j}u * TX)"));
        out.push_str("        }\n");
        return;
    }
    out.push_str("        for (var tap = 0u; tap < taps(batch); tap++) {\n");
    for i in 0..loaded {
        let _ = writeln!(out, "            let tap{i} = a_tap(batch, row{i}, tap);");
    }
    out.push_str("            let weights = b_tap(batch, tap);\n");
    out.push_str("            for (var c = 0u; c < TAP4; c++) {\n");
    for i in 0..loaded {
        let _ = writeln!(out, "            let v{i} = a_load(tap{i}, c);");
    }
    multiply(out, tile, operands, a, |term, j| format!("b_load(weights, c * 4u + {term}u, n0 + tx + {j}u * TX)"));
    out.push_str("            }\n        }\n");
}

/// Inner loops over tiles in workgroup memory.
fn workgroup_loop(out: &mut String, tile: Tile, operands: Operands) {
    let threads = tile.threads[0] * tile.threads[1];
    let (rows, cols) = (tile.threads[1] * tile.rows_each, tile.threads[0] * tile.columns_each);
    let sums = operands == Operands::SumInVectors;
    let depth_b = if sums { tile.depth * LANES } else { tile.depth };
    let _ = writeln!(out, "        let thread = lid.x + lid.y * TX;");
    assert_eq!(rows * tile.depth % threads, 0, "every invocation loads the same number of vectors");
    assert_eq!(cols * depth_b % threads, 0, "every invocation loads the same number of vectors");
    let slot = |l: usize| format!("(thread + {}u)", l * threads);
    // The row that a load belongs to does not change along the sum.
    for l in 0..rows * tile.depth / threads {
        let (row, step, at) = if sums {
            ("/ DEPTH", "% DEPTH", format!("{0} / DEPTH * (DEPTH + 1u) + {0} % DEPTH", slot(l)))
        } else {
            ("% TILE_M", "/ TILE_M", slot(l))
        };
        let _ = writeln!(out, "        let row{l} = a_row(batch, m0 + {} {row});", slot(l));
        let _ = writeln!(out, "        let step{l} = {} {step};", slot(l));
        let _ = writeln!(out, "        let at{l} = {at};");
    }
    let range = if sums { "k = 0u; k < taps(batch) * TAP4" } else { "k = k_begin(batch); k < k_end(batch)" };
    let _ = writeln!(out, "        for (var {range}; k += DEPTH) {{");
    for l in 0..rows * tile.depth / threads {
        let load = if sums {
            format!("a_load(a_tap(batch, row{l}, (k + step{l}) / TAP4), (k + step{l}) % TAP4)")
        } else {
            format!("a_load(row{l}, pixel(batch, k + step{l}))")
        };
        let _ = writeln!(out, "            tile_a[at{l}] = {load};");
    }
    for l in 0..cols * depth_b / threads {
        let (step, column) = (format!("{} / TILE_N", slot(l)), format!("n0 + {} % TILE_N", slot(l)));
        let load = if sums {
            // Beyond the last tap the left operand is 0; the weights read there are those of the last tap.
            let k = format!("(k * 4u + {step})");
            format!("b_load(b_tap(batch, {k} / (TAP4 * 4u)), {k} % (TAP4 * 4u), {column})")
        } else {
            format!("b_load(batch, k + {step}, {column})")
        };
        let _ = writeln!(out, "            tile_b[{}] = {load};", slot(l));
    }
    out.push_str("            workgroupBarrier();\n            for (var s = 0u; s < DEPTH; s++) {\n");
    let scale = if sums { "4u" } else { "1u" };
    let a = |i| match operands {
        Operands::SumInVectors => format!("tile_a[(ty + {i}u * TY) * (DEPTH + 1u) + s]"),
        Operands::RowsInVectors => format!("tile_a[s * TILE_M + ty + {i}u * TY]"),
    };
    let b = |term, j| format!("tile_b[(s * {scale} + {term}u) * TILE_N + tx + {j}u * TX]");
    multiply(out, tile, operands, a, b);
    out.push_str("            }\n            workgroupBarrier();\n        }\n");
}
