// Mean, 1 / std, γ and β of a vector of channels, read once for all rows that share them.
struct Channels { mean: vec4<f32>, invstd: vec4<f32>, gamma: vec4<f32>, beta: vec4<f32> }

// The result of a norm before residual and ReLU.
fn normalized(x: vec4<f32>, known: Channels) -> vec4<f32> {
    return (x - known.mean) * known.invstd * known.gamma + known.beta;
}

// Index of the statistic of each lane of channel vector c of a row. A statistic belongs to a channel (GROUP_SIZE 1, one
// sample) or to a group of channels of a sample. Padding lanes take the last group; their γ is 0.
fn stat_index(row: u32, c: u32) -> vec4<u32> {
    let channel = vec4<u32>(c * 4u, c * 4u + 1u, c * 4u + 2u, c * 4u + 3u);
    let group = min(channel / GROUP_SIZE, vec4<u32>(GROUPS_PADDED - 1u));
    return (row / SAMPLE_ROWS) * GROUPS_PADDED + group;
}
