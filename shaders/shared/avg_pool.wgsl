// Number of counted taps of output `o` along one axis: those inside the input, with COUNT_INCLUDE_PAD also those in padding.
fn counted(o: u32, stride: u32, before: u32, after: u32, size: u32, taps: u32, dilation: u32) -> u32 {
    var n = 0u;
    for (var k = 0u; k < taps; k++) {
        let p = o * stride + k * dilation; // position in the padded input
        if (COUNT_INCLUDE_PAD) {
            n += u32(p < before + size + after);
        } else {
            n += u32(p >= before && p < before + size);
        }
    }
    return n;
}

fn divisor(oh: u32, ow: u32) -> f32 {
    return f32(counted(oh, SH, PT, PB, H, KH, DH) * counted(ow, SW, PL, PR, W, KW, DW));
}
