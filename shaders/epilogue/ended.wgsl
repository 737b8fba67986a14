// The epilogue of a convolution: relu?(sum [+ bias] [+ addend]). `channel` indexes the bias, `at` the output, in vectors.
// With: bias.wgsl and addend.wgsl, or functions that add nothing (see exec/shader/matrix.rs).
fn ended(sum: vec4<f32>, channel: u32, at: u32) -> vec4<f32> {
    let r = with_addend(with_bias(sum, channel), at);
    if (HAS_RELU) {
        return select(r, vec4<f32>(), r < vec4<f32>());
    }
    return r;
}
