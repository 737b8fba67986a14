// Gradient of dice_finalize.wgsl, with D_c = (2 I_c + s) / (P_c + T_c + s) and I, P, T the sums of dice_sums.wgsl:
//   dl/dp_c = −1/C · (2 t_c − D_c) / (P_c + T_c + s)
//   dlogit_c = upstream · p_c · (dl/dp_c − Σ_k p_k · dl/dp_k), 0 in ignored rows
// Mapping: one invocation per row.
@group(0) @binding(0) var<storage, read> upstream: array<f32>;
@group(0) @binding(1) var<storage, read> sums: array<vec4<f32>>;
@group(0) @binding(2) var<storage, read> logits: array<vec4<f32>>;
@group(0) @binding(3) var<storage, read> labels: array<f32>;
@group(0) @binding(4) var<storage, read_write> dlogits: array<vec4<f32>>;

// dl/dp for one vector of classes.
fn slope(label: f32, c: u32) -> vec4<f32> {
    let all = sums[C4 + c] + sums[2u * C4 + c] + SMOOTH;
    let dice = (2.0 * sums[c] + SMOOTH) / all;
    let s = (dice - 2.0 * one_hot(label, c)) / (all * f32(C));
    return select(vec4<f32>(), s, all > vec4<f32>());
}

@compute @workgroup_size(WORKGROUP)
fn main(
    @builtin(workgroup_id) wid: vec3<u32>,
    @builtin(num_workgroups) count: vec3<u32>,
    @builtin(local_invocation_id) lid: vec3<u32>,
) {
    let i = item(wid, count, lid);
    if (i < ITEMS) {
        let label = labels[i];
        let u = select(0.0, upstream[0], counts(label));
        let s = softmax_of(i);
        var mean = 0.0;
        for (var c = 0u; c < C4; c++) {
            let part = exp(logits_at(i, c) - s.x) / s.y * slope(label, c);
            mean += part.x + part.y + part.z + part.w;
        }
        for (var c = 0u; c < C4; c++) {
            let p = exp(logits_at(i, c) - s.x) / s.y;
            dlogits[i * C4 + c] = u * p * (slope(label, c) - mean);
        }
    }
}
