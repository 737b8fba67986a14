// Position along one axis, an integer in units of 1/scale: position = clamp(step · o + offset, 0, (size − 1) · scale).
fn position(o: u32, step: u32, offset: i32, scale: u32, size: u32) -> u32 {
    return u32(clamp(i32(step * o) + offset, 0i, i32((size - 1u) * scale)));
}

// Weight of input i in output o.
fn weight(o: u32, i: u32, step: u32, offset: i32, scale: u32, size: u32) -> f32 {
    let p = position(o, step, offset, scale, size);
    let low = p / scale;
    var part = 0.0;
    if (BILINEAR) {
        part = f32(p % scale) / f32(scale);
    }
    return select(0.0, 1.0 - part, low == i) + select(0.0, part, min(low + 1u, size - 1u) == i);
}

// Outputs to which input i may contribute: first, and last + 1. The range may be too wide; `weight` is 0 for the rest.
fn reach(i: u32, step: u32, offset: i32, scale: u32, size: u32, outputs: u32) -> vec2<u32> {
    var range = vec2<u32>(0u, outputs);
    if (step > 0u) {
        if (i > 0u) {
            range.x = min(u32(max(i32((i - 1u) * scale) - offset, 0i)) / step, outputs);
        }
        if (i + 1u < size) {
            range.y = min(u32(max(i32((i + 1u) * scale) - offset, 0i)) / step + 1u, outputs);
        }
    }
    return range;
}
