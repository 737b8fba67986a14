#!/usr/bin/env python3
"""Trains UNet or ResNet18 for segmentation on CamVid in SegNet's layout: the peer of `shadegrad train segment`.

    python benches/peers/camvid.py --data DIR --model resnet18-seg --lr 1e-4 --epochs 10
    python benches/peers/camvid.py --data DIR --model unet --base 16 --lr 1e-3 --epochs 10

DIR holds train.txt and test.txt (lines of IMAGE MASK) and info.json with the classes. Pixels of its `ignore_index` count
neither for the loss nor for the scores. Images are resized with antialias, masks to the nearest pixel. Values are scaled to
[0, 1], then normalized with mean and standard deviation per channel of the training images. Adam, mean cross entropy, no
augmentation. Each epoch prints a line of JSON with three scores, all from one confusion matrix over the test set: the mean
IoU (without classes that are neither present nor predicted), the IoU weighted by the classes' pixels, the IoU of each class.
"""

import argparse
import json
import sys
import time
from pathlib import Path

import numpy as np
import torch
import torch.nn.functional as F
from PIL import Image

from networks import ResNetSeg, UNet

IGNORED = -100


def size(text):
    try:
        height, width = (int(side) for side in text.split("x"))
    except ValueError:
        raise argparse.ArgumentTypeError(f"{text!r}: expected HEIGHTxWIDTH, such as 192x256") from None
    if min(height, width) < 32:
        raise argparse.ArgumentTypeError(f"{text!r}: sides must be at least 32 pixels")
    return height, width


def arguments():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data", type=Path, required=True)
    parser.add_argument("--model", choices=["unet", "resnet18-seg"], default="unet")
    parser.add_argument("--base", type=int, default=16, help="channels of unet's first level")
    parser.add_argument("--depth", type=int, default=4, help="halvings of unet")
    parser.add_argument("--decoder", choices=["fcn32s", "fcn8s"], default="fcn32s", help="head of resnet18-seg")
    parser.add_argument("--image-size", type=size, default=(192, 256), metavar="HEIGHTxWIDTH")
    parser.add_argument("--batch-size", type=int, default=8)
    parser.add_argument("--lr", type=float, default=1e-3)
    parser.add_argument("--epochs", type=int, default=10)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--device", choices=["cpu", "cuda"], default="cpu")
    parser.add_argument("--threads", type=int)
    parser.add_argument("--max-steps", type=int, metavar="N", help="stop after N training steps in all")
    parser.add_argument("--max-images", type=int, metavar="N", help="read only the first N images of each part")
    args = parser.parse_args()
    if min(args.base, args.depth, args.epochs) < 1 or args.batch_size < 2:
        parser.error("--base, --depth and --epochs must be at least 1, --batch-size at least 2")
    return args


def read(root, part, args):
    """Images [N, 3, H, W] as bytes, and masks [N, H, W]."""
    pairs = [line.split() for line in (root / f"{part}.txt").read_text().splitlines() if line.strip()]
    height, width = args.image_size
    images, masks = [], []
    for image, mask in pairs[:args.max_images]:
        with Image.open(root / image) as picture:
            picture = picture.convert("RGB").resize((width, height), Image.Resampling.BILINEAR)
            images.append(np.asarray(picture).transpose(2, 0, 1))
        with Image.open(root / mask) as picture:
            masks.append(np.asarray(picture.resize((width, height), Image.Resampling.NEAREST)))
    if not images:
        sys.exit(f"{root / part}.txt lists no images")
    return torch.from_numpy(np.stack(images)), torch.from_numpy(np.stack(masks)).long()


def scores(confusion):
    """Mean IoU, weighted IoU and the IoU of each class (None if it is undefined). Rows of the matrix are the truth."""
    right, truth, predicted = confusion.diag(), confusion.sum(1), confusion.sum(0)
    union = truth + predicted - right
    iou = right / union.clamp(min=1)
    there = union > 0
    return (iou[there].mean().item(), ((iou * truth).sum() / truth.sum()).item(),
            [round(v, 4) if ok else None for v, ok in zip(iou.tolist(), there.tolist())])


def main():
    args = arguments()
    if args.threads:
        torch.set_num_threads(args.threads)
    torch.manual_seed(args.seed)
    device = torch.device(args.device)
    info = json.loads((args.data / "info.json").read_text())
    ignored = info["ignore_index"]
    names = [name for k, name in enumerate(info["classes"]) if k != ignored]
    (train, train_masks), (test, test_masks) = (read(args.data, part, args) for part in ("train", "test"))
    for masks in (train_masks, test_masks):
        masks[masks == ignored] = IGNORED
        if masks.max() >= len(names):
            sys.exit(f"a mask holds the value {masks.max()}, but there are {len(names)} classes")
    pixels = train.double() / 255
    mean, std = pixels.mean((0, 2, 3)).float(), pixels.std((0, 2, 3), correction=0).float()
    del pixels

    def inputs(images):
        return ((images.float() / 255 - mean[:, None, None]) / std[:, None, None]).to(device)

    if args.model == "unet":
        model = UNet(3, len(names), args.depth, args.base)
    else:
        model = ResNetSeg(len(names), args.decoder)
    model = model.to(device)
    optimizer = torch.optim.Adam(model.parameters(), lr=args.lr)
    start, steps = time.perf_counter(), 0
    for epoch in range(1, args.epochs + 1):
        model.train()
        total = count = 0
        for indices in torch.randperm(len(train)).split(args.batch_size):
            if len(indices) < 2 or steps == args.max_steps:
                break
            loss = F.cross_entropy(model(inputs(train[indices])), train_masks[indices].to(device), ignore_index=IGNORED)
            optimizer.zero_grad(set_to_none=True)
            loss.backward()
            optimizer.step()
            total, count, steps = total + loss.item() * len(indices), count + len(indices), steps + 1
        model.eval()
        confusion = torch.zeros(len(names), len(names), dtype=torch.float64)
        with torch.inference_mode():
            for images, masks in zip(test.split(args.batch_size), test_masks.split(args.batch_size)):
                predicted = model(inputs(images)).argmax(1).cpu()
                known = masks != IGNORED
                cells = masks[known] * len(names) + predicted[known]
                confusion += torch.bincount(cells, minlength=len(names) ** 2).reshape(confusion.shape)
        mean_iou, weighted_iou, iou = scores(confusion)
        print(json.dumps({
            "model": args.model, "epoch": epoch, "train_loss": round(total / max(count, 1), 4),
            "mean_iou": round(mean_iou, 4), "weighted_iou": round(weighted_iou, 4), "iou": dict(zip(names, iou)),
            "steps": steps, "seconds": round(time.perf_counter() - start, 1), "lr": args.lr,
            "batch_size": args.batch_size, "image_size": list(args.image_size), "seed": args.seed,
            "torch": torch.__version__,
        }), flush=True)
        if steps == args.max_steps:
            break


if __name__ == "__main__":
    main()
