// y[row, c] = a[row, c] for c < CA, else b[row, c − CA].
// Mapping: one invocation per vector of y.
// Layout: rows of CA, CB and CA + CB channels, each padded to vectors of 4.
@group(0) @binding(0) var<storage, read> a: array<vec4<T0>>;
@group(0) @binding(1) var<storage, read> b: array<vec4<T1>>;
@group(0) @binding(2) var<storage, read_write> y: array<vec4<T2>>;

// One channel of a row; 0 in the padding.
fn lane(row: u32, c: u32) -> f32 {
    var v = 0.0;
    if (c < CA) {
        v = f32(a[row * CA4 + c / 4u][c % 4u]);
    } else if (c < CA + CB) {
        v = f32(b[row * CB4 + (c - CA) / 4u][(c - CA) % 4u]);
    }
    return v;
}

@compute @workgroup_size(WORKGROUP)
fn main(
    @builtin(workgroup_id) wid: vec3<u32>,
    @builtin(num_workgroups) count: vec3<u32>,
    @builtin(local_invocation_id) lid: vec3<u32>,
) {
    let i = item(wid, count, lid);
    if (i < ITEMS) {
        let row = i / C4;
        let c4 = i % C4;
        if (CA % 4u == 0u) {
            // Whole vectors. Padding lanes of b end the row.
            if (c4 < CA4) {
                y[i] = vec4<T2>(vec4<f32>(a[row * CA4 + c4]));
            } else {
                y[i] = vec4<T2>(vec4<f32>(b[row * CB4 + c4 - CA4]));
            }
        } else {
            let c = c4 * 4u;
            y[i] = vec4<T2>(vec4<f32>(lane(row, c), lane(row, c + 1u), lane(row, c + 2u), lane(row, c + 3u)));
        }
    }
}
