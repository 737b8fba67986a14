//! What becomes of the sums `cI_J` of an invocation that has them in registers.

use std::fmt::Write;

use super::gemm::{accumulators, loaded, pairs};
use super::tile::{Operands, SUBGROUP, Tile, Tiling};
use crate::shape::LANES;

/// Sums of a column that each turn of [`in_turns`] deals with.
const AT_ONCE: usize = 4;

/// Stores the sums.
pub(super) fn stores(out: &mut String, tile: Tile, operands: Operands) {
    let split = tile.splits > 1;
    let row = |i: &str| match operands {
        Operands::SumInVectors => format!("m0 + ty + {i} * TY"),
        Operands::RowsInVectors => format!("(m0 + ty + {i} / {LANES}u * TY) * {LANES}u + {i} % {LANES}u"),
    };
    let to = if split { "store_part(split, batch" } else { "store(batch" };
    if !tile.tiling.in_registers() {
        for (i, j) in pairs(accumulators(operands, tile.rows_each), tile.columns_each) {
            let _ = writeln!(out, "        {to}, {}, n0 + tx + {j}u * TX, c{i}_{j});", row(&format!("{i}u")));
        }
        return;
    }
    // Where a row lies in a phase of a stride takes several divisions, so each invocation finds that out for the rows that
    // it has loaded.
    let shown = tile.tiling == Tiling::Subgroup && operands == Operands::SumInVectors && !split;
    for i in (0..loaded(tile)).filter(|_| shown) {
        let _ = writeln!(out, "        let place{i} = place(batch, m0 + lane + {}u);", i * SUBGROUP);
    }
    in_turns(out, tile, operands, |out, q| {
        let to = match shown {
            true => {
                let places: Vec<_> = (0..loaded(tile)).map(|i| format!("place{i}")).collect();
                let of = chosen(&places, &format!("i{q} * TY / {SUBGROUP}u"), 0);
                let _ = writeln!(out, "            let to{q} = subgroupShuffle({of}, i{q} * TY % {SUBGROUP}u + ty);");
                format!("store_at(batch, to{q}")
            }
            false => format!("{to}, {}", row(&format!("i{q}"))),
        };
        for j in 0..tile.columns_each {
            let _ = writeln!(out, "            {to}, n0 + tx + {j}u * TX, v{q}_{j});");
        }
    });
}

/// Has `each` say what is done with the sums `vQ_J` of the rows `iQ`, [`AT_ONCE`] of them in each turn of a loop: what is done
/// with a sum is several hundred instructions for a compiler of CPUs. `count.z` is 1, which it does not know, so that it does
/// not unroll the loop again.
pub(super) fn in_turns(out: &mut String, tile: Tile, operands: Operands, each: impl Fn(&mut String, usize)) {
    let sums = accumulators(operands, tile.rows_each);
    assert!(sums.is_multiple_of(AT_ONCE), "{tile:?} would lose sums");
    let _ = writeln!(out, "        for (var turn = 0u; turn < {}u * count.z; turn++) {{", sums / AT_ONCE);
    for q in 0..AT_ONCE {
        let _ = writeln!(out, "            let i{q} = turn * {AT_ONCE}u + {q}u;");
        for j in 0..tile.columns_each {
            let all: Vec<_> = (q..sums).step_by(AT_ONCE).map(|i| format!("c{i}_{j}")).collect();
            let _ = writeln!(out, "            let v{q}_{j} = {};", chosen(&all, "turn", 0));
        }
        each(out, q);
    }
    out.push_str("        }\n");
}

/// One of `values`, the first of which has the number `first`.
fn chosen(values: &[String], number: &str, first: usize) -> String {
    match values {
        [one] => one.clone(),
        _ => {
            let (low, high) = values.split_at(values.len() / 2);
            let from = first + low.len();
            let [a, b] = [chosen(low, number, first), chosen(high, number, from)];
            format!("select({a}, {b}, {number} >= {from}u)")
        }
    }
}
