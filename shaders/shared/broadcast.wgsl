// Index of the vector that a repeated tensor has for vector i of a tensor [N, D_H, D_W, C]. B_N, B_H, B_W and B_C are the
// steps along these axes in vectors; the step is 0 along a repeated axis.
fn repeated_at(i: u32) -> u32 {
    let row = i / C4;
    let h = row / D_W;
    return (h / D_H) * B_N + (h % D_H) * B_H + (row % D_W) * B_W + (i % C4) * B_C;
}

// The operand for the lanes of vector i. With ONE_CHANNEL its only channel serves all lanes.
fn repeated(v: vec4<f32>) -> vec4<f32> {
    return select(v, vec4<f32>(v.x), vec4<bool>(ONE_CHANNEL));
}
