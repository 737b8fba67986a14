#!/usr/bin/env python3
"""Times the same training steps in shadegrad and in its peers, in alternation, and prints one Markdown table.

    python benches/peers/compare.py --device cpu --rounds 3
    python benches/peers/compare.py --device gpu --step resnet18:64x224x224 --shadegrad-args="--precision f16"

The peers are PyTorch (pytorch.py) and burn (the crate in burn/). Each run is a separate process. A round runs every program
once, so the noise of a shared machine affects all alike. A figure is the median of the medians of all rounds. A
ratio is the peer's time divided by shadegrad's, so above 1 shadegrad is faster; the lowest and highest ratio of a single
round follow in parentheses.

    --device   shadegrad      PyTorch                                              burn
    cpu        CPU engine     CPU                                                  flex backend
    gpu        first GPU      CUDA                                                 wgpu backend
    NAME       that adapter   CUDA if its device has that name, else CPU           wgpu backend on that adapter

The device of each run is printed below the table. PyTorch on CUDA runs eagerly in f32 without and with TF32, with AMP, and
compiled.
"""

import argparse
import json
import os
import shlex
import statistics
import subprocess
import sys
from pathlib import Path

HERE = Path(__file__).resolve().parent
ROOT = HERE.parent.parent
BURN = HERE / "burn"


class Runner:
    """A program that times a step, with its flags."""

    def __init__(self, label, command):
        self.label, self.command = label, command
        self.broken = None  # reason why it cannot run
        self.name = None  # name that it reports
        self.device = None

    def run(self, step, args):
        """The JSON object of one run, or the reason for its failure."""
        command = [*self.command, "--step", step, "--steps", str(args.steps), "--warmup", str(args.warmup)]
        environment = {**os.environ, "RAYON_NUM_THREADS": str(args.threads)}
        try:
            done = subprocess.run(command, capture_output=True, text=True, env=environment, timeout=args.timeout)
        except subprocess.TimeoutExpired:
            return None, f"not done after {args.timeout} s (--timeout)"
        except OSError as error:
            return None, f"{command[0]}: {error.strerror}"
        try:
            result = json.loads(done.stdout.splitlines()[-1]) if done.returncode == 0 else None
            ms = float(result["ms_median"])
        except (IndexError, KeyError, TypeError, ValueError):
            return None, reason(done)
        self.name, self.device = result.get("peer", self.label), result.get("device")
        return (result, None) if ms > 0 else (None, f"reports {ms} ms")


def reason(done):
    """The error of a failed program, or else the last line of its output."""
    lines = [line.strip() for line in done.stderr.splitlines() if line.strip()]
    errors = [line for line in lines if "error:" in line.lower()]
    panics = [b for a, b in zip(lines, lines[1:]) if a.startswith("thread ") and "panicked at" in a]
    said = (errors or panics or lines or ["it says nothing"])[-1]
    return f"{said} (exit status {done.returncode})"


def cores():
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


def above_zero(text):
    if not text.isdecimal() or not int(text):
        raise argparse.ArgumentTypeError(f"{text!r}: expected a number above 0")
    return int(text)


