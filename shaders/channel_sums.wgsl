// Partial sums over rows, one per channel and segment of rows.
// Layout: x [ROWS, C], out [SEGMENTS, C].
// Mapping: see shared/segment_sums.wgsl.
@group(0) @binding(0) var<storage, read> x: array<vec4<T0>>;
@group(0) @binding(1) var<storage, read_write> out: array<vec4<f32>>;

struct Held { nothing: u32 }

fn begin(first: u32, c: u32) -> Held {
    return Held();
}

fn added(sums: Sums, i: u32, c: u32, held: Held) -> Sums {
    return Sums(sums.a + vec4<f32>(x[i]), sums.b);
}

fn done(i: u32, n: f32, held: Held, sums: Sums) {
    out[i] = sums.a;
}
