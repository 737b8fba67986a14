// dβ = Σ g and dγ = Σ g · x̂ over all segments of norm_grad_reduce, in order.
// Mapping: one invocation per vector of channels.
@group(0) @binding(0) var<storage, read> partials: array<vec4<f32>>;
@group(0) @binding(1) var<storage, read_write> dgamma: array<vec4<f32>>;
@group(0) @binding(2) var<storage, read_write> dbeta: array<vec4<f32>>;

@compute @workgroup_size(WORKGROUP)
fn main(
    @builtin(workgroup_id) wid: vec3<u32>,
    @builtin(num_workgroups) count: vec3<u32>,
    @builtin(local_invocation_id) lid: vec3<u32>,
) {
    let i = item(wid, count, lid);
    if (i < ITEMS) {
        var sum = vec4<f32>();
        var sum_x = vec4<f32>();
        for (var s = 0u; s < SAMPLES * SEGMENTS; s++) {
            sum += partials[(s * C4 + i) * 2u];
            sum_x += partials[(s * C4 + i) * 2u + 1u];
        }
        dgamma[i] = sum_x;
        dbeta[i] = sum;
    }
}
