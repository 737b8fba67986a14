// Last stage of a weight gradient by Winograd's F(4×4, 3×3): dw = Gᵀ U G. The products U at 36 points give 3×3 kernels.
// Mapping: one invocation per part of the sum, input channel and vector of output channels, output channels innermost.
// Layout: U parts, points, C, K; dw parts, KH KW C K, all as vectors of 4 channels.
@group(0) @binding(2) var<storage, read_write> dw: array<vec4<f32>>;

const CHANNELS: u32 = C4 * 4u * K4;

struct Place { part: u32, at: u32 }

fn place(i: u32) -> Place {
    return Place(i / CHANNELS, i % CHANNELS);
}

fn load(p: Place, r: u32, c: u32) -> vec4<f32> {
    return scratch[U_AT + (p.part * 36u + r * 6u + c) * CHANNELS + p.at];
}

fn store(p: Place, r: u32, c: u32, v: vec4<f32>) {
    dw[(p.part * 9u + r * 3u + c) * CHANNELS + p.at] = v;
}
