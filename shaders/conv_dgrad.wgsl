// Gradient of conv2d for its input (and transposed convolution) as an implicit matrix product, one per group and phase:
//   dx[m, n] = relu?(Σ_k dy[output pixel that tap k reaches from m, channel of k] · wt[tap of k, channel of k, n]
//                    [+ bias[n]] [+ addend[m, n]])
// Mapping: m = (n, i-th row of the phase, j-th column); k = (tap of the phase, output channel of the group); n = input
// channel of the group; `batch` = (group, row phase, column phase).
// Phase: the input pixels that are congruent modulo the stride. Each of its taps hits an output, so no multiply is wasted.
//
// | of a row phase | value                     |
// |----------------|---------------------------|
// | H_TAP          | its first tap             |
// | H_TAPS         | number of its taps        |
// | H_STEP         | distance between its taps |
// | H_START        | its first input row       |
// | H_COUNT        | number of its input rows  |
//
// W_TAP to W_COUNT are the same for a column phase.
// Layout: dy N OH OW O, wt KH KW O I (from transpose_kernel), addend and dx N H W I, as vectors of 4 channels.
// Name: dx is d_x here and in other kernels, because `dx` is a namespace in HLSL, where naga 30 keeps names.
// With: a file of operands/ for dy (`a_at`) and wt (`b_at`); epilogue/ended.wgsl, which declares bias and addend if present.
// Tile and grid: see exec/shader/gemm.rs.
@group(0) @binding(4) var<storage, read_write> d_x: array<vec4<T4>>;

const I4: u32 = GROUPS * GI4;
const O4: u32 = GROUPS * GO4;
const BATCH: u32 = GROUPS * SH * SW;
// Vectors of channels of one tap: its terms of the sum.
const TAP4: u32 = GO4;

fn group(batch: u32) -> u32 { return batch / (SH * SW); }
fn h_phase(batch: u32) -> u32 { return (batch / SW) % SH; }
fn w_phase(batch: u32) -> u32 { return batch % SW; }

fn m_count(batch: u32) -> u32 { return N * H_COUNT(h_phase(batch)) * W_COUNT(w_phase(batch)); }
fn taps(batch: u32) -> u32 { return H_TAPS(h_phase(batch)) * W_TAPS(w_phase(batch)); }

// kh and kw of a tap of the phase.
fn kernel_position(batch: u32, tap: u32) -> vec2<u32> {
    let hp = h_phase(batch);
    let wp = w_phase(batch);
    let taps_w = max(W_TAPS(wp), 1u);
    return vec2<u32>(H_TAP(hp) + (tap / taps_w) * H_STEP(hp), W_TAP(wp) + (tap % taps_w) * W_STEP(wp));
}

// Image and input pixel of row m. The pixel of a row beyond the last is far outside.
struct Row { image: u32, ih: u32, iw: u32 }

fn a_row(batch: u32, m: u32) -> Row {
    let hp = h_phase(batch);
    let wp = w_phase(batch);
    let cols = max(W_COUNT(wp), 1u);
    let rows = max(H_COUNT(hp), 1u);
    let j = m % cols;
    let i = (m / cols) % rows;
    let image = m / (cols * rows);
    let ih = select(0x40000000u, H_START(hp) + i * SH, m < m_count(batch));
    return Row(image, ih, W_START(wp) + j * SW);
}

// Offset of vector c of the output pixel that the tap reaches, and whether there is such a pixel.
struct Tap { at: u32, inside: bool }

fn a_tap(batch: u32, row: Row, tap: u32, c: u32) -> Tap {
    let k = kernel_position(batch, tap);
    // The choice of the phase makes both divisible by the stride. Negative positions are large as unsigned numbers.
    let ih = row.ih + PT - k.x * DH;
    let iw = row.iw + PL - k.y * DW;
    let inside = tap < taps(batch) && ih < OH * SH && iw < OW * SW;
    let at = ((row.image * OH + ih / SH) * OW + iw / SW) * O4 + group(batch) * GO4;
    return Tap(select(0u, at, inside) + c, inside);
}

// Vector c after the tap's. Without an output pixel it reads the first pixel and drops it: no branch, no stray read.
fn a_load(tap: Tap, c: u32) -> vec4<T0> {
    return select(vec4<T0>(), a_at(tap.at + c), tap.inside);
}

// First vector of a tap's transposed weights.
fn b_tap(batch: u32, tap: u32) -> u32 {
    let k = kernel_position(batch, min(tap, max(taps(batch), 1u) - 1u));
    return (((k.x * KW + k.y) * GROUPS + group(batch)) * (GO4 * 4u)) * GI4;
}

// Columns n of channel k of a tap. Beyond the last column it reads the first; `store_at` drops the result.
fn b_place(tap: u32, k: u32, n: u32) -> u32 {
    return tap + k * GI4 + select(0u, n, N_EXACT || n < GI4);
}

// The vector of columns k channels after `at`.
fn b_load(at: u32, k: u32) -> vec4<T1> {
    return b_at(at + k * GI4);
}

// First vector of row m of the result; NOWHERE beyond the last row.
fn place(batch: u32, m: u32) -> u32 {
    let row = a_row(batch, m);
    let at = ((row.image * H + row.ih) * W + row.iw) * I4 + group(batch) * GI4;
    return select(NOWHERE, at, m < m_count(batch));
}

fn store_at(batch: u32, place: u32, n: u32, v: vec4<f32>) {
    if (place != NOWHERE && (N_EXACT || n < GI4)) {
        d_x[place + n] = vec4<T4>(ended(v, group(batch) * GI4 + n, place + n));
    }
}
