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
    /// on llvmpipe, registers alone 8–11), and an address that is the same for all invocations is loaded once.
    Register,
}

/// Along which axis the left operand's vectors run.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Operands {
    /// `a_load(row, k)` gives 4 terms of the sum for one row; `k` counts vectors (forward, input gradient).
    SumInVectors,
    /// `a_load(row, k)` gives 4 rows for one term; rows count vectors (weight gradient).
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
    pub fn choose(tiling: Tiling, operands: Operands, m: usize, n: usize) -> Tile {
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
            // Columns are the same for the whole workgroup, so the right operand is loaded once for all its rows.
            Tiling::Register => {
                let columns_each = [4, 3, 2, 1].into_iter().find(|c| (n / LANES) % c == 0).unwrap_or(1);
                let rows = if vectors { m / LANES } else { m };
                let rows_each = if vectors || rows < 256 { 1 } else { 2 };
                Tile { tiling, threads: [1, 64], columns_each, rows_each, depth: 1 }
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

/// The entry point for a shader file that defines `a_row`, `a_load`, `b_load`, `store`, `k_begin`, `k_end`.
pub fn main_loop(tile: Tile, operands: Operands, tiles_m: usize, tiles_n: usize) -> String {
    let mut out = String::new();
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
    let lid = |axis: usize| if tile.threads[axis] == 1 { "0u" } else { ["lid.x", "lid.y"][axis] };
    let _ = write!(
        out,
        "@compute @workgroup_size({tx}, {ty}, 1)
fn main(
    @builtin(workgroup_id) wid: vec3<u32>,
    @builtin(num_workgroups) count: vec3<u32>,
    @builtin(local_invocation_id) lid: vec3<u32>,
) {{
    let tile = wid.x + wid.y * count.x;
    let batch = tile / (TILES_N * TILES_M);
    if (batch < BATCH) {{
        let n0 = (tile % TILES_N) * TILE_N;
        let m0 = ((tile / TILES_N) % TILES_M) * TILE_M;
        let tx = {};
        let ty = {};
        let first = k_begin(batch);
        let last = k_end(batch);
",
        lid(0),
        lid(1),
    );
    for (i, j) in pairs(accumulators(operands, rows), cols) {
        let _ = writeln!(out, "        var c{i}_{j} = vec4<f32>();");
    }
    match tile.tiling {
        Tiling::Register => register_loop(&mut out, tile, operands),
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
            let _ = writeln!(out, "            c{i}_{j} = fma(vec4<f32>(a{from}.{lane}), b{term}_{j}, c{i}_{j});");
        }
    }
}

fn register_loop(out: &mut String, tile: Tile, operands: Operands) {
    for i in 0..tile.rows_each {
        let _ = writeln!(out, "        let row{i} = a_row(batch, m0 + ty + {i}u * TY);");
    }
    out.push_str("        for (var k = first; k < last; k++) {\n");
    let per_k = if operands == Operands::SumInVectors { LANES } else { 1 };
    multiply(
        out,
        tile,
        operands,
        |i| format!("a_load(batch, row{i}, k)"),
        |term, j| format!("b_load(batch, k * {per_k}u + {term}u, n0 + tx + {j}u * TX)"),
    );
    out.push_str("        }\n");
}

fn workgroup_loop(out: &mut String, tile: Tile, operands: Operands) {
    let threads = tile.threads[0] * tile.threads[1];
    let (rows, cols) = (tile.threads[1] * tile.rows_each, tile.threads[0] * tile.columns_each);
    let sums = operands == Operands::SumInVectors;
    let depth_b = if sums { tile.depth * LANES } else { tile.depth };
    let _ = writeln!(out, "        let thread = lid.x + lid.y * TX;");
    let loads_a = (rows * tile.depth).div_ceil(threads);
    assert_eq!(rows * tile.depth % threads, 0, "every invocation loads the same number of vectors");
    assert_eq!(cols * depth_b % threads, 0, "every invocation loads the same number of vectors");
    // The row that a load belongs to does not change along the sum.
    for l in 0..loads_a {
        let slot = format!("(thread + {}u)", l * threads);
        let (row, step, at) = if sums {
            (
                format!("{slot} / DEPTH"),
                format!("{slot} % DEPTH"),
                format!("{slot} / DEPTH * (DEPTH + 1u) + {slot} % DEPTH"),
            )
        } else {
            (format!("{slot} % TILE_M"), format!("{slot} / TILE_M"), slot)
        };
        let _ = writeln!(out, "        let row{l} = a_row(batch, m0 + {row});");
        let _ = writeln!(out, "        let step{l} = {step};");
        let _ = writeln!(out, "        let at{l} = {at};");
    }
    out.push_str("        for (var k = first; k < last; k += DEPTH) {\n");
    for l in 0..loads_a {
        let _ = writeln!(out, "            tile_a[at{l}] = a_load(batch, row{l}, k + step{l});");
    }
    let scale = if sums { "4u" } else { "1u" };
    for l in 0..(cols * depth_b) / threads {
        let slot = format!("(thread + {}u)", l * threads);
        let _ = writeln!(
            out,
            "            tile_b[{slot}] = b_load(batch, k * {scale} + {slot} / TILE_N, n0 + {slot} % TILE_N);"
        );
    }
    out.push_str("            workgroupBarrier();\n            for (var s = 0u; s < DEPTH; s++) {\n");
    multiply(
        out,
        tile,
        operands,
        |i| {
            if sums {
                format!("tile_a[(ty + {i}u * TY) * (DEPTH + 1u) + s]")
            } else {
                format!("tile_a[s * TILE_M + ty + {i}u * TY]")
            }
        },
        |term, j| format!("tile_b[(s * {scale} + {term}u) * TILE_N + tx + {j}u * TX]"),
    );
    out.push_str("            }\n            workgroupBarrier();\n        }\n");
}
