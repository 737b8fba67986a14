// As workgroup.wgsl, on devices whose subgroups are all of SUBGROUP invocations: those of one lie side by side. No struct
// takes these two in: naga 30 gives members of it no meaning in HLSL, and DXC refuses that.
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

// The value of the invocation whose place differs in the bit `step`, which is below SUBGROUP.
fn across(v: vec4<f32>, step: u32) -> vec4<f32> {
    return subgroupShuffleXor(v, step);
}
