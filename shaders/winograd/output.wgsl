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
