// BatchNorm of few rows in one dispatch: y = relu?(γ · (x − mean) · invstd + β [+ residual]).
// mean and invstd = 1 / std are those of the batch. The running statistics are updated.
// More rows take norm_stats, norm_finalize and norm_apply, which share the rows among workgroups. For few rows, three
// dependent dispatches take longer than their work.
// The sums are of x minus the first row: the variance does not cancel when the mean is far from 0.
// Mapping: one workgroup per VECTORS vectors of channels, see shared/row_sums.wgsl. A workgroup reads all rows twice.
@group(0) @binding(0) var<storage, read> x: array<vec4<T0>>;
@group(0) @binding(1) var<storage, read> gamma: array<vec4<f32>>;
@group(0) @binding(2) var<storage, read> beta: array<vec4<f32>>;
@group(0) @binding(3) var<storage, read> residual: array<vec4<T3>>;
@group(0) @binding(4) var<storage, read_write> running_mean: array<vec4<f32>>;
@group(0) @binding(5) var<storage, read_write> running_var: array<vec4<f32>>;
@group(0) @binding(6) var<storage, read_write> mean: array<vec4<f32>>;
@group(0) @binding(7) var<storage, read_write> invstd: array<vec4<f32>>;
@group(0) @binding(8) var<storage, read_write> y: array<vec4<T8>>;

// Writes the statistics of channels c and shares them with the other row lanes. Padding channels give 0.
fn finalize(invocation: u32, c: u32, m: vec4<f32>, m2: vec4<f32>) {
    let zero = vec4<f32>();
    let channel = vec4<u32>(c * 4u, c * 4u + 1u, c * 4u + 2u, c * 4u + 3u);
    let variance = m2 / f32(ROWS);
    let r = select(zero, 1.0 / sqrt(variance + EPS), channel < vec4<u32>(C));
    var v = variance;
    if (UNBIASED) {
        v = m2 / max(f32(ROWS) - 1.0, 1.0);
    }
    running_mean[c] += MOMENTUM * (m - running_mean[c]);
    running_var[c] += MOMENTUM * (v - running_var[c]);
    mean[c] = m;
    invstd[c] = r;
    held_a[invocation] = m;
    held_b[invocation] = r;
}

fn reduce(block: u32, invocation: u32) {
    let column = invocation % VECTORS;
    let c = block * VECTORS + column;
    let inside = c < C4;
    var shift = vec4<f32>();
    var own = Sums();
    if (inside) {
        shift = vec4<f32>(x[c]);
        for (var row = invocation / VECTORS; row < ROWS; row += ROW_LANES) {
            let d = vec4<f32>(x[row * C4 + c]) - shift;
            own.a += d;
            own.b = fma(d, d, own.b);
        }
    }
    let sums = add_rows(invocation, own);
    if (inside && invocation < VECTORS) {
        let off = sums.a / f32(ROWS);
        finalize(invocation, c, shift + off, max(sums.b - sums.a * off, vec4<f32>()));
    }
    workgroupBarrier();
    if (inside) {
        let known = channels(c, held_a[column], held_b[column]);
        for (var row = invocation / VECTORS; row < ROWS; row += ROW_LANES) {
            let i = row * C4 + c;
            y[i] = vec4<T8>(ended(i, known));
        }
    }
}
