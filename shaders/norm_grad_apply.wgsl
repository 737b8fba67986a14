// dx = invstd · (γ g − (Σ γ g + x̂ · Σ γ g x̂) / n), with sums over the n values that share a mean.
// With FIXED statistics dx = invstd · γ g.
// g is dy masked by `mask` (see shared/norm_masked.wgsl). g is also the gradient of a RESIDUAL.
// With PER_CHANNEL the sums are without γ: dβ and dγ.
// Mapping: one invocation per ROWS_EACH vectors of x. They have the same channels and lie ITEMS vectors apart.
@group(0) @binding(0) var<storage, read> dy: array<vec4<T0>>;
@group(0) @binding(1) var<storage, read> x: array<vec4<T1>>;
@group(0) @binding(2) var<storage, read> mask: array<vec4<T2>>;
@group(0) @binding(3) var<storage, read> mean: array<f32>;
@group(0) @binding(4) var<storage, read> invstd: array<f32>;
@group(0) @binding(5) var<storage, read> gamma: array<vec4<f32>>;
@group(0) @binding(6) var<storage, read> sum_g: array<f32>;
@group(0) @binding(7) var<storage, read> sum_gx: array<f32>;
@group(0) @binding(8) var<storage, read_write> d_x: array<vec4<T8>>;
@group(0) @binding(9) var<storage, read_write> dres: array<vec4<T9>>;

struct Gradient { g: vec4<f32>, d_x: vec4<f32> }

// dx of vector i from both sums of its channels.
fn gradient(i: u32, known: Channels, sum_of_g: vec4<f32>, sum_of_gx: vec4<f32>) -> Gradient {
    let v = vec4<f32>(x[i]);
    let g = masked(vec4<f32>(dy[i]), i, v, known);
    var d = known.gamma * g;
    if (!FIXED) {
        d -= (sum_of_g + (v - known.mean) * known.invstd * sum_of_gx) / f32(SAMPLE_ROWS * GROUP_SIZE);
    }
    return Gradient(g, d * known.invstd);
}

@compute @workgroup_size(WORKGROUP)
fn main(
    @builtin(workgroup_id) wid: vec3<u32>,
    @builtin(num_workgroups) count: vec3<u32>,
    @builtin(local_invocation_id) lid: vec3<u32>,
) {
    let i = item(wid, count, lid);
    if (i < ITEMS) {
        let c = i % C4;
        let at = stat_index(i / C4, c);
        let known = channels_of_row(i / C4, c);
        var a = vec4<f32>();
        var b = vec4<f32>();
        if (!FIXED) {
            a = vec4<f32>(sum_g[at.x], sum_g[at.y], sum_g[at.z], sum_g[at.w]);
            b = vec4<f32>(sum_gx[at.x], sum_gx[at.y], sum_gx[at.z], sum_gx[at.w]);
            if (PER_CHANNEL) {
                a *= known.gamma;
                b *= known.gamma;
            }
        }
        // Reads all before the first write: a compiler cannot know that the buffers do not overlap.
        var results: array<Gradient, ROWS_EACH>;
        for (var row = 0u; row < ROWS_EACH; row++) {
            results[row] = gradient(i + row * ITEMS, known, a, b);
        }
        for (var row = 0u; row < ROWS_EACH; row++) {
            if (RESIDUAL) {
                dres[i + row * ITEMS] = vec4<T9>(results[row].g);
            }
            d_x[i + row * ITEMS] = vec4<T8>(results[row].d_x);
        }
    }
}
