// Position of a tile.
// Mapping: one invocation per tile and vector of channels, channels innermost.
// Slice: a stage covers the TILES tiles from FIRST_TILE on. Their values are in scratch memory at the same time.
struct Place {
    image: u32,
    // First output of the tile.
    row: u32,
    column: u32,
    channel: u32,
    // Offset in scratch memory of the first pair of points.
    at: u32,
}

fn place(i: u32) -> Place {
    let tile = FIRST_TILE + i / VECTORS;
    let row = tile / TILES_X % TILES_Y * 4u;
    return Place(tile / (TILES_X * TILES_Y), row, tile % TILES_X * 4u, i % VECTORS, i);
}
