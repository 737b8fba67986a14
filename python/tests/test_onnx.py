"""Runs every snippet of docs/onnx.md unchanged, on a small model of its task that is trained and exported here. Compares the
snippet's output with that of `shadegrad predict` for the same picture."""

import json
import re
import subprocess
import sys
from pathlib import Path

import numpy as np
import onnxruntime  # noqa: F401  The snippets need it: without it this file fails.
import pytest
from PIL import Image
from shadegrad._command import command

PAGE = (Path(__file__).resolve().parents[2] / "docs/onnx.md").read_text()
SNIPPETS = dict(re.findall(r"```python (\S+)\n(.*?)```", PAGE, re.DOTALL))
# Settings of the small trainings, and height and width of their images.
SMALL = {
    "classify": ("--model cnn --scenes 40 --image-size 16 --epochs 1", (16, 16)),
    "multi-label": ("--model cnn --scenes 40 --image-size 16 --epochs 1", (16, 16)),
    "segment": ("--base 2 --depth 2 --scenes 10 --image-size 32x48 --epochs 1", (32, 48)),
    "colorize": ("--base 2 --depth 2 --scenes 10 --image-size 32x48 --epochs 1", (32, 48)),
}


def test_the_page_has_a_snippet_for_each_task():
    assert SNIPPETS.keys() == SMALL.keys()


@pytest.mark.parametrize("task", SMALL)
def test_snippet(task, tmp_path):
    def run(*words):
        done = subprocess.run(words, cwd=tmp_path, capture_output=True, text=True)
        assert done.returncode == 0, f"{' '.join(words)}\n{done.stdout}{done.stderr}"
        return done.stdout

    flags, (height, width) = SMALL[task]
    run(command(), "train", task, *flags.split(), "--device", "cpu", "--out", "run")
    run(command(), "export", "run")
    # The picture has the model's size: resampling may differ between the two programs.
    noise = np.random.default_rng(0).integers(0, 256, (height, width, 3), np.uint8)
    Image.fromarray(noise).save(tmp_path / "photo.png")
    said = run(sys.executable, "-c", SNIPPETS[task])
    out = ["--out", "ours"] if task in ("segment", "colorize") else []
    ours = json.loads(run(command(), "predict", "run", "photo.png", "--json", "--device", "cpu", *out).splitlines()[0])
    CHECKS[task](said, ours, tmp_path)


def probabilities(said, ours, _):
    """Names and probabilities that the snippet printed."""
    printed = {line[:20].strip(): float(line[20:].split()[0]) for line in said.splitlines()}
    assert len(printed) >= 5
    assert printed == {name: pytest.approx(ours["probabilities"][name], abs=1e-3) for name in printed}


def labels(said, ours, folder):
    probabilities(said, ours, folder)
    present = {line[:20].strip() for line in said.splitlines() if line.endswith("present")}
    assert present == set(ours["labels"])


def mask(said, ours, folder):
    (path,) = (file for file in ours["files"] if file.endswith("-mask.png"))
    theirs, expected = (np.asarray(Image.open(folder / name)) for name in ("mask.png", path))
    assert (theirs != expected).mean() < 0.01
    shares = {line[:20].strip(): float(line[20:].split("%")[0]) / 100 for line in said.splitlines()}
    assert shares == {name: pytest.approx(ours["shares"][name], abs=0.011) for name in shares}


def colors(said, ours, folder):
    assert said == "written: colored.png\n"
    theirs, expected = (np.asarray(Image.open(folder / name)).astype(int) for name in ("colored.png", *ours["files"]))
    assert abs(theirs - expected).max() <= 1


CHECKS = {"classify": probabilities, "multi-label": labels, "segment": mask, "colorize": colors}
