#!/usr/bin/env python3
"""Trains torchvision's resnet18 from scratch on class folders: the peer of `shadegrad train classify`.

    python benches/peers/train_classify.py --data DIR --image-size 64 --lr 1e-4 --batch-size 16 --epochs 15

DIR holds train/CLASS/*.{jpg,png,...} and val/CLASS/*. All images are read into memory first: the short side
is resized to --image-size (PIL, bilinear with antialias), the center cropped, values scaled to [0, 1],
then normalized. No augmentation. Classes are sorted by name, files by name within a class (by code
point); --shuffle false takes the training images in that order, every epoch. The last batch of an epoch may
be smaller. A last batch of one image is dropped, because BatchNorm would average over one value.
--normalize dataset uses mean and standard deviation per channel over all pixels of the training images.
--save writes torchvision's names and layouts; --init starts from such a file. AdamW's and SGD's weight
decay is --weight-decay (AdamW: only tensors with two or more dimensions); Adam has none.
The last line is JSON: settings, per-epoch numbers, seconds, and with --max-steps the loss of each step.
"""

import argparse
import json
import sys
import time
from pathlib import Path

import numpy as np
import torch
import torch.nn.functional as F
import torchvision
from PIL import Image, ImageOps
from safetensors.torch import load_file, save_file

EXTENSIONS = {".jpg", ".jpeg", ".png", ".webp", ".bmp"}
IMAGENET = ([0.485, 0.456, 0.406], [0.229, 0.224, 0.225])


def truth(text):
    if text not in ("true", "false"):
        raise argparse.ArgumentTypeError(f"{text!r}: expected true or false")
    return text == "true"


def arguments():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data", type=Path, required=True)
    parser.add_argument("--image-size", type=int, default=64)
    parser.add_argument("--lr", type=float, default=1e-4)
    parser.add_argument("--batch-size", type=int, default=16)
    parser.add_argument("--epochs", type=int, default=15)
    parser.add_argument("--optimizer", choices=["adam", "adamw", "sgd"], default="adam")
    parser.add_argument("--momentum", type=float, default=0.9, help="sgd only")
    parser.add_argument("--weight-decay", type=float, default=0.0)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--normalize", choices=["dataset", "imagenet", "none"], default="dataset")
    parser.add_argument("--init", type=Path, metavar="FILE.safetensors")
    parser.add_argument("--save", type=Path, metavar="FILE.safetensors")
    parser.add_argument("--shuffle", type=truth, default=True, metavar="true|false")
    parser.add_argument("--max-steps", type=int, metavar="N", help="stop after N training steps in all")
    parser.add_argument("--device", choices=["cpu", "cuda"], default="cpu")
    parser.add_argument("--threads", type=int)
    args = parser.parse_args()
    if args.batch_size < 2:
        parser.error("--batch-size must be at least 2")
    if args.save and args.save.exists():
        parser.error(f"--save: {args.save} exists; name another file")
    if args.optimizer == "adam" and args.weight_decay:
        parser.error("--weight-decay: use --optimizer adamw or sgd")
    return args


def read_image(path, size):
    """One image as uint8 [3, size, size]."""
    try:
        with Image.open(path) as file:
            image = ImageOps.exif_transpose(file).convert("RGB")
    except OSError as error:
        sys.exit(f"{path}: {error}")
    scale = size / min(image.size)
    width, height = (max(size, round(side * scale)) for side in image.size)
    image = image.resize((width, height), Image.Resampling.BILINEAR)
    left, top = (width - size) // 2, (height - size) // 2
    image = image.crop((left, top, left + size, top + size))
    return torch.from_numpy(np.array(image)).permute(2, 0, 1)


def read_folder(folder, classes, size):
    """All images as uint8 [N, 3, size, size] and their labels, in class order, then file order."""
    images, labels = [], []
    for label, name in enumerate(classes):
        files = sorted(f for f in (folder / name).rglob("*") if f.suffix.lower() in EXTENSIONS)
        if not files:
            sys.exit(f"{folder / name}: no images")
        images += [read_image(f, size) for f in files]
        labels += [label] * len(files)
    return torch.stack(images), torch.tensor(labels)


def statistics(images, kind):
    """Mean and standard deviation per channel, [3, 1, 1]."""
    if kind == "none":
        mean, std = [0.0] * 3, [1.0] * 3
    elif kind == "imagenet":
        mean, std = IMAGENET
    else:
        # From counts of the 256 values: exact, and no float64 copy of all pixels.
        counts = torch.stack([images[:, c].flatten().bincount(minlength=256) for c in range(3)]).double()
        values = torch.arange(256, dtype=torch.float64) / 255
        mean = (counts @ values) / counts.sum(1)
        std = ((counts @ values**2) / counts.sum(1) - mean**2).sqrt()
    return [torch.as_tensor(v, dtype=torch.float32).reshape(3, 1, 1) for v in (mean, std)]


