// The place of a tile, for stages with an invocation for each tile and vector of channels, these innermost. A stage covers
// TILES tiles from FIRST_TILE on, whose values are in scratch memory at the same time.
struct Place {
    image: u32,
    // Of the tile's first output.
    row: u32,
    column: u32,
    channel: u32,
    // In scratch memory, at the first pair of points.
    at: u32,
}

fn place(i: u32) -> Place {
    let tile = FIRST_TILE + i / VECTORS;
    let row = tile / TILES_X % TILES_Y * 4u;
    return Place(tile / (TILES_X * TILES_Y), row, tile % TILES_X * 4u, i % VECTORS, i);
}
