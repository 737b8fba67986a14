// out = (loss, weight of the label, 1 if correct, 1 if counted) per row of logits, and 0 for an ignored row.
//   l = (1 − ε) w_y (−log p_y) + ε / C Σ_c w_c (−log p_c)
// The first class among equals is the predicted one.
// SOFT_LABELS: the label is the probabilities q of all classes, and l = Σ_c ((1 − ε) q_c + ε / C) w_c (−log p_c).
// The weight is 1, and the class with the largest q is the correct one.
// LOG_PROBABILITIES: the logits are log p.
// FOCAL: l = (1 − p_y)^γ w_y (−log p_y).
// Mapping: one invocation per row.
@group(0) @binding(0) var<storage, read> logits: array<vec4<f32>>;
@group(0) @binding(1) var<storage, read> labels: array<f32>;
@group(0) @binding(2) var<storage, read> weights: array<vec4<f32>>;
@group(0) @binding(3) var<storage, read_write> out: array<vec4<f32>>;

// The class with the largest probability of a soft label.
fn likeliest(row: u32) -> u32 {
    var top = -1.0;
    var best = 0u;
    for (var c = 0u; c < C; c++) {
        let q = labels[row * C4 * 4u + c];
        if (q > top) {
            top = q;
            best = c;
        }
    }
    return best;
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
        var r = vec4<f32>();
        if (counts(label)) {
            var top = -3.4e38;
            var best = 0u;
            for (var c = 0u; c < C4; c++) {
                let v = logits_at(i, c);
                for (var l = 0u; l < 4u; l++) {
                    if (v[l] > top) {
                        top = v[l];
                        best = c * 4u + l;
                    }
                }
            }
            var total = 0.0;
            for (var c = 0u; c < C4; c++) {
                total += sum4(exp(logits_at(i, c) - top));
            }
            var lse = log(total);
            if (LOG_PROBABILITIES) {
                top = 0.0;
                lse = 0.0;
            }
            var loss = 0.0;
            var weight = 0.0;
            var own = 0.0;
            for (var c = 0u; c < C4; c++) {
                let w = class_weights(c);
                let hit = wanted_at(i, c) * w;
                // −log p; 0 in the padding lanes, where w is 0 too
                let nll = select(lse - (logits_at(i, c) - top), vec4<f32>(), w == vec4<f32>());
                weight += sum4(hit);
                own += sum4(wanted_at(i, c) * nll);
                loss += sum4(((1.0 - LABEL_SMOOTHING) * hit + (LABEL_SMOOTHING / f32(C)) * w) * nll);
            }
            if (FOCAL) {
                loss *= focus(own);
            }
            var truth = label;
            if (SOFT_LABELS) {
                weight = 1.0;
                truth = f32(likeliest(i));
            }
            r = vec4<f32>(loss, weight, select(0.0, 1.0, f32(best) == truth), 1.0);
        }
        out[i] = r;
    }
}
