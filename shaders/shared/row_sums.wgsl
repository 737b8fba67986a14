// Sums over rows. A workgroup is VECTORS invocations wide and ROW_LANES invocations high.
// Mapping: the ROW_LANES invocations of a column share a vector of channels; each adds every ROW_LANES-th row.
// Order: fixed. Shuffles add the sums within a subgroup of SUBGROUP invocations, workgroup memory adds those of subgroups.

// Up to this number of sums one invocation adds them alone: barriers are slow on llvmpipe. More sums are added by halving.
const FEW: u32 = 8u;
var<workgroup> held_a: array<vec4<f32>, WORKGROUP>;
var<workgroup> held_b: array<vec4<f32>, WORKGROUP>;

struct Sums { a: vec4<f32>, b: vec4<f32> }

// Adds the sums of the row lanes. The first lane holds the result.
fn add_rows(invocation: u32, own: Sums) -> Sums {
    var sums = own;
    for (var step = VECTORS; step < SUBGROUP; step *= 2u) {
        sums.a += across(sums.a, step);
        sums.b += across(sums.b, step);
    }
    if (SPANS == 1u) {
        return sums;
    }
    if (invocation % SPAN < VECTORS) {
        let at = invocation / SPAN * VECTORS + invocation % VECTORS;
        held_a[at] = sums.a;
        held_b[at] = sums.b;
    }
    for (var half = SPANS / 2u * VECTORS; SPANS > FEW && half >= VECTORS; half /= 2u) {
        workgroupBarrier();
        if (invocation < half) {
            held_a[invocation] += held_a[invocation + half];
            held_b[invocation] += held_b[invocation + half];
        }
    }
    if (SPANS > FEW) {
        return Sums(held_a[invocation], held_b[invocation]);
    }
    workgroupBarrier();
    if (invocation < VECTORS) {
        for (var span = 1u; span < SPANS; span++) {
            sums.a += held_a[span * VECTORS + invocation];
            sums.b += held_b[span * VECTORS + invocation];
        }
    }
    return sums;
}
