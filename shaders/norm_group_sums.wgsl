// Σ γ g and Σ γ g x̂ over each group of channels of each sample (GroupNorm), from the segments of norm_grad_reduce.
// Padding groups give 0.
// Mapping: one workgroup per VECTORS pairs of sample and group, see shared/row_sums.wgsl. Its rows are the channels of all
// segments. One lane of each vector is used.
@group(0) @binding(0) var<storage, read> partials: array<f32>;
@group(0) @binding(1) var<storage, read> gamma: array<f32>;
@group(0) @binding(2) var<storage, read_write> sum_g: array<f32>;
@group(0) @binding(3) var<storage, read_write> sum_gx: array<f32>;

fn reduce(block: u32, invocation: u32) {
    let i = block * VECTORS + invocation % VECTORS;
    let of_sample = i % GROUPS_PADDED;
    var own = Sums();
    if (i < STATISTICS && of_sample < GROUPS) {
        for (var e = invocation / VECTORS; e < SEGMENTS * GROUP_SIZE; e += ROW_LANES) {
            let c = of_sample * GROUP_SIZE + e % GROUP_SIZE;
            let at = ((i / GROUPS_PADDED * SEGMENTS + e / GROUP_SIZE) * C4 + c / 4u) * 8u + c % 4u;
            own.a.x += gamma[c] * partials[at];
            own.b.x += gamma[c] * partials[at + 4u];
        }
    }
    let sums = add_rows(invocation, own);
    if (i < STATISTICS && invocation < VECTORS) {
        sum_g[i] = sums.a.x;
        sum_gx[i] = sums.b.x;
    }
}
