// Tap and channels of step s within the tile that begins at step k of the sum.
// With TAPS_EVEN no tile reaches into two taps, and the offset of an operand is computed once per tap, else once per tile.
const TAPS_EVEN: bool = TAP4 % DEPTH == 0u;

// The tap of step k + s.
fn tap_of(k: u32, s: u32) -> u32 {
    return select((k + s) / TAP4, k / TAP4, TAPS_EVEN);
}

// The vector of channels whose offset is computed.
fn channel_of(k: u32, s: u32) -> u32 {
    return select((k + s) % TAP4, s, TAPS_EVEN);
}

// Distance of the tile at k from that vector.
fn since(k: u32) -> u32 {
    return select(0u, k % TAP4, TAPS_EVEN);
}
