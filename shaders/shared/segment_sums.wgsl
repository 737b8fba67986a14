// Two sums per channel and segment of rows. A segment lies within one sample. BatchNorm counts the batch as one sample.
// Mapping: one workgroup per segment and block of VECTORS vectors of channels, see row_sums.wgsl.
// The kernel defines `begin` (values held for the segment), `added` (adds a vector) and `done` (stores the sums).
fn reduce(block: u32, invocation: u32) {
    let c = (block % BLOCKS) * VECTORS + invocation % VECTORS;
    let segment = block / BLOCKS;
    let sample = segment / SEGMENTS;
    let first = sample * SAMPLE_ROWS + (segment % SEGMENTS) * SEGMENT_ROWS;
    let last = min(first + SEGMENT_ROWS, (sample + 1u) * SAMPLE_ROWS);
    var held = Held();
    var own = Sums();
    if (c < C4) {
        held = begin(first, c);
        for (var row = first + invocation / VECTORS; row < last; row += ROW_LANES) {
            own = added(own, row * C4 + c, c, held);
        }
    }
    let sums = add_rows(invocation, own);
    if (c < C4 && invocation < VECTORS) {
        done(segment * C4 + c, f32(last - first), held, sums);
    }
}
