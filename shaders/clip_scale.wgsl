// (norm, min(1, MAX_NORM / (norm + 1e-6)), 0, 0) from the sum of squares, as torch.nn.utils.clip_grad_norm_.
// Mapping: a single invocation.
@group(0) @binding(0) var<storage, read> total: array<vec4<f32>>;
@group(0) @binding(1) var<storage, read_write> out: array<vec4<f32>>;

@compute @workgroup_size(WORKGROUP)
fn main(
    @builtin(workgroup_id) wid: vec3<u32>,
    @builtin(num_workgroups) count: vec3<u32>,
    @builtin(local_invocation_id) lid: vec3<u32>,
) {
    let i = item(wid, count, lid);
    if (i < ITEMS) {
        let norm = sqrt(total[0].x);
        out[0] = vec4<f32>(norm, min(1.0, MAX_NORM / (norm + 1e-6)), 0.0, 0.0);
    }
}
