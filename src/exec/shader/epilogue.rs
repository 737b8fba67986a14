//! What a convolution does to its sums before it stores them.

use crate::kernel::Consts;

/// `ended`, with the bindings that it needs: those of what is not there are not declared, since a device may have as few as
/// [`crate::kernel::MOST_BINDINGS`] for a kernel.
pub(super) fn epilogue(consts: &Consts) -> String {
    let bias = match consts.flag("HAS_BIAS") {
        true => include_str!("../../../shaders/epilogue/bias.wgsl"),
        false => "fn with_bias(sum: vec4<f32>, channel: u32) -> vec4<f32> { return sum; }\n",
    };
    let addend = match consts.flag("HAS_ADDEND") {
        true => include_str!("../../../shaders/epilogue/addend.wgsl"),
        false => "fn with_addend(sum: vec4<f32>, at: u32) -> vec4<f32> { return sum; }\n",
    };
    format!("{bias}{addend}{}", include_str!("../../../shaders/epilogue/ended.wgsl"))
}
