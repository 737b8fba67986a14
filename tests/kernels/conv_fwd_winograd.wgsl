// conv_fwd: call 0, conv2d of down0.conv1, [2×64×64×3] → [2×64×64×64]
// Workgroup, tile {"buffers":2,"columns_each":2,"depth":4,"rows_each":8,"splits":1,"taps":[1,1],"threads":[8,8],"tiling":"Workgroup","winograd":1}
// 5050368 bytes of scratch memory at binding 5

// Stage 1 of 4: 1 workgroups; bindings 1 Read, 5 ReadWrite
alias T0 = f32;
alias T1 = f32;
alias T2 = f32;
alias T3 = f32;
alias T4 = f32;
const A: f32 = 7.5e-1f;
const B: f32 = 1.5e0f;
const FROM_H: u32 = 64u;
const FROM_W: u32 = 64u;
const TO_H: u32 = 64u;
const TO_W: u32 = 64u;
const PAD_T: i32 = 1i;
const PAD_L: i32 = 1i;
const C4: u32 = 1u;
const K4: u32 = 16u;
const TILES_Y: u32 = 16u;
const TILES_X: u32 = 16u;
const TILES: u32 = 512u;
const TILES_EACH: u32 = 512u;
const SPLITS: u32 = 1u;
const V_AT: u32 = 0u;
const M_AT: u32 = 18432u;
const U_AT: u32 = 313344u;
const LINES_AT: u32 = 315648u;
const FLIPPED: bool = false;
const HAS_BIAS: bool = false;
const HAS_ADDEND: bool = false;
const HAS_RELU: bool = false;
const ITEMS: u32 = 64u;
const WORKGROUP: u32 = 64u;
// Number of this invocation. The grid may be larger than ITEMS.
fn item(wid: vec3<u32>, count: vec3<u32>, lid: vec3<u32>) -> u32 {
    return (wid.x + wid.y * count.x) * WORKGROUP + lid.x;
}
@group(0) @binding(5) var<storage, read_write> scratch: array<vec4<f32>>;
// Winograd's F(4×4, 3×3) along one axis (Lavin & Gray 2015): from a line of values to values at the points 0, ±A, ±B and ∞,
// and back. exec/winograd.rs chooses the points.
const A2: f32 = A * A;
const B2: f32 = B * B;
// Divisors of a kernel's values at ±A, at ±B and at 0.
const AT_A: f32 = 2f * A2 * (A2 - B2);
const AT_B: f32 = 2f * B2 * (B2 - A2);
const AT_0: f32 = A2 * B2;

alias Three = array<vec4<f32>, 3>;
alias Four = array<vec4<f32>, 4>;
alias Six = array<vec4<f32>, 6>;

// Bᵀ: inputs to points.
fn input_line(d: Six) -> Six {
    let even_a = d[4] - B2 * d[2];
    let odd_a = A * d[3] - A * B2 * d[1];
    let even_b = d[4] - A2 * d[2];
    let odd_b = B * d[3] - B * A2 * d[1];
    return Six(
        d[4] - (A2 + B2) * d[2] + A2 * B2 * d[0],
        even_a + odd_a,
        even_a - odd_a,
        even_b + odd_b,
        even_b - odd_b,
        d[5] - (A2 + B2) * d[3] + A2 * B2 * d[1],
    );
}

// G: kernel to points.
fn weight_line(w: Three) -> Six {
    let even_a = (w[0] + A2 * w[2]) * (1f / AT_A);
    let odd_a = w[1] * (A / AT_A);
    let even_b = (w[0] + B2 * w[2]) * (1f / AT_B);
    let odd_b = w[1] * (B / AT_B);
    return Six(w[0] * (1f / AT_0), even_a + odd_a, even_a - odd_a, even_b + odd_b, even_b - odd_b, w[2]);
}

// Aᵀ: products at points to outputs.
fn output_line(m: Six) -> Four {
    let even_a = m[1] + m[2];
    let odd_a = m[1] - m[2];
    let even_b = m[3] + m[4];
    let odd_b = m[3] - m[4];
    return Four(
        m[0] + even_a + even_b,
        A * odd_a + B * odd_b,
        A2 * even_a + B2 * even_b,
        m[5] + A * A2 * odd_a + B * B2 * odd_b,
    );
}

