// dx = dy · f'(·), with f by OP as in unary.wgsl. `at` is x for OP 1, 7, 9 and 10, else y.
// With MASKED padding lanes are set to 0, because f'(0) is infinite.
// Mapping: one invocation per vector.
@group(0) @binding(0) var<storage, read> dy: array<vec4<T0>>;
@group(0) @binding(1) var<storage, read> at: array<vec4<T1>>;
@group(0) @binding(2) var<storage, read_write> d_x: array<vec4<T2>>;

fn apply(d: vec4<f32>, v: vec4<f32>) -> vec4<f32> {
    if (OP == 0u) {
        return select(vec4<f32>(), d, v > vec4<f32>());
    } else if (OP == 1u) {
        return select(d * ALPHA, d, v > vec4<f32>());
    } else if (OP == 2u) {
        return d * v * (1.0 - v);
    } else if (OP == 6u) {
        return d * v;
    } else if (OP == 7u) {
        return d / v;
    } else if (OP == 8u) {
        return 0.5 * d / v;
    } else if (OP == 9u) {
        return d * sign(v);
    } else if (OP == 10u) {
        if (ALPHA == 0.0) {
            return vec4<f32>();
        }
        return d * ALPHA * power(v, ALPHA - 1.0);
    }
    return d * (1.0 - v * v);
}

@compute @workgroup_size(WORKGROUP)
fn main(
    @builtin(workgroup_id) wid: vec3<u32>,
    @builtin(num_workgroups) count: vec3<u32>,
    @builtin(local_invocation_id) lid: vec3<u32>,
) {
    let i = item(wid, count, lid);
    if (i < ITEMS) {
        var v = apply(vec4<f32>(dy[i]), vec4<f32>(at[i]));
        if (MASKED) {
            v = select(vec4<f32>(), v, is_channel(i));
        }
        d_x[i] = vec4<T2>(v);
    }
}
