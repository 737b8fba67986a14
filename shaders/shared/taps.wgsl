// The tap and the channels of a step of the sum; s is a step inside the tile that begins at k. Where no tile reaches over two
// taps (TAPS_EVEN), the place of an operand is computed once for each tap, else for each tile.
const TAPS_EVEN: bool = TAP4 % DEPTH == 0u;

// The tap of step k + s.
fn tap_of(k: u32, s: u32) -> u32 {
    return select((k + s) / TAP4, k / TAP4, TAPS_EVEN);
}

// The vector of channels whose place is computed, and the distance of the tile at k from it.
fn channel_of(k: u32, s: u32) -> u32 {
    return select((k + s) % TAP4, s, TAPS_EVEN);
}

fn since(k: u32) -> u32 {
    return select(0u, k % TAP4, TAPS_EVEN);
}
