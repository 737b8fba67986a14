// A line of a convolution's tile is every LINES-th of its rows; what it leaves is of n rows: the last may lie beyond ROWS.
struct Line { n: f32, a: vec4<f32>, b: vec4<f32> }

fn line_rows(first: u32, step: u32, most: u32) -> u32 {
    return select(0u, min((ROWS - first + step - 1u) / step, most), first < ROWS);
}
