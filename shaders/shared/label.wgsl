// The label of a row. With: softmax_row.wgsl.

// Whether a row counts: the label is not the ignored one.
fn counts(label: f32) -> bool { return !(HAS_IGNORE && label == IGNORE); }

// 1 in the lane of the label, 0 in the others.
fn one_hot(label: f32, c4: u32) -> vec4<f32> {
    return select(vec4<f32>(), vec4<f32>(1.0), vec4<f32>(classes(c4)) == vec4<f32>(label));
}
