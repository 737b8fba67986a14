// conv_wgrad: call 98, conv2d_weight_grad of layer2.1.conv2, [4×8×8×128] → [3×3×128×128]
// Workgroup, the fixed choice of tile

// Stage 1 of 1: 36 workgroups; bindings 0 Read, 1 Read, 2 ReadWrite
alias T0 = f32;
alias T1 = f32;
alias T2 = f32;
const N: u32 = 4u;
const H: u32 = 8u;
const W: u32 = 8u;
const OH: u32 = 8u;
const OW: u32 = 8u;
const KH: u32 = 3u;
const KW: u32 = 3u;
const SH: u32 = 1u;
const SW: u32 = 1u;
const PT: u32 = 1u;
const PL: u32 = 1u;
const DH: u32 = 1u;
const DW: u32 = 1u;
const GROUPS: u32 = 1u;
const GI4: u32 = 32u;
const GO4: u32 = 32u;
const SPLITS: u32 = 1u;
const CHUNK: u32 = 256u;
const N_EXACT: bool = true;
const TX: u32 = 8u;
const TY: u32 = 8u;
const TILE_M: u32 = 16u;
const TILE_N: u32 = 16u;
const TILES_M: u32 = 18u;
const TILES_N: u32 = 2u;
const DEPTH: u32 = 16u;
// Operands of a matrix kernel in buffers, as vectors.
@group(0) @binding(0) var<storage, read> operand_a: array<vec4<T0>>;
@group(0) @binding(1) var<storage, read> operand_b: array<vec4<T1>>;

fn a_at(i: u32) -> vec4<T0> { return operand_a[i]; }
fn b_at(i: u32) -> vec4<T1> { return operand_b[i]; }
// Gradient of conv2d for its weight as an implicit matrix product, one per group and split of the sum:
//   dw[m, n] = Σ_k x[input pixel that tap of m reaches from output pixel k, channel of m] · dy[k, n]
// Mapping: m = (kh, kw, input channel of the group); k = (n, oh, ow); n = output channel of the group.
// Batch: `batch` = (split, group).
// Splits: the sum is long and the result small, so it has SPLITS parts of CHUNK pixels. sum_partials adds them in order.
// Layout: x N H W I, dy N OH OW O, dw SPLITS KH KW I O, as vectors of 4 channels.
// With: a file of operands/ for x (`a_at`) and dy (`b_at`).
// Tile and grid: see exec/shader/gemm.rs.
@group(0) @binding(2) var<storage, read_write> dw: array<vec4<f32>>;

const I4: u32 = GROUPS * GI4;
const O4: u32 = GROUPS * GO4;
const BATCH: u32 = GROUPS * SPLITS;
// Number of terms of the whole sum, and of one part.
const K_ALL: u32 = N * OH * OW;
const K_PART: u32 = CHUNK;
// Outside every image. 2 FAR does not overflow.
const FAR: i32 = 0x30000000i;
// Output pixels have the offsets of input pixels.
const SAME_SIZE: bool = SH == 1u && SW == 1u && OH == H && OW == W;

// A row of `m_count` and `a_row` is a vector of 4 input channels.
fn m_count(batch: u32) -> u32 { return KH * KW * GI4; }
fn k_begin(batch: u32) -> u32 { return (batch / GROUPS) * CHUNK; }
fn k_end(batch: u32) -> u32 { return min((batch / GROUPS + 1u) * CHUNK, K_ALL); }

// Distance of a row's tap from the input position of tap (0, 0): in pixels, and `at` in vectors to the row's channels. The
// tap of a row beyond the last is far outside.
struct Row { dh: i32, dw: i32, at: u32 }

fn a_row(batch: u32, m: u32) -> Row {
    let tap = m / GI4;
    let dh = i32((tap / KW) * DH) - i32(PT);
    let dw = i32((tap % KW) * DW) - i32(PL);
    return row_at(batch, dh, dw, m % GI4, m < KH * KW * GI4);
}

