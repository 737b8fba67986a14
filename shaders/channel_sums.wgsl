// Sum over rows for every channel, per segment of rows: x [ROWS, C] to out [SEGMENTS, C].
// Mapping: one workgroup per segment and block of VECTORS vectors of channels, see shared/row_sums.wgsl.
@group(0) @binding(0) var<storage, read> x: array<vec4<T0>>;
@group(0) @binding(1) var<storage, read_write> out: array<vec4<f32>>;

@compute @workgroup_size(WORKGROUP)
fn main(at: Invocation) {
    let place = position(at);
    let group = at.wid.x + at.wid.y * at.count.x;
    if (group < ITEMS) {
        let c = (group % BLOCKS) * VECTORS + place % VECTORS;
        let segment = group / BLOCKS;
        let last = min((segment + 1u) * SEGMENT_ROWS, ROWS);
        var own = Sums();
        if (c < C4) {
            for (var row = segment * SEGMENT_ROWS + place / VECTORS; row < last; row += ROW_LANES) {
                own.a += vec4<f32>(x[row * C4 + c]);
            }
        }
        let sums = add_rows(place, own);
        if (c < C4 && place < VECTORS) {
            out[segment * C4 + c] = sums.a;
        }
    }
}
