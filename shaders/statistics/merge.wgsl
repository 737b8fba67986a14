// Merges the lines of a convolution's tiles in a fixed order. A tile of TILE_M rows has LINES lines, see lines.wgsl.
// Layout: result [SEGMENTS, C / 4, (a, b)].
// Mapping: one invocation per segment and vector of channels.
const LINES_EACH: u32 = SEGMENT_ROWS / TILE_M * LINES;

@compute @workgroup_size(WORKGROUP)
fn main(
    @builtin(workgroup_id) wid: vec3<u32>,
    @builtin(num_workgroups) count: vec3<u32>,
    @builtin(local_invocation_id) lid: vec3<u32>,
) {
    let i = item(wid, count, lid);
    if (i < ITEMS) {
        let first = i / C4 * LINES_EACH;
        let last = min(first + LINES_EACH, TILES_M * LINES);
        var all = Line();
        for (var line = first; line < last; line++) {
            let n = line_rows(line / LINES * TILE_M + line % LINES, LINES, TILE_M / LINES);
            let at = LINES_AT + (line * C4 + i % C4) * 2u;
            all = merged(all, Line(f32(n), lines[at], lines[at + 1u]));
        }
        keep(i, all.a, all.b);
    }
}
