// Mean and sum of squared deviations (m2) per channel and segment of rows.
// A segment lies within one sample. BatchNorm counts the batch as one sample.
// Layout: x [ROWS, C], out [SAMPLES · SEGMENTS, C / 4, (mean, m2)].
// Mapping: see shared/segment_sums.wgsl.
@group(0) @binding(0) var<storage, read> x: array<vec4<T0>>;
@group(0) @binding(1) var<storage, read_write> out: array<vec4<f32>>;

fn value(i: u32) -> vec4<f32> {
    return vec4<f32>(x[i]);
}

fn keep(i: u32, mean: vec4<f32>, m2: vec4<f32>) {
    out[i * 2u] = mean;
    out[i * 2u + 1u] = m2;
}
