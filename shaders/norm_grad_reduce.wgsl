// Per segment of rows and channel: Σ g and Σ g · x̂, where g is dy, masked by y > 0 when a ReLU is fused (RELU).
// out [SAMPLES · SEGMENTS, C / 4, (Σ g, Σ g x̂)].
// Mapping: one invocation per segment and vector of channels.
@group(0) @binding(0) var<storage, read> dy: array<vec4<f32>>;
@group(0) @binding(1) var<storage, read> x: array<vec4<f32>>;
@group(0) @binding(2) var<storage, read> y: array<vec4<f32>>;
@group(0) @binding(3) var<storage, read> mean: array<f32>;
@group(0) @binding(4) var<storage, read> invstd: array<f32>;
@group(0) @binding(5) var<storage, read_write> out: array<vec4<f32>>;

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
        let at = stat_index(first, c);
        let m = vec4<f32>(mean[at.x], mean[at.y], mean[at.z], mean[at.w]);
        let r = vec4<f32>(invstd[at.x], invstd[at.y], invstd[at.z], invstd[at.w]);
        var sum = vec4<f32>();
        var sum_x = vec4<f32>();
        for (var row = first; row < last; row++) {
            var g = dy[row * C4 + c];
            if (RELU) {
                g = select(vec4<f32>(), g, y[row * C4 + c] > vec4<f32>());
            }
            sum += g;
            sum_x = fma(g, (x[row * C4 + c] - m) * r, sum_x);
        }
        out[i * 2u] = sum;
        out[i * 2u + 1u] = sum_x;
    }
}