// A: gradient of outputs to points.
fn output_grad_line(y: Four) -> Six {
    let even_a = y[0] + A2 * y[2];
    let odd_a = A * y[1] + A * A2 * y[3];
    let even_b = y[0] + B2 * y[2];
    let odd_b = B * y[1] + B * B2 * y[3];
    return Six(y[0], even_a + odd_a, even_a - odd_a, even_b + odd_b, even_b - odd_b, y[3]);
}

// Gᵀ: products at points to gradient of the kernel.
fn weight_grad_line(u: Six) -> Three {
    let even_a = (u[1] + u[2]) * (1f / AT_A);
    let odd_a = (u[1] - u[2]) * (1f / AT_A);
    let even_b = (u[3] + u[4]) * (1f / AT_B);
    let odd_b = (u[3] - u[4]) * (1f / AT_B);
    return Three(
        u[0] * (1f / AT_0) + even_a + even_b,
        A * odd_a + B * odd_b,
        u[5] + A2 * even_a + B2 * even_b,
    );
}
// Second stage of a convolution by Winograd's F(4×4, 3×3): U = G w Gᵀ, the values of 3×3 kernels at 36 points.
// Mapping: one invocation per input channel and vector of output channels, output channels innermost.
// Layout: w KH KW C K; for the gradient of the input the kernel is turned by 180° (FLIPPED); U points, C, K.
@group(0) @binding(1) var<storage, read> w: array<vec4<f32>>;

struct Place { at: u32 }

fn place(i: u32) -> Place {
    return Place(i);
}

fn load(p: Place, r: u32, c: u32) -> vec4<f32> {
    let tap = r * 3u + c;
    return w[select(tap, 8u - tap, FLIPPED) * (C4 * 4u * K4) + p.at];
}

fn store(p: Place, r: u32, c: u32, v: vec4<f32>) {
    scratch[U_AT + (r * 6u + c) * (C4 * 4u * K4) + p.at] = v;
}

@compute @workgroup_size(WORKGROUP)
fn main(
    @builtin(workgroup_id) wid: vec3<u32>,
    @builtin(num_workgroups) count: vec3<u32>,
    @builtin(local_invocation_id) lid: vec3<u32>,
) {
    let i = item(wid, count, lid);
    if (i < ITEMS) {
        let p = place(i);
        // Along the columns.
        let c0 = weight_line(Three(load(p, 0u, 0u), load(p, 1u, 0u), load(p, 2u, 0u)));
        let c1 = weight_line(Three(load(p, 0u, 1u), load(p, 1u, 1u), load(p, 2u, 1u)));
        let c2 = weight_line(Three(load(p, 0u, 2u), load(p, 1u, 2u), load(p, 2u, 2u)));
        // Along the rows.
        let r0 = weight_line(Three(c0[0], c1[0], c2[0]));
        store(p, 0u, 0u, r0[0]);
        store(p, 0u, 1u, r0[1]);
        store(p, 0u, 2u, r0[2]);
        store(p, 0u, 3u, r0[3]);
        store(p, 0u, 4u, r0[4]);
        store(p, 0u, 5u, r0[5]);
        let r1 = weight_line(Three(c0[1], c1[1], c2[1]));
        store(p, 1u, 0u, r1[0]);
        store(p, 1u, 1u, r1[1]);
        store(p, 1u, 2u, r1[2]);
        store(p, 1u, 3u, r1[3]);
        store(p, 1u, 4u, r1[4]);
        store(p, 1u, 5u, r1[5]);
        let r2 = weight_line(Three(c0[2], c1[2], c2[2]));
        store(p, 2u, 0u, r2[0]);
        store(p, 2u, 1u, r2[1]);
        store(p, 2u, 2u, r2[2]);
        store(p, 2u, 3u, r2[3]);
        store(p, 2u, 4u, r2[4]);
        store(p, 2u, 5u, r2[5]);
        let r3 = weight_line(Three(c0[3], c1[3], c2[3]));
        store(p, 3u, 0u, r3[0]);
        store(p, 3u, 1u, r3[1]);
        store(p, 3u, 2u, r3[2]);
        store(p, 3u, 3u, r3[3]);
        store(p, 3u, 4u, r3[4]);
        store(p, 3u, 5u, r3[5]);
        let r4 = weight_line(Three(c0[4], c1[4], c2[4]));
        store(p, 4u, 0u, r4[0]);
        store(p, 4u, 1u, r4[1]);
        store(p, 4u, 2u, r4[2]);
        store(p, 4u, 3u, r4[3]);
        store(p, 4u, 4u, r4[4]);
        store(p, 4u, 5u, r4[5]);
        let r5 = weight_line(Three(c0[5], c1[5], c2[5]));
        store(p, 5u, 0u, r5[0]);
        store(p, 5u, 1u, r5[1]);
        store(p, 5u, 2u, r5[2]);
        store(p, 5u, 3u, r5[3]);
        store(p, 5u, 4u, r5[4]);
        store(p, 5u, 5u, r5[5]);
    }
}