def arguments():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--step", action="append", metavar="MODEL:NxHxW[:classes=…][:base=…][:depth=…]",
                        help="training step; may be given several times "
                             "(default: resnet18:16x64x64 and unet:4x128x128:base=16)")
    parser.add_argument("--device", default="cpu", metavar="cpu|gpu|NAME", help="where to compute (default: cpu)")
    parser.add_argument("--steps", type=above_zero, default=20, metavar="N", help="timed steps of a run (default: 20)")
    parser.add_argument("--warmup", type=int, default=5, metavar="N",
                        help="warm-up steps (default: 5; burn still compiles in its third)")
    parser.add_argument("--rounds", type=above_zero, default=3, metavar="N", help="runs of each (default: 3)")
    parser.add_argument("--threads", type=above_zero, default=cores(), metavar="N",
                        help="threads of all that compute on the CPU (default: all cores)")
    parser.add_argument("--shadegrad", type=Path, default=ROOT / "target/release/shadegrad", metavar="PATH",
                        help="shadegrad's binary (default: target/release/shadegrad)")
    parser.add_argument("--shadegrad-args", action="append", type=shlex.split, default=[], metavar="FLAGS",
                        help="adds a row with these flags of `shadegrad bench`; may be given several "
                             "times, written as --shadegrad-args=\"--flag value\"")
    parser.add_argument("--python", default=sys.executable, metavar="PATH",
                        help="interpreter that has PyTorch (default: the one that runs this)")
    parser.add_argument("--pytorch-args", action="append", type=shlex.split, metavar="FLAGS",
                        help="these flags of pytorch.py instead of the usual variants; may be given several times, "
                             "written as --pytorch-args=\"--amp --channels-last\"")
    parser.add_argument("--burn", type=Path, default=BURN / "target/release/shadegrad-peer-burn", metavar="PATH",
                        help="binary of the crate in burn/ (default: its target/release)")
    parser.add_argument("--timeout", type=above_zero, default=1800, metavar="SECONDS",
                        help="limit of a single run (default: 1800)")
    parser.add_argument("--json", type=Path, metavar="FILE", help="write all results of all rounds there")
    args = parser.parse_args()
    if args.warmup < 0:
        parser.error(f"--warmup {args.warmup}: expected at least 0")
    if not args.shadegrad.is_file():
        parser.error(f"--shadegrad: there is no file {args.shadegrad}; `cargo build --release` makes one")
    if args.json and not args.json.resolve().parent.is_dir():
        parser.error(f"--json: there is no folder {args.json.parent}")
    args.step = list(dict.fromkeys(args.step or ["resnet18:16x64x64", "unet:4x128x128:base=16"]))
    return args


def pytorch(args):
    """PyTorch in its variants."""
    probe = "import torch, torchvision; print(torch.cuda.get_device_name() if torch.cuda.is_available() else '')"
    missing = Runner("PyTorch", [])
    try:
        done = subprocess.run([args.python, "-c", probe], capture_output=True, text=True, timeout=args.timeout)
    except (OSError, subprocess.TimeoutExpired) as error:
        missing.broken = f"{args.python} does not run: {error}"
        return [missing]
    if done.returncode:
        missing.broken = f"{args.python} cannot import it: {reason(done)}; name another interpreter with --python"
        return [missing]
    cuda = done.stdout.strip()
    if args.device == "gpu" and not cuda:
        missing.broken = f"that of {args.python} sees no CUDA device"
        return [missing]
    on_cuda = args.device == "gpu" or (args.device != "cpu" and args.device.lower() in cuda.lower())
    variants = args.pytorch_args or ([[], ["--tf32"], ["--amp"], ["--compile"]] if on_cuda else [[]])
    place = ["--device", "cuda" if on_cuda else "cpu", "--threads", str(args.threads)]
    script = str(HERE / "pytorch.py")
    return [Runner(" ".join(["PyTorch", *flags]), [args.python, script, *place, *flags]) for flags in variants]


def burn(args):
    place = ["--backend", "flex"] if args.device == "cpu" else ["--backend", "wgpu", "--device", args.device]
    runner = Runner(f"burn {place[1]}", [str(args.burn), *place])
    if not args.burn.is_file():
        manifest = os.path.relpath(BURN / "Cargo.toml")
        runner.broken = f"there is no file {os.path.relpath(args.burn)}; make one with " \
                        f"`cargo build --release --manifest-path {manifest}`, or name one with --burn"
    return runner


