// A norm's result with what is fused behind it, for vector i of x, of channels c, with their mean m and 1 / std r.
fn ended(i: u32, c: u32, m: vec4<f32>, r: vec4<f32>) -> vec4<f32> {
    var v = normalized(vec4<f32>(x[i]), m, r, gamma[c], beta[c]);
    if (RESIDUAL) {
        v += vec4<f32>(residual[i]);
    }
    if (RELU) {
        v = select(v, vec4<f32>(), v < vec4<f32>());
    }
    return v;
}
