// y[n, oh, ow, c] = x at the position of (oh, ow): the nearest pixel, or with BILINEAR the weighted mean of four pixels.
// Mapping: one invocation per vector of y.
// Layout: x N H W C, y N OH OW C, vectors of 4 channels.
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
        let c = i % C4;
        let n = i / (C4 * OW * OH);
        let ph = position((i / (C4 * OW)) % OH, H_STEP, H_OFFSET, H_SCALE, H);
        let pw = position((i / C4) % OW, W_STEP, W_OFFSET, W_SCALE, W);
        let top = (n * H + ph / H_SCALE) * W;
        let left = pw / W_SCALE;
        var v = vec4<f32>(x[(top + left) * C4 + c]);
        if (BILINEAR) {
            let bottom = (n * H + min(ph / H_SCALE + 1u, H - 1u)) * W;
            let right = min(left + 1u, W - 1u);
            let fh = f32(ph % H_SCALE) / f32(H_SCALE);
            let fw = f32(pw % W_SCALE) / f32(W_SCALE);
            let upper = v * (1.0 - fw) + vec4<f32>(x[(top + right) * C4 + c]) * fw;
            let lower = vec4<f32>(x[(bottom + left) * C4 + c]) * (1.0 - fw) + vec4<f32>(x[(bottom + right) * C4 + c]) * fw;
            v = upper * (1.0 - fh) + lower * fh;
        }
        y[i] = vec4<T1>(v);
    }
}
