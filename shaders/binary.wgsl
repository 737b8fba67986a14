// out = a + b (OP 0) or a · b (OP 1); with PER_CHANNEL, b is one value per channel.
// Mapping: one invocation per vector.
@group(0) @binding(0) var<storage, read> a: array<vec4<T0>>;
@group(0) @binding(1) var<storage, read> b: array<vec4<T1>>;
@group(0) @binding(2) var<storage, read_write> out: array<vec4<T2>>;

@compute @workgroup_size(WORKGROUP)
fn main(
    @builtin(workgroup_id) wid: vec3<u32>,
    @builtin(num_workgroups) count: vec3<u32>,
    @builtin(local_invocation_id) lid: vec3<u32>,
) {
    let i = item(wid, count, lid);
    if (i < ITEMS) {
        var at = i;
        if (PER_CHANNEL) {
            at = i % C4;
        }
        if (OP == 0u) {
            out[i] = vec4<T2>(vec4<f32>(a[i]) + vec4<f32>(b[at]));
        } else {
            out[i] = vec4<T2>(vec4<f32>(a[i]) * vec4<f32>(b[at]));
        }
    }
}
