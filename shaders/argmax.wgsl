// out[row] = index of the largest of the C channels of x[row], the first among equals. The padding after the last row is 0.
// Mapping: one invocation per float of out.
@group(0) @binding(0) var<storage, read> x: array<vec4<f32>>;
@group(0) @binding(1) var<storage, read_write> out: array<f32>;

@compute @workgroup_size(WORKGROUP)
fn main(
    @builtin(workgroup_id) wid: vec3<u32>,
    @builtin(num_workgroups) count: vec3<u32>,
    @builtin(local_invocation_id) lid: vec3<u32>,
) {
    let i = item(wid, count, lid);
    if (i < ITEMS) {
        var best = 0u;
        if (i < ROWS) {
            var top = x[i * C4].x;
            for (var c = 1u; c < C; c++) {
                let v = x[i * C4 + c / 4u][c % 4u];
                if (v > top) {
                    top = v;
                    best = c;
                }
            }
        }
        out[i] = f32(best);
    }
}