// Stage 2 of 4: 8 workgroups; bindings 0 Read, 5 ReadWrite
alias T0 = f32;
alias T1 = f32;
alias T2 = f32;
alias T3 = f32;
alias T4 = f32;
const A: f32 = 7.5e-1f;
const B: f32 = 1.5e0f;
const FROM_H: u32 = 64u;
const FROM_W: u32 = 64u;
const TO_H: u32 = 64u;
const TO_W: u32 = 64u;
const PAD_T: i32 = 1i;
const PAD_L: i32 = 1i;
const C4: u32 = 1u;
const K4: u32 = 16u;
const TILES_Y: u32 = 16u;
const TILES_X: u32 = 16u;
const TILES: u32 = 512u;
const TILES_EACH: u32 = 512u;
const SPLITS: u32 = 1u;
const V_AT: u32 = 0u;
const M_AT: u32 = 18432u;
const U_AT: u32 = 313344u;
const LINES_AT: u32 = 315648u;
const FLIPPED: bool = false;
const HAS_BIAS: bool = false;
const HAS_ADDEND: bool = false;
const HAS_RELU: bool = false;
const VECTORS: u32 = 1u;
const FIRST_TILE: u32 = 0u;
const ITEMS: u32 = 512u;
const WORKGROUP: u32 = 64u;
// Number of this invocation. The grid may be larger than ITEMS.
fn item(wid: vec3<u32>, count: vec3<u32>, lid: vec3<u32>) -> u32 {
    return (wid.x + wid.y * count.x) * WORKGROUP + lid.x;
}
@group(0) @binding(5) var<storage, read_write> scratch: array<vec4<f32>>;
// Winograd's F(4×4, 3×3) along one axis (Lavin & Gray 2015): from a line of values to values at the points 0, ±A, ±B and ∞,
// and back. exec/winograd.rs chooses the points.
const A2: f32 = A * A;
const B2: f32 = B * B;
// Divisors of a kernel's values at ±A, at ±B and at 0.
const AT_A: f32 = 2f * A2 * (A2 - B2);
const AT_B: f32 = 2f * B2 * (B2 - A2);
const AT_0: f32 = A2 * B2;

alias Three = array<vec4<f32>, 3>;
alias Four = array<vec4<f32>, 4>;
alias Six = array<vec4<f32>, 6>;

// Bᵀ: inputs to points.
fn input_line(d: Six) -> Six {
    let even_a = d[4] - B2 * d[2];
    let odd_a = A * d[3] - A * B2 * d[1];
    let even_b = d[4] - A2 * d[2];
    let odd_b = B * d[3] - B * A2 * d[1];
    return Six(
        d[4] - (A2 + B2) * d[2] + A2 * B2 * d[0],
        even_a + odd_a,
        even_a - odd_a,
        even_b + odd_b,
        even_b - odd_b,
        d[5] - (A2 + B2) * d[3] + A2 * B2 * d[1],
    );
}

// G: kernel to points.
fn weight_line(w: Three) -> Six {
    let even_a = (w[0] + A2 * w[2]) * (1f / AT_A);
    let odd_a = w[1] * (A / AT_A);
    let even_b = (w[0] + B2 * w[2]) * (1f / AT_B);
    let odd_b = w[1] * (B / AT_B);
    return Six(w[0] * (1f / AT_0), even_a + odd_a, even_a - odd_a, even_b + odd_b, even_b - odd_b, w[2]);
}

// Aᵀ: products at points to outputs.
fn output_line(m: Six) -> Four {
    let even_a = m[1] + m[2];
    let odd_a = m[1] - m[2];
    let even_b = m[3] + m[4];
    let odd_b = m[3] - m[4];
    return Four(
        m[0] + even_a + even_b,
        A * odd_a + B * odd_b,
        A2 * even_a + B2 * even_b,
        m[5] + A * A2 * odd_a + B * B2 * odd_b,
    );
}

