// y[n, h, w, c] = x[n, h, W − 1 − w, c]: mirrors every image left to right.
// Mapping: one invocation per vector of y.
// Layout: N H W C, vectors of 4 channels.
@group(0) @binding(0) var<storage, read> x: array<vec4<T0>>;
@group(0) @binding(1) var<storage, read_write> y: array<vec4<T1>>;

@compute @workgroup_size(WORKGROUP)
fn main(
    @builtin(workgroup_id) wid: vec3<u32>,
    @builtin(num_workgroups) count: vec3<u32>,
    @builtin(local_invocation_id) lid: vec3<u32>,
) {
    let i = item(wid, count, lid);
    if (i < ITEMS) {
        let column = i / C4 % W;
        y[i] = vec4<T1>(x[i + (W - 1u - column) * C4 - column * C4]);
    }
}
