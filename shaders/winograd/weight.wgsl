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
