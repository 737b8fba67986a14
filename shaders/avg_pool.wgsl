// y = Σ x / divisor over the counted taps of a window (see shared/avg_pool.wgsl).
// Mapping: one invocation per vector of channels of an output pixel.
@group(0) @binding(0) var<storage, read> x: array<vec4<T0>>;
@group(0) @binding(1) var<storage, read_write> y: array<vec4<T1>>;

fn inside(position: i32, size: u32) -> bool { return position >= 0i && position < i32(size); }

@compute @workgroup_size(WORKGROUP)
fn main(
    @builtin(workgroup_id) wid: vec3<u32>,
    @builtin(num_workgroups) count: vec3<u32>,
    @builtin(local_invocation_id) lid: vec3<u32>,
) {
    let i = item(wid, count, lid);
    if (i < ITEMS) {
        let c = i % C4;
        let ow = (i / C4) % OW;
        let oh = (i / (C4 * OW)) % OH;
        let n = i / (C4 * OW * OH);
        var sum = vec4<f32>();
        for (var k = 0u; k < KH * KW; k++) {
            let h = i32(oh * SH + (k / KW) * DH) - i32(PT);
            let w = i32(ow * SW + (k % KW) * DW) - i32(PL);
            if (inside(h, H) && inside(w, W)) {
                sum += vec4<f32>(x[((n * H + u32(h)) * W + u32(w)) * C4 + c]);
            }
        }
        y[i] = vec4<T1>(sum / divisor(oh, ow));
    }
}
