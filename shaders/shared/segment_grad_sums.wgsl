// For segment_sums.wgsl: passes Σ g and Σ g · x̂ to `keep`. g is `value(row · C4 + c)` masked by `mask` (norm_masked.wgsl).
alias Held = Channels;

fn added(sums: Sums, i: u32, c: u32, held: Held) -> Sums {
    let v = vec4<f32>(x[i]);
    let g = masked(value(i), i, v, held);
    return Sums(sums.a + g, fma(g, (v - held.mean) * held.invstd, sums.b));
}

fn done(i: u32, n: f32, held: Held, sums: Sums) {
    keep(i, sums.a, sums.b);
}
