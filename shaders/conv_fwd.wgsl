// conv2d forward as an implicit matrix product, one per group:
//   y[m, n] = relu?(Σ_k x[pixel of m at tap of k, channel of k] · w[k, n] [+ bias[n]] [+ addend[m, n]])
// Mapping: m = (n, oh, ow); k = (kh, kw, input channel of the group); n = output channel of the group; `batch` = group.
// Layout: x N H W C, w KH KW I O, addend and y N OH OW O, all as vectors of 4 channels (padding lanes are 0).
// With: a file of operands/ for x (`a_at`) and w (`b_at`); epilogue/ended.wgsl, which declares bias and addend if present.
// Tile and grid: see exec/shader/gemm.rs.
@group(0) @binding(4) var<storage, read_write> y: array<vec4<T4>>;

const I4: u32 = GROUPS * GI4;
const O4: u32 = GROUPS * GO4;
const BATCH: u32 = GROUPS;
// Vectors of channels of one tap: its terms of the sum.
const TAP4: u32 = GI4;

fn m_count(batch: u32) -> u32 { return N * OH * OW; }
fn taps(batch: u32) -> u32 { return KH * KW; }

// First pixel of the image of row m, and the input position of its tap (0, 0). A row beyond the last is far outside.
struct Row { image: u32, ih: i32, iw: i32 }

fn a_row(batch: u32, m: u32) -> Row {
    let ow = m % OW;
    let oh = (m / OW) % OH;
    let image = m / (OW * OH);
    let ih = select(-0x40000000i, i32(oh * SH) - i32(PT), m < N * OH * OW);
    return Row(image * (H * W), ih, i32(ow * SW) - i32(PL));
}

// Offset of vector c of the input pixel of a tap, and whether the pixel is inside the image.
struct Tap { at: u32, inside: bool }

fn a_tap(batch: u32, row: Row, tap: u32, c: u32) -> Tap {
    let ih = row.ih + i32((tap / KW) * DH);
    let iw = row.iw + i32((tap % KW) * DW);
    // Negative positions are large as unsigned numbers.
    let inside = tap < KH * KW && u32(ih) < H && u32(iw) < W;
    let at = (row.image + u32(ih) * W + u32(iw)) * I4 + batch * GI4;
    return Tap(select(0u, at, inside) + c, inside);
}

// Vector c after the tap's. Outside the image it reads the first pixel and drops it: no branch, no stray read.
fn a_load(tap: Tap, c: u32) -> vec4<T0> {
    return select(vec4<T0>(), a_at(tap.at + c), tap.inside);
}

// First vector of a tap's weights.
fn b_tap(batch: u32, tap: u32) -> u32 {
    return min(tap, KH * KW - 1u) * (GI4 * 4u * O4) + batch * GO4;
}

// Columns n of channel k of a tap. Beyond the last column it reads the first; `store_at` drops the result.
fn b_place(tap: u32, k: u32, n: u32) -> u32 {
    return tap + k * O4 + select(0u, n, N_EXACT || n < GO4);
}

// The vector of columns k channels after `at`.
fn b_load(at: u32, k: u32) -> vec4<T1> {
    return b_at(at + k * O4);
}

// First vector of row m of the result; NOWHERE beyond the last row.
fn place(batch: u32, m: u32) -> u32 {
    return select(NOWHERE, m * O4 + batch * GO4, m < N * OH * OW);
}

fn store_at(batch: u32, place: u32, n: u32, v: vec4<f32>) {
    if (place != NOWHERE && (N_EXACT || n < GO4)) {
        y[place + n] = vec4<T4>(ended(v, batch * GO4 + n, place + n));
    }
}
