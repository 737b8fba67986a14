// The invocation of a workgroup that reduces together: its place is `position`.
struct Invocation {
    @builtin(workgroup_id) wid: vec3<u32>,
    @builtin(num_workgroups) count: vec3<u32>,
    @builtin(local_invocation_id) lid: vec3<u32>,
}
const SUBGROUP: u32 = 1u;

fn position(at: Invocation) -> u32 {
    return at.lid.x;
}

// No other is within reach.
fn across(v: vec4<f32>, step: u32) -> vec4<f32> {
    return v;
}
