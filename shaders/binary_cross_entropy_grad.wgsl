// dlogits = u ((1 − t) σ(x) − w t σ(−x)), see binary_cross_entropy.wgsl.
// u is the upstream gradient; for the mean it is divided by the number of counted elements (u = 0 when none counts).
// FOCAL: both terms are multiplied by the factors of focal.wgsl.
// Padding lanes and ignored elements become 0.
// Mapping: one invocation per vector.
@group(0) @binding(0) var<storage, read> upstream: array<f32>;
@group(0) @binding(1) var<storage, read> totals: array<f32>;
@group(0) @binding(2) var<storage, read> logits: array<vec4<f32>>;
@group(0) @binding(3) var<storage, read> targets: array<vec4<f32>>;
@group(0) @binding(4) var<storage, read> weights: array<vec4<f32>>;
@group(0) @binding(5) var<storage, read_write> dlogits: array<vec4<f32>>;

// The factors of focal loss for a vector of losses.
fn focus_grad4(n: vec4<f32>) -> vec4<f32> {
    return vec4<f32>(focus_grad(n.x), focus_grad(n.y), focus_grad(n.z), focus_grad(n.w));
}

@compute @workgroup_size(WORKGROUP)
fn main(
    @builtin(workgroup_id) wid: vec3<u32>,
    @builtin(num_workgroups) count: vec3<u32>,
    @builtin(local_invocation_id) lid: vec3<u32>,
) {
    let i = item(wid, count, lid);
    if (i < ITEMS) {
        var u = upstream[0];
        if (MEAN) {
            u = select(0.0, u / totals[1], totals[3] > 0.0);
        }
        let x = logits[i];
        let t = smoothed(i);
        // Both sigmoids from e^−|x|, so that neither loses digits.
        let e = exp(-abs(x));
        let near = 1.0 / (1.0 + e);
        let far = e * near;
        let above = x >= vec4<f32>();
        var absent = select(far, near, above);
        var present = select(near, far, above);
        if (FOCAL) {
            absent *= focus_grad4(softplus(x));
            present *= focus_grad4(softplus(-x));
        }
        let slope = (1.0 - t) * absent - positive(i) * t * present;
        dlogits[i] = select(vec4<f32>(), u * slope, counted(i));
    }
}
