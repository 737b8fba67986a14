// Exchanges the channel axes of a convolution weight: KH KW I O to KH KW O I.
// Mapping: one invocation per block of 4×4, 4 vectors in and 4 out.
@group(0) @binding(0) var<storage, read> w: array<vec4<f32>>;
@group(0) @binding(1) var<storage, read_write> wt: array<vec4<T1>>;

@compute @workgroup_size(WORKGROUP)
fn main(
    @builtin(workgroup_id) wid: vec3<u32>,
    @builtin(num_workgroups) count: vec3<u32>,
    @builtin(local_invocation_id) lid: vec3<u32>,
) {
    let i = item(wid, count, lid);
    if (i < ITEMS) {
        let o = i % O4;
        let c = (i / O4) % I4;
        let tap = i / (O4 * I4);
        let start = (tap * I4 * 4u + c * 4u) * O4 + o;
        let block = transpose(mat4x4<f32>(w[start], w[start + O4], w[start + 2u * O4], w[start + 3u * O4]));
        let to = (tap * O4 * 4u + o * 4u) * I4 + c;
        wt[to] = vec4<T1>(block[0]);
        wt[to + I4] = vec4<T1>(block[1]);
        wt[to + 2u * I4] = vec4<T1>(block[2]);
        wt[to + 3u * I4] = vec4<T1>(block[3]);
    }
}
