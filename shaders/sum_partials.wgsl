// out[i] = Σ_p partials[p · LEN4 + i], in the order of p. The last part may be incomplete (TOTAL4 vectors in all).
// Mapping: one invocation per vector of the result.
@group(0) @binding(0) var<storage, read> partials: array<vec4<f32>>;
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
        for (var at = i; at < TOTAL4; at += LEN4) {
            sum += partials[at];
        }
        out[i] = sum;
    }
}
