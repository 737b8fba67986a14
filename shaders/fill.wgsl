// out = VALUE in every element, 0 in padding lanes.
// Mapping: one invocation per vector.
@group(0) @binding(0) var<storage, read_write> out: array<vec4<f32>>;

@compute @workgroup_size(WORKGROUP)
fn main(
    @builtin(workgroup_id) wid: vec3<u32>,
    @builtin(num_workgroups) count: vec3<u32>,
    @builtin(local_invocation_id) lid: vec3<u32>,
) {
    let i = item(wid, count, lid);
    if (i < ITEMS) {
        let c = (i % C4) * 4u;
        out[i] = select(vec4<f32>(), vec4<f32>(VALUE), vec4<u32>(c, c + 1u, c + 2u, c + 3u) < vec4<u32>(C));
    }
}
