// y = x, repeated along the axes in which x has size 1.
// Padding is set to 0: padding lanes, and the rows from BLOCK_USED on in each block of BLOCK_ROWS rows of a weight.
// Mapping: one invocation per vector of y, see shared/broadcast.wgsl.
@group(0) @binding(0) var<storage, read> x: array<vec4<T0>>;
@group(0) @binding(1) var<storage, read_write> y: array<vec4<T1>>;

@compute @workgroup_size(WORKGROUP)
fn main(
    @builtin(workgroup_id) wid: vec3<u32>,
    @builtin(num_workgroups) count: vec3<u32>,
    @builtin(local_invocation_id) lid: vec3<u32>,
) {
    let i = item(wid, count, lid);
    if (i < ITEMS) {
        let v = repeated(vec4<f32>(x[repeated_at(i)]));
        let used = i / C4 % BLOCK_ROWS < BLOCK_USED;
        y[i] = vec4<T1>(select(vec4<f32>(), v, is_channel(i) & vec4<bool>(used)));
    }
}
