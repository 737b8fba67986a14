// dx = Σ dy of the windows whose maximum is this pixel [+ addend, in channels from 4 · ADDEND_FIRST4 on].
// Mapping: one invocation per vector of channels of an input pixel. It reads every window that covers the pixel.
@group(0) @binding(0) var<storage, read> dy: array<vec4<T0>>;
@group(0) @binding(1) var<storage, read> index: array<vec4<T1>>;
@group(0) @binding(2) var<storage, read> addend: array<vec4<T2>>;
@group(0) @binding(3) var<storage, read_write> d_x: array<vec4<T3>>;

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
        var sum = vec4<f32>();
        if (ADD) {
            sum = vec4<f32>(addend[(i / C4) * ADDEND_C4 + ADDEND_FIRST4 + c]);
        }
        for (var k = 0u; k < KH * KW; k++) {
            let oh = i32(h + PT) - i32((k / KW) * DH);
            let ow = i32(w + PL) - i32((k % KW) * DW);
            if (oh >= 0i && ow >= 0i && oh % i32(SH) == 0i && ow % i32(SW) == 0i) {
                let row = u32(oh) / SH;
                let col = u32(ow) / SW;
                if (row < OH && col < OW) {
                    let at = ((n * OH + row) * OW + col) * C4 + c;
                    sum += select(vec4<f32>(), vec4<f32>(dy[at]), vec4<f32>(index[at]) == vec4<f32>(f32(k)));
                }
            }
        }
        d_x[i] = vec4<T3>(sum);
    }
}
