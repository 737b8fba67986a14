fn channels(c: u32, mean: vec4<f32>, invstd: vec4<f32>) -> Channels {
    return Channels(mean, invstd, gamma[c], beta[c]);
}

// The result of a norm with residual and ReLU, for vector i of x.
fn ended(i: u32, known: Channels) -> vec4<f32> {
    var v = normalized(vec4<f32>(x[i]), known);
    if (RESIDUAL) {
        v += vec4<f32>(residual[i]);
    }
    if (RELU) {
        v = select(v, vec4<f32>(), v < vec4<f32>());
    }
    return v;
}
