// For segment_sums.wgsl: Σ g and Σ g · x̂, where g is `value(row · C4 + c)`, masked (see norm_masked.wgsl), to `keep`.
alias Held = Channels;

fn added(sums: Sums, i: u32, c: u32, held: Held) -> Sums {
    let v = vec4<f32>(x[i]);
    let g = masked(value(i), i, v, held);
    return Sums(sums.a + g, fma(g, (v - held.mean) * held.invstd, sums.b));
}

fn done(i: u32, n: f32, held: Held, sums: Sums) {
    keep(i, sums.a, sums.b);
}
