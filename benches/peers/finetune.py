#!/usr/bin/env python3
"""Fine-tunes torchvision's resnet18 from weights of another data set: the peer of `shadegrad train classify --init RUN --finetune`.

    python benches/peers/finetune.py --data DIR --init RUN/best.safetensors --image-size 96 --lr 0.02 --epochs 12

The data is read as train_classify.py reads it. The recipe is that of shadegrad's `--finetune`: SGD with Nesterov momentum, the
head alone in the first epoch, each stage below at half the learning rate of the one above, half an epoch of linear warm-up, a
cosine to 0. Images get a random resized crop (--crop to 1 of the area) and a flip, batches mixup (--mixup), the loss label
smoothing (--label-smoothing). --per-class keeps the first N training images of each class. Without --init the network starts from
PyTorch's own random weights, and all layers have the full rate.
The last line is JSON: settings, per-epoch numbers, seconds.
"""

import argparse
import json
import math
import time
from pathlib import Path

import torch
import torch.nn.functional as F
import torchvision
from safetensors.torch import load_file
from torchvision.transforms import InterpolationMode, v2

from train_classify import accuracy, read_folder, statistics

STAGES = [("conv1", "bn1"), ("layer1",), ("layer2",), ("layer3",), ("layer4",), ("fc",)]


def arguments():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data", type=Path, required=True)
    parser.add_argument("--init", type=Path, metavar="FILE.safetensors")
    parser.add_argument("--image-size", type=int, default=64)
    parser.add_argument("--per-class", type=int, metavar="N")
    parser.add_argument("--lr", type=float, default=0.02)
    parser.add_argument("--batch-size", type=int, default=64)
    parser.add_argument("--epochs", type=int, default=12)
    parser.add_argument("--weight-decay", type=float, default=5e-4)
    parser.add_argument("--label-smoothing", type=float, default=0.1)
    parser.add_argument("--mixup", type=float, default=0.2)
    parser.add_argument("--crop", type=float, default=0.35)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--threads", type=int)
    return parser.parse_args()


def groups(model, args):
    """A parameter group for each stage, from the first layer to the head."""
    decay = 0.5 if args.init else 1.0
    rates = [args.lr * decay ** (len(STAGES) - 1 - at) for at in range(len(STAGES))]
    of = lambda names: [p for name in names for p in getattr(model, name).parameters()]
    return [{"params": of(names), "lr": rate} for names, rate in zip(STAGES, rates)]


def factor(step, steps, warm):
    """Factor of the learning rates at a step: linear to 1, then a cosine to 0."""
    if step < warm:
        return (step + 1) / warm
    return 0.5 * (1 + math.cos(math.pi * (step - warm) / max(1, steps - warm)))


def main():
    args = arguments()
    if args.threads:
        torch.set_num_threads(args.threads)
    classes = sorted(d.name for d in (args.data / "train").iterdir() if d.is_dir())
    train_x, train_y = read_folder(args.data / "train", classes, args.image_size)
    val_x, val_y = read_folder(args.data / "val", classes, args.image_size)
    if args.per_class:
        kept = torch.cat([(train_y == label).nonzero()[: args.per_class, 0] for label in range(len(classes))])
        train_x, train_y = train_x[kept], train_y[kept]
    mean, std = statistics(train_x, "dataset")
    torch.manual_seed(args.seed)
    model = torchvision.models.resnet18(num_classes=len(classes))
    if args.init:
        weights = {k: v for k, v in load_file(args.init).items() if not k.startswith("fc.")}
        missing = model.load_state_dict(weights, strict=False)
        assert not missing.unexpected_keys and set(missing.missing_keys) == {"fc.weight", "fc.bias"}, missing
    optimizer = torch.optim.SGD(groups(model, args), momentum=0.9, nesterov=True, weight_decay=args.weight_decay)
    full = [group["lr"] for group in optimizer.param_groups]
    size = [args.image_size] * 2
    crop = v2.RandomResizedCrop(size, scale=(args.crop, 1.0), interpolation=InterpolationMode.BILINEAR, antialias=True)
    augment = v2.Compose([crop, v2.RandomHorizontalFlip()])
    beta = torch.distributions.Beta(args.mixup, args.mixup) if args.mixup else None

    def prepare(x, y):
        return (x.float() / 255 - mean) / std, y

    per_epoch = math.ceil(len(train_x) / args.batch_size)
    steps, warm, epochs, began = args.epochs * per_epoch, max(1, per_epoch // 2), [], time.perf_counter()
    for epoch in range(args.epochs):
        head_alone = bool(args.init) and epoch == 0
        for name, parameter in model.named_parameters():
            parameter.requires_grad_(not head_alone or name.startswith("fc."))
        loss_sum, start = 0.0, time.perf_counter()
        for at, batch in enumerate(torch.randperm(len(train_x)).split(args.batch_size)):
            x = torch.stack([augment(train_x[i]) for i in batch])
            x, y = prepare(x, F.one_hot(train_y[batch], len(classes)).float())
            if beta:
                share, order = beta.sample(), torch.randperm(len(y))
                x, y = share * x + (1 - share) * x[order], share * y + (1 - share) * y[order]
            for group, rate in zip(optimizer.param_groups, full):
                group["lr"] = rate * factor(epoch * per_epoch + at, steps, warm)
            loss = F.cross_entropy(model(x), y, label_smoothing=args.label_smoothing)
            optimizer.zero_grad()
            loss.backward()
            optimizer.step()
            loss_sum += loss.item() * len(y)
        row = {"epoch": epoch + 1, "train_loss": loss_sum / len(train_x),
               "val_acc": accuracy(model, prepare, val_x, val_y, 64),
               "images_per_s": len(train_x) / (time.perf_counter() - start)}
        epochs.append(row)
        print(" ".join(f"{k} {v:.4f}" if isinstance(v, float) else f"{k} {v}" for k, v in row.items()), flush=True)
    settings = {k: str(v) if isinstance(v, Path) else v for k, v in vars(args).items()}
    print(json.dumps({"settings": settings, "seconds": time.perf_counter() - began, "epochs": epochs}))


if __name__ == "__main__":
    main()
