// y = relu?(γ · (x − mean) · invstd + β [+ residual]).
// Mapping: one invocation per ROWS_EACH vectors of x. They have the same channels and lie ITEMS vectors apart.
@group(0) @binding(0) var<storage, read> x: array<vec4<T0>>;
@group(0) @binding(1) var<storage, read> mean: array<f32>;
@group(0) @binding(2) var<storage, read> invstd: array<f32>;
@group(0) @binding(3) var<storage, read> gamma: array<vec4<f32>>;
@group(0) @binding(4) var<storage, read> beta: array<vec4<f32>>;
@group(0) @binding(5) var<storage, read> residual: array<vec4<T5>>;
@group(0) @binding(6) var<storage, read_write> y: array<vec4<T6>>;

@compute @workgroup_size(WORKGROUP)
fn main(
    @builtin(workgroup_id) wid: vec3<u32>,
    @builtin(num_workgroups) count: vec3<u32>,
    @builtin(local_invocation_id) lid: vec3<u32>,
) {
    let i = item(wid, count, lid);
    if (i < ITEMS) {
        let c = i % C4;
        let known = channels_of_row(i / C4, c);
        // Reads all before the first write: a compiler cannot know that x and y do not overlap.
        var results: array<vec4<f32>, ROWS_EACH>;
        for (var row = 0u; row < ROWS_EACH; row++) {
            results[row] = ended(i + row * ITEMS, known);
        }
        for (var row = 0u; row < ROWS_EACH; row++) {
            y[i + row * ITEMS] = vec4<T6>(results[row]);
        }
    }
}
