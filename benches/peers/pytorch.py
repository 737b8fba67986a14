#!/usr/bin/env python3
"""Times training steps in PyTorch and prints one JSON line each: the peer of `shadegrad bench --json`.

    python benches/peers/pytorch.py --step resnet18:16x64x64 --step unet:4x128x128:base=16 --device cpu --threads 2
    python benches/peers/pytorch.py --step resnet18:64x224x224 --device cuda --amp --channels-last

A step is forward, cross entropy, backward and Adam on a batch that is on the device. The script waits for the end
of a step while the next one runs, as `shadegrad bench` and training do (on CUDA by an event). TF32 is off without --tf32.

    first_step_s     the first step of the process; --compile compiles in it, cuDNN tries its algorithms
    peak_bytes       CUDA: the allocator's peak; CPU: the process's peak resident memory so far, with the Python runtime and
                     earlier steps: name one step for an exact figure
    baseline_bytes   CPU: resident memory before the model was made
"""

import argparse
import contextlib
import json
import resource
import statistics
import sys
import time

import torch
import torch.nn.functional as F
import torchvision

from networks import RESNETS, ResNetSeg, ResNetUNet, UNet

# Seconds of warm-up between the first step and the timed ones, because the clock of an idle GPU is slow.
WARM = 1.0
MODELS = ["unet"] + [name for n in RESNETS for name in (f"resnet{n}", f"resnet{n}-seg", f"unet-resnet{n}")]


class Step:
    """A training step, in the syntax of `shadegrad bench --step`."""

    def __init__(self, text):
        expected = "expected MODEL:NxHxW, such as resnet18:16x64x64 or unet:4x128x128:base=16"
        self.text = text
        self.model, *parts = text.split(":")
        if self.model not in MODELS:
            raise argparse.ArgumentTypeError(f"unknown model {self.model!r}: there are {', '.join(MODELS)}")
        size = parts[0].split("x") if parts else []
        if len(size) != 3 or not all(side.isdecimal() and int(side) for side in size):
            raise argparse.ArgumentTypeError(f"{text!r}: {expected}")
        self.images, self.height, self.width = map(int, size)
        self.settings = {"classes": 10}
        if self.model == "unet":
            self.settings = {"classes": 12, "base": 64, "depth": 4}
        for part in parts[1:]:
            key, _, value = part.partition("=")
            if key not in self.settings:
                there = ", ".join(self.settings)
                raise argparse.ArgumentTypeError(f"{self.model} has no setting {key!r}: there are {there}")
            if not value.isdecimal() or not int(value):
                raise argparse.ArgumentTypeError(f"{part!r}: expected {key}=NUMBER, above 0")
            self.settings[key] = int(value)

    def network(self):
        classes = self.settings["classes"]
        if self.model == "unet":
            return UNet(3, classes, self.settings["depth"], self.settings["base"])
        layers = int("".join(filter(str.isdecimal, self.model)))
        if self.model.endswith("-seg"):
            return ResNetSeg(classes, layers=layers)
        if self.model.startswith("unet-"):
            return ResNetUNet(3, classes, layers)
        return getattr(torchvision.models, self.model)(num_classes=classes)

    def batch(self, device):
        """Images, with one label per image or per pixel."""
        area = (self.height, self.width) if "unet" in self.model or self.model.endswith("-seg") else ()
        images = torch.rand(self.images, 3, self.height, self.width, device=device)
        return images, torch.randint(self.settings["classes"], (self.images, *area), device=device)


def arguments():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--step", type=Step, action="append", metavar="MODEL:NxHxW[:classes=…][:base=…][:depth=…]",
                        help="training step; may be given several times "
                             "(default: resnet18:16x64x64 and unet:4x128x128:base=16)")
    parser.add_argument("--device", choices=["cpu", "cuda"], default="cpu", help="where to compute (default: cpu)")
    parser.add_argument("--threads", type=int, metavar="N", help="CPU threads (default: PyTorch's choice)")
    parser.add_argument("--steps", type=int, default=20, metavar="N", help="timed steps (default: 20)")
    parser.add_argument("--warmup", type=int, default=3, metavar="N",
                        help="warm-up steps (default: 3; more if they take less than a second)")
    parser.add_argument("--tf32", action="store_true", help="let CUDA matrix products and convolutions round to TF32")
    parser.add_argument("--amp", action="store_true",
                        help="autocast: float16 with loss scaling on CUDA, bfloat16 on the CPU")
    parser.add_argument("--compile", action="store_true", help="torch.compile")
    parser.add_argument("--channels-last", action="store_true", help="NHWC memory order")
    args = parser.parse_args()
    if args.steps < 1 or args.warmup < 0:
        parser.error(f"--steps {args.steps} --warmup {args.warmup}: expected at least 1 and at least 0")
    if args.threads is not None and args.threads < 1:
        parser.error(f"--threads {args.threads}: expected at least 1")
    if args.device == "cuda" and not torch.cuda.is_available():
        parser.error("--device cuda: this PyTorch sees no CUDA device")
    args.step = args.step or [Step("resnet18:16x64x64"), Step("unet:4x128x128:base=16")]
    return args


