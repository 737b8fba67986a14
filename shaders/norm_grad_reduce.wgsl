// Partial sums Σ g and Σ g · x̂ per segment of rows and channel. g is dy masked by `mask` (see shared/norm_masked.wgsl).
// Layout: out [SAMPLES · SEGMENTS, C / 4, (Σ g, Σ g x̂)].
// Mapping: see shared/segment_sums.wgsl.
@group(0) @binding(0) var<storage, read> dy: array<vec4<T0>>;
@group(0) @binding(1) var<storage, read> x: array<vec4<T1>>;
@group(0) @binding(2) var<storage, read> mask: array<vec4<T2>>;
@group(0) @binding(3) var<storage, read> mean: array<f32>;
@group(0) @binding(4) var<storage, read> invstd: array<f32>;
@group(0) @binding(5) var<storage, read> gamma: array<vec4<f32>>;
@group(0) @binding(6) var<storage, read_write> out: array<vec4<f32>>;

fn begin(first: u32, c: u32) -> Held {
    return channels_of_row(first, c);
}

fn value(i: u32) -> vec4<f32> {
    return vec4<f32>(dy[i]);
}

fn keep(i: u32, sum_g: vec4<f32>, sum_gx: vec4<f32>) {
    out[i * 2u] = sum_g;
    out[i * 2u + 1u] = sum_gx;
}
