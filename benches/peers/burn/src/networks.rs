//! ResNet18 as in torchvision and UNet as in `networks.py`, with burn's own layers.

use burn::nn::conv::{Conv2d, Conv2dConfig, ConvTranspose2d, ConvTranspose2dConfig};
use burn::nn::pool::{MaxPool2d, MaxPool2dConfig};
use burn::nn::{BatchNorm, BatchNormConfig, Linear, LinearConfig, PaddingConfig2d};
use burn::prelude::*;
use burn::tensor::activation::relu;
use burn::tensor::ops::PadMode;

/// A convolution without bias, followed by a norm.
#[derive(Module, Debug)]
struct ConvNorm {
    conv: Conv2d,
    norm: BatchNorm,
}

impl ConvNorm {
    /// `side` is the kernel's side. The padding keeps the size at stride 1.
    fn new(channels: [usize; 2], side: usize, stride: usize, device: &Device) -> Self {
        let pad = side / 2;
        let conv = Conv2dConfig::new(channels, [side; 2])
            .with_stride([stride; 2])
            .with_padding(PaddingConfig2d::Explicit(pad, pad, pad, pad))
            .with_bias(false);
        Self { conv: conv.init(device), norm: BatchNormConfig::new(channels[1]).init(device) }
    }

    fn forward(&self, x: Tensor<4>) -> Tensor<4> {
        self.norm.forward(self.conv.forward(x))
    }
}

#[derive(Module, Debug)]
struct BasicBlock {
    first: ConvNorm,
    second: ConvNorm,
    shortcut: Option<ConvNorm>,
}

impl BasicBlock {
    fn new(inputs: usize, channels: usize, stride: usize, device: &Device) -> Self {
        Self {
            first: ConvNorm::new([inputs, channels], 3, stride, device),
            second: ConvNorm::new([channels, channels], 3, 1, device),
            shortcut: (inputs != channels).then(|| ConvNorm::new([inputs, channels], 1, stride, device)),
        }
    }

    fn forward(&self, x: Tensor<4>) -> Tensor<4> {
        let out = self.second.forward(relu(self.first.forward(x.clone())));
        relu(out + self.shortcut.as_ref().map_or(x.clone(), |shortcut| shortcut.forward(x)))
    }
}

/// He et al. 2015.
#[derive(Module, Debug)]
pub struct ResNet18 {
    stem: ConvNorm,
    pool: MaxPool2d,
    blocks: Vec<BasicBlock>,
    head: Linear,
}

impl ResNet18 {
    pub fn new(classes: usize, device: &Device) -> Self {
        let stages = [(64, 64, 1), (64, 128, 2), (128, 256, 2), (256, 512, 2)];
        let blocks = stages.into_iter().flat_map(|(inputs, channels, stride)| {
            [BasicBlock::new(inputs, channels, stride, device), BasicBlock::new(channels, channels, 1, device)]
        });
        let one = PaddingConfig2d::Explicit(1, 1, 1, 1);
        Self {
            stem: ConvNorm::new([3, 64], 7, 2, device),
            pool: MaxPool2dConfig::new([3, 3]).with_strides([2, 2]).with_padding(one).init(),
            blocks: blocks.collect(),
            head: LinearConfig::new(512, classes).init(device),
        }
    }

    fn forward(&self, x: Tensor<4>) -> Tensor<4> {
        let x = self.pool.forward(relu(self.stem.forward(x)));
        let x = self.blocks.iter().fold(x, |x, block| block.forward(x));
        let x = x.flatten::<3>(2, 3).mean_dim(2).flatten::<2>(1, 2);
        let logits = self.head.forward(x);
        let [n, classes] = logits.dims();
        logits.reshape([n, classes, 1, 1])
    }
}

#[derive(Module, Debug)]
struct DoubleConv {
    first: ConvNorm,
    second: ConvNorm,
}

impl DoubleConv {
    fn new(inputs: usize, channels: usize, device: &Device) -> Self {
        Self {
            first: ConvNorm::new([inputs, channels], 3, 1, device),
            second: ConvNorm::new([channels, channels], 3, 1, device),
        }
    }

    fn forward(&self, x: Tensor<4>) -> Tensor<4> {
        relu(self.second.forward(relu(self.first.forward(x))))
    }
}

/// Ronneberger et al. 2015, with padded convolutions and BatchNorm.
#[derive(Module, Debug)]
pub struct UNet {
    down: Vec<DoubleConv>,
    bottom: DoubleConv,
    enlarge: Vec<ConvTranspose2d>,
    up: Vec<DoubleConv>,
    pool: MaxPool2d,
    head: Conv2d,
}

impl UNet {
    pub fn new(classes: usize, depth: usize, base: usize, device: &Device) -> Self {
        let inputs = |level| if level == 0 { 3 } else { base << (level - 1) };
        let twice = |level| ConvTranspose2dConfig::new([base << (level + 1), base << level], [2, 2]);
        Self {
            down: (0..depth).map(|level| DoubleConv::new(inputs(level), base << level, device)).collect(),
            bottom: DoubleConv::new(inputs(depth), base << depth, device),
            enlarge: (0..depth).map(|level| twice(level).with_stride([2, 2]).init(device)).collect(),
            up: (0..depth).map(|level| DoubleConv::new(base << (level + 1), base << level, device)).collect(),
            pool: MaxPool2dConfig::new([2, 2]).init(),
            head: Conv2dConfig::new([base, classes], [1, 1]).init(device),
        }
    }

    fn forward(&self, x: Tensor<4>) -> Tensor<4> {
        let [_, _, h, w] = x.dims();
        let short = |side: usize| side.next_multiple_of(1 << self.down.len()) - side;
        let mut x = x;
        if short(h) + short(w) > 0 {
            x = x.pad([(0, short(h)), (0, short(w))], PadMode::Constant(0.0));
        }
        let mut across = vec![];
        for down in &self.down {
            x = down.forward(x);
            across.push(x.clone());
            x = self.pool.forward(x);
        }
        x = self.bottom.forward(x);
        for ((enlarge, up), across) in self.enlarge.iter().zip(&self.up).zip(across).rev() {
            x = up.forward(Tensor::cat(vec![across, enlarge.forward(x)], 1));
        }
        let logits = self.head.forward(x);
        if short(h) + short(w) > 0 { logits.narrow(2, 0, h).narrow(3, 0, w) } else { logits }
    }
}

/// One of the two networks.
#[expect(clippy::large_enum_variant, reason = "there is one of it")]
#[derive(Module, Debug)]
pub enum Network {
    ResNet18(ResNet18),
    UNet(UNet),
}

impl Network {
    /// Logits `[N, classes, H, W]`. ResNet18's are `[N, classes, 1, 1]`, so one loss serves both.
    pub fn forward(&self, images: Tensor<4>) -> Tensor<4> {
        match self {
            Self::ResNet18(network) => network.forward(images),
            Self::UNet(network) => network.forward(images),
        }
    }
}
