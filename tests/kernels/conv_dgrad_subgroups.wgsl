// conv_dgrad: call 94, conv2d_input_grad of layer3.0.conv1, [4×4×4×256] → [4×8×8×128]
// Subgroup, sizes at run time, the fixed choice of tile

// Stage 1 of 1: 64 workgroups; bindings 0 Read, 1 Read, 3 Read, 4 ReadWrite; sizes [4, 8, 8, 4, 4, 32, 64, 0, 1, 2, 1, 2, 2, 1, 0, 4, 4, 0, 1, 2, 1, 2, 2, 1, 0, 4, 4, 4, 4]
alias T0 = f32;
alias T1 = f32;
alias T2 = f32;
alias T3 = f32;
alias T4 = f32;
struct Sizes { N: u32, H: u32, W: u32, OH: u32, OW: u32, GI4: u32, GO4: u32, H_TAP: array<u32, 2>, H_TAPS: array<u32, 2>, H_STEP: array<u32, 2>, H_START: array<u32, 2>, H_COUNT: array<u32, 2>, W_TAP: array<u32, 2>, W_TAPS: array<u32, 2>, W_STEP: array<u32, 2>, W_START: array<u32, 2>, W_COUNT: array<u32, 2>, TILES_M: u32, TILES_N: u32, }
var<immediate> sizes: Sizes;
var<private> N: u32;
var<private> H: u32;
var<private> W: u32;
var<private> OH: u32;
var<private> OW: u32;
const KW: u32 = 3u;
const SH: u32 = 2u;
const SW: u32 = 2u;
const PT: u32 = 1u;
const PL: u32 = 1u;
const DH: u32 = 1u;
const DW: u32 = 1u;
const GROUPS: u32 = 1u;
var<private> GI4: u32;
var<private> GO4: u32;
fn H_TAP(phase: u32) -> u32 { return sizes.H_TAP[phase]; }
fn H_TAPS(phase: u32) -> u32 { return sizes.H_TAPS[phase]; }
fn H_STEP(phase: u32) -> u32 { return sizes.H_STEP[phase]; }
fn H_START(phase: u32) -> u32 { return sizes.H_START[phase]; }
fn H_COUNT(phase: u32) -> u32 { return sizes.H_COUNT[phase]; }
fn W_TAP(phase: u32) -> u32 { return sizes.W_TAP[phase]; }
fn W_TAPS(phase: u32) -> u32 { return sizes.W_TAPS[phase]; }
fn W_STEP(phase: u32) -> u32 { return sizes.W_STEP[phase]; }
fn W_START(phase: u32) -> u32 { return sizes.W_START[phase]; }
fn W_COUNT(phase: u32) -> u32 { return sizes.W_COUNT[phase]; }
const HAS_RELU: bool = false;
const N_EXACT: bool = true;
const TX: u32 = 8u;
const TY: u32 = 1u;
const TILE_M: u32 = 16u;
const TILE_N: u32 = 8u;
var<private> TILES_M: u32;
var<private> TILES_N: u32;
var<private> I4: u32;
var<private> O4: u32;
var<private> TAP4: u32;
const BATCH: u32 = GROUPS * SH * SW;
const NOWHERE: u32 = 0xffffffffu;
fn with_bias(sum: vec4<f32>, channel: u32) -> vec4<f32> { return sum; }
@group(0) @binding(3) var<storage, read> addend: array<vec4<T3>>;
fn with_addend(sum: vec4<f32>, at: u32) -> vec4<f32> {
    return sum + vec4<f32>(addend[at]);
}
fn ended(sum: vec4<f32>, channel: u32, at: u32) -> vec4<f32> {
    let r = with_addend(with_bias(sum, channel), at);
    if (HAS_RELU) {
        return select(r, vec4<f32>(), r < vec4<f32>());
    }
    return r;
}
@group(0) @binding(0) var<storage, read> operand_a: array<vec4<T0>>;
@group(0) @binding(1) var<storage, read> operand_b: array<vec4<T1>>;
fn a_at(i: u32) -> vec4<T0> { return operand_a[i]; }
fn b_at(i: u32) -> vec4<T1> { return operand_b[i]; }
@group(0) @binding(4) var<storage, read_write> d_x: array<vec4<T4>>;
fn group(batch: u32) -> u32 { return batch / (SH * SW); }
fn h_phase(batch: u32) -> u32 { return (batch / SW) % SH; }
fn w_phase(batch: u32) -> u32 { return batch % SW; }
fn m_count(batch: u32) -> u32 { return N * H_COUNT(h_phase(batch)) * W_COUNT(w_phase(batch)); }
fn taps(batch: u32) -> u32 { return H_TAPS(h_phase(batch)) * W_TAPS(w_phase(batch)); }
fn kernel_position(batch: u32, tap: u32) -> vec2<u32> {
    let hp = h_phase(batch);
    let wp = w_phase(batch);
    let taps_w = max(W_TAPS(wp), 1u);
    return vec2<u32>(H_TAP(hp) + (tap / taps_w) * H_STEP(hp), W_TAP(wp) + (tap % taps_w) * W_STEP(wp));
}
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
struct Tap { at: u32, inside: bool }
fn a_tap(batch: u32, row: Row, tap: u32, c: u32) -> Tap {
    let k = kernel_position(batch, tap);
    let ih = row.ih + PT - k.x * DH;
    let iw = row.iw + PL - k.y * DW;
    let inside = tap < taps(batch) && ih < OH * SH && iw < OW * SW;
    let at = ((row.image * OH + ih / SH) * OW + iw / SW) * O4 + group(batch) * GO4;
    return Tap(select(0u, at, inside) + c, inside);
}
fn a_load(tap: Tap, c: u32) -> vec4<T0> {
    return select(vec4<T0>(), a_at(tap.at + c), tap.inside);
}
fn b_tap(batch: u32, tap: u32) -> u32 {
    let k = kernel_position(batch, min(tap, max(taps(batch), 1u) - 1u));
    return (((k.x * KW + k.y) * GROUPS + group(batch)) * (GO4 * 4u)) * GI4;
}
fn b_place(tap: u32, k: u32, n: u32) -> u32 {
    return tap + k * GI4 + select(0u, n, N_EXACT || n < GI4);
}
fn b_load(at: u32, k: u32) -> vec4<T1> {
    return b_at(at + k * GI4);
}
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
fn store(batch: u32, m: u32, n: u32, v: vec4<f32>) { store_at(batch, place(batch, m), n, v); }
@compute @workgroup_size(8)
fn main(
    @builtin(workgroup_id) wid: vec3<u32>,
    @builtin(num_workgroups) count: vec3<u32>,
    @builtin(subgroup_invocation_id) lane: u32,
) {
    N = sizes.N;
    H = sizes.H;
    W = sizes.W;
    OH = sizes.OH;
    OW = sizes.OW;
    GI4 = sizes.GI4;
    GO4 = sizes.GO4;
    TILES_M = sizes.TILES_M;
    TILES_N = sizes.TILES_N;
    I4 = GROUPS * GI4;
    O4 = GROUPS * GO4;
    TAP4 = GO4;
    let tile = wid.x + wid.y * count.x;
    let product = tile / (TILES_N * TILES_M);
    let batch = product;
    if (product < BATCH) {
        let n0 = (tile % TILES_N) * TILE_N;
        let m0 = ((tile / TILES_N) % TILES_M) * TILE_M;
        let tx = lane % TX;
        let ty = 0u;
        var c0_0 = vec4<f32>();
        var c1_0 = vec4<f32>();
        var c2_0 = vec4<f32>();
        var c3_0 = vec4<f32>();
        var c4_0 = vec4<f32>();
        var c5_0 = vec4<f32>();
        var c6_0 = vec4<f32>();
        var c7_0 = vec4<f32>();
        var c8_0 = vec4<f32>();
        var c9_0 = vec4<f32>();
        var c10_0 = vec4<f32>();
        var c11_0 = vec4<f32>();
        var c12_0 = vec4<f32>();
        var c13_0 = vec4<f32>();
        var c14_0 = vec4<f32>();
        var c15_0 = vec4<f32>();
        let row0 = a_row(batch, m0 + lane + 0u);
        let row1 = a_row(batch, m0 + lane + 8u);
        for (var tap = 0u; tap < taps(batch); tap++) {
            let tap0 = a_tap(batch, row0, tap, 0u);
            let tap1 = a_tap(batch, row1, tap, 0u);
            let weights = b_tap(batch, tap);
            for (var c = 0u; c < TAP4; c++) {
            let v0 = vec4<f32>(a_load(tap0, c));
            let v1 = vec4<f32>(a_load(tap1, c));
            let a0_0 = subgroupShuffle(v0, 0u);
            let a0_1 = subgroupShuffle(v0, 1u);
            let a0_2 = subgroupShuffle(v0, 2u);
            let a0_3 = subgroupShuffle(v0, 3u);
            let a0_4 = subgroupShuffle(v0, 4u);
            let a0_5 = subgroupShuffle(v0, 5u);
            let a0_6 = subgroupShuffle(v0, 6u);
            let a0_7 = subgroupShuffle(v0, 7u);
            let a0_8 = subgroupShuffle(v1, 0u);
            let a0_9 = subgroupShuffle(v1, 1u);
            let a0_10 = subgroupShuffle(v1, 2u);
            let a0_11 = subgroupShuffle(v1, 3u);
            let a0_12 = subgroupShuffle(v1, 4u);
            let a0_13 = subgroupShuffle(v1, 5u);
            let a0_14 = subgroupShuffle(v1, 6u);
            let a0_15 = subgroupShuffle(v1, 7u);
            let b0_0 = vec4<f32>(b_load(b_place(weights, 0u, n0 + tx + 0u * TX), c * 4u + 0u));
            c0_0 += a0_0.x * b0_0;
            c1_0 += a0_1.x * b0_0;
            c2_0 += a0_2.x * b0_0;
            c3_0 += a0_3.x * b0_0;
            c4_0 += a0_4.x * b0_0;
            c5_0 += a0_5.x * b0_0;
            c6_0 += a0_6.x * b0_0;
            c7_0 += a0_7.x * b0_0;
            c8_0 += a0_8.x * b0_0;
            c9_0 += a0_9.x * b0_0;
            c10_0 += a0_10.x * b0_0;
            c11_0 += a0_11.x * b0_0;
            c12_0 += a0_12.x * b0_0;
            c13_0 += a0_13.x * b0_0;
            c14_0 += a0_14.x * b0_0;
            c15_0 += a0_15.x * b0_0;
            let b1_0 = vec4<f32>(b_load(b_place(weights, 0u, n0 + tx + 0u * TX), c * 4u + 1u));
            c0_0 += a0_0.y * b1_0;
            c1_0 += a0_1.y * b1_0;
            c2_0 += a0_2.y * b1_0;
            c3_0 += a0_3.y * b1_0;
            c4_0 += a0_4.y * b1_0;
            c5_0 += a0_5.y * b1_0;
            c6_0 += a0_6.y * b1_0;
            c7_0 += a0_7.y * b1_0;
            c8_0 += a0_8.y * b1_0;
            c9_0 += a0_9.y * b1_0;
            c10_0 += a0_10.y * b1_0;
            c11_0 += a0_11.y * b1_0;
            c12_0 += a0_12.y * b1_0;
            c13_0 += a0_13.y * b1_0;
            c14_0 += a0_14.y * b1_0;
            c15_0 += a0_15.y * b1_0;
            let b2_0 = vec4<f32>(b_load(b_place(weights, 0u, n0 + tx + 0u * TX), c * 4u + 2u));
            c0_0 += a0_0.z * b2_0;
            c1_0 += a0_1.z * b2_0;
            c2_0 += a0_2.z * b2_0;
            c3_0 += a0_3.z * b2_0;
            c4_0 += a0_4.z * b2_0;
            c5_0 += a0_5.z * b2_0;
            c6_0 += a0_6.z * b2_0;
            c7_0 += a0_7.z * b2_0;
            c8_0 += a0_8.z * b2_0;
            c9_0 += a0_9.z * b2_0;
            c10_0 += a0_10.z * b2_0;
            c11_0 += a0_11.z * b2_0;
            c12_0 += a0_12.z * b2_0;
            c13_0 += a0_13.z * b2_0;
            c14_0 += a0_14.z * b2_0;
            c15_0 += a0_15.z * b2_0;
            let b3_0 = vec4<f32>(b_load(b_place(weights, 0u, n0 + tx + 0u * TX), c * 4u + 3u));
            c0_0 += a0_0.w * b3_0;
            c1_0 += a0_1.w * b3_0;
            c2_0 += a0_2.w * b3_0;
            c3_0 += a0_3.w * b3_0;
            c4_0 += a0_4.w * b3_0;
            c5_0 += a0_5.w * b3_0;
            c6_0 += a0_6.w * b3_0;
            c7_0 += a0_7.w * b3_0;
            c8_0 += a0_8.w * b3_0;
            c9_0 += a0_9.w * b3_0;
            c10_0 += a0_10.w * b3_0;
            c11_0 += a0_11.w * b3_0;
            c12_0 += a0_12.w * b3_0;
            c13_0 += a0_13.w * b3_0;
            c14_0 += a0_14.w * b3_0;
            c15_0 += a0_15.w * b3_0;
            }
        }
        let place0 = place(batch, m0 + lane + 0u);
        let place1 = place(batch, m0 + lane + 8u);
        for (var turn = 0u; turn < 4u * count.z; turn++) {
            let i0 = turn * 4u + 0u;
            let v0_0 = select(select(c0_0, c4_0, turn >= 1u), select(c8_0, c12_0, turn >= 3u), turn >= 2u);
            let to0 = subgroupShuffle(select(place0, place1, i0 * TY / 8u >= 1u), i0 * TY % 8u + ty);
            store_at(batch, to0, n0 + tx + 0u * TX, v0_0);
            let i1 = turn * 4u + 1u;
            let v1_0 = select(select(c1_0, c5_0, turn >= 1u), select(c9_0, c13_0, turn >= 3u), turn >= 2u);
            let to1 = subgroupShuffle(select(place0, place1, i1 * TY / 8u >= 1u), i1 * TY % 8u + ty);
            store_at(batch, to1, n0 + tx + 0u * TX, v1_0);
            let i2 = turn * 4u + 2u;
            let v2_0 = select(select(c2_0, c6_0, turn >= 1u), select(c10_0, c14_0, turn >= 3u), turn >= 2u);
            let to2 = subgroupShuffle(select(place0, place1, i2 * TY / 8u >= 1u), i2 * TY % 8u + ty);
            store_at(batch, to2, n0 + tx + 0u * TX, v2_0);
            let i3 = turn * 4u + 3u;
            let v3_0 = select(select(c3_0, c7_0, turn >= 1u), select(c11_0, c15_0, turn >= 3u), turn >= 2u);
            let to3 = subgroupShuffle(select(place0, place1, i3 * TY / 8u >= 1u), i3 * TY % 8u + ty);
            store_at(batch, to3, n0 + tx + 0u * TX, v3_0);
        }
    }
}
