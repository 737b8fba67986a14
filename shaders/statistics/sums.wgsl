// A line holds the sums a and b.
fn merged(a: Line, b: Line) -> Line {
    return Line(a.n + b.n, a.a + b.a, a.b + b.b);
}
