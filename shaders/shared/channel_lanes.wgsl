// Lanes of vector i that hold channels; the others are padding.
fn is_channel(i: u32) -> vec4<bool> {
    let c = (i % C4) * 4u;
    return vec4<u32>(c, c + 1u, c + 2u, c + 3u) < vec4<u32>(C);
}
