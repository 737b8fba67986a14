// Means and sums of squared deviations of n rows each, and how many rows a line of a convolution's tile has: every LINES-th
// of the tile, whose last may lie beyond ROWS.
struct Moments { n: f32, mean: vec4<f32>, m2: vec4<f32> }

fn line_rows(first: u32, step: u32, most: u32) -> u32 {
    return select(0u, min((ROWS - first + step - 1u) / step, most), first < ROWS);
}

// Chan et al. (1983).
fn merged(a: Moments, b: Moments) -> Moments {
    let n = max(a.n + b.n, 1.0);
    let delta = b.mean - a.mean;
    return Moments(a.n + b.n, a.mean + delta * (b.n / n), a.m2 + b.m2 + delta * delta * (a.n * b.n / n));
}
