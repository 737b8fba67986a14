// dprediction = upstream / (number of elements) · dl/dd for d = prediction − target, see regression_loss.wgsl.
// Mapping: one invocation per vector.
@group(0) @binding(0) var<storage, read> upstream: array<f32>;
@group(0) @binding(1) var<storage, read> prediction: array<vec4<f32>>;
@group(0) @binding(2) var<storage, read> goal: array<vec4<f32>>;
@group(0) @binding(3) var<storage, read_write> dprediction: array<vec4<f32>>;

@compute @workgroup_size(WORKGROUP)
fn main(
    @builtin(workgroup_id) wid: vec3<u32>,
    @builtin(num_workgroups) count: vec3<u32>,
    @builtin(local_invocation_id) lid: vec3<u32>,
) {
    let i = item(wid, count, lid);
    if (i < ITEMS) {
        let d = prediction[i] - goal[i];
        var slope = 2.0 * d;
        if (OP == 1u) {
            slope = sign(d);
        } else if (OP == 2u) {
            slope = clamp(d, vec4<f32>(-DELTA), vec4<f32>(DELTA));
        }
        dprediction[i] = slope * (upstream[0] / f32(ROWS * C));
    }
}
