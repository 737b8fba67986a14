// Class weights, 0 in the padding lanes. With softmax_row.wgsl.
fn class_weights(c4: u32) -> vec4<f32> {
    var w = vec4<f32>(1.0);
    if (WEIGHTED) {
        w = weights[c4];
    }
    return select(vec4<f32>(), w, classes(c4) < vec4<u32>(C));
}

fn sum4(v: vec4<f32>) -> f32 { return v.x + v.y + v.z + v.w; }
fn max4(v: vec4<f32>) -> f32 { return max(max(v.x, v.y), max(v.z, v.w)); }