fn row_at(batch: u32, dh: i32, dw: i32, channel: u32, there: bool) -> Row {
    let at = u32(dh * i32(W) + dw) * I4 + (batch % GROUPS) * GI4 + channel;
    return Row(select(-FAR, dh, there), dw, at);
}

// Input position of tap (0, 0) of an output pixel, without padding, and its first vector. A pixel beyond the last is far
// outside.
struct Pixel { ih: i32, iw: i32, at: u32 }

fn pixel(batch: u32, k: u32) -> Pixel {
    let ih = ((k / OW) % OH) * SH;
    let iw = (k % OW) * SW;
    let at = select((k / (OW * OH)) * (H * W) + ih * W + iw, k, SAME_SIZE);
    return Pixel(select(-FAR, i32(ih), K_EXACT || k < k_end(batch)), i32(iw), at * I4);
}

// The next pixel: the one to the right, the first of the next row, or the first of the next image.
fn next_pixel(p: Pixel) -> Pixel {
    let right = p.iw + i32(SW);
    let below = right >= i32(OW * SW);
    let ih = p.ih + select(0i, i32(SH), below);
    let beyond = ih >= i32(OH * SH);
    // Negative distances wrap.
    let at = p.at + I4 * (SW + select(0u, SH * W - OW * SW, below) + select(0u, (H - OH * SH) * W, beyond));
    return Pixel(select(ih, 0i, beyond), select(right, 0i, below), at);
}

// Whether a tap reaches the image. Negative positions are large as unsigned numbers.
fn reaches(row: Row, p: Pixel) -> bool {
    return u32(p.ih + row.dh) < H && u32(p.iw + row.dw) < W;
}

// The distance of a tap above or left of its pixel is negative and wraps; inside the image the sum wraps back. Outside the
// image it reads the first vector and drops it: no branch, no stray read.
fn a_load(row: Row, p: Pixel) -> vec4<T0> {
    let inside = reaches(row, p);
    return select(vec4<T0>(), a_at(select(0u, p.at + row.at, inside)), inside);
}

fn b_load(batch: u32, k: u32, n: u32) -> vec4<T1> {
    let inside = (K_EXACT || k < k_end(batch)) && (N_EXACT || n < GO4);
    let at = select(0u, k * O4 + (batch % GROUPS) * GO4 + n, inside);
    return select(vec4<T1>(), b_at(at), inside);
}

