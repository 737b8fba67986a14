// conv_fwd: call 0, conv2d of conv1, [4×64×64×3] → [4×32×32×64]
// Register, the fixed choice of tile

// Stage 1 of 1: 512 workgroups; bindings 0 Read, 1 Read, 4 ReadWrite
alias T0 = f32;
alias T1 = f32;
alias T2 = f32;
alias T3 = f32;
alias T4 = f32;
const N: u32 = 4u;
const H: u32 = 64u;
const W: u32 = 64u;
const OH: u32 = 32u;
const OW: u32 = 32u;
const KH: u32 = 7u;
const KW: u32 = 7u;
const SH: u32 = 2u;
const SW: u32 = 2u;
const PT: u32 = 3u;
const PL: u32 = 3u;
const DH: u32 = 1u;
const DW: u32 = 1u;
const GROUPS: u32 = 1u;
const GI4: u32 = 1u;
const GO4: u32 = 16u;
const HAS_BIAS: bool = false;
const HAS_ADDEND: bool = false;
const HAS_RELU: bool = false;
const N_EXACT: bool = true;
const TX: u32 = 8u;
const TY: u32 = 1u;
const TILE_M: u32 = 8u;
const TILE_N: u32 = 16u;
const TILES_M: u32 = 512u;
const TILES_N: u32 = 1u;
const DEPTH: u32 = 1u;
fn with_bias(sum: vec4<f32>, channel: u32) -> vec4<f32> { return sum; }
fn with_addend(sum: vec4<f32>, at: u32) -> vec4<f32> { return sum; }
// The epilogue of a convolution: relu?(sum [+ bias] [+ addend]). `channel` indexes the bias, `at` the output, in vectors.
// With: bias.wgsl and addend.wgsl, or functions that add nothing (see exec/shader/matrix.rs).
fn ended(sum: vec4<f32>, channel: u32, at: u32) -> vec4<f32> {
    let r = with_addend(with_bias(sum, channel), at);
    if (HAS_RELU) {
        return select(r, vec4<f32>(), r < vec4<f32>());
    }
    return r;
}
// Operands of a matrix kernel in buffers, as vectors.
@group(0) @binding(0) var<storage, read> operand_a: array<vec4<T0>>;
@group(0) @binding(1) var<storage, read> operand_b: array<vec4<T1>>;

fn a_at(i: u32) -> vec4<T0> { return operand_a[i]; }
fn b_at(i: u32) -> vec4<T1> { return operand_b[i]; }
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
const K_EXACT: bool = true;

const NOWHERE: u32 = 0xffffffffu;
fn store(batch: u32, m: u32, n: u32, v: vec4<f32>) { store_at(batch, place(batch, m), n, v); }

