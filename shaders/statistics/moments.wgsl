// A line holds a = mean and b = sum of squared deviations; the merge is that of Chan et al. (1983).
fn merged(a: Line, b: Line) -> Line {
    let n = max(a.n + b.n, 1.0);
    let delta = b.a - a.a;
    return Line(a.n + b.n, a.a + delta * (b.n / n), a.b + b.b + delta * delta * (a.n * b.n / n));
}