// A: gradient of outputs to points.
fn output_grad_line(y: Four) -> Six {
    let even_a = y[0] + A2 * y[2];
    let odd_a = A * y[1] + A * A2 * y[3];
    let even_b = y[0] + B2 * y[2];
    let odd_b = B * y[1] + B * B2 * y[3];
    return Six(y[0], even_a + odd_a, even_a - odd_a, even_b + odd_b, even_b - odd_b, y[3]);
}

// Gᵀ: products at points to gradient of the kernel.
fn weight_grad_line(u: Six) -> Three {
    let even_a = (u[1] + u[2]) * (1f / AT_A);
    let odd_a = (u[1] - u[2]) * (1f / AT_A);
    let even_b = (u[3] + u[4]) * (1f / AT_B);
    let odd_b = (u[3] - u[4]) * (1f / AT_B);
    return Three(
        u[0] * (1f / AT_0) + even_a + even_b,
        A * odd_a + B * odd_b,
        u[5] + A2 * even_a + B2 * even_b,
    );
}
// Position of a tile.
// Mapping: one invocation per tile and vector of channels, channels innermost.
// Slice: a stage covers the TILES tiles from FIRST_TILE on. Their values are in scratch memory at the same time.
struct Place {
    image: u32,
    // First output of the tile.
    row: u32,
    column: u32,
    channel: u32,
    // Offset in scratch memory of the first pair of points.
    at: u32,
}

fn place(i: u32) -> Place {
    let tile = FIRST_TILE + i / VECTORS;
    let row = tile / TILES_X % TILES_Y * 4u;
    return Place(tile / (TILES_X * TILES_Y), row, tile % TILES_X * 4u, i % VECTORS, i);
}
// First stage of a convolution by Winograd's F(4×4, 3×3): V = Bᵀ d B, the values of 6×6 inputs at 36 points.
// Mapping: one invocation per tile and vector of channels, channels innermost. Tiles start 4 pixels apart.
// Layout: x N H W C; V points, tiles (n, row, column), C, all as vectors of 4 channels.
@group(0) @binding(0) var<storage, read> x: array<vec4<f32>>;

// Outside the image it reads the first pixel and drops it.
fn load(p: Place, r: u32, c: u32) -> vec4<f32> {
    let row = i32(p.row + r) - PAD_T;
    let column = i32(p.column + c) - PAD_L;
    let inside = row >= 0i && row < i32(FROM_H) && column >= 0i && column < i32(FROM_W);
    let at = select(0u, (p.image * FROM_H + u32(row)) * FROM_W + u32(column), inside);
    return select(vec4<f32>(), x[at * C4 + p.channel], inside);
}

fn store(p: Place, r: u32, c: u32, v: vec4<f32>) {
    scratch[V_AT + (r * 6u + c) * (TILES * C4) + p.at] = v;
}

