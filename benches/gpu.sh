#!/bin/sh
# Everything worth knowing about a GPU, into a folder: what it is, the tests' own check of every kernel, limits and kernels of
# the steps in f32 and f16, and the same steps in whatever peers are there.
#
#     benches/gpu.sh [BINARY] [OUT]        (target/release/shadegrad, gpu-report)
#
# DEVICE names the adapter (default: gpu), PYTHON an interpreter with PyTorch (default: python3). Nothing needs to be built
# where a binary is given; the kernels' tests are run where cargo is there.
set -eu
binary=${1:-target/release/shadegrad}
out=${2:-gpu-report}
device=${DEVICE:-gpu}
here=$(dirname "$0")
mkdir -p "$out"
"$binary" devices | tee "$out/devices.txt"
steps="resnet18:16x64x64 resnet18:64x224x224 unet:8x256x256:base=64 unet:4x128x128:base=16"
for step in $steps; do
    echo "== $step, the fixed tiles" | tee -a "$out/kernels.txt"
    SHADEGRAD_CACHE_DIR= SHADEGRAD_TUNE_SECONDS=0 "$binary" bench --device "$device" --step "$step" --json | tee -a "$out/steps.jsonl"
    echo "== $step, tuned" | tee -a "$out/kernels.txt"
    # The record is kept, so that what follows has the same tiles.
    SHADEGRAD_TUNE_SECONDS=${TUNE_SECONDS:-60} "$binary" bench --device "$device" --step "$step" --json | tee -a "$out/steps.jsonl"
    "$binary" bench --device "$device" --step "$step" --kernels --steps 5 | tee -a "$out/kernels.txt"
    echo "== $step, tuned, f16" | tee -a "$out/kernels.txt"
    # Where the device has no f16 the line says so.
    SHADEGRAD_TUNE_SECONDS=${TUNE_SECONDS:-60} "$binary" bench --device "$device" --step "$step" --precision f16 --json \
        2>> "$out/kernels.txt" | tee -a "$out/steps.jsonl"
    "$binary" bench --device "$device" --step "$step" --precision f16 --kernels --steps 5 2>&1 | tee -a "$out/kernels.txt"
done
set --
for step in $steps; do set -- "$@" --step "$step"; done
"${PYTHON:-python3}" "$here/peers/compare.py" --shadegrad "$binary" --python "${PYTHON:-python3}" --device "$device" \
    --shadegrad-args="--precision f16" --rounds 3 "$@" --json "$out/peers.json" | tee "$out/peers.md"
if command -v cargo > /dev/null; then
    SHADEGRAD_TEST_DEVICE=$device cargo test --release --test ops_match_twin --test gpu_tiles --test precision | tee "$out/tests.txt"
fi
