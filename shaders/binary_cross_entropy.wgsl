// Partial sums of l = w t softplus(−x) + (1 − t) softplus(x): x is a logit, t its smoothed target, w the positive weight of
// its class.
// out = (Σ l, counted elements, correct predictions, counted elements).
// FOCAL: softplus(∓x) = −log p is multiplied by (1 − p)^γ.
// Mapping: invocation i sums the vectors i, i + PARTS, …. Padding lanes and ignored elements add nothing.
@group(0) @binding(0) var<storage, read> logits: array<vec4<f32>>;
@group(0) @binding(1) var<storage, read> targets: array<vec4<f32>>;
@group(0) @binding(2) var<storage, read> weights: array<vec4<f32>>;
@group(0) @binding(3) var<storage, read_write> out: array<vec4<f32>>;

// The factors of focal loss for a vector of losses.
fn focus4(n: vec4<f32>) -> vec4<f32> {
    return vec4<f32>(focus(n.x), focus(n.y), focus(n.z), focus(n.w));
}

fn loss_at(i: u32) -> vec4<f32> {
    let x = logits[i];
    let t = smoothed(i);
    var present = softplus(-x);
    var absent = softplus(x);
    if (FOCAL) {
        present *= focus4(present);
        absent *= focus4(absent);
    }
    return positive(i) * t * present + (1.0 - t) * absent;
}

fn sum4(v: vec4<f32>) -> f32 { return v.x + v.y + v.z + v.w; }

@compute @workgroup_size(WORKGROUP)
fn main(
    @builtin(workgroup_id) wid: vec3<u32>,
    @builtin(num_workgroups) count: vec3<u32>,
    @builtin(local_invocation_id) lid: vec3<u32>,
) {
    let i = item(wid, count, lid);
    if (i < ITEMS) {
        var loss = vec4<f32>();
        var elements = vec4<f32>();
        var right = vec4<f32>();
        for (var at = i; at < TOTAL4; at += PARTS) {
            let lanes = counted(at);
            let hit = (logits[at] > vec4<f32>()) == (targets[at] > vec4<f32>(0.5));
            loss += select(vec4<f32>(), loss_at(at), lanes);
            elements += select(vec4<f32>(), vec4<f32>(1.0), lanes);
            right += select(vec4<f32>(), vec4<f32>(1.0), lanes & hit);
        }
        let n = sum4(elements);
        out[i] = vec4<f32>(sum4(loss), n, sum4(right), n);
    }
}
