// The losses −log p of both answers, for a vector of elements.

// log(1 + e) for e in [0, 1]. The series serves small e, where 1 + e would lose the digits of e.
fn log_1p(e: vec4<f32>) -> vec4<f32> {
    let series = e * (1.0 - e * (0.5 - e * (1.0 / 3.0)));
    return select(log(1.0 + e), series, e < vec4<f32>(0.004));
}

// softplus(x) = max(x, 0) + log(1 + e^−|x|), which never overflows. −log σ(x) is softplus(−x).
fn softplus(x: vec4<f32>) -> vec4<f32> {
    return max(x, vec4<f32>()) + log_1p(exp(-abs(x)));
}
