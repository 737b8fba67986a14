// A pass over the result y [ROWS, C] of a convolution whose tiles cannot write lines, as norm_stats and norm_grad_reduce read
// their input.
// Mapping: see shared/segment_sums.wgsl.
@group(0) @binding(4) var<storage, read_write> y: array<vec4<T4>>;

fn value(i: u32) -> vec4<f32> {
    return vec4<f32>(y[i]);
}
