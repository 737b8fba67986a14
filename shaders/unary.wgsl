// y = f(x), element by element. With MASKED padding lanes are set to 0, because f(0) ≠ 0.
//
// | OP | f(x)                        |
// |----|-----------------------------|
// | 0  | max(x, 0)                   |
// | 1  | x, below 0 ALPHA · x        |
// | 2  | 1 / (1 + e^−x)              |
// | 3  | tanh x                      |
// | 4  | ALPHA · x                   |
// | 5  | x + ALPHA                   |
// | 6  | e^x                         |
// | 7  | ln x                        |
// | 8  | √x                          |
// | 9  | abs(x)                      |
// | 10 | x^ALPHA                     |
//
// Mapping: one invocation per vector.
// A NaN passes through ReLU, so that the loss shows it.
@group(0) @binding(0) var<storage, read> x: array<vec4<T0>>;
@group(0) @binding(1) var<storage, read_write> y: array<vec4<T1>>;

fn apply(v: vec4<f32>) -> vec4<f32> {
    if (OP == 0u) {
        return select(v, vec4<f32>(), v < vec4<f32>());
    } else if (OP == 1u) {
        return select(v, v * ALPHA, v < vec4<f32>());
    } else if (OP == 2u) {
        return 1.0 / (1.0 + exp(-v));
    } else if (OP == 3u) {
        // e^2x overflows beyond 44. From 10 on tanh is 1 in f32.
        return tanh(clamp(v, vec4<f32>(-15.0), vec4<f32>(15.0)));
    } else if (OP == 5u) {
        return v + ALPHA;
    } else if (OP == 6u) {
        return exp(v);
    } else if (OP == 7u) {
        return log(v);
    } else if (OP == 8u) {
        return sqrt(v);
    } else if (OP == 9u) {
        return abs(v);
    } else if (OP == 10u) {
        return power(v, ALPHA);
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
        var v = apply(vec4<f32>(x[i]));
        if (MASKED) {
            v = select(vec4<f32>(), v, is_channel(i));
        }
        y[i] = vec4<T1>(v);
    }
}
