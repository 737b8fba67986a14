// Partial sums over the middle axis, in PARTS interleaved parts, which sum_partials.wgsl adds.
// With FOLD the four lanes of a sum are added too: out = (Σ, 0, 0, 0). Padding lanes of x are 0 and add nothing.
// Layout: x [OUTER, MIDDLE, INNER], out [PARTS, OUTER, INNER], in vectors.
// Mapping: one invocation per vector of out. It adds the vectors p, p + PARTS, p + 2 PARTS, … of its part p, in this order.
@group(0) @binding(0) var<storage, read> x: array<vec4<T0>>;
@group(0) @binding(1) var<storage, read_write> out: array<vec4<f32>>;

@compute @workgroup_size(WORKGROUP)
fn main(
    @builtin(workgroup_id) wid: vec3<u32>,
    @builtin(num_workgroups) count: vec3<u32>,
    @builtin(local_invocation_id) lid: vec3<u32>,
) {
    let i = item(wid, count, lid);
    if (i < ITEMS) {
        let outer = i / INNER % OUTER;
        var sum = vec4<f32>();
        for (var m = i / (INNER * OUTER); m < MIDDLE; m += PARTS) {
            sum += vec4<f32>(x[(outer * MIDDLE + m) * INNER + i % INNER]);
        }
        if (FOLD) {
            sum = vec4<f32>(sum.x + sum.y + sum.z + sum.w, 0.0, 0.0, 0.0);
        }
        out[i] = sum;
    }
}
