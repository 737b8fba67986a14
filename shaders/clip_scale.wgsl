// out = (norm, factor, 0, 0) from the sum of squares; factor = min(1, MAX_NORM / (norm + 1e-6)).
// The formula is that of torch.nn.utils.clip_grad_norm_.
// With SCALED the squares are those of gradients · scale. norm is that of the gradients, and factor also divides by scale.
// Mapping: a single invocation.
@group(0) @binding(0) var<storage, read> total: array<vec4<f32>>;
@group(0) @binding(1) var<storage, read> scale: array<f32>;
@group(0) @binding(2) var<storage, read_write> out: array<vec4<f32>>;

@compute @workgroup_size(WORKGROUP)
fn main(
    @builtin(workgroup_id) wid: vec3<u32>,
    @builtin(num_workgroups) count: vec3<u32>,
    @builtin(local_invocation_id) lid: vec3<u32>,
) {
    let i = item(wid, count, lid);
    if (i < ITEMS) {
        var unscale = 1.0;
        if (SCALED) {
            unscale = 1.0 / scale[0];
        }
        let norm = sqrt(total[0].x) * unscale;
        // Divides only where clipping applies: without a limit MAX_NORM is the largest float.
        var factor = 1.0;
        if (norm + 1e-6 > MAX_NORM) {
            factor = MAX_NORM / (norm + 1e-6);
        }
        out[0] = vec4<f32>(norm, factor * unscale, 0.0, 0.0);
    }
}
