// Winograd's F(4×4, 3×3) along one axis (Lavin & Gray 2015): from a line of values to values at the points 0, ±A, ±B and ∞,
// and back. exec/winograd.rs chooses the points.
const A2: f32 = A * A;
const B2: f32 = B * B;
// Divisors of a kernel's values at ±A, at ±B and at 0.
const AT_A: f32 = 2f * A2 * (A2 - B2);
const AT_B: f32 = 2f * B2 * (B2 - A2);
const AT_0: f32 = A2 * B2;

alias Three = array<vec4<f32>, 3>;
alias Four = array<vec4<f32>, 4>;
alias Six = array<vec4<f32>, 6>;

// Bᵀ: inputs to points.
fn input_line(d: Six) -> Six {
    let even_a = d[4] - B2 * d[2];
    let odd_a = A * d[3] - A * B2 * d[1];
    let even_b = d[4] - A2 * d[2];
    let odd_b = B * d[3] - B * A2 * d[1];
    return Six(
        d[4] - (A2 + B2) * d[2] + A2 * B2 * d[0],
        even_a + odd_a,
        even_a - odd_a,
        even_b + odd_b,
        even_b - odd_b,
        d[5] - (A2 + B2) * d[3] + A2 * B2 * d[1],
    );
}

// G: kernel to points.
fn weight_line(w: Three) -> Six {
    let even_a = (w[0] + A2 * w[2]) * (1f / AT_A);
    let odd_a = w[1] * (A / AT_A);
    let even_b = (w[0] + B2 * w[2]) * (1f / AT_B);
    let odd_b = w[1] * (B / AT_B);
    return Six(w[0] * (1f / AT_0), even_a + odd_a, even_a - odd_a, even_b + odd_b, even_b - odd_b, w[2]);
}

// Aᵀ: products at points to outputs.
fn output_line(m: Six) -> Four {
    let even_a = m[1] + m[2];
    let odd_a = m[1] - m[2];
    let even_b = m[3] + m[4];
    let odd_b = m[3] - m[4];
    return Four(
        m[0] + even_a + even_b,
        A * odd_a + B * odd_b,
        A2 * even_a + B2 * even_b,
        m[5] + A * A2 * odd_a + B * B2 * odd_b,
    );
}

// A: gradient of outputs to points.
fn output_grad_line(y: Four) -> Six {
    let even_a = y[0] + A2 * y[2];
    let odd_a = A * y[1] + A * A2 * y[3];
    let even_b = y[0] + B2 * y[2];
    let odd_b = B * y[1] + B * B2 * y[3];
    return Six(y[0], even_a + odd_a, even_a - odd_a, even_b + odd_b, even_b - odd_b, y[3]);
}

// Gᵀ: products at points to gradient of the kernel.
fn weight_grad_line(u: Six) -> Three {
    let even_a = (u[1] + u[2]) * (1f / AT_A);
    let odd_a = (u[1] - u[2]) * (1f / AT_A);
    let even_b = (u[3] + u[4]) * (1f / AT_B);
    let odd_b = (u[3] - u[4]) * (1f / AT_B);
    return Three(
        u[0] * (1f / AT_0) + even_a + even_b,
        A * odd_a + B * odd_b,
        u[5] + A2 * even_a + B2 * even_b,
    );
}
