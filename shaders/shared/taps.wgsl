// What steps of a sum stand for; s is a step inside of the tile that begins at k. Where no tile reaches over two taps, an
// operand is looked for once a tap, at the channels of s, and the tiles of the tap follow it; else for each tile anew.
const TAPS_EVEN: bool = TAP4 % DEPTH == 0u;

// The tap of step k + s.
fn tap_of(k: u32, s: u32) -> u32 {
    return select((k + s) / TAP4, k / TAP4, TAPS_EVEN);
}

// The vector of channels that is looked for, and how many behind it the tile at k has.
fn channel_of(k: u32, s: u32) -> u32 {
    return select((k + s) % TAP4, s, TAPS_EVEN);
}

fn since(k: u32) -> u32 {
    return select(0u, k % TAP4, TAPS_EVEN);
}
