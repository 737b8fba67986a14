// norm_finalize: call 1, batch_norm of bn1, [16×112×112×64] → [16×112×112×64]
// Workgroup, the fixed choice of tile

// Stage 1 of 1: 64 workgroups; bindings 0 Read, 1 ReadWrite, 2 ReadWrite, 3 ReadWrite, 4 ReadWrite
alias T0 = f32;
alias T1 = f32;
alias T2 = f32;
alias T3 = f32;
alias T4 = f32;
const ROWS: u32 = 200704u;
const C: u32 = 64u;
const C4: u32 = 16u;
const SAMPLE_ROWS: u32 = 200704u;
const SEGMENTS: u32 = 784u;
const SEGMENT_ROWS: u32 = 256u;
const SAMPLES: u32 = 1u;
const GROUPS: u32 = 64u;
const GROUPS_PADDED: u32 = 64u;
const GROUP_SIZE: u32 = 1u;
const EPS: f32 = 1e-5f;
const MOMENTUM: f32 = 1e-1f;
const UNBIASED: bool = true;
const UPDATE: bool = true;
const VECTORS: u32 = 1u;
const STATISTICS: u32 = 64u;
const ITEMS: u32 = 64u;
const WORKGROUP: u32 = 64u;
// One workgroup per block of ITEMS. Its invocations reduce together. The kernel defines `reduce(block, invocation)`.
@compute @workgroup_size(WORKGROUP)
fn main(
    @builtin(workgroup_id) wid: vec3<u32>,
    @builtin(num_workgroups) count: vec3<u32>,
    @builtin(local_invocation_id) lid: vec3<u32>,
) {
    let block = wid.x + wid.y * count.x;
    if (block < ITEMS) {
        reduce(block, lid.x);
    }
}

const SUBGROUP: u32 = 1u;

// Without subgroups no other invocation can be read.
fn across(v: vec4<f32>, step: u32) -> vec4<f32> {
    return v;
}
// A workgroup is VECTORS invocations wide and ROW_LANES high.
const ROW_LANES: u32 = WORKGROUP / VECTORS;
// Number of neighboring invocations with one partial sum before workgroup memory is used.
const SPAN: u32 = max(SUBGROUP, VECTORS);
const SPANS: u32 = WORKGROUP / SPAN;
// Mean and 1 / std of every statistic. The segments of norm_stats are merged in a fixed order by the formula of Chan et al.
// (1983). The running statistics of BatchNorm are updated.
// Statistic: a statistic belongs to a sample and a group. BatchNorm has one sample, and one group per channel.
// Padding groups give 0.
// Mapping: VECTORS statistics per workgroup, ROW_LANES invocations per statistic; each of them merges every ROW_LANES-th
// channel and segment.
@group(0) @binding(0) var<storage, read> partials: array<f32>;
@group(0) @binding(1) var<storage, read_write> running_mean: array<f32>;
@group(0) @binding(2) var<storage, read_write> running_var: array<f32>;
@group(0) @binding(3) var<storage, read_write> mean: array<f32>;
@group(0) @binding(4) var<storage, read_write> invstd: array<f32>;

struct Moments { n: f32, mean: f32, m2: f32 }
var<workgroup> held: array<Moments, WORKGROUP>;

fn merge(a: Moments, b: Moments) -> Moments {
    if (b.n == 0.0) {
        return a;
    }
    let n = a.n + b.n;
    let delta = b.mean - a.mean;
    return Moments(n, a.mean + delta * (b.n / n), a.m2 + b.m2 + delta * delta * (a.n * b.n / n));
}

// Merges the channels and segments of one invocation.
fn part(sample: u32, group: u32, lane: u32) -> Moments {
    var all = Moments(0.0, 0.0, 0.0);
    for (var e = lane; e < SEGMENTS * GROUP_SIZE; e += ROW_LANES) {
        let s = e / GROUP_SIZE;
        let rows = min(SEGMENT_ROWS, SAMPLE_ROWS - s * SEGMENT_ROWS);
        let c = group * GROUP_SIZE + e % GROUP_SIZE;
        let at = ((sample * SEGMENTS + s) * C4 + c / 4u) * 8u + c % 4u;
        all = merge(all, Moments(f32(rows), partials[at], partials[at + 4u]));
    }
    return all;
}

// Merges over the row lanes. The first lane holds the result.
fn merge_lanes(invocation: u32, own: Moments) -> Moments {
    var all = own;
    for (var step = VECTORS; step < SUBGROUP; step *= 2u) {
        let other = across(vec4<f32>(all.n, all.mean, all.m2, 0.0), step);
        all = merge(all, Moments(other.x, other.y, other.z));
    }
    if (SPANS == 1u) {
        return all;
    }
    if (invocation % SPAN < VECTORS) {
        held[invocation / SPAN * VECTORS + invocation % VECTORS] = all;
    }
    for (var half = SPANS / 2u * VECTORS; half >= VECTORS; half /= 2u) {
        workgroupBarrier();
        if (invocation < half) {
            held[invocation] = merge(held[invocation], held[invocation + half]);
        }
    }
    return held[invocation];
}

// Writes statistic i.
fn store(i: u32, all: Moments) {
    let group = i % GROUPS_PADDED;
    var m = 0.0;
    var r = 0.0;
    if (group < GROUPS) {
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

fn reduce(block: u32, invocation: u32) {
    let i = block * VECTORS + invocation % VECTORS;
    var own = Moments(0.0, 0.0, 0.0);
    if (i < STATISTICS && i % GROUPS_PADDED < GROUPS) {
        own = part(i / GROUPS_PADDED, i % GROUPS_PADDED, invocation / VECTORS);
    }
    let all = merge_lanes(invocation, own);
    if (i < STATISTICS && invocation < VECTORS) {
        store(i, all);
    }
}
