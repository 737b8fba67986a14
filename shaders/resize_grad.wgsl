// dx[n, h, w, c] = Σ dy[n, oh, ow, c] · (weight of pixel (h, w) in output (oh, ow)), in a fixed order.
// Mapping: one invocation per vector of dx.
// Layout: dy N OH OW C, dx N H W C, vectors of 4 channels.
@group(0) @binding(0) var<storage, read> dy: array<vec4<T0>>;
@group(0) @binding(1) var<storage, read_write> d_x: array<vec4<T1>>;

@compute @workgroup_size(WORKGROUP)
fn main(
    @builtin(workgroup_id) wid: vec3<u32>,
    @builtin(num_workgroups) count: vec3<u32>,
    @builtin(local_invocation_id) lid: vec3<u32>,
) {
    let i = item(wid, count, lid);
    if (i < ITEMS) {
        let c = i % C4;
        let w = (i / C4) % W;
        let h = (i / (C4 * W)) % H;
        let n = i / (C4 * W * H);
        let rows = reach(h, H_STEP, H_OFFSET, H_SCALE, H, OH);
        let columns = reach(w, W_STEP, W_OFFSET, W_SCALE, W, OW);
        var sum = vec4<f32>();
        for (var oh = rows.x; oh < rows.y; oh++) {
            let row_weight = weight(oh, h, H_STEP, H_OFFSET, H_SCALE, H);
            if (row_weight != 0.0) {
                for (var ow = columns.x; ow < columns.y; ow++) {
                    let part = row_weight * weight(ow, w, W_STEP, W_OFFSET, W_SCALE, W);
                    sum += part * vec4<f32>(dy[((n * OH + oh) * OW + ow) * C4 + c]);
                }
            }
        }
        d_x[i] = vec4<T1>(sum);
    }
}
