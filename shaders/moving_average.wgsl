// Exponential moving average: average ← average + (1 − D)(value − average), with the decay D = hyper.average_decay.
// Mapping: one invocation per vector of the flat buffers.
@group(0) @binding(0) var<storage, read_write> average: array<vec4<f32>>;
@group(0) @binding(1) var<storage, read> value: array<vec4<f32>>;
@group(0) @binding(2) var<storage, read> hyper: Hyper;

@compute @workgroup_size(WORKGROUP)
fn main(
    @builtin(workgroup_id) wid: vec3<u32>,
    @builtin(num_workgroups) count: vec3<u32>,
    @builtin(local_invocation_id) lid: vec3<u32>,
) {
    let i = item(wid, count, lid);
    // Read outside of the branch: llvmpipe then reads it once for all invocations.
    let rate = 1.0 - hyper.average_decay;
    if (i < ITEMS) {
        let old = average[i];
        average[i] = old + rate * (value[i] - old);
    }
}
