// The operands of a matrix kernel, in vectors, from textures of TEXTURE_W vectors a row. Software adapters load from these for
// all invocations of a subgroup at once, and from buffers one by one.
@group(0) @binding(0) var operand_a: texture_2d<f32>;
@group(0) @binding(1) var operand_b: texture_2d<f32>;

fn a_at(i: u32) -> vec4<f32> { return textureLoad(operand_a, vec2<u32>(i % TEXTURE_W, i / TEXTURE_W), 0); }
fn b_at(i: u32) -> vec4<f32> { return textureLoad(operand_b, vec2<u32>(i % TEXTURE_W, i / TEXTURE_W), 0); }
