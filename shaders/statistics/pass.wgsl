// For a convolution whose kernel cannot leave what its tiles know: its result y [ROWS, C] is read once more, as norm_stats and
// norm_grad_reduce read what they are given.
// Mapping: see shared/segment_sums.wgsl.
@group(0) @binding(4) var<storage, read_write> y: array<vec4<T4>>;

fn value(i: u32) -> vec4<f32> {
    return vec4<f32>(y[i]);
}
