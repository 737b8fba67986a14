// SGD with momentum: g += λ p; v = μ v + g; p −= lr · (NESTEROV ? g + μ v : v). The clip factor scales g first.
// The first DECAY_END4 vectors are decayed.
// The step is skipped when guard_value[0] is not finite: the loss, or the norm of scaled gradients.
// Mapping: one invocation per vector of the flat parameter buffer.
@group(0) @binding(0) var<storage, read_write> p: array<vec4<f32>>;
@group(0) @binding(1) var<storage, read> grad: array<vec4<f32>>;
@group(0) @binding(2) var<storage, read_write> velocity: array<vec4<f32>>;
@group(0) @binding(3) var<storage, read> hyper: Hyper;
@group(0) @binding(4) var<storage, read> clip: array<f32>;
@group(0) @binding(5) var<storage, read> guard_value: array<f32>;
@group(0) @binding(6) var<storage, read> rates: array<vec4<f32>>;

@compute @workgroup_size(WORKGROUP)
fn main(
    @builtin(workgroup_id) wid: vec3<u32>,
    @builtin(num_workgroups) count: vec3<u32>,
    @builtin(local_invocation_id) lid: vec3<u32>,
) {
    let i = item(wid, count, lid);
    let own = update(i);
    if (i < ITEMS && own.sound) {
        let old = p[i];
        var g = grad[i] * own.scale;
        if (i < DECAY_END4) {
            g += WEIGHT_DECAY * old;
        }
        let v = MOMENTUM * velocity[i] + g;
        velocity[i] = v;
        if (NESTEROV) {
            g += MOMENTUM * v;
        } else {
            g = v;
        }
        p[i] = old - own.lr * g;
    }
}
