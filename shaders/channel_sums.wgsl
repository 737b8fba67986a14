// Sum over rows for every channel, per segment of rows: x [ROWS, C] to out [SEGMENTS, C].
// Mapping: one invocation per segment and vector of channels; neighbours read neighbouring vectors.
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
        let first = (i / C4) * SEGMENT_ROWS;
        let last = min(first + SEGMENT_ROWS, ROWS);
        var sum = vec4<f32>();
        for (var row = first; row < last; row++) {
            sum += x[row * C4 + c];
        }
        out[i] = sum;
    }
}
