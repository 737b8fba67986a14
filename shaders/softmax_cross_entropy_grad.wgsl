// dlogits = u · [p_k ((1 − ε) w_y + ε/C Σ_c w_c) − (1 − ε) w_y [k = y] − ε/C w_k]
// u is the upstream gradient; for the mean it is divided by the sum of the labels' weights.
// u = 0 when every row is ignored.
// SOFT_LABELS: q_k replaces [k = y], and Σ_c q_c w_c replaces w_y.
// LOG_PROBABILITIES: the logits are log p, and the first term is absent.
// FOCAL: u is multiplied by the factor of focal.wgsl.
// Mapping: one invocation per row.
@group(0) @binding(0) var<storage, read> upstream: array<f32>;
@group(0) @binding(1) var<storage, read> totals: array<f32>;
@group(0) @binding(2) var<storage, read> logits: array<vec4<f32>>;
@group(0) @binding(3) var<storage, read> labels: array<f32>;
@group(0) @binding(4) var<storage, read> weights: array<vec4<f32>>;
@group(0) @binding(5) var<storage, read_write> dlogits: array<vec4<f32>>;

@compute @workgroup_size(WORKGROUP)
fn main(
    @builtin(workgroup_id) wid: vec3<u32>,
    @builtin(num_workgroups) count: vec3<u32>,
    @builtin(local_invocation_id) lid: vec3<u32>,
) {
    let i = item(wid, count, lid);
    if (i < ITEMS) {
        let label = labels[i];
        var u = upstream[0];
        if (MEAN) {
            u = select(0.0, u / totals[1], totals[3] > 0.0);
        }
        if (!counts(label)) {
            u = 0.0;
        }
        var top = -3.4e38;
        for (var c = 0u; c < C4; c++) {
            top = max(top, max4(logits_at(i, c)));
        }
        var total = 0.0;
        var weight = 0.0;
        var all = 0.0;
        for (var c = 0u; c < C4; c++) {
            total += sum4(exp(logits_at(i, c) - top));
            weight += sum4(wanted_at(i, c) * class_weights(c));
            all += sum4(class_weights(c));
        }
        if (FOCAL) {
            var own = 0.0;
            for (var c = 0u; c < C4; c++) {
                own += sum4(wanted_at(i, c) * (log(total) - (logits_at(i, c) - top)));
            }
            u *= focus_grad(own);
        }
        let share = LABEL_SMOOTHING / f32(C);
        let scale = (1.0 - LABEL_SMOOTHING) * weight + share * all;
        for (var c = 0u; c < C4; c++) {
            var p = exp(logits_at(i, c) - top) / total;
            if (LOG_PROBABILITIES) {
                p = vec4<f32>();
            }
            let wanted = ((1.0 - LABEL_SMOOTHING) * wanted_at(i, c) + share) * class_weights(c);
            dlogits[i * C4 + c] = u * (p * scale - wanted);
        }
    }
}
