// Sum over rows for every channel, per segment of rows: x [ROWS, C] to out [SEGMENTS, C].
// Mapping: one workgroup per segment and block of VECTORS vectors of channels, see shared/row_sums.wgsl.
@group(0) @binding(0) var<storage, read> x: array<vec4<T0>>;
@group(0) @binding(1) var<storage, read_write> out: array<vec4<f32>>;

@compute @workgroup_size(WORKGROUP)
fn main(
    @builtin(workgroup_id) wid: vec3<u32>,
    @builtin(num_workgroups) count: vec3<u32>,
    @builtin(local_invocation_id) lid: vec3<u32>,
) {
    let group = wid.x + wid.y * count.x;
    if (group < ITEMS) {
        let c = (group % BLOCKS) * VECTORS + lid.x % VECTORS;
        let segment = group / BLOCKS;
        let last = min((segment + 1u) * SEGMENT_ROWS, ROWS);
        var own = Sums();
        if (c < C4) {
            for (var row = segment * SEGMENT_ROWS + lid.x / VECTORS; row < last; row += ROW_LANES) {
                own.a += vec4<f32>(x[row * C4 + c]);
            }
        }
        let sums = add_rows(lid.x, own);
        if (c < C4 && lid.x < VECTORS) {
            out[segment * C4 + c] = sums.a;
        }
    }
}
