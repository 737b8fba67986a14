// Mean and sum of squared deviations of every channel, per segment of rows of a sample (of the whole batch for
// BatchNorm): x [ROWS, C] to out [SAMPLES · SEGMENTS, C / 4, (mean, m2)].
// Sums are of x minus the segment's first row, so that a mean far from 0 does not cancel the variance away.
// Mapping: one invocation per segment and vector of channels.
@group(0) @binding(0) var<storage, read> x: array<vec4<f32>>;
@group(0) @binding(1) var<storage, read_write> out: array<vec4<f32>>;

@compute @workgroup_size(WORKGROUP)
fn main(
    @builtin(workgroup_id) wid: vec3<u32>,
    @builtin(num_workgroups) count: vec3<u32>,
    @builtin(local_invocation_id) lid: vec3<u32>,
) {
    let i = item(wid, count, lid);
    if (i < ITEMS) {
        let c = i % C4;
        let segment = i / C4;
        let sample = segment / SEGMENTS;
        let first = sample * SAMPLE_ROWS + (segment % SEGMENTS) * SEGMENT_ROWS;
        let last = min(first + SEGMENT_ROWS, (sample + 1u) * SAMPLE_ROWS);
        let shift = x[first * C4 + c];
        var sum = vec4<f32>();
        var squares = vec4<f32>();
        for (var row = first; row < last; row++) {
            let d = x[row * C4 + c] - shift;
            sum += d;
            squares = fma(d, d, squares);
        }
        let n = f32(last - first);
        out[i * 2u] = shift + sum / n;
        out[i * 2u + 1u] = max(squares - sum * sum / n, vec4<f32>());
    }
}
