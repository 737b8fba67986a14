//! Settings of colorization.

use crate::data::ColorSpace;
use crate::nn::{UNet, Up};
use crate::ops::Regression;
use crate::run::ImageSize;
use crate::run::image_size::MAX_IMAGE_SIZE;
use crate::train::settings::{ConfigError, Rule};
use crate::{choices, task_settings};

choices! {
    /// The networks that colorize.
    pub enum ColorizeModel {
        /// UNet (Ronneberger et al. 2015); a plain encoder-decoder with `--skips false`.
        UNet = "unet",
    }
}

choices! {
    /// The loss of colorization.
    pub enum ColorizeLoss {
        /// Mean absolute error.
        L1 = "l1",
        /// Mean squared error.
        Mse = "mse",
        /// Huber loss with δ = 0.1 of the scaled colors.
        Huber = "huber",
    }
}

impl ColorizeLoss {
    /// The op's loss.
    pub fn regression(self) -> Regression {
        match self {
            ColorizeLoss::L1 => Regression::L1,
            ColorizeLoss::Mse => Regression::Mse,
            ColorizeLoss::Huber => Regression::Huber(0.1),
        }
    }
}

task_settings! {
    task "colorize";
    /// Settings of colorization.
    config ColorizeConfig;
    values {
        /// Network to train [default: unet]
        model: ColorizeModel = ColorizeModel::UNet,
        /// Halvings [default: 4]
        depth: usize = 4,
        /// Channels of the first level [default: 64]
        base: usize = 64,
        /// How it enlarges [default: transposed]
        up: Up = Up::Transposed,
        /// Hand features across the levels; without, a plain encoder-decoder [default: true]
        skips: bool = true,
        /// Training scenes drawn where no data is given [default: 320]
        scenes: usize = 320,
        /// Passes over the training images [default: 5]
        epochs: usize = 5,
        /// Images per step [default: 8]
        batch_size: usize = 8,
        /// Learning rate [default: 0.0001]
        lr: f64 = 1e-4,
        /// Training and validation loss [default: l1]
        loss: ColorizeLoss = ColorizeLoss::L1,
        /// Predicted values: the color axes of CIELAB, or red, green and blue [default: lab]
        color_space: ColorSpace = ColorSpace::Lab,
        /// HEIGHTxWIDTH in pixels that images are resized to; `auto` keeps the proportions of the data's pictures, at about
        /// the pixels of 96x128, which is the size of built-in scenes [default: auto]
        image_size: ImageSize = ImageSize::AUTO,
    }
}

impl ColorizeConfig {
    fn check_own(&self, rule: Rule<'_>) -> Result<(), ConfigError> {
        rule("depth", &self.depth, (1..=8).contains(&self.depth), "1 to 8")?;
        rule("base", &self.base, (1..=1024).contains(&self.base), "1 to 1024")?;
        // The window of SSIM has sides of 11 pixels.
        let size = self.image_size;
        let fits = size.is_auto() || size.within(11, MAX_IMAGE_SIZE);
        rule("image_size", &size, fits, "sides of 11 to 8192 pixels, or auto")
    }

    /// The network.
    pub fn network(&self) -> UNet {
        let ColorizeConfig { depth, base, up, skips, color_space, .. } = *self;
        UNet { outputs: color_space.channels(), depth, base, up, skips }
    }
}
