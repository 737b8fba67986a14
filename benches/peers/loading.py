"""Times torchvision with Pillow and shadegrad in turn, one thread each: from JPEG files of 500x375 pixels to normalized tensors of
224x224, with a random resized crop and a flip.

    python benches/peers/loading.py [IMAGES]
"""

import os
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import numpy as np
import torch
from PIL import Image
from torchvision import transforms
from torchvision.datasets import ImageFolder

ROUNDS = 3
# Passes over the files in a round; the fastest counts, as in benches/loading.rs.
PASSES = 5


def write(folder: Path, images: int) -> None:
    """Smooth pictures with fine grain: about 75 KB each at quality 90, as photographs have."""
    random = np.random.default_rng(0)
    for part, count in [("train", images), ("val", 4)]:
        for index in range(count):
            path = folder / part / f"class{index % 2}" / f"{index:04}.jpg"
            path.parent.mkdir(parents=True, exist_ok=True)
            coarse = Image.fromarray(random.integers(0, 256, (12, 16, 3), dtype=np.uint8)).resize((500, 375), Image.BICUBIC)
            grain = random.normal(0, 8, (375, 500, 1))
            Image.fromarray(np.clip(np.asarray(coarse) + grain, 0, 255).astype(np.uint8)).save(path, quality=90)


def torchvision(folder: Path) -> float:
    """Images per second of the fastest pass."""
    changes = transforms.Compose([
        transforms.RandomResizedCrop(224),
        transforms.RandomHorizontalFlip(),
        transforms.ToTensor(),
        transforms.Normalize([0.485, 0.456, 0.406], [0.229, 0.224, 0.225]),
    ])
    data = ImageFolder(str(folder / "train"), changes)
    fastest = 0.0
    for _ in range(PASSES):
        start = time.perf_counter()
        for image, _ in data:
            assert image.shape == (3, 224, 224)
        fastest = max(fastest, len(data) / (time.perf_counter() - start))
    return fastest


def main() -> None:
    torch.set_num_threads(1)
    images = int(sys.argv[1]) if len(sys.argv) > 1 else 200
    command = os.environ.get("LOADING_BENCH", "cargo bench --quiet --bench loading --").split()
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        write(folder, images)
        sizes = [path.stat().st_size for path in folder.glob("train/*/*.jpg")]
        print(f"{len(sizes)} files of {np.mean(sizes) / 1024:.0f} KiB")
        for _ in range(ROUNDS):
            print(f"torchvision: {torchvision(folder):.0f} images/s on 1 thread", flush=True)
            subprocess.run([*command, name, "1"], check=True)


main()
