// Third stage of a convolution by Winograd's F(4×4, 3×3): M = V · U, a matrix product at each of the 36 points.
// Mapping: m = tile; k = input channel; n = output channel; `batch` = point.
// Layout: V points, tiles, C; U points, C, K; M points, tiles, K, all as vectors of 4 channels.
// Tile and grid: see exec/shader/gemm.rs.
const BATCH: u32 = 36u;
const TAP4: u32 = C4;

fn taps(batch: u32) -> u32 { return 1u; }

struct Row { at: u32, inside: bool }

fn a_row(batch: u32, m: u32) -> Row {
    return Row(V_AT + (batch * TILES + m) * C4, m < TILES);
}

// Vector c. There is one tap.
fn a_tap(batch: u32, row: Row, tap: u32, c: u32) -> Row {
    let inside = row.inside && tap == 0u;
    return Row(select(0u, row.at, inside) + c, inside);
}

fn a_load(row: Row, c: u32) -> vec4<f32> {
    return select(vec4<f32>(), scratch[row.at + c], row.inside);
}

fn b_tap(batch: u32, tap: u32) -> u32 {
    return U_AT + batch * (C4 * 4u * K4);
}

// Columns n of channel k. Beyond the last column it reads the first; `store_at` drops the result.
fn b_place(tap: u32, k: u32, n: u32) -> u32 {
    return tap + k * K4 + select(0u, n, N_EXACT || n < K4);
}

fn b_load(at: u32, k: u32) -> vec4<f32> {
    return scratch[at + k * K4];
}

// First vector of row m of the products; NOWHERE beyond the last row.
fn place(batch: u32, m: u32) -> u32 {
    return select(NOWHERE, M_AT + (batch * TILES + m) * K4, m < TILES);
}

fn store_at(batch: u32, place: u32, n: u32, v: vec4<f32>) {
    if (place != NOWHERE && (N_EXACT || n < K4)) {
        scratch[place + n] = v;
    }
}
