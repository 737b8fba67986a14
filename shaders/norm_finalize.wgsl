// Mean and 1 / std of every statistic from the segments of norm_stats, merged in order by the formula of Chan et al. (1983);
// updates the running statistics of BatchNorm.
// Mapping: one invocation per sample and group; BatchNorm has one sample and a group per channel. Padded groups give 0.
@group(0) @binding(0) var<storage, read> partials: array<f32>;
@group(0) @binding(1) var<storage, read_write> running_mean: array<f32>;
@group(0) @binding(2) var<storage, read_write> running_var: array<f32>;
@group(0) @binding(3) var<storage, read_write> mean: array<f32>;
@group(0) @binding(4) var<storage, read_write> invstd: array<f32>;

struct Moments { n: f32, mean: f32, m2: f32 }

fn merge(a: Moments, b: Moments) -> Moments {
    let n = a.n + b.n;
    let delta = b.mean - a.mean;
    return Moments(n, a.mean + delta * (b.n / n), a.m2 + b.m2 + delta * delta * (a.n * b.n / n));
}

fn of_group(sample: u32, group: u32) -> Moments {
    var all = Moments(0.0, 0.0, 0.0);
    for (var s = 0u; s < SEGMENTS; s++) {
        let rows = min(SEGMENT_ROWS, SAMPLE_ROWS - s * SEGMENT_ROWS);
        for (var j = 0u; j < GROUP_SIZE; j++) {
            let c = group * GROUP_SIZE + j;
            let at = ((sample * SEGMENTS + s) * C4 + c / 4u) * 8u + c % 4u;
            all = merge(all, Moments(f32(rows), partials[at], partials[at + 4u]));
        }
    }
    return all;
}

@compute @workgroup_size(WORKGROUP)
fn main(
    @builtin(workgroup_id) wid: vec3<u32>,
    @builtin(num_workgroups) count: vec3<u32>,
    @builtin(local_invocation_id) lid: vec3<u32>,
) {
    let i = item(wid, count, lid);
    if (i < ITEMS) {
        let group = i % GROUPS_PADDED;
        var m = 0.0;
        var r = 0.0;
        if (group < GROUPS) {
            let all = of_group(i / GROUPS_PADDED, group);
            let variance = all.m2 / all.n;
            m = all.mean;
            r = 1.0 / sqrt(variance + EPS);
            if (UPDATE) {
                var v = variance;
                if (UNBIASED) {
                    v = all.m2 / max(all.n - 1.0, 1.0);
                }
                running_mean[group] += MOMENTUM * (m - running_mean[group]);
                running_var[group] += MOMENTUM * (v - running_var[group]);
            }
        }
        mean[i] = m;
        invstd[i] = r;
    }
}
