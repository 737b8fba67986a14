// Copies the same logical elements between two paddings: rows of CI values in CIP floats to rows of CO values in COP floats.
// The padding of the result is 0.
// Mapping: one invocation per vector of the result.
@group(0) @binding(0) var<storage, read> x: array<f32>;
@group(0) @binding(1) var<storage, read_write> out: array<vec4<f32>>;

@compute @workgroup_size(WORKGROUP)
fn main(
    @builtin(workgroup_id) wid: vec3<u32>,
    @builtin(num_workgroups) count: vec3<u32>,
    @builtin(local_invocation_id) lid: vec3<u32>,
) {
    let i = item(wid, count, lid);
    if (i < ITEMS) {
        let row = i / (COP / 4u);
        let lane = (i % (COP / 4u)) * 4u;
        var v = vec4<f32>();
        for (var l = 0u; l < 4u; l++) {
            if (lane + l < CO) {
                let at = row * CO + lane + l;
                v[l] = x[(at / CI) * CIP + at % CI];
            }
        }
        out[i] = v;
    }
}
