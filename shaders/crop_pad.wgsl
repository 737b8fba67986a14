// y[n, h, w, c] = x[n, h + TOP, w + LEFT, c + FIRST], and 0 outside of x.
// Mapping: one invocation per vector of y.
// Layout: x N H W C, y N OH OW OC, vectors of 4 channels.
@group(0) @binding(0) var<storage, read> x: array<vec4<T0>>;
@group(0) @binding(1) var<storage, read_write> y: array<vec4<T1>>;

// Channel c of the pixel whose first vector is `pixel`.
fn lane(pixel: u32, c: i32) -> f32 {
    var v = 0.0;
    if (c >= 0i && c < i32(C)) {
        v = f32(x[pixel + u32(c) / 4u][u32(c) % 4u]);
    }
    return v;
}

@compute @workgroup_size(WORKGROUP)
fn main(
    @builtin(workgroup_id) wid: vec3<u32>,
    @builtin(num_workgroups) count: vec3<u32>,
    @builtin(local_invocation_id) lid: vec3<u32>,
) {
    let i = item(wid, count, lid);
    if (i < ITEMS) {
        let h = i32((i / (OC4 * OW)) % OH) + TOP;
        let w = i32((i / OC4) % OW) + LEFT;
        let n = i / (OC4 * OW * OH);
        var v = vec4<f32>();
        if (h >= 0i && h < i32(H) && w >= 0i && w < i32(W)) {
            let pixel = ((n * H + u32(h)) * W + u32(w)) * C4;
            let channel = vec4<u32>((i % OC4) * 4u) + vec4<u32>(0u, 1u, 2u, 3u);
            let c = vec4<i32>(channel) + FIRST;
            if (FIRST % 4i == 0i) {
                // Whole vectors. The padding lanes of x are 0.
                if (c.x >= 0i && c.x < i32(C4 * 4u)) {
                    v = vec4<f32>(x[pixel + u32(c.x) / 4u]);
                }
            } else {
                v = vec4<f32>(lane(pixel, c.x), lane(pixel, c.y), lane(pixel, c.z), lane(pixel, c.w));
            }
            v = select(vec4<f32>(), v, channel < vec4<u32>(OC));
        }
        y[i] = vec4<T1>(v);
    }
}
