// loss = 1 − 1/C Σ_c (2 Σ p_c t_c + SMOOTH) / (Σ p_c + Σ t_c + SMOOTH), with the sums of dice_sums.wgsl.
// Mapping: a single invocation.
@group(0) @binding(0) var<storage, read> sums: array<f32>;
@group(0) @binding(1) var<storage, read_write> loss: array<vec4<f32>>;

@compute @workgroup_size(WORKGROUP)
fn main(
    @builtin(workgroup_id) wid: vec3<u32>,
    @builtin(num_workgroups) count: vec3<u32>,
    @builtin(local_invocation_id) lid: vec3<u32>,
) {
    let i = item(wid, count, lid);
    if (i < ITEMS) {
        var total = 0.0;
        for (var c = 0u; c < C; c++) {
            let all = sums[4u * C4 + c] + sums[8u * C4 + c] + SMOOTH;
            // With SMOOTH 0, a class that is neither labeled nor predicted has Dice 1.
            total += select(1.0, (2.0 * sums[c] + SMOOTH) / all, all > 0.0);
        }
        loss[0] = vec4<f32>(1.0 - total / f32(C), 0.0, 0.0, 0.0);
    }
}
