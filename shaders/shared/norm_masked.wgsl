// `mask` is y with a RESIDUAL, else β.
fn channels(c: u32, mean: vec4<f32>, invstd: vec4<f32>) -> Channels {
    var beta = vec4<f32>();
    if (RELU && !RESIDUAL) {
        beta = vec4<f32>(mask[c]);
    }
    return Channels(mean, invstd, gamma[c], beta);
}

// The gradient of a norm's result: g, vector i of dy, and 0 where a fused ReLU (RELU) was off. The ReLU was on where y,
// vector i of `mask`, is positive. Without a RESIDUAL y is recomputed from v = x[i], which saves a third of the reads.
fn masked(g: vec4<f32>, i: u32, v: vec4<f32>, known: Channels) -> vec4<f32> {
    if (RELU && RESIDUAL) {
        return select(vec4<f32>(), g, vec4<f32>(mask[i]) > vec4<f32>());
    }
    if (RELU) {
        return select(vec4<f32>(), g, normalized(v, known) > vec4<f32>());
    }
    return g;
}
