// A workgroup is VECTORS invocations wide, and its ROW_LANES invocations one behind the other share a vector: each adds up
// every ROW_LANES-th row, and these sums are added through workgroup memory, always in the same order.
const ROW_LANES: u32 = WORKGROUP / VECTORS;
var<workgroup> held_a: array<vec4<f32>, WORKGROUP>;
var<workgroup> held_b: array<vec4<f32>, WORKGROUP>;

struct Sums { a: vec4<f32>, b: vec4<f32> }

// Sums over the row lanes, in the first of them.
fn add_rows(invocation: u32, own: Sums) -> Sums {
    if (ROW_LANES == 1u) {
        return own;
    }
    held_a[invocation] = own.a;
    held_b[invocation] = own.b;
    for (var half = WORKGROUP / 2u; half >= VECTORS; half /= 2u) {
        workgroupBarrier();
        if (invocation < half) {
            held_a[invocation] += held_a[invocation + half];
            held_b[invocation] += held_b[invocation + half];
        }
    }
    return Sums(held_a[invocation], held_b[invocation]);
}
