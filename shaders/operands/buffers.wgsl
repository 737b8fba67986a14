// Operands of a matrix kernel in buffers, as vectors.
@group(0) @binding(0) var<storage, read> operand_a: array<vec4<T0>>;
@group(0) @binding(1) var<storage, read> operand_b: array<vec4<T1>>;

fn a_at(i: u32) -> vec4<T0> { return operand_a[i]; }
fn b_at(i: u32) -> vec4<T1> { return operand_b[i]; }
