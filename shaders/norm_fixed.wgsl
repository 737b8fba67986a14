// Mean and 1 / std of BatchNorm in evaluation, from the running statistics, which stay unchanged.
// Mapping: one invocation per channel. Padding channels give 0.
@group(0) @binding(0) var<storage, read> running_mean: array<f32>;
@group(0) @binding(1) var<storage, read> running_var: array<f32>;
@group(0) @binding(2) var<storage, read_write> mean: array<f32>;
@group(0) @binding(3) var<storage, read_write> invstd: array<f32>;

@compute @workgroup_size(WORKGROUP)
fn main(
    @builtin(workgroup_id) wid: vec3<u32>,
    @builtin(num_workgroups) count: vec3<u32>,
    @builtin(local_invocation_id) lid: vec3<u32>,
) {
    let i = item(wid, count, lid);
    if (i < ITEMS) {
        var m = 0.0;
        var r = 0.0;
        if (i < C) {
            m = running_mean[i];
            r = 1.0 / sqrt(running_var[i] + EPS);
        }
        mean[i] = m;
        invstd[i] = r;
    }
}
