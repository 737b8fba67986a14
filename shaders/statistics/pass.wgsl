// What norm_stats does, for a convolution whose kernel cannot leave the moments of its tiles: its result y [ROWS, C] is read
// once more, to moments [SEGMENTS, C / 4, (mean, m2)].
// Mapping: see shared/segment_moments.wgsl.
@group(0) @binding(4) var<storage, read_write> y: array<vec4<T4>>;
@group(0) @binding(5) var<storage, read_write> moments: array<vec4<f32>>;

fn value(i: u32) -> vec4<f32> {
    return vec4<f32>(y[i]);
}

fn keep(i: u32, mean: vec4<f32>, m2: vec4<f32>) {
    moments[i * 2u] = mean;
    moments[i * 2u + 1u] = m2;
}
