//! Brightness and contrast of the two parts of a data set.

/// Pixels of training and of validation images, as the network gets them.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct PartPixels {
    /// Training images.
    pub training: Pixels,
    /// Validation images.
    pub validation: Pixels,
}

/// Brightness and contrast of images.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Pixels {
    /// Number of images.
    pub images: usize,
    /// Mean of an image's values: mean and standard deviation over the images.
    pub brightness: [f64; 2],
    /// Standard deviation of an image's values: mean and standard deviation over the images.
    pub contrast: [f64; 2],
}

/// Minimum difference of the mean validation image, in standard deviations of the training images.
const SHIFT: f64 = 1.0;
/// Minimum of that difference, in its standard errors.
const ERRORS: f64 = 4.0;
/// Minimum deviation between images, as a share of their contrast. Without it, any difference between drawn pictures
/// would count, because they are so alike.
const LEAST: f64 = 0.1;

impl Pixels {
    /// Brightness and contrast of images, each a list of values; `None` for fewer than two images, or for one without a value.
    pub fn of<I: AsRef<[f32]>>(images: impl IntoIterator<Item = I>) -> Option<Self> {
        let of_image = |image: I| mean_and_deviation(image.as_ref().iter().map(|&value| f64::from(value)));
        let each: Option<Vec<[f64; 2]>> = images.into_iter().map(of_image).collect();
        let each = each.filter(|each| each.len() > 1)?;
        let over = |which: usize| mean_and_deviation(each.iter().map(move |one| one[which]));
        Some(Pixels { images: each.len(), brightness: over(0)?, contrast: over(1)? })
    }
}

impl PartPixels {
    /// The difference of the validation images, as the rest of a sentence about them: `are darker, by 1.2 standard deviations …`.
    pub fn shift(&self) -> Option<String> {
        let (training, validation) = (self.training, self.validation);
        let [of, and] = [training, validation].map(|part| 1.0 / part.images as f64);
        let least = SHIFT.max(ERRORS * (of + and).sqrt());
        let floor = LEAST * training.contrast[0];
        let by = |training: [f64; 2], validation: [f64; 2]| (validation[0] - training[0]) / training[1].max(floor);
        let brighter = by(training.brightness, validation.brightness);
        let stronger = by(training.contrast, validation.contrast);
        let (name, shift) = if brighter.abs() >= stronger.abs() {
            (if brighter > 0.0 { "are brighter" } else { "are darker" }, brighter.abs())
        } else {
            (if stronger > 0.0 { "have more contrast" } else { "have less contrast" }, stronger.abs())
        };
        (shift >= least).then(|| format!("{name}, by {shift:.1} standard deviations of the training images"))
    }
}

/// Mean and standard deviation; `None` without a value.
fn mean_and_deviation(values: impl Iterator<Item = f64> + Clone) -> Option<[f64; 2]> {
    let count = values.clone().count() as f64;
    let mean = values.clone().sum::<f64>() / count;
    let variance = values.map(|value| (value - mean).powi(2)).sum::<f64>() / count;
    (count > 0.0).then(|| [mean, variance.sqrt()])
}
