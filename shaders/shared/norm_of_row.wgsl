// Channel vector c of a row, from statistics that are stored as floats.
fn channels_of_row(row: u32, c: u32) -> Channels {
    let at = stat_index(row, c);
    let m = vec4<f32>(mean[at.x], mean[at.y], mean[at.z], mean[at.w]);
    return channels(c, m, vec4<f32>(invstd[at.x], invstd[at.y], invstd[at.z], invstd[at.w]));
}
