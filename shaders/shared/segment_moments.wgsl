// For segment_sums.wgsl: passes mean and sum of squared deviations of the vectors `value(row · C4 + c)` to `keep`.
// The sums are of values minus the first row of the segment: the variance does not cancel when the mean is far from 0.
struct Held { shift: vec4<f32> }

fn begin(first: u32, c: u32) -> Held {
    return Held(value(first * C4 + c));
}

fn added(sums: Sums, i: u32, c: u32, held: Held) -> Sums {
    let d = value(i) - held.shift;
    return Sums(sums.a + d, fma(d, d, sums.b));
}

fn done(i: u32, n: f32, held: Held, sums: Sums) {
    keep(i, held.shift + sums.a / n, max(sums.b - sums.a * sums.a / n, vec4<f32>()));
}
