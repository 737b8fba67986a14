// With: softmax_row.wgsl.

// Class weights, 0 in the padding lanes.
fn class_weights(c4: u32) -> vec4<f32> {
    var w = vec4<f32>(1.0);
    if (WEIGHTED) {
        w = weights[c4];
    }
    return select(vec4<f32>(), w, classes(c4) < vec4<u32>(C));
}

// Target of a row: 1 in the lane of its label, or its given probabilities. Padding lanes are 0.
fn wanted_at(row: u32, c4: u32) -> vec4<f32> {
    if (SOFT_LABELS) {
        let i = (row * C4 + c4) * 4u;
        return vec4<f32>(labels[i], labels[i + 1u], labels[i + 2u], labels[i + 3u]);
    }
    return one_hot(labels[row], c4);
}

fn sum4(v: vec4<f32>) -> f32 { return v.x + v.y + v.z + v.w; }
fn max4(v: vec4<f32>) -> f32 { return max(max(v.x, v.y), max(v.z, v.w)); }