@compute @workgroup_size(WORKGROUP)
fn main(
    @builtin(workgroup_id) wid: vec3<u32>,
    @builtin(num_workgroups) count: vec3<u32>,
    @builtin(local_invocation_id) lid: vec3<u32>,
) {
    let i = item(wid, count, lid);
    if (i < ITEMS) {
        let p = place(i);
        // Along the columns.
        let c0 = input_line(Six(load(p, 0u, 0u), load(p, 1u, 0u), load(p, 2u, 0u), load(p, 3u, 0u), load(p, 4u, 0u), load(p, 5u, 0u)));
        let c1 = input_line(Six(load(p, 0u, 1u), load(p, 1u, 1u), load(p, 2u, 1u), load(p, 3u, 1u), load(p, 4u, 1u), load(p, 5u, 1u)));
        let c2 = input_line(Six(load(p, 0u, 2u), load(p, 1u, 2u), load(p, 2u, 2u), load(p, 3u, 2u), load(p, 4u, 2u), load(p, 5u, 2u)));
        let c3 = input_line(Six(load(p, 0u, 3u), load(p, 1u, 3u), load(p, 2u, 3u), load(p, 3u, 3u), load(p, 4u, 3u), load(p, 5u, 3u)));
        let c4 = input_line(Six(load(p, 0u, 4u), load(p, 1u, 4u), load(p, 2u, 4u), load(p, 3u, 4u), load(p, 4u, 4u), load(p, 5u, 4u)));
        let c5 = input_line(Six(load(p, 0u, 5u), load(p, 1u, 5u), load(p, 2u, 5u), load(p, 3u, 5u), load(p, 4u, 5u), load(p, 5u, 5u)));
        // Along the rows.
        let r0 = input_line(Six(c0[0], c1[0], c2[0], c3[0], c4[0], c5[0]));
        store(p, 0u, 0u, r0[0]);
        store(p, 0u, 1u, r0[1]);
        store(p, 0u, 2u, r0[2]);
        store(p, 0u, 3u, r0[3]);
        store(p, 0u, 4u, r0[4]);
        store(p, 0u, 5u, r0[5]);
        let r1 = input_line(Six(c0[1], c1[1], c2[1], c3[1], c4[1], c5[1]));
        store(p, 1u, 0u, r1[0]);
        store(p, 1u, 1u, r1[1]);
        store(p, 1u, 2u, r1[2]);
        store(p, 1u, 3u, r1[3]);
        store(p, 1u, 4u, r1[4]);
        store(p, 1u, 5u, r1[5]);
        let r2 = input_line(Six(c0[2], c1[2], c2[2], c3[2], c4[2], c5[2]));
        store(p, 2u, 0u, r2[0]);
        store(p, 2u, 1u, r2[1]);
        store(p, 2u, 2u, r2[2]);
        store(p, 2u, 3u, r2[3]);
        store(p, 2u, 4u, r2[4]);
        store(p, 2u, 5u, r2[5]);
        let r3 = input_line(Six(c0[3], c1[3], c2[3], c3[3], c4[3], c5[3]));
        store(p, 3u, 0u, r3[0]);
        store(p, 3u, 1u, r3[1]);
        store(p, 3u, 2u, r3[2]);
        store(p, 3u, 3u, r3[3]);
        store(p, 3u, 4u, r3[4]);
        store(p, 3u, 5u, r3[5]);
        let r4 = input_line(Six(c0[4], c1[4], c2[4], c3[4], c4[4], c5[4]));
        store(p, 4u, 0u, r4[0]);
        store(p, 4u, 1u, r4[1]);
        store(p, 4u, 2u, r4[2]);
        store(p, 4u, 3u, r4[3]);
        store(p, 4u, 4u, r4[4]);
        store(p, 4u, 5u, r4[5]);
        let r5 = input_line(Six(c0[5], c1[5], c2[5], c3[5], c4[5], c5[5]));
        store(p, 5u, 0u, r5[0]);
        store(p, 5u, 1u, r5[1]);
        store(p, 5u, 2u, r5[2]);
        store(p, 5u, 3u, r5[3]);
        store(p, 5u, 4u, r5[4]);
        store(p, 5u, 5u, r5[5]);
    }
}

