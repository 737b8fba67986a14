#!/bin/sh
# Checks and measures a GPU. The machine with the GPU needs a driver and nothing else: `pack` puts all programs into one folder.
#
#     benches/gpu.sh pack [FOLDER]          builds and packs, on any machine            (target/gpu)
#     FOLDER/gpu.sh run [OUT] [PART…]       measures, on the machine with the GPU       (gpu-report)
#
#     devices   adapters and their limits
#     doctor    each kernel of small steps against its reference
#     tests     the kernel tests of the repository
#     steps     STEPS in f32 and f16, kernel by kernel, with tuned and with fixed tiles
#     peers     the same steps in PyTorch and burn, where they are installed
#
# Without PART all parts run. Where a command's time is limited, run them one by one, with few STEPS. Tuned tiles are kept
# between runs; tuning.jsonl lists all candidates. An H200 took about 1.4 s for each kind of convolution; a UNet has 56.
#
#     DEVICE         adapter (gpu)
#     STEPS          training steps (the four below)
#     TUNE_SECONDS   time limit of the tuner for each step and precision, in seconds (60)
#     PYTHON         interpreter with PyTorch (python3)
#     BURN           binary of the burn peer (burn, beside this script; skipped where there is none)
#     TESTS          test binaries that `pack` includes and `run` runs (engines)
set -eu
here=$(cd "$(dirname "$0")" && pwd)
tests=${TESTS-engines}
device=${DEVICE:-gpu}
python=${PYTHON:-python3}
seconds=${TUNE_SECONDS:-60}
steps=${STEPS:-resnet18:16x64x64 resnet18:64x224x224 unet:8x256x256:base=64 unet:4x128x128:base=16}

# Copies a program without its symbols, which are most of its size.
stripped() {
    strip -o "$2" "$1" 2> /dev/null || cp "$1" "$2"
}

pack() {
    root=$(dirname "$here")
    to=${1:-$root/target/gpu}
    mkdir -p "$to/tests" "$to/peers"
    (cd "$root" && cargo build --locked --release)
    stripped "$root/target/release/shadegrad" "$to/shadegrad"
    for test in $tests; do
        built=$(cd "$root" && cargo test --locked --release --no-run --message-format=json --test "$test" |
            sed -n '/"kind":\["test"\]/s/.*"executable":"\([^"]*\)".*/\1/p')
        stripped "$built" "$to/tests/$test"
    done
    cp "$here/gpu.sh" "$to"
    cp "$here/peers/"*.py "$to/peers"
    burn=$here/peers/burn/target/release/shadegrad-peer-burn
    if [ -x "$burn" ]; then stripped "$burn" "$to/burn"; fi
    du -sh "$to"
}

devices() {
    "$binary" devices | tee "$out/devices.txt"
}

doctor() {
    "$binary" doctor --device "$device" 2>&1 | tee "$out/doctor.txt"
}

tests() {
    : > "$out/tests.txt"
    for test in $tests; do
        # One thread: each test may open a device.
        "$here/tests/$test" --test-threads 1 2>&1 | tee -a "$out/tests.txt"
    done
}

# Measures one step with further arguments of `bench`, under a heading. On a device without f16 the output says so.
measured() {
    heading=$1
    shift
    echo "== $heading" | tee -a "$out/kernels.txt"
    "$binary" bench --device "$device" "$@" --json 2>> "$out/kernels.txt" | tee -a "$out/steps.jsonl"
}

steps() {
    for step in $steps; do
        # The tuning record is kept, so the following runs use the same tiles.
        export SHADEGRAD_TUNE_SECONDS="$seconds" SHADEGRAD_TUNE_LOG="$out/tuning.jsonl"
        measured "$step, tuned" --step "$step"
        "$binary" bench --device "$device" --step "$step" --kernels --steps 5 2>&1 | tee -a "$out/kernels.txt"
        measured "$step, tuned, f16" --step "$step" --precision f16
        "$binary" bench --device "$device" --step "$step" --precision f16 --kernels --steps 5 2>&1 | tee -a "$out/kernels.txt"
        export SHADEGRAD_TUNE_SECONDS=0
        SHADEGRAD_CACHE_DIR='' measured "$step, the fixed tiles" --step "$step"
    done
}

peers() {
    set --
    for step in $steps; do set -- "$@" --step "$step"; done
    SHADEGRAD_TUNE_SECONDS=0 "$python" "$here/peers/compare.py" --shadegrad "$binary" --python "$python" --device "$device" \
        --burn "${BURN:-$here/burn}" --shadegrad-args="--precision f16" --rounds 3 "$@" --json "$out/peers.json" |
        tee "$out/peers.md"
}

case ${1:-} in
pack)
    pack "${2:-}"
    ;;
run)
    binary=$here/shadegrad
    if [ ! -x "$binary" ]; then
        echo "$0: there is no $binary: run it in the folder that \`benches/gpu.sh pack\` makes" >&2
        exit 1
    fi
    shift
    out=${1:-gpu-report}
    if [ $# -gt 0 ]; then shift; fi
    if [ $# -eq 0 ]; then set -- devices doctor tests steps peers; fi
    mkdir -p "$out"
    # Mesa and the loader print a line if it is not set.
    export XDG_RUNTIME_DIR="${XDG_RUNTIME_DIR:-/tmp}" SHADEGRAD_TEST_DEVICE="$device"
    for part in "$@"; do
        case $part in
        devices | doctor | tests | steps | peers) ;;
        *)
            echo "$0: there is no part $part: devices, doctor, tests, steps, peers" >&2
            exit 1
            ;;
        esac
        # A failed part is reported, and the others still run.
        $part || echo "$0: $part failed" >&2
    done
    ;;
*)
    sed -n '2,/^set/s/^# \{0,1\}//p' "$0"
    exit 2
    ;;
esac
