// Gradient of BatchNorm of few rows in one dispatch:
//   dβ = Σ g; dγ = Σ g · x̂
//   dx = invstd · γ · (g − (Σ g + x̂ · Σ g x̂) / n), with FIXED statistics dx = invstd · γ · g
// g is dy masked by `mask` (see shared/norm_masked.wgsl). g is also the gradient of a RESIDUAL.
// More rows take norm_grad_reduce, norm_grad_finalize and norm_grad_apply.
// Mapping: one workgroup per VECTORS vectors of channels, see shared/row_sums.wgsl. A workgroup reads all rows twice.
@group(0) @binding(0) var<storage, read> dy: array<vec4<T0>>;
@group(0) @binding(1) var<storage, read> x: array<vec4<T1>>;
@group(0) @binding(2) var<storage, read> mask: array<vec4<T2>>;
@group(0) @binding(3) var<storage, read> mean: array<vec4<f32>>;
@group(0) @binding(4) var<storage, read> invstd: array<vec4<f32>>;
@group(0) @binding(5) var<storage, read> gamma: array<vec4<f32>>;
@group(0) @binding(6) var<storage, read_write> dgamma: array<vec4<f32>>;
@group(0) @binding(7) var<storage, read_write> dbeta: array<vec4<f32>>;
@group(0) @binding(8) var<storage, read_write> d_x: array<vec4<T8>>;
@group(0) @binding(9) var<storage, read_write> dres: array<vec4<T9>>;

struct Element { g: vec4<f32>, normalized: vec4<f32> }

fn element(i: u32, known: Channels) -> Element {
    let v = vec4<f32>(x[i]);
    return Element(masked(vec4<f32>(dy[i]), i, v, known), (v - known.mean) * known.invstd);
}

fn reduce(block: u32, invocation: u32) {
    let column = invocation % VECTORS;
    let c = block * VECTORS + column;
    let inside = c < C4;
    var own = Sums();
    var known = Channels();
    if (inside) {
        known = channels(c, mean[c], invstd[c]);
        for (var row = invocation / VECTORS; row < ROWS; row += ROW_LANES) {
            let e = element(row * C4 + c, known);
            own.a += e.g;
            own.b = fma(e.g, e.normalized, own.b);
        }
    }
    let sums = add_rows(invocation, own);
    if (inside && invocation < VECTORS) {
        dbeta[c] = sums.a;
        dgamma[c] = sums.b;
        // The other row lanes read the sums from workgroup memory.
        held_a[invocation] = sums.a;
        held_b[invocation] = sums.b;
    }
    workgroupBarrier();
    if (inside) {
        let factor = select(1.0 / f32(ROWS), 0.0, FIXED);
        let scale = known.invstd * known.gamma;
        let sum_g = held_a[column];
        let sum_gx = held_b[column];
        for (var row = invocation / VECTORS; row < ROWS; row += ROW_LANES) {
            let i = row * C4 + c;
            let e = element(i, known);
            if (RESIDUAL) {
                dres[i] = vec4<T9>(e.g);
            }
            d_x[i] = vec4<T8>(scale * (e.g - (sum_g + e.normalized * sum_gx) * factor));
        }
    }
}
