// y = f(x) with f by OP: 0 ReLU, 1 LeakyReLU (slope ALPHA), 2 sigmoid, 3 tanh, 4 ALPHA · x. Padding lanes stay 0.
// Mapping: one invocation per vector. A NaN passes through ReLU, so that the loss shows it.
@group(0) @binding(0) var<storage, read> x: array<vec4<T0>>;
@group(0) @binding(1) var<storage, read_write> y: array<vec4<T1>>;

fn apply(v: vec4<f32>, lanes: vec4<bool>) -> vec4<f32> {
    if (OP == 0u) {
        return select(v, vec4<f32>(), v < vec4<f32>());
    } else if (OP == 1u) {
        return select(v, v * ALPHA, v < vec4<f32>());
    } else if (OP == 2u) {
        return select(vec4<f32>(), 1.0 / (1.0 + exp(-v)), lanes);
    } else if (OP == 3u) {
        // e^2x overflows beyond 44; tanh is 1 in f32 from 10 on.
        return tanh(clamp(v, vec4<f32>(-15.0), vec4<f32>(15.0)));
    }
    return v * ALPHA;
}

@compute @workgroup_size(WORKGROUP)
fn main(
    @builtin(workgroup_id) wid: vec3<u32>,
    @builtin(num_workgroups) count: vec3<u32>,
    @builtin(local_invocation_id) lid: vec3<u32>,
) {
    let i = item(wid, count, lid);
    if (i < ITEMS) {
        let c = (i % C4) * 4u;
        y[i] = vec4<T1>(apply(vec4<f32>(x[i]), vec4<u32>(c, c + 1u, c + 2u, c + 3u) < vec4<u32>(C)));
    }
}
