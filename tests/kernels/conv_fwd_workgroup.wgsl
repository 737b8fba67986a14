// conv_fwd: call 4, conv2d of layer1.0.conv1, [16×56×56×64] → [16×56×56×64]
// Workgroup, the fixed choice of tile

// Stage 1 of 1: 784 workgroups; bindings 0 Read, 1 Read, 4 ReadWrite
alias T0 = f32;
alias T1 = f32;
alias T2 = f32;
alias T3 = f32;
alias T4 = f32;
const N: u32 = 16u;
const H: u32 = 56u;
const W: u32 = 56u;
const OH: u32 = 56u;
const OW: u32 = 56u;
const KH: u32 = 3u;
const KW: u32 = 3u;
const SH: u32 = 1u;
const SW: u32 = 1u;
const PT: u32 = 1u;
const PL: u32 = 1u;
const DH: u32 = 1u;
const DW: u32 = 1u;
const GROUPS: u32 = 1u;
const GI4: u32 = 16u;
const GO4: u32 = 16u;
const HAS_BIAS: bool = false;
const HAS_ADDEND: bool = false;
const HAS_RELU: bool = false;
const N_EXACT: bool = true;
const TX: u32 = 8u;
const TY: u32 = 8u;
const TILE_M: u32 = 64u;
const TILE_N: u32 = 16u;
const TILES_M: u32 = 784u;
const TILES_N: u32 = 1u;
const DEPTH: u32 = 4u;
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
const K_EXACT: bool = false;

const NOWHERE: u32 = 0xffffffffu;
fn store(batch: u32, m: u32, n: u32, v: vec4<f32>) { store_at(batch, place(batch, m), n, v); }
// Tap and channels of step s within the tile that begins at step k of the sum.
// With TAPS_EVEN no tile reaches into two taps, and the offset of an operand is computed once per tap, else once per tile.
const TAPS_EVEN: bool = TAP4 % DEPTH == 0u;

// The tap of step k + s.
fn tap_of(k: u32, s: u32) -> u32 {
    return select((k + s) / TAP4, k / TAP4, TAPS_EVEN);
}

// The vector of channels whose offset is computed.
fn channel_of(k: u32, s: u32) -> u32 {
    return select((k + s) % TAP4, s, TAPS_EVEN);
}

// Distance of the tile at k from that vector.
fn since(k: u32) -> u32 {
    return select(0u, k % TAP4, TAPS_EVEN);
}
var<workgroup> tile_a: array<vec4<f32>, 320>;
var<workgroup> tile_b: array<vec4<f32>, 256>;

