// The same on devices whose subgroups are all of SUBGROUP invocations: those of one lie side by side.
struct Invocation {
    @builtin(workgroup_id) wid: vec3<u32>,
    @builtin(num_workgroups) count: vec3<u32>,
    @builtin(subgroup_id) subgroup: u32,
    @builtin(subgroup_invocation_id) lane: u32,
}

fn position(at: Invocation) -> u32 {
    return at.subgroup * SUBGROUP + at.lane;
}

// The value of the invocation whose place differs in the bit `step`, which is below SUBGROUP.
fn across(v: vec4<f32>, step: u32) -> vec4<f32> {
    return subgroupShuffleXor(v, step);
}
