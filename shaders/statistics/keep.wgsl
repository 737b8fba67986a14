// Stores both statistics of vector i, which numbers segments and vectors of channels.
fn keep(i: u32, a: vec4<f32>, b: vec4<f32>) {
    kept[i * 2u] = a;
    kept[i * 2u + 1u] = b;
}
