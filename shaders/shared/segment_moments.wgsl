// Mean and sum of squared deviations of every channel, per segment of rows of a sample (of the whole batch for
// BatchNorm): of vectors `value(row · C4 + c)` to `keep(segment · C4 + c, …)`.
// Sums are of values minus the segment's first row, so that a mean far from 0 does not cancel the variance away.
// Mapping: one workgroup per segment and block of VECTORS vectors of channels, see row_sums.wgsl.
@compute @workgroup_size(WORKGROUP)
fn main(at: Invocation) {
    let place = position(at);
    let group = at.wid.x + at.wid.y * at.count.x;
    if (group < ITEMS) {
        let c = (group % BLOCKS) * VECTORS + place % VECTORS;
        let segment = group / BLOCKS;
        let sample = segment / SEGMENTS;
        let first = sample * SAMPLE_ROWS + (segment % SEGMENTS) * SEGMENT_ROWS;
        let last = min(first + SEGMENT_ROWS, (sample + 1u) * SAMPLE_ROWS);
        var shift = vec4<f32>();
        var own = Sums();
        if (c < C4) {
            shift = value(first * C4 + c);
            for (var row = first + place / VECTORS; row < last; row += ROW_LANES) {
                let d = value(row * C4 + c) - shift;
                own.a += d;
                own.b = fma(d, d, own.b);
            }
        }
        let sums = add_rows(place, own);
        if (c < C4 && place < VECTORS) {
            let n = f32(last - first);
            keep(segment * C4 + c, shift + sums.a / n, max(sums.b - sums.a * sums.a / n, vec4<f32>()));
        }
    }
}