// A row of the result is one input channel: m = vector of input channels · 4 + lane.
fn store(batch: u32, m: u32, n: u32, v: vec4<f32>) {
    if (m < KH * KW * GI4 * 4u && (N_EXACT || n < GO4)) {
        let part = (batch / GROUPS) * (KH * KW * GI4 * 4u);
        dw[(part + m) * O4 + (batch % GROUPS) * GO4 + n] = v;
    }
}
const K_EXACT: bool = K_ALL % DEPTH == 0u && K_PART % DEPTH == 0u;
var<workgroup> tile_a: array<vec4<f32>, 256>;
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
        let row0 = a_row(batch, m0 + (thread + 0u) % TILE_M);
        let step0 = (thread + 0u) / TILE_M;
        let at0 = (thread + 0u);
        let row1 = a_row(batch, m0 + (thread + 64u) % TILE_M);
        let step1 = (thread + 64u) / TILE_M;
        let at1 = (thread + 64u);
        let row2 = a_row(batch, m0 + (thread + 128u) % TILE_M);
        let step2 = (thread + 128u) / TILE_M;
        let at2 = (thread + 128u);
        let row3 = a_row(batch, m0 + (thread + 192u) % TILE_M);
        let step3 = (thread + 192u) / TILE_M;
        let at3 = (thread + 192u);
        // The range of the sum.
        let first = k_begin(batch);
        let last = k_end(batch);
        // The loop over the tiles of the sum.
        for (var k = first; k < last; k += DEPTH) {
            // Loads the tiles.
            let next_a0 = vec4<f32>(a_load(row0, pixel(batch, k + step0)));
            let next_a1 = vec4<f32>(a_load(row1, pixel(batch, k + step1)));
            let next_a2 = vec4<f32>(a_load(row2, pixel(batch, k + step2)));
            let next_a3 = vec4<f32>(a_load(row3, pixel(batch, k + step3)));
            let next_b0 = vec4<f32>(b_load(batch, k + (thread + 0u) / TILE_N + 0u, n0 + (thread + 0u) % TILE_N));
            let next_b1 = vec4<f32>(b_load(batch, k + (thread + 64u) / TILE_N + 0u, n0 + (thread + 64u) % TILE_N));
            let next_b2 = vec4<f32>(b_load(batch, k + (thread + 128u) / TILE_N + 0u, n0 + (thread + 128u) % TILE_N));
            let next_b3 = vec4<f32>(b_load(batch, k + (thread + 192u) / TILE_N + 0u, n0 + (thread + 192u) % TILE_N));
            {
            let half_a = 0u * 256u;
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
            let half_a = 0u * 256u;
            let half_b = 0u * 256u;
            for (var s = 0u; s < DEPTH; s += 4u) {
            let from_a = half_a + s * TILE_M + ty;
            let from_b = half_b + s * TILE_N + tx;
            let a0_0 = tile_a[from_a + (0u * TILE_M + 0u * TY)];
            let a0_1 = tile_a[from_a + (0u * TILE_M + 1u * TY)];
            let b0_0 = tile_b[from_b + (0u * TILE_N + 0u * TX)];
            let b0_1 = tile_b[from_b + (0u * TILE_N + 1u * TX)];
            c0_0 += a0_0.x * b0_0;
            c0_1 += a0_0.x * b0_1;
            c1_0 += a0_0.y * b0_0;
            c1_1 += a0_0.y * b0_1;
            c2_0 += a0_0.z * b0_0;
            c2_1 += a0_0.z * b0_1;
            c3_0 += a0_0.w * b0_0;
            c3_1 += a0_0.w * b0_1;
            c4_0 += a0_1.x * b0_0;
            c4_1 += a0_1.x * b0_1;
            c5_0 += a0_1.y * b0_0;
            c5_1 += a0_1.y * b0_1;
            c6_0 += a0_1.z * b0_0;
            c6_1 += a0_1.z * b0_1;
            c7_0 += a0_1.w * b0_0;
            c7_1 += a0_1.w * b0_1;
            let a1_0 = tile_a[from_a + (1u * TILE_M + 0u * TY)];
            let a1_1 = tile_a[from_a + (1u * TILE_M + 1u * TY)];
            let b1_0 = tile_b[from_b + (1u * TILE_N + 0u * TX)];
            let b1_1 = tile_b[from_b + (1u * TILE_N + 1u * TX)];
            c0_0 += a1_0.x * b1_0;
            c0_1 += a1_0.x * b1_1;
            c1_0 += a1_0.y * b1_0;
            c1_1 += a1_0.y * b1_1;
            c2_0 += a1_0.z * b1_0;
            c2_1 += a1_0.z * b1_1;
            c3_0 += a1_0.w * b1_0;
            c3_1 += a1_0.w * b1_1;
            c4_0 += a1_1.x * b1_0;
            c4_1 += a1_1.x * b1_1;
            c5_0 += a1_1.y * b1_0;
            c5_1 += a1_1.y * b1_1;
            c6_0 += a1_1.z * b1_0;
            c6_1 += a1_1.z * b1_1;
            c7_0 += a1_1.w * b1_0;
            c7_1 += a1_1.w * b1_1;
            let a2_0 = tile_a[from_a + (2u * TILE_M + 0u * TY)];
            let a2_1 = tile_a[from_a + (2u * TILE_M + 1u * TY)];
            let b2_0 = tile_b[from_b + (2u * TILE_N + 0u * TX)];
            let b2_1 = tile_b[from_b + (2u * TILE_N + 1u * TX)];
            c0_0 += a2_0.x * b2_0;
            c0_1 += a2_0.x * b2_1;
            c1_0 += a2_0.y * b2_0;
            c1_1 += a2_0.y * b2_1;
            c2_0 += a2_0.z * b2_0;
            c2_1 += a2_0.z * b2_1;
            c3_0 += a2_0.w * b2_0;
            c3_1 += a2_0.w * b2_1;
            c4_0 += a2_1.x * b2_0;
            c4_1 += a2_1.x * b2_1;
            c5_0 += a2_1.y * b2_0;
            c5_1 += a2_1.y * b2_1;
            c6_0 += a2_1.z * b2_0;
            c6_1 += a2_1.z * b2_1;
            c7_0 += a2_1.w * b2_0;
            c7_1 += a2_1.w * b2_1;
            let a3_0 = tile_a[from_a + (3u * TILE_M + 0u * TY)];
            let a3_1 = tile_a[from_a + (3u * TILE_M + 1u * TY)];
            let b3_0 = tile_b[from_b + (3u * TILE_N + 0u * TX)];
            let b3_1 = tile_b[from_b + (3u * TILE_N + 1u * TX)];
            c0_0 += a3_0.x * b3_0;
            c0_1 += a3_0.x * b3_1;
            c1_0 += a3_0.y * b3_0;
            c1_1 += a3_0.y * b3_1;
            c2_0 += a3_0.z * b3_0;
            c2_1 += a3_0.z * b3_1;
            c3_0 += a3_0.w * b3_0;
            c3_1 += a3_0.w * b3_1;
            c4_0 += a3_1.x * b3_0;
            c4_1 += a3_1.x * b3_1;
            c5_0 += a3_1.y * b3_0;
            c5_1 += a3_1.y * b3_1;
            c6_0 += a3_1.z * b3_0;
            c6_1 += a3_1.z * b3_1;
            c7_0 += a3_1.w * b3_0;
            c7_1 += a3_1.w * b3_1;
            }
            workgroupBarrier();
        }
        // Results.
        store(batch, (m0 + ty + 0u / 4u * TY) * 4u + 0u % 4u, n0 + tx + 0u * TX, c0_0);
        store(batch, (m0 + ty + 0u / 4u * TY) * 4u + 0u % 4u, n0 + tx + 1u * TX, c0_1);
        store(batch, (m0 + ty + 1u / 4u * TY) * 4u + 1u % 4u, n0 + tx + 0u * TX, c1_0);
        store(batch, (m0 + ty + 1u / 4u * TY) * 4u + 1u % 4u, n0 + tx + 1u * TX, c1_1);
        store(batch, (m0 + ty + 2u / 4u * TY) * 4u + 2u % 4u, n0 + tx + 0u * TX, c2_0);
        store(batch, (m0 + ty + 2u / 4u * TY) * 4u + 2u % 4u, n0 + tx + 1u * TX, c2_1);
        store(batch, (m0 + ty + 3u / 4u * TY) * 4u + 3u % 4u, n0 + tx + 0u * TX, c3_0);
        store(batch, (m0 + ty + 3u / 4u * TY) * 4u + 3u % 4u, n0 + tx + 1u * TX, c3_1);
        store(batch, (m0 + ty + 4u / 4u * TY) * 4u + 4u % 4u, n0 + tx + 0u * TX, c4_0);
        store(batch, (m0 + ty + 4u / 4u * TY) * 4u + 4u % 4u, n0 + tx + 1u * TX, c4_1);
        store(batch, (m0 + ty + 5u / 4u * TY) * 4u + 5u % 4u, n0 + tx + 0u * TX, c5_0);
        store(batch, (m0 + ty + 5u / 4u * TY) * 4u + 5u % 4u, n0 + tx + 1u * TX, c5_1);
        store(batch, (m0 + ty + 6u / 4u * TY) * 4u + 6u % 4u, n0 + tx + 0u * TX, c6_0);
        store(batch, (m0 + ty + 6u / 4u * TY) * 4u + 6u % 4u, n0 + tx + 1u * TX, c6_1);
        store(batch, (m0 + ty + 7u / 4u * TY) * 4u + 7u % 4u, n0 + tx + 0u * TX, c7_0);
        store(batch, (m0 + ty + 7u / 4u * TY) * 4u + 7u % 4u, n0 + tx + 1u * TX, c7_1);
    }
}
