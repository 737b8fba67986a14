"""UNet and ResNet for segmentation in PyTorch: the same layers and tensor names as shadegrad's.

tests/fixtures/generate_models.py makes its traces with these modules, so the tests check that the networks are the same.
"""

import torch
import torch.nn.functional as F
from torch import nn
from torchvision.models.resnet import BasicBlock, Bottleneck, ResNet

# Blocks of each stage by the number of layers, as torchvision has them.
RESNETS = {18: (BasicBlock, [2, 2, 2, 2]), 34: (BasicBlock, [3, 4, 6, 3]), 50: (Bottleneck, [3, 4, 6, 3]),
           101: (Bottleneck, [3, 4, 23, 3]), 152: (Bottleneck, [3, 8, 36, 3])}


def start_like_resnet(module):
    """He et al. 2015 with fan-out for convolutions before a norm, PyTorch's default for other layers."""
    for conv in module.modules():
        if isinstance(conv, nn.Conv2d) and conv.bias is None:
            nn.init.kaiming_normal_(conv.weight, mode="fan_out", nonlinearity="relu")


class Cnn(nn.Module):
    """Three convolutions, each with BatchNorm, ReLU and max pooling; the mean over the map; a linear layer."""

    def __init__(self, inputs, classes, norm=nn.BatchNorm2d):
        super().__init__()
        for number, (before, channels) in enumerate([(inputs, 32), (32, 64), (64, 128)], 1):
            self.add_module(f"conv{number}", nn.Conv2d(before, channels, 3, padding=1, bias=False))
            self.add_module(f"bn{number}", norm(channels))
        self.fc = nn.Linear(128, classes)

    def forward(self, x):
        for conv, bn in [(self.conv1, self.bn1), (self.conv2, self.bn2), (self.conv3, self.bn3)]:
            x = F.max_pool2d(F.relu(bn(conv(x))), 2)
        return self.fc(x.mean((2, 3)))


class DoubleConv(nn.Module):
    def __init__(self, inputs, channels, norm):
        super().__init__()
        self.conv1, self.bn1 = nn.Conv2d(inputs, channels, 3, padding=1, bias=False), norm(channels)
        self.conv2, self.bn2 = nn.Conv2d(channels, channels, 3, padding=1, bias=False), norm(channels)

    def forward(self, x):
        return F.relu(self.bn2(self.conv2(F.relu(self.bn1(self.conv1(x))))))


class UpOver(DoubleConv):
    """Enlarges the map, puts the `across` channels of a skip in front if there are any, and convolves to `channels`."""

    def __init__(self, inputs, across, channels, up, norm):
        super().__init__(across + channels, channels, norm)
        transposed = up == "transposed"
        self.enlarge = nn.ConvTranspose2d(inputs, channels, 2, 2) if transposed else nn.Conv2d(inputs, channels, 1)
        self.transposed, self.skips = transposed, across > 0

    def forward(self, x, across):
        x = self.enlarge(x)
        if not self.transposed:
            x = F.interpolate(x, scale_factor=2, mode="bilinear", align_corners=False)
        return super().forward(torch.cat([across, x], 1) if self.skips else x)


class UNet(nn.Module):
    """Ronneberger et al. 2015, with padded convolutions and BatchNorm. Sizes that are not a multiple of 2^depth are padded
    with zeros at the end and cropped back."""

    def __init__(self, inputs, outputs, depth=4, base=64, up="transposed", skips=True, norm=nn.BatchNorm2d):
        super().__init__()
        self.depth = depth
        for level in range(depth):
            self.add_module(f"down{level}", DoubleConv(inputs if level == 0 else base << (level - 1), base << level, norm))
            self.add_module(f"up{level}", UpOver(base << (level + 1), skips * (base << level), base << level, up, norm))
        self.bottom = DoubleConv(base << (depth - 1), base << depth, norm)
        self.head = nn.Conv2d(base, outputs, 1)
        start_like_resnet(self)

    def forward(self, x):
        h, w = x.shape[2:]
        x, levels = F.pad(x, [0, -w % (1 << self.depth), 0, -h % (1 << self.depth)]), []
        for level in range(self.depth):
            x = self.get_submodule(f"down{level}")(x)
            levels.append(x)
            x = F.max_pool2d(x, 2)
        x = self.bottom(x)
        for level in reversed(range(self.depth)):
            x = self.get_submodule(f"up{level}")(x, levels[level])
        return self.head(x)[:, :, :h, :w]


