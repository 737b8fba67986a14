// By its bits: an implementation may assume that there is nothing else than finite numbers.
fn finite(v: f32) -> bool { return (bitcast<u32>(v) & 0x7f800000u) != 0x7f800000u; }
