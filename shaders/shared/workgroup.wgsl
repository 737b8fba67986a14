// One workgroup per block of ITEMS. Its invocations reduce together. The kernel defines `reduce(block, invocation)`.
@compute @workgroup_size(WORKGROUP)
fn main(
    @builtin(workgroup_id) wid: vec3<u32>,
    @builtin(num_workgroups) count: vec3<u32>,
    @builtin(local_invocation_id) lid: vec3<u32>,
) {
    let block = wid.x + wid.y * count.x;
    if (block < ITEMS) {
        reduce(block, lid.x);
    }
}

const SUBGROUP: u32 = 1u;

// Without subgroups no other invocation can be read.
fn across(v: vec4<f32>, step: u32) -> vec4<f32> {
    return v;
}
