//! A model and its sizes as arguments, for the verbs that tell what a training step of it is.

use super::CliError;
use crate::nn::{Decoder, Network, Stem, UNet, Up};
use crate::train::config::{ImageSize, MAX_BATCH_SIZE, MAX_IMAGE_SIZE};
use crate::workflows::bench::StepSpec;

/// The models.
#[derive(Clone, Copy, PartialEq, Eq, clap::ValueEnum)]
enum Model {
    /// Classification
    Resnet18,
    /// Segmentation with a ResNet18 body
    #[value(name = "resnet18-seg")]
    Resnet18Seg,
    /// Segmentation and colorization
    Unet,
}

/// A model, its settings and the images it gets.
#[derive(clap::Args)]
pub(super) struct ModelArgs {
    /// Model
    model: Model,
    /// HEIGHTxWIDTH in pixels
    #[arg(long, default_value = "224")]
    image_size: ImageSize,
    /// Images per training step
    #[arg(long, default_value_t = 16)]
    batch_size: usize,
    /// Classes [default: 1000 for resnet18, else 21]
    #[arg(long)]
    classes: Option<usize>,
    /// First layers of resnet18
    #[arg(long, value_enum, default_value = "imagenet")]
    stem: Stem,
    /// Head of resnet18-seg
    #[arg(long, value_enum, default_value = "fcn32s")]
    decoder: Decoder,
    /// Halvings of unet
    #[arg(long, default_value_t = 4)]
    depth: usize,
    /// Channels of the first level of unet
    #[arg(long, default_value_t = 64)]
    base: usize,
    /// How unet enlarges
    #[arg(long, value_enum, default_value = "transposed")]
    up: Up,
    /// Hand features across the levels of unet
    #[arg(long, num_args = 0..=1, default_value_t = true, default_missing_value = "true", action = clap::ArgAction::Set)]
    skips: bool,
}

impl ModelArgs {
    /// A training step of the model.
    ///
    /// # Errors
    /// When a size is not one that a model can have.
    pub(super) fn step(&self) -> Result<StepSpec, CliError> {
        self.check()?;
        let ImageSize { height, width } = self.image_size;
        Ok(StepSpec { text: String::new(), network: self.network(), size: [self.batch_size, height, width] })
    }

    fn network(&self) -> Network {
        let classes = self.classes.unwrap_or(if self.model == Model::Resnet18 { 1000 } else { 21 });
        match self.model {
            Model::Resnet18 => Network::ResNet18 { classes, stem: self.stem },
            Model::Resnet18Seg => Network::ResNet18Seg { classes, decoder: self.decoder },
            Model::Unet => {
                let ModelArgs { depth, base, up, skips, .. } = *self;
                Network::UNet(UNet { outputs: classes, depth, base, up, skips })
            }
        }
    }

    fn check(&self) -> Result<(), CliError> {
        let usage = |text: String| Err(CliError::Usage(text));
        if !self.image_size.within(5, MAX_IMAGE_SIZE) {
            return usage(format!("--image-size {}: expected sides of 5 to {MAX_IMAGE_SIZE} pixels", self.image_size));
        }
        if !(1..=MAX_BATCH_SIZE).contains(&self.batch_size) {
            return usage(format!("--batch-size {}: expected at least 1, at most {MAX_BATCH_SIZE}", self.batch_size));
        }
        for (name, value, most) in
            [("classes", self.classes.unwrap_or(2), 1_000_000), ("depth", self.depth, 8), ("base", self.base, 1024)]
        {
            if !(1..=most).contains(&value) {
                return usage(format!("--{name} {value}: expected 1 to {most}"));
            }
        }
        Ok(())
    }
}
