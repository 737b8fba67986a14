// Partial sums of the squares of the flat gradient: (Σ g², 0, 0, 0).
// Mapping: one invocation per part. Part i has the vectors i, i + PARTS, i + 2 PARTS, …, so that neighboring invocations
// read neighboring vectors.
@group(0) @binding(0) var<storage, read> grad: array<vec4<f32>>;
@group(0) @binding(1) var<storage, read_write> out: array<vec4<f32>>;

@compute @workgroup_size(WORKGROUP)
fn main(
    @builtin(workgroup_id) wid: vec3<u32>,
    @builtin(num_workgroups) count: vec3<u32>,
    @builtin(local_invocation_id) lid: vec3<u32>,
) {
    let i = item(wid, count, lid);
    if (i < ITEMS) {
        var sum = vec4<f32>();
        for (var at = i; at < LEN4; at += PARTS) {
            sum = fma(grad[at], grad[at], sum);
        }
        out[i] = vec4<f32>(sum.x + sum.y + sum.z + sum.w, 0.0, 0.0, 0.0);
    }
}
