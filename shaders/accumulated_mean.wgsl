// Mean gradient of the last batch and the accumulated ones: (K sum + W g) / (K weight + W), see accumulate.wgsl.
// Mapping: one invocation per vector of the flat gradient buffer.
@group(0) @binding(0) var<storage, read> sum: array<vec4<f32>>;
@group(0) @binding(1) var<storage, read> weight: array<f32>;
@group(0) @binding(2) var<storage, read> grad: array<vec4<f32>>;
@group(0) @binding(3) var<storage, read> totals: array<vec4<f32>>;
@group(0) @binding(4) var<storage, read> hyper: Hyper;
@group(0) @binding(5) var<storage, read_write> mean: array<vec4<f32>>;

@compute @workgroup_size(WORKGROUP)
fn main(
    @builtin(workgroup_id) wid: vec3<u32>,
    @builtin(num_workgroups) count: vec3<u32>,
    @builtin(local_invocation_id) lid: vec3<u32>,
) {
    let i = item(wid, count, lid);
    if (i < ITEMS) {
        let more = hyper.keep != 0.0;
        let total = select(0.0, weight[0], more) + totals[0].y;
        // With a total weight of 0 all gradients are 0.
        mean[i] = (select(vec4<f32>(), sum[i], more) + totals[0].y * grad[i]) / select(total, 1.0, total == 0.0);
    }
}
