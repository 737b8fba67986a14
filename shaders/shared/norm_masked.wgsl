// `mask` is y with a RESIDUAL, else β.
fn channels(c: u32, mean: vec4<f32>, invstd: vec4<f32>) -> Channels {
    var beta = vec4<f32>();
    if (RELU && !RESIDUAL) {
        beta = vec4<f32>(mask[c]);
    }
    return Channels(mean, invstd, gamma[c], beta);
}

// Gradient of a norm's result: vector i of dy where the fused ReLU (RELU) was on, 0 where it was off. It was on where y > 0.
// With a RESIDUAL y is vector i of `mask`. Otherwise y is recomputed from v = x[i], which saves a third of the reads.
fn masked(g: vec4<f32>, i: u32, v: vec4<f32>, known: Channels) -> vec4<f32> {
    if (RELU && RESIDUAL) {
        return select(vec4<f32>(), g, vec4<f32>(mask[i]) > vec4<f32>());
    }
    if (RELU) {
        return select(vec4<f32>(), g, normalized(v, known) > vec4<f32>());
    }
    return g;
}
