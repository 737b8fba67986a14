//! Tone changes that are not an affine map of a pixel's color: sharpness, posterize, solarize, autocontrast, equalize.
//! Each equals torchvision's function of that name on bytes, except that sharpness and autocontrast round where
//! torchvision truncates.

/// A tone change.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum Tone {
    /// `smooth + factor (pixel − smooth)`, where `smooth` is the mean of the pixel, weighted 5, and its 8 neighbors,
    /// weighted 1. The outermost pixels stay unchanged. Factor 0 smooths, 1 changes nothing, 2 sharpens.
    Sharpness(f32),
    /// Keeps the upper 1 to 8 bits of each value, and clears the others.
    Posterize(u32),
    /// Inverts the values at or above the threshold: v becomes 255 − v.
    Solarize(u8),
    /// Maps the smallest and largest value of each channel to 0 and 255.
    AutoContrast,
    /// Equalizes the histogram of each channel by a map of values.
    Equalize,
}

impl Tone {
    /// Changes a picture of (height, width) in place. `space` is overwritten.
    pub fn apply(self, rgb: &mut [u8], size: (usize, usize), space: &mut Vec<u8>) {
        match self {
            Tone::Sharpness(factor) => sharpen(rgb, size, factor, space),
            Tone::Posterize(bits) => {
                let kept = !(255u8.checked_shr(bits).unwrap_or(0));
                rgb.iter_mut().for_each(|v| *v &= kept);
            }
            Tone::Solarize(from) => rgb.iter_mut().filter(|v| **v >= from).for_each(|v| *v = 255 - *v),
            Tone::AutoContrast => by_table(rgb, contrasted),
            Tone::Equalize => by_table(rgb, equalized),
        }
    }
}

fn sharpen(rgb: &mut [u8], (height, width): (usize, usize), factor: f32, space: &mut Vec<u8>) {
    space.clear();
    space.extend_from_slice(rgb);
    let stride = 3 * width;
    for y in 1..height.saturating_sub(1) {
        for at in (y * stride + 3)..((y + 1) * stride).saturating_sub(3) {
            let row = |at: usize| f32::from(space[at - 3]) + f32::from(space[at]) + f32::from(space[at + 3]);
            let own = f32::from(space[at]);
            let smooth = ((row(at - stride) + row(at) + row(at + stride) + 4.0 * own) / 13.0).round();
            // `as` clips to 0..=255.
            rgb[at] = (factor * own + (1.0 - factor) * smooth + 0.5) as u8;
        }
    }
}

/// Maps each channel by the table that `of` computes from its histogram.
fn by_table(rgb: &mut [u8], of: impl Fn(&[usize; 256]) -> Option<[u8; 256]>) {
    for channel in 0..3 {
        let mut histogram = [0; 256];
        rgb.iter().skip(channel).step_by(3).for_each(|&v| histogram[usize::from(v)] += 1);
        if let Some(table) = of(&histogram) {
            rgb.iter_mut().skip(channel).step_by(3).for_each(|v| *v = table[usize::from(*v)]);
        }
    }
}

fn contrasted(histogram: &[usize; 256]) -> Option<[u8; 256]> {
    let least = histogram.iter().position(|&n| n > 0)?;
    let most = histogram.iter().rposition(|&n| n > 0).filter(|&most| most > least)?;
    let scale = 255.0 / (most - least) as f32;
    Some(std::array::from_fn(|v| ((v as f32 - least as f32) * scale).round() as u8))
}

fn equalized(histogram: &[usize; 256]) -> Option<[u8; 256]> {
    let last = histogram.iter().rev().find(|&&n| n > 0)?;
    let step = (histogram.iter().sum::<usize>() - last) / 255;
    let mut below = step / 2;
    (step > 0).then(|| {
        std::array::from_fn(|v| {
            let value = (below / step).min(255) as u8;
            below += histogram[v];
            value
        })
    })
}
