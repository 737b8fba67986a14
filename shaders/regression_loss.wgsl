// Partial sums of a loss of d = prediction − target.
// out = (Σ l, elements, 0, elements); only part 0 has the number of elements.
//
// | OP        | l                                                      |
// |-----------|--------------------------------------------------------|
// | 0         | d²                                                     |
// | 1         | abs(d)                                                 |
// | 2 (Huber) | d²/2 for abs(d) ≤ DELTA, else DELTA (abs(d) − DELTA/2) |
//
// Mapping: invocation i sums the vectors i, i + PARTS, …. The padding lanes of both tensors are 0 and add nothing.
@group(0) @binding(0) var<storage, read> prediction: array<vec4<f32>>;
@group(0) @binding(1) var<storage, read> goal: array<vec4<f32>>;
@group(0) @binding(2) var<storage, read_write> out: array<vec4<f32>>;

fn loss_of(d: vec4<f32>) -> vec4<f32> {
    let size = abs(d);
    if (OP == 0u) {
        return d * d;
    }
    if (OP == 1u) {
        return size;
    }
    return select(DELTA * (size - 0.5 * DELTA), 0.5 * d * d, size <= vec4<f32>(DELTA));
}

@compute @workgroup_size(WORKGROUP)
fn main(
    @builtin(workgroup_id) wid: vec3<u32>,
    @builtin(num_workgroups) count: vec3<u32>,
    @builtin(local_invocation_id) lid: vec3<u32>,
) {
    let i = item(wid, count, lid);
    if (i < ITEMS) {
        var sum = vec4<f32>();
        for (var at = i; at < TOTAL4; at += PARTS) {
            sum += loss_of(prediction[at] - goal[at]);
        }
        let n = select(0.0, f32(ROWS * C), i == 0u);
        out[i] = vec4<f32>(sum.x + sum.y + sum.z + sum.w, n, 0.0, n);
    }
}
