//! Built-in streets: equal for equal seeds, every class has its share, and the labels fit the pictures.

use shadegrad::data::scenes::{StreetDataset, StreetOptions};
use shadegrad::data::{IGNORED, ImageDataset, ImageSplits, SegmentationDataset, SegmentationSplits};

/// Number of pixels of each class, and of ignored ones.
fn counts(set: &StreetDataset) -> (Vec<u64>, u64) {
    let classes = set.classes().len();
    let (mut counts, mut ignored) = (vec![0; classes], 0);
    for index in 0..SegmentationDataset::len(set) {
        for &id in set.mask(index).unwrap().iter() {
            if id == IGNORED { ignored += 1 } else { counts[usize::from(id)] += 1 }
        }
    }
    (counts, ignored)
}

#[test]
fn streets_are_functions_of_seed_and_index() {
    let of = |seed, count, (height, width)| StreetDataset::new(StreetOptions { seed, count, height, width });
    let image = |set: &StreetDataset, index| SegmentationDataset::image(set, index).unwrap();
    let (a, b) = (of(4, 9, (48, 64)), of(4, 99, (48, 64)));
    for index in [0, 8] {
        assert_eq!(image(&a, index), image(&b, index));
        assert_eq!(a.mask(index).unwrap(), b.mask(index).unwrap());
        assert_eq!(image(&a, index), ImageDataset::image(&a, index).unwrap());
    }
    assert_ne!(image(&a, 0), image(&a, 1));
    assert_ne!(image(&a, 0), image(&of(5, 9, (48, 64)), 0));
    // At twice the resolution the scene is the same: every second label agrees with its neighbor.
    let (small, large) = (a.mask(3).unwrap(), of(4, 9, (96, 128)).mask(3).unwrap());
    let same = small
        .enumerate_pixels()
        .filter(|(x, y, p)| (0..4).any(|k| large.get_pixel(2 * x + k % 2, 2 * y + k / 2) == *p));
    assert!(same.count() * 100 > 95 * 48 * 64);
    // Any proportions.
    for size in [(33, 20), (20, 90), (1, 1)] {
        assert_eq!(of(1, 1, size).mask(0).unwrap().dimensions(), (size.1, size.0));
    }
}

#[test]
fn parts_hold_different_scenes() {
    let splits = SegmentationSplits::streets(3, [4, 3, 2], (24, 32));
    let images = ImageSplits::streets(3, [4, 3, 0], (24, 32));
    assert!(images.test.is_none());
    let test = splits.test.unwrap();
    let sets = [&splits.train, &splits.val, &test];
    assert_eq!(sets.map(|set| set.len()), [4, 3, 2]);
    let mut all: Vec<_> =
        sets.iter().flat_map(|set| (0..set.len()).map(|i| set.image(i).unwrap().into_raw())).collect();
    assert_eq!(all[5], images.val.image(1).unwrap().into_raw(), "both tasks see the same scenes");
    all.sort();
    all.dedup();
    assert_eq!(all.len(), 9);
}

#[test]
fn every_class_has_its_share() {
    let set = StreetDataset::new(StreetOptions { seed: 1, count: 60, height: 96, width: 128 });
    let (counts, ignored) = counts(&set);
    let total: u64 = counts.iter().sum();
    let shares: Vec<(&str, f64)> =
        set.classes().names.iter().zip(&counts).map(|(name, &n)| (name.as_str(), n as f64 / total as f64)).collect();
    println!("{shares:?}");
    assert_eq!(ignored, 0, "every pixel has a class");
    let share = |wanted: &str| shares.iter().find(|(name, _)| *name == wanted).unwrap().1;
    for thin in ["person", "street light", "sign"] {
        assert!((0.001..0.015).contains(&share(thin)), "{thin}: {shares:?}");
    }
    for wide in ["sky", "building", "road"] {
        assert!(share(wide) > 0.1, "{wide}: {shares:?}");
    }
    assert!(shares.iter().all(|&(_, share)| share > 0.001), "{shares:?}");
}

/// Colors fit the scene: averaged over streets, sky is blue, trees are green, roads are grey, and markings are brighter
/// than roads.
#[test]
fn average_colors_fit_their_classes() {
    let set = StreetDataset::new(StreetOptions { seed: 2, count: 40, height: 96, width: 128 });
    let mut sums = [[0u64; 4]; 12];
    for index in 0..SegmentationDataset::len(&set) {
        let image = SegmentationDataset::image(&set, index).unwrap();
        for (pixel, id) in image.pixels().zip(set.mask(index).unwrap().iter()) {
            let sum = &mut sums[usize::from(*id)];
            (0..3).for_each(|c| sum[c] += u64::from(pixel.0[c]));
            sum[3] += 1;
        }
    }
    let mean = |name: &str| {
        let [r, g, b, n] = sums[set.classes().names.iter().position(|class| class == name).unwrap()];
        [r, g, b].map(|sum| sum as f64 / n as f64)
    };
    let (sky, tree, road, marking) = (mean("sky"), mean("tree"), mean("road"), mean("marking"));
    assert!(sky[2] > sky[0] + 15.0, "sky {sky:?}");
    assert!(tree[1] > tree[2] + 20.0, "tree {tree:?}");
    assert!((road[0] - road[2]).abs() < 15.0, "road {road:?}");
    assert!(marking[1] > road[1] + 40.0, "marking {marking:?}, road {road:?}");
}