// The tile of this workgroup: tile column n0 and row m0, in vectors, of one of the products.
@compute @workgroup_size(8, 8)
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
        let ty = lid.y;
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
        let thread = lid.x + lid.y * TX;
        // Where this invocation loads and stores.
        let row0 = a_row(batch, m0 + (thread + 0u) / DEPTH);
        let step0 = (thread + 0u) % DEPTH;
        let at0 = (thread + 0u) / DEPTH * (DEPTH + 1u) + (thread + 0u) % DEPTH;
        let row1 = a_row(batch, m0 + (thread + 64u) / DEPTH);
        let step1 = (thread + 64u) % DEPTH;
        let at1 = (thread + 64u) / DEPTH * (DEPTH + 1u) + (thread + 64u) % DEPTH;
        let row2 = a_row(batch, m0 + (thread + 128u) / DEPTH);
        let step2 = (thread + 128u) % DEPTH;
        let at2 = (thread + 128u) / DEPTH * (DEPTH + 1u) + (thread + 128u) % DEPTH;
        let row3 = a_row(batch, m0 + (thread + 192u) / DEPTH);
        let step3 = (thread + 192u) % DEPTH;
        let at3 = (thread + 192u) / DEPTH * (DEPTH + 1u) + (thread + 192u) % DEPTH;
        // The range of the sum.
        let first = 0u;
        let last = taps(batch) * TAP4;
        var tap0 = a_tap(batch, row0, tap_of(first, step0), channel_of(first, step0));
        var tap1 = a_tap(batch, row1, tap_of(first, step1), channel_of(first, step1));
        var tap2 = a_tap(batch, row2, tap_of(first, step2), channel_of(first, step2));
        var tap3 = a_tap(batch, row3, tap_of(first, step3), channel_of(first, step3));
        var weights0 = b_place(b_tap(batch, tap_of(first, (thread + 0u) / TILE_N / 4u)), channel_of(first, (thread + 0u) / TILE_N / 4u) * 4u + (thread + 0u) / TILE_N % 4u, n0 + (thread + 0u) % TILE_N);
        var weights1 = b_place(b_tap(batch, tap_of(first, (thread + 64u) / TILE_N / 4u)), channel_of(first, (thread + 64u) / TILE_N / 4u) * 4u + (thread + 64u) / TILE_N % 4u, n0 + (thread + 64u) % TILE_N);
        var weights2 = b_place(b_tap(batch, tap_of(first, (thread + 128u) / TILE_N / 4u)), channel_of(first, (thread + 128u) / TILE_N / 4u) * 4u + (thread + 128u) / TILE_N % 4u, n0 + (thread + 128u) % TILE_N);
        var weights3 = b_place(b_tap(batch, tap_of(first, (thread + 192u) / TILE_N / 4u)), channel_of(first, (thread + 192u) / TILE_N / 4u) * 4u + (thread + 192u) / TILE_N % 4u, n0 + (thread + 192u) % TILE_N);
        // The loop over the tiles of the sum.
        for (var k = first; k < last; k += DEPTH) {
            // The places of a new tap.
            if (!TAPS_EVEN || k % TAP4 == 0u) {
                tap0 = a_tap(batch, row0, tap_of(k, step0), channel_of(k, step0));
                tap1 = a_tap(batch, row1, tap_of(k, step1), channel_of(k, step1));
                tap2 = a_tap(batch, row2, tap_of(k, step2), channel_of(k, step2));
                tap3 = a_tap(batch, row3, tap_of(k, step3), channel_of(k, step3));
                weights0 = b_place(b_tap(batch, tap_of(k, (thread + 0u) / TILE_N / 4u)), channel_of(k, (thread + 0u) / TILE_N / 4u) * 4u + (thread + 0u) / TILE_N % 4u, n0 + (thread + 0u) % TILE_N);
                weights1 = b_place(b_tap(batch, tap_of(k, (thread + 64u) / TILE_N / 4u)), channel_of(k, (thread + 64u) / TILE_N / 4u) * 4u + (thread + 64u) / TILE_N % 4u, n0 + (thread + 64u) % TILE_N);
                weights2 = b_place(b_tap(batch, tap_of(k, (thread + 128u) / TILE_N / 4u)), channel_of(k, (thread + 128u) / TILE_N / 4u) * 4u + (thread + 128u) / TILE_N % 4u, n0 + (thread + 128u) % TILE_N);
                weights3 = b_place(b_tap(batch, tap_of(k, (thread + 192u) / TILE_N / 4u)), channel_of(k, (thread + 192u) / TILE_N / 4u) * 4u + (thread + 192u) / TILE_N % 4u, n0 + (thread + 192u) % TILE_N);
            }
            // Loads the tiles.
            let next_a0 = vec4<f32>(a_load(tap0, since(k)));
            let next_a1 = vec4<f32>(a_load(tap1, since(k)));
            let next_a2 = vec4<f32>(a_load(tap2, since(k)));
            let next_a3 = vec4<f32>(a_load(tap3, since(k)));
            let next_b0 = vec4<f32>(b_load(weights0, since(k) * 4u + 0u));
            let next_b1 = vec4<f32>(b_load(weights1, since(k) * 4u + 0u));
            let next_b2 = vec4<f32>(b_load(weights2, since(k) * 4u + 0u));
            let next_b3 = vec4<f32>(b_load(weights3, since(k) * 4u + 0u));
            {
            let half_a = 0u * 320u;
            let half_b = 0u * 256u;
            tile_a[half_a + at0] = next_a0;
            tile_a[half_a + at1] = next_a1;
            tile_a[half_a + at2] = next_a2;
            tile_a[half_a + at3] = next_a3;
            tile_b[half_b + (thread + 0u)] = next_b0;
            tile_b[half_b + (thread + 64u)] = next_b1;
            tile_b[half_b + (thread + 128u)] = next_b2;
            tile_b[half_b + (thread + 192u)] = next_b3;
            }
            workgroupBarrier();
            // Multiplies them.
            let half_a = 0u * 320u;
            let half_b = 0u * 256u;
            for (var s = 0u; s < DEPTH; s += 1u) {
            let from_a = half_a + ty * (DEPTH + 1u) + s;
            let from_b = half_b + s * (4u * TILE_N) + tx;
            let a0_0 = tile_a[from_a + (0u * TILE_M + 0u * (TY * (DEPTH + 1u)))];
            let a0_1 = tile_a[from_a + (0u * TILE_M + 1u * (TY * (DEPTH + 1u)))];
            let a0_2 = tile_a[from_a + (0u * TILE_M + 2u * (TY * (DEPTH + 1u)))];
            let a0_3 = tile_a[from_a + (0u * TILE_M + 3u * (TY * (DEPTH + 1u)))];
            let a0_4 = tile_a[from_a + (0u * TILE_M + 4u * (TY * (DEPTH + 1u)))];
            let a0_5 = tile_a[from_a + (0u * TILE_M + 5u * (TY * (DEPTH + 1u)))];
            let a0_6 = tile_a[from_a + (0u * TILE_M + 6u * (TY * (DEPTH + 1u)))];
            let a0_7 = tile_a[from_a + (0u * TILE_M + 7u * (TY * (DEPTH + 1u)))];
            let b0_0 = tile_b[from_b + (0u * TILE_N + 0u * TX)];
            let b0_1 = tile_b[from_b + (0u * TILE_N + 1u * TX)];
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
            let b1_0 = tile_b[from_b + (1u * TILE_N + 0u * TX)];
            let b1_1 = tile_b[from_b + (1u * TILE_N + 1u * TX)];
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
            let b2_0 = tile_b[from_b + (2u * TILE_N + 0u * TX)];
            let b2_1 = tile_b[from_b + (2u * TILE_N + 1u * TX)];
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
            let b3_0 = tile_b[from_b + (3u * TILE_N + 0u * TX)];
            let b3_1 = tile_b[from_b + (3u * TILE_N + 1u * TX)];
            c0_0 += a0_0.w * b3_0;
            c0_1 += a0_0.w * b3_1;
            c1_0 += a0_1.w * b3_0;
            c1_1 += a0_1.w * b3_1;
            c2_0 += a0_2.w * b3_0;
            c2_1 += a0_2.w * b3_1;
            c3_0 += a0_3.w * b3_0;
            c3_1 += a0_3.w * b3_1;
            c4_0 += a0_4.w * b3_0;
            c4_1 += a0_4.w * b3_1;
            c5_0 += a0_5.w * b3_0;
            c5_1 += a0_5.w * b3_1;
            c6_0 += a0_6.w * b3_0;
            c6_1 += a0_6.w * b3_1;
            c7_0 += a0_7.w * b3_0;
            c7_1 += a0_7.w * b3_1;
            }
            workgroupBarrier();
        }
        // Results.
        store(batch, m0 + ty + 0u * TY, n0 + tx + 0u * TX, c0_0);
        store(batch, m0 + ty + 0u * TY, n0 + tx + 1u * TX, c0_1);
        store(batch, m0 + ty + 1u * TY, n0 + tx + 0u * TX, c1_0);
        store(batch, m0 + ty + 1u * TY, n0 + tx + 1u * TX, c1_1);
        store(batch, m0 + ty + 2u * TY, n0 + tx + 0u * TX, c2_0);
        store(batch, m0 + ty + 2u * TY, n0 + tx + 1u * TX, c2_1);
        store(batch, m0 + ty + 3u * TY, n0 + tx + 0u * TX, c3_0);
        store(batch, m0 + ty + 3u * TY, n0 + tx + 1u * TX, c3_1);
        store(batch, m0 + ty + 4u * TY, n0 + tx + 0u * TX, c4_0);
        store(batch, m0 + ty + 4u * TY, n0 + tx + 1u * TX, c4_1);
        store(batch, m0 + ty + 5u * TY, n0 + tx + 0u * TX, c5_0);
        store(batch, m0 + ty + 5u * TY, n0 + tx + 1u * TX, c5_1);
        store(batch, m0 + ty + 6u * TY, n0 + tx + 0u * TX, c6_0);
        store(batch, m0 + ty + 6u * TY, n0 + tx + 1u * TX, c6_1);
        store(batch, m0 + ty + 7u * TY, n0 + tx + 0u * TX, c7_0);
        store(batch, m0 + ty + 7u * TY, n0 + tx + 1u * TX, c7_1);
    }
}
