// Focal loss (Lin et al. 2017): the loss −log p is multiplied by (1 − p)^γ, where p is the probability of the truth.

// 1 − p from n = −log p. The series serves small n, where 1 − e^−n would lose the digits of n.
fn missed(n: f32) -> f32 {
    let series = n * (1.0 - n * (0.5 - n * (1.0 / 6.0)));
    return max(select(1.0 - exp(-n), series, n < 0.01), 0.0);
}

// (1 − p)^γ.
fn focus(n: f32) -> f32 {
    return exp(FOCAL_GAMMA * log(max(missed(n), 1e-37)));
}

// Factor of the gradient of −log p for the logits: (1 − p)^γ (1 + γ p n / (1 − p)).
fn focus_grad(n: f32) -> f32 {
    let q = missed(n);
    // n / (1 − p) is 1 + n / 2 + … at small n.
    let ratio = select(n / q, 1.0 + 0.5 * n, n < 0.001);
    return focus(n) * (1.0 + FOCAL_GAMMA * (1.0 - q) * ratio);
}
