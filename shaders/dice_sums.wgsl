// Σ p·t, Σ p and Σ t per segment of rows and class; p = softmax(logits), t is the one-hot label.
// Mapping: one invocation per segment of SEGMENT_ROWS rows.
// Layout: out [segment][p·t | p | t][C4] vectors.
@group(0) @binding(0) var<storage, read> logits: array<vec4<f32>>;
@group(0) @binding(1) var<storage, read> labels: array<f32>;
@group(0) @binding(2) var<storage, read_write> out: array<vec4<f32>>;

@compute @workgroup_size(WORKGROUP)
fn main(
    @builtin(workgroup_id) wid: vec3<u32>,
    @builtin(num_workgroups) count: vec3<u32>,
    @builtin(local_invocation_id) lid: vec3<u32>,
) {
    let i = item(wid, count, lid);
    if (i < ITEMS) {
        var sums = array<vec4<f32>, 3u * C4>();
        for (var row = i * SEGMENT_ROWS; row < min((i + 1u) * SEGMENT_ROWS, ROWS); row++) {
            let label = labels[row];
            if (counts(label)) {
                let s = softmax_of(row);
                for (var c = 0u; c < C4; c++) {
                    let p = exp(logits_at(row, c) - s.x) / s.y;
                    let t = one_hot(label, c);
                    sums[c] += p * t;
                    sums[C4 + c] += p;
                    sums[2u * C4 + c] += t;
                }
            }
        }
        for (var c = 0u; c < 3u * C4; c++) {
            out[i * 3u * C4 + c] = sums[c];
        }
    }
}
