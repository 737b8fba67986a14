// Targets of a vector of elements. `targets` and `weights` are bindings of the kernel.

// Whether each lane counts. Padding lanes and ignored targets do not.
fn counted(i: u32) -> vec4<bool> {
    let c = (i % C4) * 4u;
    let there = vec4<u32>(c, c + 1u, c + 2u, c + 3u) < vec4<u32>(C);
    let ignored = vec4<bool>(HAS_IGNORE) & (targets[i] == vec4<f32>(IGNORE));
    return there & !ignored;
}

// t = (1 − ε) y + ε/2.
fn smoothed(i: u32) -> vec4<f32> {
    return (1.0 - LABEL_SMOOTHING) * targets[i] + 0.5 * LABEL_SMOOTHING;
}

// Positive weights of the channels.
fn positive(i: u32) -> vec4<f32> {
    var w = vec4<f32>(1.0);
    if (WEIGHTED) {
        w = weights[i % C4];
    }
    return w;
}
