// out = a + b (OP 0), a · b (OP 1), a − b (OP 2) or a / b (OP 3).
// With BROADCAST, b is repeated over a.
// With MASKED, padding lanes of the result are set to 0; the formula would give another value there.
// Mapping: one invocation per vector of a, see shared/broadcast.wgsl.
@group(0) @binding(0) var<storage, read> a: array<vec4<T0>>;
@group(0) @binding(1) var<storage, read> b: array<vec4<T1>>;
@group(0) @binding(2) var<storage, read_write> out: array<vec4<T2>>;

fn apply(v: vec4<f32>, w: vec4<f32>) -> vec4<f32> {
    if (OP == 0u) {
        return v + w;
    } else if (OP == 1u) {
        return v * w;
    } else if (OP == 2u) {
        return v - w;
    }
    return v / w;
}

@compute @workgroup_size(WORKGROUP)
fn main(
    @builtin(workgroup_id) wid: vec3<u32>,
    @builtin(num_workgroups) count: vec3<u32>,
    @builtin(local_invocation_id) lid: vec3<u32>,
) {
    let i = item(wid, count, lid);
    if (i < ITEMS) {
        var v = vec4<f32>();
        if (BROADCAST) {
            v = apply(vec4<f32>(a[i]), repeated(vec4<f32>(b[repeated_at(i)])));
        } else {
            v = apply(vec4<f32>(a[i]), vec4<f32>(b[i]));
        }
        if (MASKED) {
            v = select(vec4<f32>(), v, is_channel(i));
        }
        out[i] = vec4<T2>(v);
    }
}
