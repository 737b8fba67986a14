// y = e^(x − m) / Σ e^(x − m) for each row of x, with m its largest value. With LOG y = x − m − ln Σ e^(x − m).
// Padding lanes are set to 0.
// Mapping: one invocation per row.
@group(0) @binding(0) var<storage, read> logits: array<vec4<T0>>;
@group(0) @binding(1) var<storage, read_write> y: array<vec4<f32>>;

@compute @workgroup_size(WORKGROUP)
fn main(
    @builtin(workgroup_id) wid: vec3<u32>,
    @builtin(num_workgroups) count: vec3<u32>,
    @builtin(local_invocation_id) lid: vec3<u32>,
) {
    let i = item(wid, count, lid);
    if (i < ITEMS) {
        let s = softmax_of(i);
        for (var c = 0u; c < C4; c++) {
            let d = logits_at(i, c) - s.x;
            var v = exp(d) / s.y;
            if (LOG) {
                v = d - log(s.y);
            }
            y[i * C4 + c] = select(vec4<f32>(), v, classes(c) < vec4<u32>(C));
        }
    }
}
