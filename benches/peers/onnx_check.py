#!/usr/bin/env python3
"""Checks that onnxruntime computes the same from exported models as shadegrad.

    mkdir cases && SHADEGRAD_ONNX_OUT=$PWD/cases cargo test --test interop export     # models with inputs and results
    python benches/peers/onnx_check.py --cases cases --shadegrad target/debug/shadegrad

Needs onnx, onnxruntime, numpy and pillow.

--cases: each NAME.onnx must pass onnx's checker with strict shape inference. onnxruntime's output for the input in
NAME.safetensors is compared with the output in that file.
--shadegrad: small runs of every task and network are trained on built-in scenes and exported. onnxruntime's output is
compared with `shadegrad predict` on pictures of the run's image size: probabilities, the class of each pixel, bytes of the
picture.

Each comparison prints the largest difference and the largest value. The exit code is 1 if a difference is too large.
"""

import argparse
import json
import struct
import subprocess
import sys
import tempfile
from pathlib import Path

import numpy as np
import onnx
import onnxruntime
from PIL import Image

# Relative to the largest value. Sums of a few thousand products in float32 stay below it.
TOLERANCE = 2e-5
# shadegrad rounds a picture to bytes; the output of the model is not rounded.
HALF_A_BYTE = 0.51 / 255

RUNS = {
    "classify-imagenet": ("classify", "--image-size 37 --stem imagenet"),
    "classify-cifar": ("classify", "--image-size 21 --stem cifar"),
    "segment-fcn32s": ("segment", "--model resnet18-seg --decoder fcn32s --image-size 45x61"),
    "segment-fcn8s": ("segment", "--model resnet18-seg --decoder fcn8s --image-size 45x61"),
    "segment-transposed": ("segment", "--base 4 --depth 2 --image-size 23x30"),
    "segment-bilinear": ("segment", "--base 4 --depth 3 --up bilinear --image-size 29x22"),
    "segment-no-skips": ("segment", "--base 4 --depth 2 --skips false --image-size 23x30"),
    "segment-bilinear-no-skips": ("segment", "--base 4 --depth 2 --up bilinear --skips false --image-size 23x30"),
    "colorize-lab": ("colorize", "--base 4 --depth 2 --image-size 21x26"),
    "colorize-rgb": ("colorize", "--base 4 --depth 2 --color-space rgb --image-size 33x26"),
    "colorize-bilinear-no-skips": ("colorize", "--base 4 --depth 2 --up bilinear --skips false --image-size 21x26"),
}


def load(path):
    model = onnx.load(path)
    onnx.checker.check_model(model, full_check=True)
    metadata = {entry.key: entry.value for entry in model.metadata_props}
    return onnxruntime.InferenceSession(str(path), providers=["CPUExecutionProvider"]), metadata


def read_safetensors(path):
    data = path.read_bytes()
    (length,) = struct.unpack("<Q", data[:8])
    tensors = {}
    for name, entry in json.loads(data[8 : 8 + length]).items():
        begin, end = (8 + length + offset for offset in entry["data_offsets"])
        tensors[name] = np.frombuffer(data[begin:end], "<f4").reshape(entry["shape"])
    return tensors


def reported(name, found, expected, allowed):
    difference, largest = np.abs(found - expected).max(), np.abs(expected).max()
    good = found.shape == expected.shape and difference <= allowed * max(largest, 1e-30)
    print(f"{name:<28} {difference:9.2e} of {largest:9.2e}  {'' if good else 'TOO LARGE'}")
    return good


def case(path):
    session, metadata = load(path)
    tensors = read_safetensors(path.with_suffix(".safetensors"))
    (given,) = session.get_inputs()
    (found,) = session.run(None, {given.name: tensors["input"]})
    # Pictures are stored as bytes.
    picture = metadata.get("task") == "colorize"
    allowed = HALF_A_BYTE if picture else TOLERANCE
    return reported(path.stem, found, tensors["expected"], allowed)


def shadegrad(binary, arguments, folder):
    line = [str(binary), *arguments.split()]
    return subprocess.run(line, cwd=folder, check=True, capture_output=True, text=True).stdout


def pictures(folder, height, width, count=5):
    """Smooth colors with some noise. The first picture is grey."""
    random = np.random.default_rng(1)
    y, x = np.mgrid[0:height, 0:width] / max(height, width)
    for index in range(count):
        waves = [np.sin(9 * (x * random.normal() + y * random.normal()) + c) for c in range(3)]
        values = np.stack(waves, -1) * 90 + 128 + random.normal(0, 12, (height, width, 3))
        if index == 0:
            values[:] = values[..., :1]
        Image.fromarray(values.clip(0, 255).astype(np.uint8)).save(folder / f"{index}.png")


def predicted(binary, run, images, folder):
    flags = "" if run.startswith("classify") else f"--out {run}-painted"
    lines = shadegrad(binary, f"predict {run} {images.name} --json --device cpu {flags}", folder).splitlines()
    return [json.loads(line) for line in lines]


def trained(binary, name, folder):
    task, flags = RUNS[name]
    few = f"--scenes 12 --epochs 1 --batch-size 4 --device cpu --out {name}"
    shadegrad(binary, f"train {task} {flags} {few}", folder)
    shadegrad(binary, f"export {name}", folder)
    session, metadata = load(folder / name / "model.onnx")
    (given,) = session.get_inputs()
    images = folder / f"{name}-images"
    images.mkdir()
    pictures(images, *given.shape[2:])
    lines = predicted(binary, name, images, folder)
    pixels = np.stack([np.asarray(Image.open(folder / line["image"])) for line in lines])
    batch = np.transpose(pixels.astype(np.float32) / np.float32(255), (0, 3, 1, 2))
    (found,) = session.run(None, {given.name: batch})
    if task == "classify":
        classes = json.loads(metadata["classes"])
        expected = np.array([[line["probabilities"][c] for c in classes] for line in lines])
        return reported(name, found, expected, TOLERANCE)
    painted = [np.asarray(Image.open(folder / line["files"][0])) for line in lines]
    if task == "colorize":
        return reported(name, found, np.transpose(np.stack(painted) / 255.0, (0, 3, 1, 2)), HALF_A_BYTE)
    # Rounding decides between two classes of almost equal logits.
    mask = np.stack(painted)[:, None].astype(np.int64)
    return reported(name, np.take_along_axis(found, mask, 1), found.max(1, keepdims=True), TOLERANCE)


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--cases", type=Path, help="folder of cases that the tests wrote")
    parser.add_argument("--shadegrad", type=Path, help="shadegrad's binary")
    arguments = parser.parse_args()
    if not (arguments.cases or arguments.shadegrad):
        parser.error("give --cases, --shadegrad or both")
    print(f"onnx {onnx.__version__}, onnxruntime {onnxruntime.__version__}")
    results = []
    if arguments.cases:
        paths = sorted(arguments.cases.glob("*.onnx"))
        if not paths:
            parser.error(f"--cases {arguments.cases}: holds no .onnx file; the header says how to write some")
        results += [case(path) for path in paths]
    if arguments.shadegrad:
        with tempfile.TemporaryDirectory() as folder:
            results += [trained(arguments.shadegrad.resolve(), name, Path(folder)) for name in RUNS]
    print(f"{sum(results)} of {len(results)} agree")
    sys.exit(0 if all(results) else 1)


if __name__ == "__main__":
    main()
