// Number of this invocation. The grid may be larger than ITEMS.
fn item(wid: vec3<u32>, count: vec3<u32>, lid: vec3<u32>) -> u32 {
    return (wid.x + wid.y * count.x) * WORKGROUP + lid.x;
}
