//! Combinations of a grid by number, so that a sample needs no list of all combinations.

use std::collections::{BTreeMap, BTreeSet};

use crate::random;

/// Below this number of runs, a sample is the start of a shuffled list of 8 bytes per run.
const SHUFFLED: usize = 1_000_000;

/// Lists of values by setting.
type Grid = BTreeMap<String, Vec<toml::Value>>;

/// The number of combinations; `None` above `usize::MAX`. An empty grid has 0.
pub(super) fn size(grid: &Grid) -> Option<usize> {
    if grid.is_empty() {
        return Some(0);
    }
    grid.values().try_fold(1_usize, |size, values| size.checked_mul(values.len()))
}

/// Combination `index`, the last key changing fastest.
pub(super) fn combination(grid: &Grid, mut index: usize) -> toml::Table {
    let mut row = toml::Table::new();
    for (key, values) in grid.iter().rev() {
        row.insert(key.clone(), values[index % values.len()].clone());
        index /= values.len();
    }
    row
}

/// `taken` distinct numbers below `runs`, ascending, drawn by `seed`.
pub(super) fn sample(runs: usize, taken: usize, seed: u64) -> Vec<usize> {
    if taken == runs {
        return (0..runs).collect();
    }
    if runs < SHUFFLED {
        let mut order = random::shuffled(runs, seed, 0);
        order.truncate(taken);
        order.sort_unstable();
        return order;
    }
    // Few of many numbers, so draws seldom repeat.
    let mut chosen = BTreeSet::new();
    for draw in 0.. {
        if chosen.len() == taken {
            break;
        }
        chosen.insert((random::word(seed, 0, draw, 0) % runs as u64) as usize);
    }
    chosen.into_iter().collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn grid(lists: &[usize]) -> Grid {
        let list = |length: usize| (0..length as i64).map(toml::Value::from).collect();
        lists.iter().enumerate().map(|(key, &length)| (format!("k{key}"), list(length))).collect()
    }

    #[test]
    fn combinations_count_with_the_last_key_fastest() {
        let grid = grid(&[2, 3]);
        assert_eq!(size(&grid), Some(6));
        let of = |index| ["k0", "k1"].map(|key| combination(&grid, index)[key].as_integer());
        assert_eq!(
            (of(0), of(1), of(3), of(5)),
            ([Some(0); 2], [Some(0), Some(1)], [Some(1), Some(0)], [Some(1), Some(2)])
        );
    }

    #[test]
    fn a_sample_of_a_vast_grid_is_small_distinct_and_repeatable() {
        let runs = size(&grid(&[1000, 1000, 1000])).expect("fits");
        let drawn = sample(runs, 50, 3);
        assert!(drawn.len() == 50 && drawn.is_sorted_by(|a, b| a < b) && drawn[49] < runs, "{drawn:?}");
        assert!(drawn[25] > runs / 10, "spread over the grid: {drawn:?}");
        assert_eq!(drawn, sample(runs, 50, 3));
        assert_ne!(drawn, sample(runs, 50, 4));
        assert_eq!(size(&grid(&[1 << 20; 4])), None, "2^80");
    }
}
