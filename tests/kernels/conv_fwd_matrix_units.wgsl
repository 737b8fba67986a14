// conv_fwd: call 5, conv2d of down0.conv2, [2×64×64×64] → [2×64×64×64]
// Workgroup, tile {"buffers":2,"columns_each":2,"depth":2,"rows_each":2,"splits":1,"taps":[1,1],"threads":[2,2],"tiling":{"Cooperative":{"lanes":32,"lines":"AsTheyCome","size":16}},"winograd":0}

// Stage 1 of 1: 128 workgroups; bindings 0 Read, 1 Read, 4 ReadWrite
enable wgpu_cooperative_matrix;
enable f16;
alias T0 = f16;
alias T1 = f16;
alias T2 = f16;
alias T3 = f16;
alias T4 = f16;
const N: u32 = 2u;
const H: u32 = 64u;
const W: u32 = 64u;
const OH: u32 = 64u;
const OW: u32 = 64u;
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
const TX: u32 = 2u;
const TY: u32 = 2u;
const TILE_M: u32 = 64u;
const TILE_N: u32 = 16u;
const TILES_M: u32 = 128u;
const TILES_N: u32 = 1u;
const DEPTH: u32 = 8u;
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
var<workgroup> tile_a: array<vec4<f16>, 1280>;
var<workgroup> tile_b: array<vec4<f16>, 1152>;
var<workgroup> tile_c: array<vec4<f32>, 1024>;

