// The tap, and the vector of its channels, that step k + s of a sum stands for; s is a step inside of the tile that begins
// at k. Where no tile reaches over two taps, the tap is the same for a whole workgroup, and all that depends on it alone.
const TAPS_EVEN: bool = TAP4 % DEPTH == 0u;

fn tap_of(k: u32, s: u32) -> u32 {
    return select((k + s) / TAP4, k / TAP4, TAPS_EVEN);
}

fn channel_of(k: u32, s: u32) -> u32 {
    return select((k + s) % TAP4, k % TAP4 + s, TAPS_EVEN);
}
