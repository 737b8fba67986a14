// The gradient of a norm's result: g, vector i of dy, of channels c, where a fused ReLU (RELU) was on. Behind a RESIDUAL `mask`
// is y; else it is β, and y is computed anew from v = x[i] and its mean m and 1 / std r, which spares a third of what is read.
fn masked(g: vec4<f32>, i: u32, c: u32, v: vec4<f32>, m: vec4<f32>, r: vec4<f32>) -> vec4<f32> {
    if (RELU && RESIDUAL) {
        return select(vec4<f32>(), g, vec4<f32>(mask[i]) > vec4<f32>());
    }
    if (RELU) {
        return select(vec4<f32>(), g, normalized(v, m, r, gamma[c], vec4<f32>(mask[c])) > vec4<f32>());
    }
    return g;
}