// The tile of this workgroup: tile column n0 and row m0, in vectors, of one of the products.
@compute @workgroup_size(128)
fn main(
    @builtin(workgroup_id) wid: vec3<u32>,
    @builtin(num_workgroups) count: vec3<u32>,
    @builtin(subgroup_invocation_id) lane: u32,
    @builtin(subgroup_id) subgroup: u32,
    @builtin(local_invocation_index) thread: u32,
) {
    let tile = wid.x + wid.y * count.x;
    let product = tile / (TILES_N * TILES_M);
    let batch = product;
    if (product < BATCH) {
        let n0 = (tile % TILES_N) * TILE_N;
        let m0 = ((tile / TILES_N) % TILES_M) * TILE_M;
        // The part of the tile of this subgroup.
        let own = min(subgroup, 3u);
        let sx = own % 2u;
        let sy = own / 2u;
        // Its matrices of sums: cROW_COLUMN.
        var c0_0 = coop_mat16x16<f32, C>();
        var c0_1 = coop_mat16x16<f32, C>();
        var c1_0 = coop_mat16x16<f32, C>();
        var c1_1 = coop_mat16x16<f32, C>();
        // Where this invocation loads and stores.
        let row0 = a_row(batch, m0 + (thread + 0u) / 8u);
        let step0 = (thread + 0u) % 8u;
        let a_at0 = (thread + 0u) / 8u * 10u + (thread + 0u) % 8u;
        let row1 = a_row(batch, m0 + (thread + 128u) / 8u);
        let step1 = (thread + 128u) % 8u;
        let a_at1 = (thread + 128u) / 8u * 10u + (thread + 128u) % 8u;
        let row2 = a_row(batch, m0 + (thread + 256u) / 8u);
        let step2 = (thread + 256u) % 8u;
        let a_at2 = (thread + 256u) / 8u * 10u + (thread + 256u) % 8u;
        let row3 = a_row(batch, m0 + (thread + 384u) / 8u);
        let step3 = (thread + 384u) % 8u;
        let a_at3 = (thread + 384u) / 8u * 10u + (thread + 384u) % 8u;
        let b_at0 = (thread + 0u) / 16u * 18u + (thread + 0u) % 16u;
        let b_at1 = (thread + 128u) / 16u * 18u + (thread + 128u) % 16u;
        let b_at2 = (thread + 256u) / 16u * 18u + (thread + 256u) % 16u;
        let b_at3 = (thread + 384u) / 16u * 18u + (thread + 384u) % 16u;
        // The range of the sum.
        let first = 0u;
        let last = taps(batch) * TAP4;
        var tap0 = a_tap(batch, row0, tap_of(first, step0), channel_of(first, step0));
        var tap1 = a_tap(batch, row1, tap_of(first, step1), channel_of(first, step1));
        var tap2 = a_tap(batch, row2, tap_of(first, step2), channel_of(first, step2));
        var tap3 = a_tap(batch, row3, tap_of(first, step3), channel_of(first, step3));
        var weights0 = b_place(b_tap(batch, tap_of(first, (thread + 0u) / 16u / 4u)), channel_of(first, (thread + 0u) / 16u / 4u) * 4u + (thread + 0u) / 16u % 4u, n0 + (thread + 0u) % 16u);
        var weights1 = b_place(b_tap(batch, tap_of(first, (thread + 128u) / 16u / 4u)), channel_of(first, (thread + 128u) / 16u / 4u) * 4u + (thread + 128u) / 16u % 4u, n0 + (thread + 128u) % 16u);
        var weights2 = b_place(b_tap(batch, tap_of(first, (thread + 256u) / 16u / 4u)), channel_of(first, (thread + 256u) / 16u / 4u) * 4u + (thread + 256u) / 16u % 4u, n0 + (thread + 256u) % 16u);
        var weights3 = b_place(b_tap(batch, tap_of(first, (thread + 384u) / 16u / 4u)), channel_of(first, (thread + 384u) / 16u / 4u) * 4u + (thread + 384u) / 16u % 4u, n0 + (thread + 384u) % 16u);
        // The first tiles; `full` is the buffer that holds the current ones.
        var full = 0u;
        if (first < last) {
            let av0 = a_load(tap0, since(first));
            let av1 = a_load(tap1, since(first));
            let av2 = a_load(tap2, since(first));
            let av3 = a_load(tap3, since(first));
            let bv0 = b_load(weights0, since(first) * 4u + 0u);
            let bv1 = b_load(weights1, since(first) * 4u + 0u);
            let bv2 = b_load(weights2, since(first) * 4u + 0u);
            let bv3 = b_load(weights3, since(first) * 4u + 0u);
            {
            let half_a = 0u * 640u;
            let half_b = 0u * 576u;
            tile_a[half_a + a_at0] = vec4<f16>(av0);
            tile_a[half_a + a_at1] = vec4<f16>(av1);
            tile_a[half_a + a_at2] = vec4<f16>(av2);
            tile_a[half_a + a_at3] = vec4<f16>(av3);
            tile_b[half_b + b_at0] = vec4<f16>(bv0);
            tile_b[half_b + b_at1] = vec4<f16>(bv1);
            tile_b[half_b + b_at2] = vec4<f16>(bv2);
            tile_b[half_b + b_at3] = vec4<f16>(bv3);
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
                weights0 = b_place(b_tap(batch, tap_of(next, (thread + 0u) / 16u / 4u)), channel_of(next, (thread + 0u) / 16u / 4u) * 4u + (thread + 0u) / 16u % 4u, n0 + (thread + 0u) % 16u);
                weights1 = b_place(b_tap(batch, tap_of(next, (thread + 128u) / 16u / 4u)), channel_of(next, (thread + 128u) / 16u / 4u) * 4u + (thread + 128u) / 16u % 4u, n0 + (thread + 128u) % 16u);
                weights2 = b_place(b_tap(batch, tap_of(next, (thread + 256u) / 16u / 4u)), channel_of(next, (thread + 256u) / 16u / 4u) * 4u + (thread + 256u) / 16u % 4u, n0 + (thread + 256u) % 16u);
                weights3 = b_place(b_tap(batch, tap_of(next, (thread + 384u) / 16u / 4u)), channel_of(next, (thread + 384u) / 16u / 4u) * 4u + (thread + 384u) / 16u % 4u, n0 + (thread + 384u) % 16u);
            }
            let av0 = a_load(tap0, since(next));
            let av1 = a_load(tap1, since(next));
            let av2 = a_load(tap2, since(next));
            let av3 = a_load(tap3, since(next));
            let bv0 = b_load(weights0, since(next) * 4u + 0u);
            let bv1 = b_load(weights1, since(next) * 4u + 0u);
            let bv2 = b_load(weights2, since(next) * 4u + 0u);
            let bv3 = b_load(weights3, since(next) * 4u + 0u);
            // Multiplies the current tiles.
            let half_a = full * 640u;
            let half_b = full * 576u;
            let from_a = half_a + sy * 320u;
            let from_b = half_b + sx * 8u;
            let a0_0 = coopLoadT<coop_mat16x16<f16, A>>(&tile_a[from_a + 0u], 10u);
            let a0_1 = coopLoadT<coop_mat16x16<f16, A>>(&tile_a[from_a + 160u], 10u);
            let b0_0 = coopLoadT<coop_mat16x16<f16, B>>(&tile_b[from_b + 0u], 18u);
            c0_0 = coopMultiplyAdd(a0_0, b0_0, c0_0);
            c1_0 = coopMultiplyAdd(a0_1, b0_0, c1_0);
            let b0_1 = coopLoadT<coop_mat16x16<f16, B>>(&tile_b[from_b + 4u], 18u);
            c0_1 = coopMultiplyAdd(a0_0, b0_1, c0_1);
            c1_1 = coopMultiplyAdd(a0_1, b0_1, c1_1);
            let a1_0 = coopLoadT<coop_mat16x16<f16, A>>(&tile_a[from_a + 4u], 10u);
            let a1_1 = coopLoadT<coop_mat16x16<f16, A>>(&tile_a[from_a + 164u], 10u);
            let b1_0 = coopLoadT<coop_mat16x16<f16, B>>(&tile_b[from_b + 288u], 18u);
            c0_0 = coopMultiplyAdd(a1_0, b1_0, c0_0);
            c1_0 = coopMultiplyAdd(a1_1, b1_0, c1_0);
            let b1_1 = coopLoadT<coop_mat16x16<f16, B>>(&tile_b[from_b + 292u], 18u);
            c0_1 = coopMultiplyAdd(a1_0, b1_1, c0_1);
            c1_1 = coopMultiplyAdd(a1_1, b1_1, c1_1);
            // Stores the next tiles to the other buffer.
            full = 1u - full;
            {
            let half_a = full * 640u;
            let half_b = full * 576u;
            tile_a[half_a + a_at0] = vec4<f16>(av0);
            tile_a[half_a + a_at1] = vec4<f16>(av1);
            tile_a[half_a + a_at2] = vec4<f16>(av2);
            tile_a[half_a + a_at3] = vec4<f16>(av3);
            tile_b[half_b + b_at0] = vec4<f16>(bv0);
            tile_b[half_b + b_at1] = vec4<f16>(bv1);
            tile_b[half_b + b_at2] = vec4<f16>(bv2);
            tile_b[half_b + b_at3] = vec4<f16>(bv3);
            }
            workgroupBarrier();
        }
        // Results.
        let own_sums = own * 256u;
        coopStoreT(c0_0, &tile_c[own_sums + 0u], 4u);
        coopStoreT(c0_1, &tile_c[own_sums + 64u], 4u);
        coopStoreT(c1_0, &tile_c[own_sums + 128u], 4u);
        coopStoreT(c1_1, &tile_c[own_sums + 192u], 4u);
        workgroupBarrier();
        for (var e = lane; e < 64u; e += 32u) {
            let at = own_sums + e * 1u + 0u;
            let v = tile_c[at];
            let m = m0 + (sy * 2u + 0u) * 16u + e / 4u;
            store(batch, m, n0 + (sx * 2u + 0u) * 4u + e % 4u, v);
        }
        for (var e = lane; e < 64u; e += 32u) {
            let at = own_sums + e * 1u + 64u;
            let v = tile_c[at];
            let m = m0 + (sy * 2u + 0u) * 16u + e / 4u;
            store(batch, m, n0 + (sx * 2u + 1u) * 4u + e % 4u, v);
        }
        for (var e = lane; e < 64u; e += 32u) {
            let at = own_sums + e * 1u + 128u;
            let v = tile_c[at];
            let m = m0 + (sy * 2u + 1u) * 16u + e / 4u;
            store(batch, m, n0 + (sx * 2u + 0u) * 4u + e % 4u, v);
        }
        for (var e = lane; e < 64u; e += 32u) {
            let at = own_sums + e * 1u + 192u;
            let v = tile_c[at];
            let m = m0 + (sy * 2u + 1u) * 16u + e / 4u;
            store(batch, m, n0 + (sx * 2u + 1u) * 4u + e % 4u, v);
        }
        workgroupBarrier();
    }
}
