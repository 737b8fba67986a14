// For segment_sums.wgsl: the statistics of BatchNorm, one for each channel.
fn begin(first: u32, c: u32) -> Held {
    return channels(c, mean[c], invstd[c]);
}
