// dβ = Σ g and dγ = Σ g · x̂ over all segments of norm_grad_reduce.
// Mapping: one workgroup per VECTORS vectors of channels, see shared/row_sums.wgsl. Its rows are the segments.
@group(0) @binding(0) var<storage, read> partials: array<vec4<f32>>;
@group(0) @binding(1) var<storage, read_write> dgamma: array<vec4<f32>>;
@group(0) @binding(2) var<storage, read_write> dbeta: array<vec4<f32>>;

fn reduce(block: u32, invocation: u32) {
    let c = block * VECTORS + invocation % VECTORS;
    var own = Sums();
    if (c < C4) {
        for (var s = invocation / VECTORS; s < SAMPLES * SEGMENTS; s += ROW_LANES) {
            own.a += partials[(s * C4 + c) * 2u];
            own.b += partials[(s * C4 + c) * 2u + 1u];
        }
    }
    let sums = add_rows(invocation, own);
    if (c < C4 && invocation < VECTORS) {
        dbeta[c] = sums.a;
        dgamma[c] = sums.b;
    }
}
