// y = relu?(γ · (x − mean) · invstd + β [+ residual]).
// Mapping: one invocation per vector of x.
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
        let at = stat_index(i / C4, c);
        let m = vec4<f32>(mean[at.x], mean[at.y], mean[at.z], mean[at.w]);
        let r = vec4<f32>(invstd[at.x], invstd[at.y], invstd[at.z], invstd[at.w]);
        y[i] = vec4<T6>(ended(i, c, m, r));
    }
}