// The tile of this workgroup: tile column n0 and row m0, in vectors, of one of the products.
@compute @workgroup_size(8, 1)
fn main(
    @builtin(workgroup_id) wid: vec3<u32>,
    @builtin(num_workgroups) count: vec3<u32>,
    @builtin(local_invocation_id) lid: vec3<u32>,
) {
    let tile = wid.x + wid.y * count.x;
    let product = tile / (TILES_N * TILES_M);
    let batch = product;
    if (product < BATCH) {
        let n0 = (tile % TILES_N) * TILE_N;
        let m0 = ((tile / TILES_N) % TILES_M) * TILE_M;
        let tx = lid.x;
        let ty = 0u;
        // Sums of this invocation: cROW_COLUMN.
        var c0_0 = vec4<f32>();
        var c0_1 = vec4<f32>();
        var c1_0 = vec4<f32>();
        var c1_1 = vec4<f32>();
        var c2_0 = vec4<f32>();
        var c2_1 = vec4<f32>();
        var c3_0 = vec4<f32>();
        var c3_1 = vec4<f32>();
        var c4_0 = vec4<f32>();
        var c4_1 = vec4<f32>();
        var c5_0 = vec4<f32>();
        var c5_1 = vec4<f32>();
        var c6_0 = vec4<f32>();
        var c6_1 = vec4<f32>();
        var c7_0 = vec4<f32>();
        var c7_1 = vec4<f32>();
        // Rows that this invocation loads.
        let row0 = a_row(batch, m0 + ty + 0u * TY);
        let row1 = a_row(batch, m0 + ty + 1u * TY);
        let row2 = a_row(batch, m0 + ty + 2u * TY);
        let row3 = a_row(batch, m0 + ty + 3u * TY);
        let row4 = a_row(batch, m0 + ty + 4u * TY);
        let row5 = a_row(batch, m0 + ty + 5u * TY);
        let row6 = a_row(batch, m0 + ty + 6u * TY);
        let row7 = a_row(batch, m0 + ty + 7u * TY);
        // The sum over taps.
        for (var tap = 0u; tap < taps(batch); tap++) {
            let tap0 = a_tap(batch, row0, tap, 0u);
            let tap1 = a_tap(batch, row1, tap, 0u);
            let tap2 = a_tap(batch, row2, tap, 0u);
            let tap3 = a_tap(batch, row3, tap, 0u);
            let tap4 = a_tap(batch, row4, tap, 0u);
            let tap5 = a_tap(batch, row5, tap, 0u);
            let tap6 = a_tap(batch, row6, tap, 0u);
            let tap7 = a_tap(batch, row7, tap, 0u);
            let weights = b_tap(batch, tap);
            // The sum over vectors of channels.
            for (var c = 0u; c < TAP4; c++) {
            let v0 = vec4<f32>(a_load(tap0, c));
            let v1 = vec4<f32>(a_load(tap1, c));
            let v2 = vec4<f32>(a_load(tap2, c));
            let v3 = vec4<f32>(a_load(tap3, c));
            let v4 = vec4<f32>(a_load(tap4, c));
            let v5 = vec4<f32>(a_load(tap5, c));
            let v6 = vec4<f32>(a_load(tap6, c));
            let v7 = vec4<f32>(a_load(tap7, c));
            let a0_0 = v0;
            let a0_1 = v1;
            let a0_2 = v2;
            let a0_3 = v3;
            let a0_4 = v4;
            let a0_5 = v5;
            let a0_6 = v6;
            let a0_7 = v7;
            let b0_0 = vec4<f32>(b_load(b_place(weights, 0u, n0 + tx + 0u * TX), c * 4u + 0u));
            let b0_1 = vec4<f32>(b_load(b_place(weights, 0u, n0 + tx + 1u * TX), c * 4u + 0u));
            c0_0 += a0_0.x * b0_0;
            c0_1 += a0_0.x * b0_1;
            c1_0 += a0_1.x * b0_0;
            c1_1 += a0_1.x * b0_1;
            c2_0 += a0_2.x * b0_0;
            c2_1 += a0_2.x * b0_1;
            c3_0 += a0_3.x * b0_0;
            c3_1 += a0_3.x * b0_1;
            c4_0 += a0_4.x * b0_0;
            c4_1 += a0_4.x * b0_1;
            c5_0 += a0_5.x * b0_0;
            c5_1 += a0_5.x * b0_1;
            c6_0 += a0_6.x * b0_0;
            c6_1 += a0_6.x * b0_1;
            c7_0 += a0_7.x * b0_0;
            c7_1 += a0_7.x * b0_1;
            let b1_0 = vec4<f32>(b_load(b_place(weights, 0u, n0 + tx + 0u * TX), c * 4u + 1u));
            let b1_1 = vec4<f32>(b_load(b_place(weights, 0u, n0 + tx + 1u * TX), c * 4u + 1u));
            c0_0 += a0_0.y * b1_0;
            c0_1 += a0_0.y * b1_1;
            c1_0 += a0_1.y * b1_0;
            c1_1 += a0_1.y * b1_1;
            c2_0 += a0_2.y * b1_0;
            c2_1 += a0_2.y * b1_1;
            c3_0 += a0_3.y * b1_0;
            c3_1 += a0_3.y * b1_1;
            c4_0 += a0_4.y * b1_0;
            c4_1 += a0_4.y * b1_1;
            c5_0 += a0_5.y * b1_0;
            c5_1 += a0_5.y * b1_1;
            c6_0 += a0_6.y * b1_0;
            c6_1 += a0_6.y * b1_1;
            c7_0 += a0_7.y * b1_0;
            c7_1 += a0_7.y * b1_1;
            let b2_0 = vec4<f32>(b_load(b_place(weights, 0u, n0 + tx + 0u * TX), c * 4u + 2u));
            let b2_1 = vec4<f32>(b_load(b_place(weights, 0u, n0 + tx + 1u * TX), c * 4u + 2u));
            c0_0 += a0_0.z * b2_0;
            c0_1 += a0_0.z * b2_1;
            c1_0 += a0_1.z * b2_0;
            c1_1 += a0_1.z * b2_1;
            c2_0 += a0_2.z * b2_0;
            c2_1 += a0_2.z * b2_1;
            c3_0 += a0_3.z * b2_0;
            c3_1 += a0_3.z * b2_1;
            c4_0 += a0_4.z * b2_0;
            c4_1 += a0_4.z * b2_1;
            c5_0 += a0_5.z * b2_0;
            c5_1 += a0_5.z * b2_1;
            c6_0 += a0_6.z * b2_0;
            c6_1 += a0_6.z * b2_1;
            c7_0 += a0_7.z * b2_0;
            c7_1 += a0_7.z * b2_1;
            }
        }
        // Results.
        for (var turn = 0u; turn < 2u * count.z; turn++) {
            let i0 = turn * 4u + 0u;
            let v0_0 = select(c0_0, c4_0, turn >= 1u);
            let v0_1 = select(c0_1, c4_1, turn >= 1u);
            store(batch, m0 + ty + i0 * TY, n0 + tx + 0u * TX, v0_0);
            store(batch, m0 + ty + i0 * TY, n0 + tx + 1u * TX, v0_1);
            let i1 = turn * 4u + 1u;
            let v1_0 = select(c1_0, c5_0, turn >= 1u);
            let v1_1 = select(c1_1, c5_1, turn >= 1u);
            store(batch, m0 + ty + i1 * TY, n0 + tx + 0u * TX, v1_0);
            store(batch, m0 + ty + i1 * TY, n0 + tx + 1u * TX, v1_1);
            let i2 = turn * 4u + 2u;
            let v2_0 = select(c2_0, c6_0, turn >= 1u);
            let v2_1 = select(c2_1, c6_1, turn >= 1u);
            store(batch, m0 + ty + i2 * TY, n0 + tx + 0u * TX, v2_0);
            store(batch, m0 + ty + i2 * TY, n0 + tx + 1u * TX, v2_1);
            let i3 = turn * 4u + 3u;
            let v3_0 = select(c3_0, c7_0, turn >= 1u);
            let v3_1 = select(c3_1, c7_1, turn >= 1u);
            store(batch, m0 + ty + i3 * TY, n0 + tx + 0u * TX, v3_0);
            store(batch, m0 + ty + i3 * TY, n0 + tx + 1u * TX, v3_1);
        }
    }
}
