// v^p for a constant p. For a small whole p it is a product, which is exact for squares.
// WGSL's pow takes no negative base.
const MOST_FACTORS: f32 = 16.0;

fn power(v: vec4<f32>, p: f32) -> vec4<f32> {
    let whole = p == floor(p);
    if (whole && abs(p) <= MOST_FACTORS) {
        var y = vec4<f32>(1.0);
        for (var k = 0.0; k < abs(p); k += 1.0) {
            y *= v;
        }
        return select(y, 1.0 / y, vec4<bool>(p < 0.0));
    }
    if (whole) {
        let y = pow(abs(v), vec4<f32>(p));
        let odd = 2.0 * floor(0.5 * p) != p;
        return select(y, -y, vec4<bool>(odd) & (v < vec4<f32>()));
    }
    return pow(v, vec4<f32>(p));
}
