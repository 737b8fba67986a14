// A line: the statistics of n rows of a convolution's tile, of every LINES-th row below ROWS.
struct Line { n: f32, a: vec4<f32>, b: vec4<f32> }

fn line_rows(first: u32, step: u32, most: u32) -> u32 {
    return select(0u, min((ROWS - first + step - 1u) / step, most), first < ROWS);
}
