// A pass over the result of a convolution whose tiles cannot write lines. It reads as norm_stats and norm_grad_reduce do.
// Layout: y [ROWS, C].
// Mapping: see shared/segment_sums.wgsl.
@group(0) @binding(4) var<storage, read_write> y: array<vec4<T4>>;

fn value(i: u32) -> vec4<f32> {
    return vec4<f32>(y[i]);
}
