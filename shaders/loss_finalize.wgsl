// loss = Σ l / Σ w_y with MEAN (0 when every row is ignored), else Σ l.
// totals = (Σ l, Σ w_y, correct rows, counted rows).
// Mapping: a single invocation.
@group(0) @binding(0) var<storage, read> totals: array<vec4<f32>>;
@group(0) @binding(1) var<storage, read_write> loss: array<vec4<f32>>;

@compute @workgroup_size(WORKGROUP)
fn main(
    @builtin(workgroup_id) wid: vec3<u32>,
    @builtin(num_workgroups) count: vec3<u32>,
    @builtin(local_invocation_id) lid: vec3<u32>,
) {
    let i = item(wid, count, lid);
    if (i < ITEMS) {
        var l = totals[0].x;
        if (MEAN) {
            l = select(l / totals[0].y, 0.0, totals[0].w == 0.0);
        }
        loss[0] = vec4<f32>(l, 0.0, 0.0, 0.0);
    }
}
