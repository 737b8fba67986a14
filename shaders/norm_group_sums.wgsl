// Σ γ g and Σ γ g x̂ over each group of channels of each sample, from the segments of norm_grad_reduce (GroupNorm).
// Mapping: one invocation per sample and group; padded groups give 0.
@group(0) @binding(0) var<storage, read> partials: array<f32>;
@group(0) @binding(1) var<storage, read> gamma: array<f32>;
@group(0) @binding(2) var<storage, read_write> sum_g: array<f32>;
@group(0) @binding(3) var<storage, read_write> sum_gx: array<f32>;

@compute @workgroup_size(WORKGROUP)
fn main(
    @builtin(workgroup_id) wid: vec3<u32>,
    @builtin(num_workgroups) count: vec3<u32>,
    @builtin(local_invocation_id) lid: vec3<u32>,
) {
    let i = item(wid, count, lid);
    if (i < ITEMS) {
        let group = i % GROUPS_PADDED;
        let sample = i / GROUPS_PADDED;
        var sum = 0.0;
        var sum_x = 0.0;
        if (group < GROUPS) {
            for (var s = 0u; s < SEGMENTS; s++) {
                for (var j = 0u; j < GROUP_SIZE; j++) {
                    let c = group * GROUP_SIZE + j;
                    let at = ((sample * SEGMENTS + s) * C4 + c / 4u) * 8u + c % 4u;
                    sum += gamma[c] * partials[at];
                    sum_x += gamma[c] * partials[at + 4u];
                }
            }
        }
        sum_g[i] = sum;
        sum_gx[i] = sum_x;
    }
}
