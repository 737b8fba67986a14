// Adam, or AdamW when DECOUPLED:
//   m = β1 m + (1 − β1) g; v = β2 v + (1 − β2) g²
//   p −= lr / (1 − β1^t) · m / (sqrt(v) / sqrt(1 − β2^t) + ε)
// hyper holds lr, 1/(1 − β1^t) and 1/sqrt(1 − β2^t).
// RATE1 and RATE2 are 1 − β1 and 1 − β2. Formed from β in f32 they would lose digits.
// The first DECAY_END4 vectors are decayed.
// The step is skipped when guard_value[0] is not finite: the loss, or the norm of scaled gradients.
// Mapping: one invocation per vector of the flat parameter buffer.
@group(0) @binding(0) var<storage, read_write> p: array<vec4<f32>>;
@group(0) @binding(1) var<storage, read> grad: array<vec4<f32>>;
@group(0) @binding(2) var<storage, read_write> exp_avg: array<vec4<f32>>;
@group(0) @binding(3) var<storage, read_write> exp_avg_sq: array<vec4<f32>>;
@group(0) @binding(4) var<storage, read> hyper: Hyper;
@group(0) @binding(5) var<storage, read> clip: array<f32>;
@group(0) @binding(6) var<storage, read> guard_value: array<f32>;
@group(0) @binding(7) var<storage, read> rates: array<vec4<f32>>;

@compute @workgroup_size(WORKGROUP)
fn main(
    @builtin(workgroup_id) wid: vec3<u32>,
    @builtin(num_workgroups) count: vec3<u32>,
    @builtin(local_invocation_id) lid: vec3<u32>,
) {
    let i = item(wid, count, lid);
    let own = update(i);
    if (i < ITEMS && own.sound) {
        var q = p[i];
        var g = grad[i] * own.scale;
        if (i < DECAY_END4) {
            if (DECOUPLED) {
                q -= own.lr * WEIGHT_DECAY * q;
            } else {
                g += WEIGHT_DECAY * q;
            }
        }
        let old_m = exp_avg[i];
        let m = old_m + RATE1 * (g - old_m);
        let v = BETA2 * exp_avg_sq[i] + RATE2 * g * g;
        exp_avg[i] = m;
        exp_avg_sq[i] = v;
        p[i] = q - own.lr * own.first_correction * m / (sqrt(v) * own.second_correction + EPS);
    }
}
