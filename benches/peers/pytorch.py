#!/usr/bin/env python3
"""Times training steps of torchvision's resnet18, or of UNet, in PyTorch and prints one JSON line.

    python benches/peers/pytorch.py --device cpu --threads 2 --batch-size 16 --image-size 64
    python benches/peers/pytorch.py --device cuda --batch-size 64 --image-size 224 --amp --channels-last
    python benches/peers/pytorch.py --device cpu --threads 2 --model unet --base 16 --batch-size 4 --image-size 128

unet has a class for every pixel. A step is forward, backward and optimizer on a batch that already lies
on the device; each step is timed to its end (on CUDA by synchronising). TF32 is off unless --tf32 asks for
it. peak_bytes is, on the CPU, the process's peak resident memory (with the Python runtime and its libraries;
baseline_bytes is what it was before the model was made), on CUDA the allocator's peak.
"""

import argparse
import contextlib
import json
import platform
import resource
import statistics
import sys
import time

import torch
import torch.nn.functional as F
import torchvision

from networks import UNet


def arguments():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--model", choices=["resnet18", "unet"], default="resnet18")
    parser.add_argument("--depth", type=int, default=4, help="halvings of unet")
    parser.add_argument("--base", type=int, default=64, help="channels of unet's first level")
    parser.add_argument("--device", choices=["cpu", "cuda"], default="cpu")
    parser.add_argument("--batch-size", type=int, default=16)
    parser.add_argument("--image-size", type=int, default=64)
    parser.add_argument("--classes", type=int, default=10)
    parser.add_argument("--optimizer", choices=["adam", "sgd"], default="adam")
    parser.add_argument("--threads", type=int, help="CPU threads; default: PyTorch's choice")
    parser.add_argument("--steps", type=int, default=20, help="timed steps")
    parser.add_argument("--warmup", type=int, default=3, help="steps before them")
    parser.add_argument("--tf32", action="store_true", help="let CUDA matrix products round to TF32")
    parser.add_argument("--amp", action="store_true", help="autocast: float16 with loss scaling on CUDA, bfloat16 on CPU")
    parser.add_argument("--compile", action="store_true", help="torch.compile; give it warm-up steps")
    parser.add_argument("--channels-last", action="store_true", help="NHWC memory order")
    args = parser.parse_args()
    if min(args.batch_size, args.image_size, args.classes, args.steps) < 1 or args.warmup < 0:
        parser.error("--batch-size, --image-size, --classes and --steps must be at least 1, --warmup at least 0")
    if min(args.depth, args.base) < 1:
        parser.error("--depth and --base must be at least 1")
    if args.threads is not None and args.threads < 1:
        parser.error("--threads must be at least 1")
    if args.device == "cuda" and not torch.cuda.is_available():
        parser.error("--device cuda: this PyTorch sees no CUDA device")
    return args


def peak_resident_bytes():
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return peak if sys.platform == "darwin" else peak * 1024  # Linux counts in KiB


def make_step(args, device):
    """A function that runs one training step and returns the loss, still on the device."""
    order = torch.channels_last if args.channels_last else torch.contiguous_format
    if args.model == "unet":
        model = UNet(3, args.classes, args.depth, args.base)
    else:
        model = torchvision.models.resnet18(num_classes=args.classes)
    model = model.to(device, memory_format=order).train()
    if args.optimizer == "adam":
        optimizer = torch.optim.Adam(model.parameters(), lr=1e-4)
    else:
        optimizer = torch.optim.SGD(model.parameters(), lr=1e-3, momentum=0.9)
    images = torch.rand(args.batch_size, 3, args.image_size, args.image_size, device=device).contiguous(memory_format=order)
    area = (args.image_size, args.image_size) if args.model == "unet" else ()
    labels = torch.randint(args.classes, (args.batch_size, *area), device=device)
    forward = torch.compile(model) if args.compile else model
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

    return step, str(half).removeprefix("torch.") if args.amp else "f32"


def main():
    args = arguments()
    if args.threads:
        torch.set_num_threads(args.threads)
    torch.manual_seed(0)
    torch.backends.cuda.matmul.allow_tf32 = args.tf32
    torch.backends.cudnn.allow_tf32 = args.tf32
    torch.backends.cudnn.benchmark = True
    device = torch.device(args.device)
    synchronize = torch.cuda.synchronize if args.device == "cuda" else lambda: None
    baseline = peak_resident_bytes() if args.device == "cpu" else 0
    step, dtype = make_step(args, device)
    for _ in range(args.warmup):
        step()
    synchronize()
    times = []
    for _ in range(args.steps):
        start = time.perf_counter()
        loss = step()
        synchronize()
        times.append(time.perf_counter() - start)
    if not torch.isfinite(loss):
        sys.exit("the loss is not finite: these timings measure nothing")
    median = statistics.median(times)
    print(json.dumps({
        "step": f"{args.model}{f'-{args.base}' if args.model == 'unet' else ''}:{args.batch_size}x{args.image_size}x{args.image_size}",
        "device": args.device,
        "device_name": torch.cuda.get_device_name() if args.device == "cuda" else platform.machine(),
        "dtype": {"float16": "f16", "bfloat16": "bf16"}.get(dtype, dtype), "tf32": args.tf32,
        "ms_median": round(median * 1e3, 3), "ms_min": round(min(times) * 1e3, 3),
        "images_per_s": round(args.batch_size / median, 2),
        "peak_bytes": torch.cuda.max_memory_allocated() if args.device == "cuda" else peak_resident_bytes(),
        "baseline_bytes": baseline,
        "optimizer": args.optimizer, "threads": torch.get_num_threads(), "steps": args.steps,
        "compile": args.compile, "channels_last": args.channels_last, "torch": torch.__version__,
    }))


if __name__ == "__main__":
    main()
