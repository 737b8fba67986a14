// The addend of a convolution's epilogue.
@group(0) @binding(3) var<storage, read> addend: array<vec4<T3>>;

fn with_addend(sum: vec4<f32>, at: u32) -> vec4<f32> {
    return sum + vec4<f32>(addend[at]);
}
