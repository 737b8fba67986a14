// A line's Σ g and Σ g · x̂ with `value`, vector `at` of the result, of channels c, which behind `mask` is g (see
// shared/norm_masked.wgsl).
fn with_value(line: Line, value: vec4<f32>, at: u32, c: u32) -> Line {
    let m = mean[c];
    let r = invstd[c];
    let v = vec4<f32>(x[at]);
    let g = masked(value, at, c, v, m, r);
    return Line(line.n, line.a + g, fma(g, (v - m) * r, line.b));
}
