// Counter-based random numbers: a pure function of the step's seed, a stream and an index.
// The mixer is lowbias32 (Wellons 2018), applied once per word.
fn mix_bits(value: u32) -> u32 {
    var v = value;
    v = (v ^ (v >> 16u)) * 0x7feb352du;
    v = (v ^ (v >> 15u)) * 0x846ca68bu;
    return v ^ (v >> 16u);
}

// Uniform in [0, 1), a multiple of 2^-24, which f32 holds exactly. `seed` is four 16-bit numbers.
fn uniform_at(seed: vec4<f32>, stream: u32, index: u32) -> f32 {
    let low = u32(seed.x) | (u32(seed.y) << 16u);
    let step = u32(seed.z) | (u32(seed.w) << 16u);
    return f32(mix_bits(mix_bits(mix_bits(mix_bits(low) ^ step) ^ stream) ^ index) >> 8u) / 16777216.0;
}
