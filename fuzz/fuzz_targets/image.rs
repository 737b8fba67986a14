//! A picture of any kind.
#![no_main]

use shadegrad::data::{DecodeLimits, decode_bytes};
use shadegrad_fuzz::{fuzz_target, report};

fuzz_target!(|bytes: &[u8]| {
    report(decode_bytes(bytes, &DecodeLimits::default()).map(|_| ()));
});
