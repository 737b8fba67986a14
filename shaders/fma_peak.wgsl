// Measures the rate of multiply-adds without memory: y = Σ_k c_k after ROUNDS times c_k ← c_k · x + x, from c_k = k · x.
// The form a · b + c is that of the matrix kernels. Drivers fuse it where they can.
// On llvmpipe fma() takes 1.4 times as long.
// Mapping: one invocation per vector, with 8 independent sums, so that no instruction waits for the previous one.
@group(0) @binding(0) var<storage, read> x: array<vec4<f32>>;
@group(0) @binding(1) var<storage, read_write> y: array<vec4<f32>>;

@compute @workgroup_size(WORKGROUP)
fn main(
    @builtin(workgroup_id) wid: vec3<u32>,
    @builtin(num_workgroups) count: vec3<u32>,
    @builtin(local_invocation_id) lid: vec3<u32>,
) {
    let i = item(wid, count, lid);
    if (i < ITEMS) {
        let v = x[i];
        var c0 = vec4<f32>();
        var c1 = v;
        var c2 = 2.0 * v;
        var c3 = 3.0 * v;
        var c4 = 4.0 * v;
        var c5 = 5.0 * v;
        var c6 = 6.0 * v;
        var c7 = 7.0 * v;
        for (var round = 0u; round < ROUNDS; round++) {
            c0 = c0 * v + v;
            c1 = c1 * v + v;
            c2 = c2 * v + v;
            c3 = c3 * v + v;
            c4 = c4 * v + v;
            c5 = c5 * v + v;
            c6 = c6 * v + v;
            c7 = c7 * v + v;
        }
        y[i] = ((c0 + c1) + (c2 + c3)) + ((c4 + c5) + (c6 + c7));
    }
}
