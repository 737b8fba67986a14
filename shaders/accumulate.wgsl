// Accumulates the gradients of several batches: sum ← K sum + W g, weight ← K weight + W.
// W = totals.y is the divisor of the batch's mean loss: the number of images or pixels that count.
// K = hyper.keep is 0 for the first batch, else 1.
// Mapping: one invocation per vector of the flat gradient buffer.
@group(0) @binding(0) var<storage, read_write> sum: array<vec4<f32>>;
@group(0) @binding(1) var<storage, read_write> weight: array<f32>;
@group(0) @binding(2) var<storage, read> grad: array<vec4<f32>>;
@group(0) @binding(3) var<storage, read> totals: array<vec4<f32>>;
@group(0) @binding(4) var<storage, read> hyper: Hyper;

@compute @workgroup_size(WORKGROUP)
fn main(
    @builtin(workgroup_id) wid: vec3<u32>,
    @builtin(num_workgroups) count: vec3<u32>,
    @builtin(local_invocation_id) lid: vec3<u32>,
) {
    let i = item(wid, count, lid);
    if (i < ITEMS) {
        // Selects instead of multiplying by 0: the old values may not be finite.
        let more = hyper.keep != 0.0;
        sum[i] = select(vec4<f32>(), sum[i], more) + totals[0].y * grad[i];
        if (i == 0u) {
            weight[0] = select(0.0, weight[0], more) + totals[0].y;
        }
    }
}
