// The bias of a convolution's epilogue.
@group(0) @binding(2) var<storage, read> bias: array<vec4<f32>>;

fn with_bias(sum: vec4<f32>, channel: u32) -> vec4<f32> {
    return sum + bias[channel];
}
