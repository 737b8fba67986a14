// Last stage of a convolution by Winograd's F(4×4, 3×3): y = Aᵀ M A + bias, 4×4 outputs from the products at 36 points.
// Mapping: one invocation per tile and vector of output channels, these innermost.
// Layout: M points, tiles (n, row, column), K; y N H W K, all as vectors of 4 channels.
@group(0) @binding(2) var<storage, read> bias: array<vec4<f32>>;
@group(0) @binding(3) var<storage, read_write> y: array<vec4<f32>>;

struct Place { image: u32, row: u32, column: u32, channel: u32, first: u32 }

fn place(i: u32) -> Place {
    let tile = i / K4;
    let row = tile / TILES_X % TILES_Y * 4u;
    return Place(tile / (TILES_X * TILES_Y), row, tile % TILES_X * 4u, i % K4, M_AT + i);
}

fn load(p: Place, r: u32, c: u32) -> vec4<f32> {
    return scratch[(r * 6u + c) * (TILES * K4) + p.first];
}

fn store(p: Place, r: u32, c: u32, v: vec4<f32>) {
    let row = p.row + r;
    let column = p.column + c;
    if (row < TO_H && column < TO_W) {
        var sum = v;
        if (HAS_BIAS) {
            sum += bias[p.channel];
        }
        y[((p.image * TO_H + row) * TO_W + column) * K4 + p.channel] = sum;
    }
}
