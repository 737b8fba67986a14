// dx = y (dy − Σ y dy) for the softmax y of a row. With LOG y is the log softmax, and dx = dy − e^y Σ dy.
// Padding lanes are set to 0.
// Mapping: one invocation per row.
@group(0) @binding(0) var<storage, read> dy: array<vec4<f32>>;
@group(0) @binding(1) var<storage, read> y: array<vec4<f32>>;
@group(0) @binding(2) var<storage, read_write> d_x: array<vec4<T2>>;

@compute @workgroup_size(WORKGROUP)
fn main(
    @builtin(workgroup_id) wid: vec3<u32>,
    @builtin(num_workgroups) count: vec3<u32>,
    @builtin(local_invocation_id) lid: vec3<u32>,
) {
    let i = item(wid, count, lid);
    if (i < ITEMS) {
        var sum = 0.0;
        for (var c = 0u; c < C4; c++) {
            var part = dy[i * C4 + c];
            if (!LOG) {
                part *= y[i * C4 + c];
            }
            sum += part.x + part.y + part.z + part.w;
        }
        for (var c = 0u; c < C4; c++) {
            let at = i * C4 + c;
            var v = y[at] * (dy[at] - sum);
            if (LOG) {
                v = dy[at] - exp(y[at]) * sum;
            }
            d_x[at] = vec4<T2>(select(vec4<f32>(), v, is_channel(at)));
        }
    }
}
