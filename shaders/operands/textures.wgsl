// Operands of a matrix kernel in textures, as vectors, TEXTURE_W in a row.
// A software adapter loads a texel for all invocations of a subgroup at once, but elements of a buffer one by one.
@group(0) @binding(0) var operand_a: texture_2d<f32>;
@group(0) @binding(1) var operand_b: texture_2d<f32>;

fn a_at(i: u32) -> vec4<f32> { return textureLoad(operand_a, vec2<u32>(i % TEXTURE_W, i / TEXTURE_W), 0); }
fn b_at(i: u32) -> vec4<f32> { return textureLoad(operand_b, vec2<u32>(i % TEXTURE_W, i / TEXTURE_W), 0); }
