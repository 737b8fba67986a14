"""UNet and ResNet18 for segmentation in PyTorch: the same layers and tensor names as shadegrad's.

tests/fixtures/generate_models.py makes its traces with these modules, so the tests check that the networks are the same.
"""

import torch
import torch.nn.functional as F
from torch import nn
from torchvision.models.resnet import BasicBlock, ResNet


def start_like_resnet(module):
    """He et al. 2015 with fan-out for convolutions before a norm, PyTorch's default for other layers."""
    for conv in module.modules():
        if isinstance(conv, nn.Conv2d) and conv.bias is None:
            nn.init.kaiming_normal_(conv.weight, mode="fan_out", nonlinearity="relu")


class DoubleConv(nn.Module):
    def __init__(self, inputs, channels, norm):
        super().__init__()
        self.conv1, self.bn1 = nn.Conv2d(inputs, channels, 3, padding=1, bias=False), norm(channels)
        self.conv2, self.bn2 = nn.Conv2d(channels, channels, 3, padding=1, bias=False), norm(channels)

    def forward(self, x):
        return F.relu(self.bn2(self.conv2(F.relu(self.bn1(self.conv1(x))))))


class UpConv(DoubleConv):
    def __init__(self, inputs, channels, up, skips, norm):
        super().__init__((1 + skips) * channels, channels, norm)
        transposed = up == "transposed"
        self.enlarge = nn.ConvTranspose2d(inputs, channels, 2, 2) if transposed else nn.Conv2d(inputs, channels, 1)
        self.transposed, self.skips = transposed, skips

    def forward(self, x, across):
        x = self.enlarge(x)
        if not self.transposed:
            x = F.interpolate(x, scale_factor=2, mode="bilinear", align_corners=False)
        return super().forward(torch.cat([across, x], 1) if self.skips else x)


class UNet(nn.Module):
    """Ronneberger et al. 2015, with padded convolutions and BatchNorm. Sizes that are no multiple of 2^depth are padded
    with zeros at the end and cropped back."""

    def __init__(self, inputs, outputs, depth=4, base=64, up="transposed", skips=True, norm=nn.BatchNorm2d):
        super().__init__()
        self.depth = depth
        for level in range(depth):
            self.add_module(f"down{level}", DoubleConv(inputs if level == 0 else base << (level - 1), base << level, norm))
            self.add_module(f"up{level}", UpConv(base << (level + 1), base << level, up, skips, norm))
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


class ResNet18Seg(ResNet):
    """Long et al. 2015 on torchvision's ResNet18."""

    def __init__(self, classes, decoder="fcn32s", norm=nn.BatchNorm2d):
        super().__init__(BasicBlock, [2, 2, 2, 2], norm_layer=norm)
        del self.fc
        self.score = nn.Conv2d(512, classes, 1)
        self.decoder = decoder
        if decoder == "fcn8s":
            self.up3, self.score3 = bilinear(classes, 2), nn.Conv2d(256, classes, 1)
            self.up2, self.score2 = bilinear(classes, 2), nn.Conv2d(128, classes, 1)
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
