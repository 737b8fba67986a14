// Adds a value to the Σ g and Σ g · x̂ of a line. g is vector `at` of the result, masked (see shared/norm_masked.wgsl).
fn with_value(line: Line, value: vec4<f32>, at: u32, known: Channels) -> Line {
    let v = vec4<f32>(x[at]);
    let g = masked(value, at, v, known);
    return Line(line.n, line.a + g, fma(g, (v - known.mean) * known.invstd, line.b));
}
