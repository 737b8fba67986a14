// Number of this invocation; with fewer than ITEMS items it may be beyond the end.
fn item(wid: vec3<u32>, count: vec3<u32>, lid: vec3<u32>) -> u32 {
    return (wid.x + wid.y * count.x) * WORKGROUP + lid.x;
}
