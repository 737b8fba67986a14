// Stage of a weight gradient by Winograd's F(4×4, 3×3): M = A dy Aᵀ, the values of 4×4 output gradients at 36 points.
// Mapping: one invocation per tile and vector of output channels, channels innermost.
// Layout: dy N H W K; M points, tiles (n, row, column), K, all as vectors of 4 channels.
@group(0) @binding(1) var<storage, read> dy: array<vec4<f32>>;

// Outside the image it reads the first pixel and drops it.
fn load(p: Place, r: u32, c: u32) -> vec4<f32> {
    let row = p.row + r;
    let column = p.column + c;
    let inside = row < TO_H && column < TO_W;
    let at = select(0u, (p.image * TO_H + row) * TO_W + column, inside);
    return select(vec4<f32>(), dy[at * K4 + p.channel], inside);
}

fn store(p: Place, r: u32, c: u32, v: vec4<f32>) {
    scratch[M_AT + (r * 6u + c) * (TILES * K4) + p.at] = v;
}