def peer(args):
    """PyTorch's version and what differs from its defaults."""
    numbers = [name for name, on in [("amp", args.amp), ("tf32", args.tf32)] if on] or ["f32"]
    words = ["PyTorch", torch.__version__.partition("+")[0], "compile" if args.compile else "eager", *numbers]
    return " ".join(words + ["channels-last"] * args.channels_last)


def peak_resident_bytes():
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return peak if sys.platform == "darwin" else peak * 1024  # Linux counts in KiB


def training(spec, args, device):
    """A function that runs one training step and returns the loss, still on the device."""
    order = torch.channels_last if args.channels_last else torch.contiguous_format
    model = spec.network().to(device, memory_format=order).train()
    optimizer = torch.optim.Adam(model.parameters(), lr=1e-4)
    images, labels = spec.batch(device)
    images = images.contiguous(memory_format=order)
    forward = torch.compile(model, dynamic=False) if args.compile else model
    half = torch.float16 if args.device == "cuda" else torch.bfloat16
    scaler = torch.amp.GradScaler(args.device, enabled=args.amp and half == torch.float16)

    def step():
        optimizer.zero_grad(set_to_none=True)
        with torch.autocast(args.device, half) if args.amp else contextlib.nullcontext():
            loss = F.cross_entropy(forward(images), labels)
        scaler.scale(loss).backward()
        scaler.step(optimizer)
        scaler.update()
        return loss.detach()

    return step


def measure(spec, args, device):
    cuda = args.device == "cuda"
    if cuda:
        torch.cuda.empty_cache()
        torch.cuda.reset_peak_memory_stats()
    baseline = torch.cuda.memory_allocated() if cuda else peak_resident_bytes()
    torch.compiler.reset()  # else the second step of a network would be compiled for dynamic sizes
    step = training(spec, args, device)
    times, awaited = [], None
    begin = time.perf_counter()
    warm = None
    while warm is None or len(times) < warm + args.steps:
        start = time.perf_counter()
        loss = step()
        if cuda and not times:
            torch.cuda.synchronize()
        elif cuda:
            event = torch.cuda.Event()
            event.record()
            if awaited:
                awaited.synchronize()
            awaited = event
        times.append(time.perf_counter() - start)
        if warm is None and len(times) >= max(args.warmup, 1) and time.perf_counter() - begin > WARM + times[0]:
            warm = len(times)
    if not torch.isfinite(loss):
        sys.exit(f"{spec.text}: the loss is {loss.item()}: these timings measure nothing")
    timed = times[warm:]
    median = statistics.median(timed)
    return {
        "peer": peer(args), "step": spec.text,
        "device": torch.cuda.get_device_name() if cuda else f"CPU ({torch.get_num_threads()} threads)",
        "ms_median": median * 1e3, "ms_min": min(timed) * 1e3, "images_per_s": spec.images / median,
        "first_step_s": times[0],
        "peak_bytes": torch.cuda.max_memory_allocated() if cuda else peak_resident_bytes(), "baseline_bytes": baseline,
    }


def main():
    args = arguments()
    if args.threads:
        torch.set_num_threads(args.threads)
    torch.manual_seed(0)
    torch.backends.cuda.matmul.allow_tf32 = args.tf32
    torch.backends.cudnn.allow_tf32 = args.tf32
    torch.backends.cudnn.benchmark = True
    for spec in args.step:
        print(json.dumps(measure(spec, args, torch.device(args.device))), flush=True)


if __name__ == "__main__":
    main()
