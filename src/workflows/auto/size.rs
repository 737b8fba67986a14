//! The rule that chooses the image size, from the sizes of the pictures.

use super::facts::Facts;
use crate::run::ImageSize;

/// Side of squares at which the networks of whole images that are no ResNet end in a map of 2×2 pixels: their stride is 8.
const LEAST: usize = 16;
/// Pictures up to this side keep it. Larger ones get a multiple of 16.
const SMALL: usize = 64;
/// Largest side on a processor, from random weights. A step takes a third of the time of [`ImageSize::MOST_OF_SQUARE`].
const MOST_OF_PROCESSOR: usize = 128;
/// The same for more training images than [`MANY`]: the fixed default, a quarter of that time.
const MOST_OF_MANY: usize = 64;
const MANY: usize = 10_000;
/// Pixels of all training images on a processor: an epoch then takes about three minutes of two cores with a UNet of base 16, and
/// ten epochs half an hour.
const PIXELS_OF_EPOCH: f64 = 40e6;
/// Share of a picture's pixels below which thin and small objects are lost.
const FEW: f64 = 0.1;

/// The size and its reason.
pub(super) fn image_size(facts: &Facts) -> Option<(toml::Value, String)> {
    let input = facts.roles.input?;
    match facts.settings.table.get(input.size)? {
        toml::Value::Integer(now) => {
            let (fits, reason) = square(facts)?;
            (fits as i64 != *now).then(|| ((fits as i64).into(), reason))
        }
        // Crops have their own size.
        _ if input.crop.is_some_and(|crop| facts.settings.table.contains_key(crop)) => None,
        _ => whole(facts),
    }
}

/// The side of squares: that of the weights of a run, else the shorter side of a median picture, within what network and device allow.
fn square(facts: &Facts) -> Option<(usize, String)> {
    if let Some(ImageSize { height, width }) = facts.start_size {
        return (height == width).then(|| (height, "the images of the weights that training starts from".into()));
    }
    let own = median(facts.pictures.iter().map(|&(height, width)| height.min(width)))?;
    let least = least(facts);
    let (most, why) = match facts.processor {
        _ if facts.settings.common.start().is_some() => {
            (ImageSize::MOST_OF_SQUARE, "224 is the size of published weights")
        }
        None => return None,
        Some(false) => (ImageSize::MOST_OF_SQUARE, "224 is usual for photographs"),
        Some(true) if facts.images > MANY => (MOST_OF_MANY, "a processor takes long for many larger images"),
        Some(true) => (MOST_OF_PROCESSOR, "a processor takes long for larger images"),
    };
    let whole = if own > SMALL { own - own % ImageSize::STEP } else { own };
    let fits = whole.clamp(least, most);
    let limit = match fits {
        _ if whole > most => format!("; {why}"),
        _ if whole < least => format!("; at {least} the last map of the network has 2x2 pixels"),
        _ => String::new(),
    };
    let resize = facts.roles.input.and_then(|input| facts.settings.table.get(input.resize?)?.as_integer());
    let most = resize.map_or(fits, |side| side as usize);
    Some((fits.min(most), format!("the shorter side of a median image has {own} pixels{limit}")))
}

/// The least side of squares for a network.
fn least(facts: &Facts) -> usize {
    let large = facts.roles.input.and_then(|input| input.large);
    if facts.holds(large) { ImageSize::LEAST_OF_RESNET } else { LEAST }
}

/// The size of whole pictures whose pixels get classes or colors: that of a median picture, with as many pixels as the device allows.
fn whole(facts: &Facts) -> Option<(toml::Value, String)> {
    let mut sizes = facts.pictures.clone();
    sizes.sort_by_key(|&(height, width)| height * width);
    let &(height, width) = sizes.get(sizes.len() / 2)?;
    let (most, why) = most_pixels(facts);
    let size = most.of_picture_at_most([height, width]);
    if size == ImageSize::AUTO.decided(Some([height, width])) {
        return None;
    }
    let mut reason = format!("a median image has {height}x{width} pixels");
    let share = size.pixels() as f64 / (height * width).max(1) as f64;
    if size.pixels() < ImageSize::STREETS.pixels() {
        reason += "; more would show no more";
    } else if size.height < height.saturating_sub(ImageSize::STEP) {
        reason += &format!("; {why}");
    }
    if let Some(crop) = facts.roles.input.and_then(|input| input.crop).filter(|_| facts.masks && share < FEW) {
        reason += &format!("; for thin and small objects `{crop}` trains on parts at their own size");
    }
    Some((size.to_string().into(), reason))
}

