// Stage of a weight gradient by Winograd's F(4×4, 3×3): U [+]= Vᵀ · M, a matrix product at each of the 36 points, for each
// part of the sum, over the tiles in scratch memory.
// With ADDS the product is added to U: in every slice of the batch but the first.
// Mapping: m = input channel; k = tile; n = output channel; `batch` = (part, point).
// Layout: V points, tiles, C; M points, tiles, K; U parts, points, C, K, all as vectors of 4 channels.
// Tile and grid: see exec/shader/gemm.rs.
const BATCH: u32 = 36u * SPLITS;
// Number of terms of the whole sum, and of one part.
const K_ALL: u32 = TILES;
const K_PART: u32 = TILES_EACH;

// A row of `m_count` and `a_row` is a vector of 4 input channels.
fn k_begin(batch: u32) -> u32 { return min(batch / 36u * TILES_EACH, TILES); }
fn k_end(batch: u32) -> u32 { return min((batch / 36u + 1u) * TILES_EACH, TILES); }

struct Row { channel: u32, inside: bool }

fn a_row(batch: u32, m: u32) -> Row {
    return Row(min(m, C4 - 1u), m < C4);
}

struct Pixel { at: u32, inside: bool }

fn pixel(batch: u32, k: u32) -> Pixel {
    let inside = K_EXACT || k < k_end(batch);
    return Pixel(V_AT + (batch % 36u * TILES + select(0u, k, inside)) * C4, inside);
}

// The next tile.
fn next_pixel(p: Pixel) -> Pixel {
    return Pixel(p.at + C4, p.inside);
}

fn a_load(row: Row, p: Pixel) -> vec4<f32> {
    return select(vec4<f32>(), scratch[p.at + row.channel], row.inside && p.inside);
}

fn b_load(batch: u32, k: u32, n: u32) -> vec4<f32> {
    let inside = (K_EXACT || k < k_end(batch)) && (N_EXACT || n < K4);
    let at = M_AT + select(0u, (batch % 36u * TILES + k) * K4 + n, inside);
    return select(vec4<f32>(), scratch[at], inside);
}

// A row of the result is one input channel: m = vector of input channels · 4 + lane.
fn store(batch: u32, m: u32, n: u32, v: vec4<f32>) {
    if (m < C4 * 4u && (N_EXACT || n < K4)) {
        let at = U_AT + (batch * (C4 * 4u) + m) * K4 + n;
        var sum = v;
        if (ADDS) {
            sum += scratch[at];
        }
        scratch[at] = sum;
    }
}
