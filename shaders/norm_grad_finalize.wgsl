// dβ = Σ g and dγ = Σ g · x̂ over all segments of norm_grad_reduce.
// Mapping: one workgroup per VECTORS vectors of channels, see shared/row_sums.wgsl; its rows are the segments.
@group(0) @binding(0) var<storage, read> partials: array<vec4<f32>>;
@group(0) @binding(1) var<storage, read_write> dgamma: array<vec4<f32>>;
@group(0) @binding(2) var<storage, read_write> dbeta: array<vec4<f32>>;

@compute @workgroup_size(WORKGROUP)
fn main(
    @builtin(workgroup_id) wid: vec3<u32>,
    @builtin(num_workgroups) count: vec3<u32>,
    @builtin(local_invocation_id) lid: vec3<u32>,
) {
    let group = wid.x + wid.y * count.x;
    if (group < ITEMS) {
        let c = group * VECTORS + lid.x % VECTORS;
        var own = Sums();
        if (c < C4) {
            for (var s = lid.x / VECTORS; s < SAMPLES * SEGMENTS; s += ROW_LANES) {
                own.a += partials[(s * C4 + c) * 2u];
                own.b += partials[(s * C4 + c) * 2u + 1u];
            }
        }
        let sums = add_rows(lid.x, own);
        if (c < C4 && lid.x < VECTORS) {
            dbeta[c] = sums.a;
            dgamma[c] = sums.b;
        }
    }
}
