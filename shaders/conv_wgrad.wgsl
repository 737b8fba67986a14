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
