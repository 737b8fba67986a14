// One row of logits: its class weights, and what label and options make of it.
fn class_weights(c4: u32) -> vec4<f32> {
    let c = vec4<u32>(c4 * 4u, c4 * 4u + 1u, c4 * 4u + 2u, c4 * 4u + 3u);
    var w = vec4<f32>(1.0);
    if (WEIGHTED) {
        w = weights[c4];
    }
    return select(vec4<f32>(), w, c < vec4<u32>(C));
}

// Logits with the smallest float in the padding lanes, so that they weigh nothing.
fn logits_at(row: u32, c4: u32) -> vec4<f32> {
    let c = vec4<u32>(c4 * 4u, c4 * 4u + 1u, c4 * 4u + 2u, c4 * 4u + 3u);
    return select(vec4<f32>(-3.4e38), logits[row * C4 + c4], c < vec4<u32>(C));
}

fn counts(label: f32) -> bool {
    return !(HAS_IGNORE && label == IGNORE);
}

// 1 in the lane of the label.
fn one_hot(label: f32, c4: u32) -> vec4<f32> {
    let c = vec4<f32>(f32(c4 * 4u)) + vec4<f32>(0.0, 1.0, 2.0, 3.0);
    return select(vec4<f32>(), vec4<f32>(1.0), c == vec4<f32>(label));
}

fn sum4(v: vec4<f32>) -> f32 { return v.x + v.y + v.z + v.w; }
fn max4(v: vec4<f32>) -> f32 { return max(max(v.x, v.y), max(v.z, v.w)); }
