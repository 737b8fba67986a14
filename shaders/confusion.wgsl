// out[segment, t, p] = number of rows of the segment with label t and prediction p.
// No atomics: the order of the sums is fixed.
// Labels and predictions are integers. A value that is no class matches nothing.
// Mapping: one invocation per segment of SEGMENT_ROWS rows, label and vector of predictions.
// Layout: out [segment][C labels][C4] vectors.
@group(0) @binding(0) var<storage, read> labels: array<f32>;
@group(0) @binding(1) var<storage, read> predictions: array<f32>;
@group(0) @binding(2) var<storage, read_write> out: array<vec4<f32>>;

@compute @workgroup_size(WORKGROUP)
fn main(
    @builtin(workgroup_id) wid: vec3<u32>,
    @builtin(num_workgroups) count: vec3<u32>,
    @builtin(local_invocation_id) lid: vec3<u32>,
) {
    let i = item(wid, count, lid);
    if (i < ITEMS) {
        let label = f32((i / C4) % C);
        let lanes = vec4<u32>((i % C4) * 4u) + vec4<u32>(0u, 1u, 2u, 3u);
        let segment = i / (C4 * C);
        var sum = vec4<f32>();
        for (var row = segment * SEGMENT_ROWS; row < min((segment + 1u) * SEGMENT_ROWS, ROWS); row++) {
            let hit = vec4<f32>(lanes) == vec4<f32>(predictions[row]);
            sum += select(vec4<f32>(), select(vec4<f32>(), vec4<f32>(1.0), hit), labels[row] == label);
        }
        out[i] = select(vec4<f32>(), sum, lanes < vec4<u32>(C));
    }
}
