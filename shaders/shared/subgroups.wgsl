// workgroup.wgsl for devices whose subgroups all have SUBGROUP invocations, side by side.
// The two subgroup builtins are parameters, not members of a struct: naga 30 gives such members no semantic in HLSL, and DXC
// refuses them.
@compute @workgroup_size(WORKGROUP)
fn main(
    @builtin(workgroup_id) wid: vec3<u32>,
    @builtin(num_workgroups) count: vec3<u32>,
    @builtin(subgroup_id) subgroup: u32,
    @builtin(subgroup_invocation_id) lane: u32,
) {
    let block = wid.x + wid.y * count.x;
    if (block < ITEMS) {
        reduce(block, subgroup * SUBGROUP + lane);
    }
}

// The value of the invocation whose index differs in the bit `step`; `step` is below SUBGROUP.
fn across(v: vec4<f32>, step: u32) -> vec4<f32> {
    return subgroupShuffleXor(v, step);
}
