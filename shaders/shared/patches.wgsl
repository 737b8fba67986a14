// Weight gradient by patches: all taps share a patch of PATCH_H × PATCH_W output pixels and the input pixels that they reach
// from it. A step of the sum is one patch. Strides and dilations are 1.
// Patches follow each other downwards, because neighbors above each other share input pixels.
const INPUT_W: u32 = PATCH_W + KW - 1u;
const DOWN: u32 = (OH + PATCH_H - 1u) / PATCH_H;
const ACROSS: u32 = (OW + PATCH_W - 1u) / PATCH_W;
const PATCHES: u32 = N * ACROSS * DOWN;
const WHOLE: bool = OH % PATCH_H == 0u && OW % PATCH_W == 0u;

// First patch of a part of the sum.
fn first_patch(part: u32, parts: u32) -> u32 {
    return min(part * ((PATCHES + parts - 1u) / parts), PATCHES);
}

// The first output pixel of patch k.
struct Patch { n: u32, oh: u32, ow: u32 }

fn patch_at(k: u32) -> Patch {
    let across = k / DOWN;
    return Patch(across / ACROSS, (k % DOWN) * PATCH_H, (across % ACROSS) * PATCH_W);
}

// The input pixel of patch k.
fn patch_pixel(k: u32) -> Pixel {
    let p = patch_at(k);
    return Pixel(i32(p.oh), i32(p.ow), ((p.n * H + p.oh) * W + p.ow) * I4);
}

// Row of the i-th input pixel that taps reach from a patch, as a distance from `patch_pixel`.
fn patch_row(batch: u32, i: u32, channel: u32, there: bool) -> Row {
    let dh = i32(i / INPUT_W) - i32(PT);
    return row_at(batch, dh, i32(i % INPUT_W) - i32(PL), channel, there && channel < GI4);
}

// Two adjacent vectors with one computation of their offset.
struct Pair { near: vec4<f16>, far: vec4<f16> }

// Two vectors of the input, from `channel` on. With an odd number of vectors the last one is read twice;
// the sums of the copy are not stored.
fn patch_x(row: Row, k: u32, channel: u32) -> Pair {
    let p = patch_pixel(k);
    let inside = reaches(row, p);
    let at = select(0u, p.at + row.at, inside);
    let two = GI4 % 2u == 0u || channel + 1u < GI4;
    return Pair(select(vec4<f16>(), a_at(at), inside), select(vec4<f16>(), a_at(select(at, at + 1u, two)), inside));
}

// Two vectors of dy for the i-th pixel of patch k, from column n on.
fn patch_dy(batch: u32, k: u32, i: u32, n: u32) -> Pair {
    let p = patch_at(k);
    let near = ((i / PATCH_W) * OW + i % PATCH_W) * O4 + (batch % GROUPS) * GO4 + n;
    let there = WHOLE || (p.oh + i / PATCH_W < OH && p.ow + i % PATCH_W < OW);
    let inside = there && i < PATCH_H * PATCH_W && (N_EXACT || n < GO4);
    let at = select(0u, ((p.n * OH + p.oh) * OW + p.ow) * O4 + near, inside);
    let two = GO4 % 2u == 0u || n + 1u < GO4;
    return Pair(select(vec4<f16>(), b_at(at), inside), select(vec4<f16>(), b_at(select(at, at + 1u, two)), inside));
}
