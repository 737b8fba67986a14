// Merges the moments that a convolution's tiles have left, to moments [SEGMENTS, C / 4, (mean, m2)], always in the same
// order. A tile of TILE_M rows has left those of LINES lines.
// Mapping: one invocation per segment and vector of channels.
@group(0) @binding(5) var<storage, read_write> moments: array<vec4<f32>>;

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
        var all = Moments();
        for (var line = first; line < last; line++) {
            let n = line_rows(line / LINES * TILE_M + line % LINES, LINES, TILE_M / LINES);
            let at = LEFT_AT + (line * C4 + i % C4) * 2u;
            all = merged(all, Moments(f32(n), left[at], left[at + 1u]));
        }
        moments[i * 2u] = all.mean;
        moments[i * 2u + 1u] = all.m2;
    }
}
