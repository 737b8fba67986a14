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