/// The size with the most pixels that a device trains in reasonable time, and the reason. Devices of ranks may differ.
fn most_pixels(facts: &Facts) -> (ImageSize, String) {
    match facts.processor {
        None => (ImageSize::STREETS, String::new()),
        Some(false) => {
            (ImageSize::MOST_ON_GPU, format!("about as many as {} are usual on a GPU", ImageSize::MOST_ON_GPU))
        }
        Some(true) => {
            let fits = PIXELS_OF_EPOCH / facts.work() / facts.images.max(1) as f64;
            let (least, most) = (ImageSize::STREETS, ImageSize::MOST_ON_PROCESSOR);
            // Only the number of pixels counts.
            let pixels = (fits as usize).clamp(least.pixels(), most.pixels());
            let size = ImageSize { height: pixels / least.width, width: least.width };
            (size, "a processor takes hours for many more".into())
        }
    }
}

/// The median of some numbers, the upper one of two.
fn median(numbers: impl Iterator<Item = usize>) -> Option<usize> {
    let mut numbers: Vec<usize> = numbers.collect();
    numbers.sort_unstable();
    numbers.get(numbers.len() / 2).copied()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::tasks::Task;
    use crate::tasks::classify::Classify;
    use crate::tasks::colorize::Colorize;
    use crate::tasks::multilabel::MultiLabel;
    use crate::tasks::segment::Segment;
    use crate::train::settings::Given;

    /// The size and the reason for pictures of some sizes; `settings` is TOML.
    fn chosen(task: &dyn Task, settings: &str, change: impl Fn(&mut Facts)) -> Option<(String, String)> {
        let given = Given { settings: toml::from_str(settings).expect("TOML"), ..Given::default() };
        let mut facts = Facts {
            settings: task.resolve(&given).expect("settings"),
            roles: task.card().roles,
            images: 200,
            photographs: true,
            masks: false,
            rare: 0,
            processor: Some(true),
            pictures: vec![(375, 500)],
            start_size: None,
        };
        change(&mut facts);
        image_size(&facts).map(|(value, reason)| (value.to_string().trim_matches('"').to_owned(), reason))
    }

    fn of(task: &dyn Task, settings: &str, pictures: &[(usize, usize)]) -> Option<(String, String)> {
        chosen(task, settings, |facts| facts.pictures = pictures.to_vec())
    }

    #[test]
    fn squares_have_the_shorter_side_of_a_median_picture() {
        for (pictures, side, reason) in [
            (&[(375, 500)][..], "128", "has 375 pixels; a processor takes long for larger images"),
            (&[(100, 500), (120, 90), (99, 99)], "96", "has 99 pixels"),
            (&[(1000, 70)], "64", ""),
            (&[(64, 64)], "64", ""),
            (&[(28, 28)], "64", ""),
        ] {
            for task in [&Classify as &dyn Task, &MultiLabel] {
                let found = of(task, "", pictures);
                // The default is 64.
                assert_eq!(found.as_ref().map_or("64", |(side, _)| side), side, "{pictures:?}");
                assert!(found.is_none_or(|(_, found)| found.ends_with(reason)), "{pictures:?}");
            }
        }
    }

    #[test]
    fn the_network_bounds_squares_from_below() {
        let small = |settings: &str| of(&Classify, settings, &[(28, 40)]).map(|(side, _)| side);
        assert_eq!(small("model = \"cnn\""), Some("28".into()));
        assert_eq!(small("stem = \"cifar\""), Some("28".into()));
        assert_eq!(small(""), None, "64, as by default");
        let (side, reason) = of(&Classify, "model = \"cnn\"", &[(10, 40)]).expect("chosen");
        assert_eq!(
            (&*side, &*reason),
            (
                "16",
                "the shorter side of a median image has 10 pixels; at 16 the last map of the network has 2x2 pixels"
            )
        );
    }

    #[test]
    fn device_weights_and_number_of_images_bound_squares_from_above() {
        let side =
            |settings: &str, change: &dyn Fn(&mut Facts)| chosen(&Classify, settings, change).map(|(side, _)| side);
        assert_eq!(side("", &|facts| facts.processor = Some(false)), Some("224".into()));
        assert_eq!(side("", &|facts| facts.processor = None), None, "ranks may have other devices");
        assert_eq!(side("", &|facts| facts.images = 10_001), None, "64, as by default");
        assert_eq!(side("pretrained = true", &|_| ()), Some("224".into()));
        assert_eq!(side("eval_resize = 100", &|_| ()), Some("100".into()));
        let of_run = |side| move |facts: &mut Facts| facts.start_size = ImageSize::parse(side).ok();
        assert_eq!(side("init = \"run\"", &of_run("96")), Some("96".into()));
        assert_eq!(side("init = \"run\"", &of_run("64")), None, "64, as by default");
        assert_eq!(side("init = \"run\"", &of_run("96x128")), None, "of another task");
    }

    #[test]
    fn small_pictures_with_masks_or_colors_are_not_enlarged() {
        for task in [&Segment as &dyn Task, &Colorize] {
            let (size, reason) = of(task, "", &[(50, 70)]).expect("chosen");
            assert_eq!((&*size, &*reason), ("48x64", "a median image has 50x70 pixels; more would show no more"));
            assert_eq!(of(task, "", &[(8, 8)]).map(|(size, _)| size), Some("32x32".into()));
            assert_eq!(of(task, "", &[(96, 128)]), None);
        }
        assert_eq!(of(&Segment, "crop = \"32\"", &[(50, 70)]), None);
    }

    /// The size of 200 pictures with masks on a device.
    fn masks(picture: (usize, usize), settings: &str, change: impl Fn(&mut Facts)) -> Option<(String, String)> {
        chosen(&Segment, settings, |facts| {
            (facts.pictures, facts.masks) = (vec![picture], true);
            change(facts);
        })
    }

    #[test]
    fn large_pictures_get_as_many_pixels_as_the_device_trains() {
        let narrow = "base = 16";
        for (picture, on_processor, on_gpu) in [
            ((1080, 1920), "160x288", "192x336"),
            ((480, 640), "192x256", "224x288"),
            ((512, 512), "224x224", "256x256"),
            ((180, 240), "176x240", "176x240"),
        ] {
            let size = |processor| masks(picture, narrow, |facts| facts.processor = processor).map(|(size, _)| size);
            assert_eq!(size(Some(true)).as_deref(), Some(on_processor), "{picture:?} on a processor");
            assert_eq!(size(Some(false)).as_deref(), Some(on_gpu), "{picture:?} on a GPU");
            assert_eq!(size(None), None, "ranks may have other devices");
        }
        let colors = |facts: &mut Facts| facts.pictures = vec![(480, 640)];
        assert_eq!(chosen(&Colorize, narrow, colors).expect("chosen").0, "192x256");
    }

    #[test]
    fn the_time_of_a_processor_bounds_the_pixels_of_all_images() {
        let size =
            |settings: &str, images| masks((480, 640), settings, |facts| facts.images = images).map(|(size, _)| size);
        assert_eq!(size("base = 16", 800).as_deref(), Some("192x256"));
        assert_eq!(size("base = 16", 1600).as_deref(), Some("144x176"));
        assert_eq!(size("base = 16", 10_000), None, "96x128, as by default");
        assert_eq!(size("base = 32", 800), None, "four times the work");
        assert_eq!(size("model = \"resnet18-seg\"", 800).as_deref(), Some("192x256"));
    }

    #[test]
    fn the_reason_names_crops_where_most_pixels_are_lost() {
        let reason = |picture, change: &dyn Fn(&mut Facts)| masks(picture, "base = 16", change).expect("chosen").1;
        assert_eq!(
            reason((1080, 1920), &|_| ()),
            "a median image has 1080x1920 pixels; a processor takes hours for many more; \
             for thin and small objects `crop` trains on parts at their own size"
        );
        assert_eq!(
            reason((480, 640), &|facts| facts.processor = Some(false)),
            "a median image has 480x640 pixels; about as many as 256x256 are usual on a GPU"
        );
        assert_eq!(reason((180, 240), &|_| ()), "a median image has 180x240 pixels");
        assert!(!reason((1080, 1920), &|facts| facts.masks = false).contains("crop"), "colors have no crops");
    }
}
