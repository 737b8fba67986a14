// Per segment of rows and channel: Σ g and Σ g · x̂, where g is dy behind `mask` (see shared/norm_masked.wgsl).
// out [SAMPLES · SEGMENTS, C / 4, (Σ g, Σ g x̂)].
// Mapping: one workgroup per segment and block of VECTORS vectors of channels, see shared/row_sums.wgsl.
@group(0) @binding(0) var<storage, read> dy: array<vec4<T0>>;
@group(0) @binding(1) var<storage, read> x: array<vec4<T1>>;
@group(0) @binding(2) var<storage, read> mask: array<vec4<T2>>;
@group(0) @binding(3) var<storage, read> mean: array<f32>;
@group(0) @binding(4) var<storage, read> invstd: array<f32>;
@group(0) @binding(5) var<storage, read> gamma: array<vec4<f32>>;
@group(0) @binding(6) var<storage, read_write> out: array<vec4<f32>>;

@compute @workgroup_size(WORKGROUP)
fn main(at: Invocation) {
    let place = position(at);
    let group = at.wid.x + at.wid.y * at.count.x;
    if (group < ITEMS) {
        let c = (group % BLOCKS) * VECTORS + place % VECTORS;
        let segment = group / BLOCKS;
        let sample = segment / SEGMENTS;
        let first = sample * SAMPLE_ROWS + (segment % SEGMENTS) * SEGMENT_ROWS;
        let last = min(first + SEGMENT_ROWS, (sample + 1u) * SAMPLE_ROWS);
        var own = Sums();
        if (c < C4) {
            let at = stat_index(first, c);
            let m = vec4<f32>(mean[at.x], mean[at.y], mean[at.z], mean[at.w]);
            let r = vec4<f32>(invstd[at.x], invstd[at.y], invstd[at.z], invstd[at.w]);
            for (var row = first + place / VECTORS; row < last; row += ROW_LANES) {
                let i = row * C4 + c;
                let v = vec4<f32>(x[i]);
                let g = masked(i, c, v, m, r);
                own.a += g;
                own.b = fma(g, (v - m) * r, own.b);
            }
        }
        let sums = add_rows(place, own);
        if (c < C4 && place < VECTORS) {
            let i = segment * C4 + c;
            out[i * 2u] = sums.a;
            out[i * 2u + 1u] = sums.b;
        }
    }
}