def measure(args, runners):
    """Results by (runner, step), one for each round, and failures as (runner, step, reason)."""
    results, failures = {}, [(runner, None, runner.broken) for runner in runners if runner.broken]
    failed = set()
    for round_ in range(args.rounds):
        for step in args.step:
            # Every other round runs in reverse order, so that no program always follows the same one.
            for runner in runners if round_ % 2 == 0 else reversed(runners):
                if runner.broken or (runner, step) in failed:
                    continue
                result, why = runner.run(step, args)
                said = why or f"{time(result['ms_median'])} ms"
                print(f"round {round_ + 1} of {args.rounds}, {step}, {runner.label}: {said}", file=sys.stderr)
                if why:
                    failed.add((runner, step))
                    failures.append((runner, step, why))
                else:
                    results.setdefault((runner, step), []).append({"round": round_ + 1, **result})
    return results, failures


def time(ms):
    return f"{ms:.0f}" if ms >= 100 else f"{ms:.1f}" if ms >= 10 else f"{ms:.2f}"


def medians(runs):
    return [run["ms_median"] for run in runs]


def figure(runs):
    return time(statistics.median(medians(runs))) if runs else "–"


def ratio(theirs, ours):
    """The peer's time divided by shadegrad's."""
    rounds = [a / b for a, b in zip(theirs, ours)]
    value = f"{statistics.median(theirs) / statistics.median(ours):.2f}"
    return f"{value} ({min(rounds):.2f}–{max(rounds):.2f})" if len(rounds) > 1 else value


def unsettled(runs):
    """Whether a run's steps vary too much for their median to be a steady step's time."""
    return any(run["ms_median"] > 2 * run["ms_min"] for run in runs)


def table(args, ours, peers, results):
    # A program that failed in one round of a step gets no figure for that step: its rounds would not be those
    # of the others.
    results = {key: runs for key, runs in results.items() if len(runs) == args.rounds}
    peers = [peer for peer in peers if any((peer, step) in results for step in args.step)]
    head = ["step", "shadegrad, ms"]
    for peer in peers:
        head += [f"{peer.name}, ms", "ratio"]
    lines = [head, ["---", *["---:"] * (len(head) - 1)]]
    for step in args.step:
        for own in ours:
            mine = results.get((own, step))
            row = [step + own.label.removeprefix("shadegrad"), figure(mine)]
            for peer in peers:
                theirs = results.get((peer, step))
                row += [figure(theirs), ratio(medians(theirs), medians(mine)) if theirs and mine else "–"]
            lines.append(row)
    return "\n".join(f"| {' | '.join(row)} |" for row in lines)


def main():
    args = arguments()
    binary = str(args.shadegrad.resolve())
    ours = [Runner(" ".join(["shadegrad", *flags]), [binary, "bench", "--json", "--device", args.device, *flags])
            for flags in [[], *args.shadegrad_args]]
    peers = [*pytorch(args), burn(args)]
    results, failures = measure(args, ours + peers)
    print(table(args, ours, peers, results))
    print(f"\nMedians of {args.steps} timed steps after {args.warmup} others, rounds: {args.rounds}; "
          "ratio: the peer's time by ours.")
    for runner in ours + peers:
        if runner.device:
            print(f"- {runner.name or runner.label}: on {runner.device}")
    for (runner, step), runs in results.items():
        if unsettled(runs):
            print(f"- {runner.name or runner.label}, {step}: a median above twice the fastest step; it was still "
                  "compiling (raise --warmup) or the machine is busy")
    for runner, step, why in failures:
        print(f"- no figure of {runner.label}{f' for {step}' if step else ''}: {why}")
    if args.json:
        args.json.write_text(json.dumps({
            "device": args.device, "steps": args.steps, "warmup": args.warmup, "rounds": args.rounds,
            "threads": args.threads,
            "results": [{"label": runner.label, **run} for (runner, _), runs in results.items() for run in runs],
            "failures": [{"label": runner.label, "step": step, "reason": why} for runner, step, why in failures],
        }, indent=1) + "\n")
    sys.exit(0 if any((own, step) in results for own in ours for step in args.step) else 1)


if __name__ == "__main__":
    main()
