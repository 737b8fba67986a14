// out = 2^(START + state[0]), formed as bits because exp2 may be inexact.
// Mapping: a single invocation.
@group(0) @binding(0) var<storage, read> state: array<f32>;
@group(0) @binding(1) var<storage, read_write> out: array<vec4<f32>>;

@compute @workgroup_size(WORKGROUP)
fn main(
    @builtin(workgroup_id) wid: vec3<u32>,
    @builtin(num_workgroups) count: vec3<u32>,
    @builtin(local_invocation_id) lid: vec3<u32>,
) {
    let i = item(wid, count, lid);
    if (i < ITEMS) {
        out[0] = vec4<f32>(bitcast<f32>(u32(127i + START + i32(state[0])) << 23u), 0.0, 0.0, 0.0);
    }
}