def bilinear(channels, factor):
    """Up-sampling by `factor`, initialized as bilinear interpolation of each channel."""
    layer = nn.ConvTranspose2d(channels, channels, 2 * factor, factor, factor // 2, bias=False)
    part = 1 - (torch.arange(2 * factor) - (factor - 0.5)).abs() / factor
    with torch.no_grad():
        layer.weight.copy_(torch.eye(channels)[:, :, None, None] * part[:, None] * part)
    return layer


class ResNetSeg(ResNet):
    """Long et al. 2015 on torchvision's ResNet of 18 to 152 layers."""

    def __init__(self, classes, decoder="fcn32s", norm=nn.BatchNorm2d, layers=18):
        super().__init__(*RESNETS[layers], norm_layer=norm)
        del self.fc
        widened = RESNETS[layers][0].expansion
        self.score = nn.Conv2d(512 * widened, classes, 1)
        self.decoder = decoder
        if decoder == "fcn8s":
            self.up3, self.score3 = bilinear(classes, 2), nn.Conv2d(256 * widened, classes, 1)
            self.up2, self.score2 = bilinear(classes, 2), nn.Conv2d(128 * widened, classes, 1)
        self.upscore = bilinear(classes, 8 if decoder == "fcn8s" else 32)

    def forward(self, x):
        h, w = x.shape[2:]
        x = self.layer1(self.maxpool(self.relu(self.bn1(self.conv1(x)))))
        stage2 = self.layer2(x)
        stage3 = self.layer3(stage2)
        scores = self.score(self.layer4(stage3))
        if self.decoder == "fcn8s":
            scores = self.up3(scores)[:, :, :stage3.shape[2], :stage3.shape[3]] + self.score3(stage3)
            scores = self.up2(scores)[:, :, :stage2.shape[2], :stage2.shape[3]] + self.score2(stage2)
        return self.upscore(scores)[:, :, :h, :w]


class ResNetUNet(ResNet):
    """UNet on torchvision's ResNet. The decoder has 256 to 16 channels and concatenates stage 3, 2, 1, the stem before pooling,
    and the images. Sizes that are not a multiple of 32 are padded with zeros at the end and cropped back."""

    def __init__(self, inputs, outputs, layers=18, up="transposed", skips=True, norm=nn.BatchNorm2d):
        super().__init__(*RESNETS[layers], norm_layer=norm)
        del self.fc
        if inputs != 3:
            self.conv1 = nn.Conv2d(inputs, 64, 7, stride=2, padding=3, bias=False)
        widened = RESNETS[layers][0].expansion
        encoder = [inputs, 64, 64 * widened, 128 * widened, 256 * widened, 512 * widened]
        for level in range(5):
            channels, across = 16 << level, encoder[level] if skips else 0
            below = encoder[5] if level == 4 else 2 * channels
            self.add_module(f"up{level}", UpOver(below, across, channels, up, norm))
        self.head = nn.Conv2d(16, outputs, 1)
        start_like_resnet(self)

    def forward(self, x):
        h, w = x.shape[2:]
        levels = [F.pad(x, [0, -w % 32, 0, -h % 32])]
        levels.append(self.relu(self.bn1(self.conv1(levels[0]))))
        levels.append(self.layer1(self.maxpool(levels[1])))
        levels.append(self.layer2(levels[2]))
        levels.append(self.layer3(levels[3]))
        x = self.layer4(levels[4])
        for level in reversed(range(5)):
            x = self.get_submodule(f"up{level}")(x, levels[level])
        return self.head(x)[:, :, :h, :w]