def make_optimizer(args, model):
    parameters = list(model.parameters())
    if args.optimizer == "sgd":
        return torch.optim.SGD(parameters, args.lr, args.momentum, weight_decay=args.weight_decay)
    if args.optimizer == "adam":
        return torch.optim.Adam(parameters, args.lr)
    groups = [{"params": [p for p in parameters if p.dim() >= 2], "weight_decay": args.weight_decay},
              {"params": [p for p in parameters if p.dim() < 2], "weight_decay": 0.0}]
    return torch.optim.AdamW(groups, args.lr)


def load_checkpoint(model, path):
    state = load_file(path)
    own = model.state_dict()
    bad = [k for k, v in state.items() if k not in own or v.shape != own[k].shape]
    missing = [k for k in own if k not in state and not k.endswith("num_batches_tracked")]
    if bad or missing:
        sys.exit(f"{path}: not a checkpoint of this model: unknown or other shape {bad[:3]}, missing {missing[:3]}")
    model.load_state_dict(state, strict=False)


def batches(count, size, order):
    """Index batches without a last batch of one image."""
    return [b for b in (order[i:i + size] for i in range(0, count, size)) if len(b) > 1]


@torch.no_grad()
def accuracy(model, prepare, images, labels, batch_size):
    model.eval()
    right = 0
    for i in range(0, len(images), batch_size):
        x, y = prepare(images[i:i + batch_size], labels[i:i + batch_size])
        right += (model(x).argmax(1) == y).sum().item()
    model.train()
    return right / len(images)


def main():
    args = arguments()
    if args.threads:
        torch.set_num_threads(args.threads)
    torch.backends.cuda.matmul.allow_tf32 = torch.backends.cudnn.allow_tf32 = False
    for split in ("train", "val"):
        if not (args.data / split).is_dir():
            sys.exit(f"{args.data}: expected the folders train/ and val/")
    classes = sorted(d.name for d in (args.data / "train").iterdir() if d.is_dir())
    train_x, train_y = read_folder(args.data / "train", classes, args.image_size)
    val_x, val_y = read_folder(args.data / "val", classes, args.image_size)
    mean, std = statistics(train_x, args.normalize)
    print(f"{len(classes)} classes, {len(train_x)} training and {len(val_x)} validation images, "
          f"mean {mean.flatten().tolist()}, std {std.flatten().tolist()}", flush=True)

    torch.manual_seed(args.seed)
    model = torchvision.models.resnet18(num_classes=len(classes))
    if args.init:
        load_checkpoint(model, args.init)
    model = model.to(args.device).train()
    optimizer = make_optimizer(args, model)
    generator = torch.Generator().manual_seed(args.seed)

    def prepare(x, y):
        return ((x.float() / 255 - mean) / std).to(args.device), y.to(args.device)

    epochs, step_losses, start = [], [], time.perf_counter()
    limit = args.max_steps if args.max_steps is not None else sys.maxsize
    for epoch in range(1, args.epochs + 1):
        order = torch.randperm(len(train_x), generator=generator) if args.shuffle else torch.arange(len(train_x))
        loss_sum, right, seen, began = 0.0, 0, 0, time.perf_counter()
        for batch in batches(len(train_x), args.batch_size, order)[:limit - len(step_losses)]:
            x, y = prepare(train_x[batch], train_y[batch])
            logits = model(x)
            loss = F.cross_entropy(logits, y)
            optimizer.zero_grad()
            loss.backward()
            optimizer.step()
            step_losses.append(loss.item())
            loss_sum += step_losses[-1] * len(y)
            right += (logits.argmax(1) == y).sum().item()
            seen += len(y)
        if not seen:
            break
        seconds = time.perf_counter() - began
        row = {"epoch": epoch, "train_loss": loss_sum / seen, "train_acc": right / seen,
               "val_acc": accuracy(model, prepare, val_x, val_y, 64), "images_per_s": seen / seconds}
        epochs.append(row)
        print(" ".join(f"{k} {v:.4f}" if isinstance(v, float) else f"{k} {v}" for k, v in row.items()), flush=True)
    if args.save:
        save_file({k: v.cpu().contiguous() for k, v in model.state_dict().items()}, args.save)
    settings = {k: str(v) if isinstance(v, Path) else v for k, v in vars(args).items()}
    result = {"settings": settings, "steps": len(step_losses), "seconds": time.perf_counter() - start, "epochs": epochs}
    if args.max_steps is not None:
        result["step_losses"] = step_losses
    print(json.dumps(result))


if __name__ == "__main__":
    main()
