// One row of logits. `logits` is a binding of the kernel.

// The channels in the lanes of a vector.
fn classes(c4: u32) -> vec4<u32> { return vec4<u32>(c4 * 4u, c4 * 4u + 1u, c4 * 4u + 2u, c4 * 4u + 3u); }

// Logits. Padding lanes have the smallest float, so that their probability is 0.
fn logits_at(row: u32, c4: u32) -> vec4<f32> {
    return select(vec4<f32>(-3.4e38), vec4<f32>(logits[row * C4 + c4]), classes(c4) < vec4<u32>(C));
}

// Largest logit of a row, and Σ exp(logit − largest).
fn softmax_of(row: u32) -> vec2<f32> {
    var top = -3.4e38;
    for (var c = 0u; c < C4; c++) {
        let v = logits_at(row, c);
        top = max(top, max(max(v.x, v.y), max(v.z, v.w)));
    }
    var total = 0.0;
    for (var c = 0u; c < C4; c++) {
        let e = exp(logits_at(row, c) - top);
        total += e.x + e.y + e.z + e.w;
    }
    return vec2<f32>(top, total);
}
