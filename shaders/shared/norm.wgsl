// What belongs to a vector of channels: mean, 1 / std, γ and β. Rows that share it read it once.
struct Channels { mean: vec4<f32>, invstd: vec4<f32>, gamma: vec4<f32>, beta: vec4<f32> }

// A norm's result, before what is fused behind it.
fn normalized(x: vec4<f32>, known: Channels) -> vec4<f32> {
    return (x - known.mean) * known.invstd * known.gamma + known.beta;
}

// Which statistic belongs to each lane of the vector of channels c of a row: that of its channel (GROUP_SIZE 1, one
// sample) or of its group of channels in its sample. Lanes of padding channels take the last one; their γ is 0.
fn stat_index(row: u32, c: u32) -> vec4<u32> {
    let channel = vec4<u32>(c * 4u, c * 4u + 1u, c * 4u + 2u, c * 4u + 3u);
    let group = min(channel / GROUP_SIZE, vec4<u32>(GROUPS_PADDED - 1u));
    return (row / SAMPLE_ROWS) * GROUPS_PADDED + group;
}
