// y = 0 with probability P, else x / (1 − P). The mask is a function of seed, step, STREAM and element.
// Mapping: one invocation per vector.
@group(0) @binding(0) var<storage, read> x: array<vec4<T0>>;
@group(0) @binding(1) var<storage, read> seed: array<vec4<f32>>;
@group(0) @binding(2) var<storage, read_write> y: array<vec4<T2>>;

@compute @workgroup_size(WORKGROUP)
fn main(
    @builtin(workgroup_id) wid: vec3<u32>,
    @builtin(num_workgroups) count: vec3<u32>,
    @builtin(local_invocation_id) lid: vec3<u32>,
) {
    let i = item(wid, count, lid);
    if (i < ITEMS) {
        var keep = vec4<f32>();
        for (var l = 0u; l < 4u; l++) {
            keep[l] = select(0.0, 1.0, uniform_at(seed[0], STREAM, i * 4u + l) >= P);
        }
        y[i] = vec4<T2>(vec4<f32>(x[i]) * keep / (1.0 - P));
    }
}
