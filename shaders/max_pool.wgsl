// y = largest value of each window, index = its tap: the first among equals, as in PyTorch.
// A NaN counts as the largest value. Padding never does.
// Mapping: one invocation per vector of channels of an output pixel.
@group(0) @binding(0) var<storage, read> x: array<vec4<T0>>;
@group(0) @binding(1) var<storage, read_write> y: array<vec4<T1>>;
@group(0) @binding(2) var<storage, read_write> index: array<vec4<T2>>;

fn inside(position: i32, size: u32) -> bool { return position >= 0i && position < i32(size); }

// Tests the bits: `v != v` becomes an ordered comparison in SPIR-V, which is false for NaN.
fn is_nan(v: vec4<f32>) -> vec4<bool> {
    return (bitcast<vec4<u32>>(v) & vec4<u32>(0x7fffffffu)) > vec4<u32>(0x7f800000u);
}

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
        var best = vec4<f32>();
        var tap = vec4<f32>(-1.0);
        for (var k = 0u; k < KH * KW; k++) {
            let h = i32(oh * SH + (k / KW) * DH) - i32(PT);
            let w = i32(ow * SW + (k % KW) * DW) - i32(PL);
            if (inside(h, H) && inside(w, W)) {
                let v = vec4<f32>(x[((n * H + u32(h)) * W + u32(w)) * C4 + c]);
                let wins = (tap < vec4<f32>()) | (v > best) | is_nan(v);
                best = select(best, v, wins);
                tap = select(tap, vec4<f32>(f32(k)), wins);
            }
        }
        y[i] = vec4<T1>(best);
        index[i] = vec4<T2>(tap);
    }
}
