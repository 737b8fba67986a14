#!/usr/bin/env python3
"""Times training steps in PyTorch's DistributedDataParallel (gloo) on the CPU and prints one JSON line each.

    torchrun --nproc-per-node 2 benches/peers/ddp.py --step resnet18:16x64x64 --step unet:4x128x128:base=16 --threads 1

The peer of `mpirun -n 2 shadegrad train`: the batch of a step is divided among the processes, and each has `--threads` threads. A step
is forward, cross entropy, backward and Adam. `ms_median` is that of rank 0, between barriers at the start and the end of all steps.
Started without torchrun, it times one process without DistributedDataParallel.
"""

import argparse
import json
import os
import statistics
import time

import torch
import torch.distributed as dist
import torch.nn.functional as F
from torch.nn.parallel import DistributedDataParallel

from pytorch import Step


def arguments():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--step", type=Step, action="append", required=True, metavar="MODEL:NxHxW[:classes=…][:base=…]",
                        help="training step; may be given several times")
    parser.add_argument("--threads", type=int, default=1, metavar="N", help="threads of each process (default: 1)")
    parser.add_argument("--steps", type=int, default=20, metavar="N", help="timed steps (default: 20)")
    parser.add_argument("--warmup", type=int, default=3, metavar="N", help="steps before them (default: 3)")
    return parser.parse_args()


def measure(spec, args, ranks):
    if spec.images % ranks:
        raise SystemExit(f"{spec.text}: {ranks} processes do not divide {spec.images} images")
    torch.manual_seed(0)
    model = spec.network().train()
    if ranks > 1:
        model = DistributedDataParallel(model)
    optimizer = torch.optim.Adam(model.parameters(), lr=1e-4)
    own = spec.images // ranks
    images, labels = (part[:own] for part in spec.batch("cpu"))
    times = []
    for number in range(args.warmup + args.steps):
        if number == args.warmup and ranks > 1:
            dist.barrier()
        start = time.perf_counter()
        optimizer.zero_grad(set_to_none=True)
        loss = F.cross_entropy(model(images), labels)
        loss.backward()
        optimizer.step()
        times.append(time.perf_counter() - start)
    if ranks > 1:
        dist.barrier()
    if not torch.isfinite(loss):
        raise SystemExit(f"{spec.text}: the loss is {loss.item()}: these timings measure nothing")
    median = statistics.median(times[args.warmup:])
    return {"peer": f"PyTorch {torch.__version__.partition('+')[0]} {'DDP gloo' if ranks > 1 else 'eager'}", "step": spec.text,
            "device": f"CPU ({ranks} x {torch.get_num_threads()} threads)", "ms_median": median * 1e3,
            "ms_min": min(times[args.warmup:]) * 1e3, "images_per_s": spec.images / median}


def main():
    args = arguments()
    torch.set_num_threads(args.threads)
    ranks = int(os.environ.get("WORLD_SIZE", "1"))
    if ranks > 1:
        dist.init_process_group("gloo")
    for spec in args.step:
        line = measure(spec, args, ranks)
        if ranks == 1 or dist.get_rank() == 0:
            print(json.dumps(line), flush=True)
    if ranks > 1:
        dist.destroy_process_group()


if __name__ == "__main__":
    main()