// Stage 3 of 4: 288 workgroups; bindings 5 ReadWrite
alias T0 = f32;
alias T1 = f32;
alias T2 = f32;
alias T3 = f32;
alias T4 = f32;
const A: f32 = 7.5e-1f;
const B: f32 = 1.5e0f;
const FROM_H: u32 = 64u;
const FROM_W: u32 = 64u;
const TO_H: u32 = 64u;
const TO_W: u32 = 64u;
const PAD_T: i32 = 1i;
const PAD_L: i32 = 1i;
const C4: u32 = 1u;
const K4: u32 = 16u;
const TILES_Y: u32 = 16u;
const TILES_X: u32 = 16u;
const TILES: u32 = 512u;
const TILES_EACH: u32 = 512u;
const SPLITS: u32 = 1u;
const V_AT: u32 = 0u;
const M_AT: u32 = 18432u;
const U_AT: u32 = 313344u;
const LINES_AT: u32 = 315648u;
const FLIPPED: bool = false;
const HAS_BIAS: bool = false;
const HAS_ADDEND: bool = false;
const HAS_RELU: bool = false;
const N_EXACT: bool = true;
const TX: u32 = 8u;
const TY: u32 = 8u;
const TILE_M: u32 = 64u;
const TILE_N: u32 = 16u;
const TILES_M: u32 = 8u;
const TILES_N: u32 = 1u;
const DEPTH: u32 = 4u;
@group(0) @binding(5) var<storage, read_write> scratch: array<vec4<f32>>;
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
var<workgroup> tile_a: array<vec4<f32>, 640>;
var<workgroup> tile_b: array<vec4<f32>, 512>;

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
        // The first tiles; `full` is the buffer that holds the current ones.
        var full = 0u;
        if (first < last) {
            let next_a0 = vec4<f32>(a_load(tap0, since(first)));
            let next_a1 = vec4<f32>(a_load(tap1, since(first)));
            let next_a2 = vec4<f32>(a_load(tap2, since(first)));
            let next_a3 = vec4<f32>(a_load(tap3, since(first)));
            let next_b0 = vec4<f32>(b_load(weights0, since(first) * 4u + 0u));
            let next_b1 = vec4<f32>(b_load(weights1, since(first) * 4u + 0u));
            let next_b2 = vec4<f32>(b_load(weights2, since(first) * 4u + 0u));
            let next_b3 = vec4<f32>(b_load(weights3, since(first) * 4u + 0u));
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
        }
        workgroupBarrier();
        // The loop over the tiles of the sum.
        for (var k = first; k < last; k += DEPTH) {
            // Loads the next tiles to registers.
            let next = select(k, k + DEPTH, k + DEPTH < last);
            // The places of a new tap.
            if (!TAPS_EVEN || next % TAP4 == 0u) {
                tap0 = a_tap(batch, row0, tap_of(next, step0), channel_of(next, step0));
                tap1 = a_tap(batch, row1, tap_of(next, step1), channel_of(next, step1));
                tap2 = a_tap(batch, row2, tap_of(next, step2), channel_of(next, step2));
                tap3 = a_tap(batch, row3, tap_of(next, step3), channel_of(next, step3));
                weights0 = b_place(b_tap(batch, tap_of(next, (thread + 0u) / TILE_N / 4u)), channel_of(next, (thread + 0u) / TILE_N / 4u) * 4u + (thread + 0u) / TILE_N % 4u, n0 + (thread + 0u) % TILE_N);
                weights1 = b_place(b_tap(batch, tap_of(next, (thread + 64u) / TILE_N / 4u)), channel_of(next, (thread + 64u) / TILE_N / 4u) * 4u + (thread + 64u) / TILE_N % 4u, n0 + (thread + 64u) % TILE_N);
                weights2 = b_place(b_tap(batch, tap_of(next, (thread + 128u) / TILE_N / 4u)), channel_of(next, (thread + 128u) / TILE_N / 4u) * 4u + (thread + 128u) / TILE_N % 4u, n0 + (thread + 128u) % TILE_N);
                weights3 = b_place(b_tap(batch, tap_of(next, (thread + 192u) / TILE_N / 4u)), channel_of(next, (thread + 192u) / TILE_N / 4u) * 4u + (thread + 192u) / TILE_N % 4u, n0 + (thread + 192u) % TILE_N);
            }
            let next_a0 = vec4<f32>(a_load(tap0, since(next)));
            let next_a1 = vec4<f32>(a_load(tap1, since(next)));
            let next_a2 = vec4<f32>(a_load(tap2, since(next)));
            let next_a3 = vec4<f32>(a_load(tap3, since(next)));
            let next_b0 = vec4<f32>(b_load(weights0, since(next) * 4u + 0u));
            let next_b1 = vec4<f32>(b_load(weights1, since(next) * 4u + 0u));
            let next_b2 = vec4<f32>(b_load(weights2, since(next) * 4u + 0u));
            let next_b3 = vec4<f32>(b_load(weights3, since(next) * 4u + 0u));
            // Multiplies the current tiles.
            let half_a = full * 320u;
            let half_b = full * 256u;
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
            // Stores the next tiles to the other buffer.
            full = 1u - full;
            {
            let half_a = full * 320u;
            let half_b = full * 256u;
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

// Stage 4 of 4: 128 workgroups; bindings 4 ReadWrite, 5 ReadWrite
alias T0 = f32;
alias T1 = f32;
alias T2 = f32;
alias T3 = f32;
alias T4 = f32;
const A: f32 = 7.5e-1f;
const B: f32 = 1.5e0f;
const FROM_H: u32 = 64u;
const FROM_W: u32 = 64u;
const TO_H: u32 = 64u;
const TO_W: u32 = 64u;
const PAD_T: i32 = 1i;
const PAD_L: i32 = 1i;
const C4: u32 = 1u;
const K4: u32 = 16u;
const TILES_Y: u32 = 16u;
const TILES_X: u32 = 16u;
const TILES: u32 = 512u;
const TILES_EACH: u32 = 512u;
const SPLITS: u32 = 1u;
const V_AT: u32 = 0u;
const M_AT: u32 = 18432u;
const U_AT: u32 = 313344u;
const LINES_AT: u32 = 315648u;
const FLIPPED: bool = false;
const HAS_BIAS: bool = false;
const HAS_ADDEND: bool = false;
const HAS_RELU: bool = false;
const VECTORS: u32 = 16u;
const FIRST_TILE: u32 = 0u;
const ITEMS: u32 = 8192u;
const WORKGROUP: u32 = 64u;
// Number of this invocation. The grid may be larger than ITEMS.
fn item(wid: vec3<u32>, count: vec3<u32>, lid: vec3<u32>) -> u32 {
    return (wid.x + wid.y * count.x) * WORKGROUP + lid.x;
}
@group(0) @binding(5) var<storage, read_write> scratch: array<vec4<f32>>;
// Winograd's F(4×4, 3×3) along one axis (Lavin & Gray 2015): from a line of values to values at the points 0, ±A, ±B and ∞,
// and back. exec/winograd.rs chooses the points.
const A2: f32 = A * A;
const B2: f32 = B * B;
// Divisors of a kernel's values at ±A, at ±B and at 0.
const AT_A: f32 = 2f * A2 * (A2 - B2);
const AT_B: f32 = 2f * B2 * (B2 - A2);
const AT_0: f32 = A2 * B2;

alias Three = array<vec4<f32>, 3>;
alias Four = array<vec4<f32>, 4>;
alias Six = array<vec4<f32>, 6>;

// Bᵀ: inputs to points.
fn input_line(d: Six) -> Six {
    let even_a = d[4] - B2 * d[2];
    let odd_a = A * d[3] - A * B2 * d[1];
    let even_b = d[4] - A2 * d[2];
    let odd_b = B * d[3] - B * A2 * d[1];
    return Six(
        d[4] - (A2 + B2) * d[2] + A2 * B2 * d[0],
        even_a + odd_a,
        even_a - odd_a,
        even_b + odd_b,
        even_b - odd_b,
        d[5] - (A2 + B2) * d[3] + A2 * B2 * d[1],
    );
}

// G: kernel to points.
fn weight_line(w: Three) -> Six {
    let even_a = (w[0] + A2 * w[2]) * (1f / AT_A);
    let odd_a = w[1] * (A / AT_A);
    let even_b = (w[0] + B2 * w[2]) * (1f / AT_B);
    let odd_b = w[1] * (B / AT_B);
    return Six(w[0] * (1f / AT_0), even_a + odd_a, even_a - odd_a, even_b + odd_b, even_b - odd_b, w[2]);
}

// Aᵀ: products at points to outputs.
fn output_line(m: Six) -> Four {
    let even_a = m[1] + m[2];
    let odd_a = m[1] - m[2];
    let even_b = m[3] + m[4];
    let odd_b = m[3] - m[4];
    return Four(
        m[0] + even_a + even_b,
        A * odd_a + B * odd_b,
        A2 * even_a + B2 * even_b,
        m[5] + A * A2 * odd_a + B * B2 * odd_b,
    );
}

// A: gradient of outputs to points.
fn output_grad_line(y: Four) -> Six {
    let even_a = y[0] + A2 * y[2];
    let odd_a = A * y[1] + A * A2 * y[3];
    let even_b = y[0] + B2 * y[2];
    let odd_b = B * y[1] + B * B2 * y[3];
    return Six(y[0], even_a + odd_a, even_a - odd_a, even_b + odd_b, even_b - odd_b, y[3]);
}

// Gᵀ: products at points to gradient of the kernel.
fn weight_grad_line(u: Six) -> Three {
    let even_a = (u[1] + u[2]) * (1f / AT_A);
    let odd_a = (u[1] - u[2]) * (1f / AT_A);
    let even_b = (u[3] + u[4]) * (1f / AT_B);
    let odd_b = (u[3] - u[4]) * (1f / AT_B);
    return Three(
        u[0] * (1f / AT_0) + even_a + even_b,
        A * odd_a + B * odd_b,
        u[5] + A2 * even_a + B2 * even_b,
    );
}
// Position of a tile.
// Mapping: one invocation per tile and vector of channels, channels innermost.
// Slice: a stage covers the TILES tiles from FIRST_TILE on. Their values are in scratch memory at the same time.
struct Place {
    image: u32,
    // First output of the tile.
    row: u32,
    column: u32,
    channel: u32,
    // Offset in scratch memory of the first pair of points.
    at: u32,
}

fn place(i: u32) -> Place {
    let tile = FIRST_TILE + i / VECTORS;
    let row = tile / TILES_X % TILES_Y * 4u;
    return Place(tile / (TILES_X * TILES_Y), row, tile % TILES_X * 4u, i % VECTORS, i);
}
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
// Last stage of a convolution by Winograd's F(4×4, 3×3): y = relu?(Aᵀ M A [+ bias] [+ addend]). The products M at 36 points
// give 4×4 outputs.
// Mapping: one invocation per tile and vector of output channels, channels innermost.
// Layout: M points, tiles (n, row, column), K; addend and y N H W K, all as vectors of 4 channels.
// With: epilogue/ended.wgsl, which declares bias and addend if present.
@group(0) @binding(4) var<storage, read_write> y: array<vec4<f32>>;

fn load(p: Place, r: u32, c: u32) -> vec4<f32> {
    return scratch[M_AT + (r * 6u + c) * (TILES * K4) + p.at];
}

fn output_at(p: Place, r: u32, c: u32) -> u32 {
    return ((p.image * TO_H + p.row + r) * TO_W + p.column + c) * K4 + p.channel;
}

fn store(p: Place, r: u32, c: u32, v: vec4<f32>) {
    let row = p.row + r;
    let column = p.column + c;
    if (row < TO_H && column < TO_W) {
        let at = output_at(p, r, c);
        y[at] = ended(v, p.channel, at);
    }
}

@compute @workgroup_size(WORKGROUP)
fn main(
    @builtin(workgroup_id) wid: vec3<u32>,
    @builtin(num_workgroups) count: vec3<u32>,
    @builtin(local_invocation_id) lid: vec3<u32>,
) {
    let i = item(wid, count, lid);
    if (i < ITEMS) {
        let p = place(i);
        // Along the columns.
        let c0 = output_line(Six(load(p, 0u, 0u), load(p, 1u, 0u), load(p, 2u, 0u), load(p, 3u, 0u), load(p, 4u, 0u), load(p, 5u, 0u)));
        let c1 = output_line(Six(load(p, 0u, 1u), load(p, 1u, 1u), load(p, 2u, 1u), load(p, 3u, 1u), load(p, 4u, 1u), load(p, 5u, 1u)));
        let c2 = output_line(Six(load(p, 0u, 2u), load(p, 1u, 2u), load(p, 2u, 2u), load(p, 3u, 2u), load(p, 4u, 2u), load(p, 5u, 2u)));
        let c3 = output_line(Six(load(p, 0u, 3u), load(p, 1u, 3u), load(p, 2u, 3u), load(p, 3u, 3u), load(p, 4u, 3u), load(p, 5u, 3u)));
        let c4 = output_line(Six(load(p, 0u, 4u), load(p, 1u, 4u), load(p, 2u, 4u), load(p, 3u, 4u), load(p, 4u, 4u), load(p, 5u, 4u)));
        let c5 = output_line(Six(load(p, 0u, 5u), load(p, 1u, 5u), load(p, 2u, 5u), load(p, 3u, 5u), load(p, 4u, 5u), load(p, 5u, 5u)));
        // Along the rows.
        let r0 = output_line(Six(c0[0], c1[0], c2[0], c3[0], c4[0], c5[0]));
        store(p, 0u, 0u, r0[0]);
        store(p, 0u, 1u, r0[1]);
        store(p, 0u, 2u, r0[2]);
        store(p, 0u, 3u, r0[3]);
        let r1 = output_line(Six(c0[1], c1[1], c2[1], c3[1], c4[1], c5[1]));
        store(p, 1u, 0u, r1[0]);
        store(p, 1u, 1u, r1[1]);
        store(p, 1u, 2u, r1[2]);
        store(p, 1u, 3u, r1[3]);
        let r2 = output_line(Six(c0[2], c1[2], c2[2], c3[2], c4[2], c5[2]));
        store(p, 2u, 0u, r2[0]);
        store(p, 2u, 1u, r2[1]);
        store(p, 2u, 2u, r2[2]);
        store(p, 2u, 3u, r2[3]);
        let r3 = output_line(Six(c0[3], c1[3], c2[3], c3[3], c4[3], c5[3]));
        store(p, 3u, 0u, r3[0]);
        store(p, 3u, 1u, r3[1]);
        store(p, 3u, 2u, r3[2]);
        store(p, 3u, 3u, r3[3]);
    }
}
