// state = (exponent, good steps, skipped steps).
//
// | gradients  | state                                                                     |
// |------------|---------------------------------------------------------------------------|
// | finite     | one good step more; after GROWTH_INTERVAL of them the scale doubles       |
// | not finite | one skipped step more; the scale halves; the count of good steps restarts |
//
// Mapping: a single invocation.
@group(0) @binding(0) var<storage, read_write> state: array<f32>;
@group(0) @binding(1) var<storage, read> norm: array<f32>;

@compute @workgroup_size(WORKGROUP)
fn main(
    @builtin(workgroup_id) wid: vec3<u32>,
    @builtin(num_workgroups) count: vec3<u32>,
    @builtin(local_invocation_id) lid: vec3<u32>,
) {
    let i = item(wid, count, lid);
    if (i < ITEMS) {
        if (!finite(norm[0])) {
            state[0] = max(state[0] - 1.0, LOW);
            state[1] = 0.0;
            state[2] += 1.0;
        } else if (state[1] + 1.0 >= GROWTH_INTERVAL) {
            state[0] = min(state[0] + 1.0, HIGH);
            state[1] = 0.0;
        } else {
            state[1] += 1.0;
        }
    }
}
