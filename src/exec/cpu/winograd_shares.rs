//! How the tiles and columns of a convolution by Winograd are divided into tasks, and whether Winograd pays.

use super::direct::lanes;
use super::winograd_maps::ROWS;
use crate::exec::winograd::{POINTS, Plane};
use crate::kernel::ConvGeometry;

/// Largest product of a task's tiles and columns. Their values at the points, 1.2 MB, stay in the cache.
const MOST: usize = 128 * 64;
/// The cost of transforming a kernel and a tile, in multiplications of a product. Measured: 8 tiles of 1,024 channels
/// gain nothing, 16 of 256 are 1.6 times as fast, 32 of 512 are 2.1 times as fast.
const MAKING: [usize; 2] = [24, 12];

/// Tiles and columns of a task. Results do not depend on them: each is one sum, always in the same order.
#[derive(Clone, Copy, Debug)]
pub(super) struct Shares {
    pub tiles: usize,
    pub columns: usize,
}

impl Shares {
    /// The shares with the least time on `threads` threads.
    pub fn choose(plane: &Plane, threads: usize) -> Shares {
        let sizes = |most: usize| [16, 32, 64, 128].into_iter().map(move |size| size.min(most));
        let columns = sizes(plane.columns).skip(1);
        let all = columns.flat_map(|columns| {
            sizes(plane.tiles().next_multiple_of(ROWS)).map(move |tiles| Shares { tiles, columns })
        });
        let fits = |shares: &Shares| shares.tiles * shares.columns <= MOST;
        all.filter(fits).min_by_key(|shares| shares.time(plane, threads)).expect("the smallest fits")
    }

    pub fn tasks(&self, plane: &Plane) -> [usize; 2] {
        [plane.tiles().div_ceil(self.tiles), plane.columns.div_ceil(self.columns)]
    }

    /// Twice the time of the whole convolution, in multiplications and additions. Each thread computes its part and
    /// then waits for half a task on average.
    fn time(&self, plane: &Plane, threads: usize) -> usize {
        let tasks: usize = self.tasks(plane).iter().product();
        2 * self.work(plane) / threads + self.work(plane) / tasks
    }

    /// Multiplications and additions, with the transformations.
    fn work(&self, plane: &Plane) -> usize {
        let (tiles, [by_tiles, by_columns]) = (plane.tiles(), self.tasks(plane));
        let product = plane.channels * plane.columns * (tiles.next_multiple_of(ROWS) + MAKING[0] * by_tiles);
        POINTS * POINTS * (product + MAKING[1] * tiles * (plane.channels * by_columns + plane.columns))
    }
}

impl Plane {
    /// The convolution of a call, if Winograd suits it: whole vectors of channels, and enough tiles.
    pub(super) fn choose(geometry: &ConvGeometry) -> Option<Plane> {
        let whole = |c: usize| c > 0 && c.is_multiple_of(lanes().max(ROWS));
        let plane = Plane::new(geometry)?;
        if !whole(plane.channels) || !whole(plane.columns) || plane.tiles() == 0 {
            return None;
        }
        // Always for 2 threads, or results would depend on the number of threads.
        let work = Shares::choose(&plane, 2).work(&plane);
        let plain = 9 * plane.images * plane.output.iter().product::<usize>() * plane.channels * plane.columns;
        (work < plain).then_some(plane)
    }
}
