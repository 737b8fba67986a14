"""Predictions of a run for files and arrays."""

from __future__ import annotations

import json
import os
import tempfile
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any, Union

from shadegrad._command import ShadegradError, output
from shadegrad._run import Run, load_run

if TYPE_CHECKING:
    import numpy as np
    from PIL.Image import Image


@dataclass(frozen=True)
class Prediction:
    """A prediction for an image. ``image`` is its file, or its position among the images."""

    image: Union[Path, int]


@dataclass(frozen=True)
class ClassPrediction(Prediction):
    """The class of an image, and the probability of every class."""

    label: str
    probability: float
    probabilities: dict[str, float]


@dataclass(frozen=True)
class LabelsPrediction(Prediction):
    """The labels of an image, and the probability and threshold of every class."""

    labels: list[str]
    probabilities: dict[str, float]
    thresholds: dict[str, float]


@dataclass(frozen=True)
class MaskPrediction(Prediction):
    """The class of every pixel: ``mask`` is ``uint8[height, width]`` with positions in ``classes``."""

    mask: np.ndarray
    classes: list[str]
    shares: dict[str, float] = field(default_factory=dict)


@dataclass(frozen=True)
class PicturePrediction(Prediction):
    """The colored picture, ``uint8[height, width, 3]``."""

    picture: np.ndarray


def predict(
    run: Run | str | os.PathLike[str],
    images: Any,
    *,
    device: str | None = None,
    tta: bool = False,
) -> list[Any]:
    """Predicts classes, labels, masks or colors.

    Args:
        run: A run, or its folder.
        images: A file or a folder, an array ``uint8[height, width, 3]`` or ``uint8[height, width]``, a Pillow image, or a list of
            these, all of one kind.
        device: ``auto``, ``gpu``, ``cpu``, or a part of a name.
        tta: Whether predictions are averaged with those of the mirror image.

    Returns:
        A prediction per image: :class:`ClassPrediction`, :class:`LabelsPrediction`, :class:`MaskPrediction` or
        :class:`PicturePrediction`. Files of a folder come in the order of their paths.

    Raises:
        ShadegradError: The run or an image cannot be read.
        TypeError: An image is neither a path nor an array nor a Pillow image, or paths are mixed with the others.
    """
    run = run if isinstance(run, Run) else load_run(run)
    several = list(images) if isinstance(images, (list, tuple)) else [images]
    if not several:
        return []
    with tempfile.TemporaryDirectory() as temporary:
        paths, arrays = _files(several, Path(temporary))
        flags = (["--device", device] if device else []) + (["--tta"] if tta else [])
        # Classifiers print their predictions and write no file.
        if run.task not in ("classify", "multi-label"):
            flags += ["--out", str(Path(temporary) / "results")]
        text = output(["predict", os.fspath(run.path), *paths, "--json", *flags])
        found = [_prediction(json.loads(line)) for line in text.splitlines() if line.startswith("{")]
    if arrays:
        if len(found) != len(several):
            raise ShadegradError(f"{len(found)} predictions for {len(several)} images")
        found = [type(one)(**{**vars(one), "image": position}) for position, one in enumerate(found)]
    return found


def _files(images: list[Any], folder: Path) -> tuple[list[str], bool]:
    """Paths of the images, and whether the images are in memory. Images in memory are written into the folder."""
    if all(isinstance(image, (str, os.PathLike)) for image in images):
        return [os.fspath(image) for image in images], False
    if any(isinstance(image, (str, os.PathLike)) for image in images):
        raise TypeError("paths and arrays cannot be mixed; call predict once for each kind")
    paths = []
    for position, image in enumerate(images):
        path = folder / f"{position:08}.png"
        _pillow(image).save(path)
        paths.append(str(path))
    return paths, True


def _pillow(image: Any) -> Image:
    try:
        import numpy as np
        from PIL import Image
    except ImportError as error:
        raise ShadegradError("arrays need NumPy and Pillow: pip install 'shadegrad[arrays]'") from error
    if isinstance(image, Image.Image):
        return image
    array = np.asarray(image)
    if array.dtype != np.uint8 or array.ndim not in (2, 3) or (array.ndim == 3 and array.shape[2] not in (1, 3, 4)):
        raise TypeError(f"expected uint8[height, width, 3], found {array.dtype}{list(array.shape)}; scale numbers of 0..1 by 255")
    return Image.fromarray(array[:, :, 0] if array.ndim == 3 and array.shape[2] == 1 else array)


def _prediction(row: dict[str, Any]) -> Prediction:
    """The prediction in a line of ``predict --json``."""
    image = Path(row["image"])
    if "class" in row:
        return ClassPrediction(image, row["class"], row["probability"], row["probabilities"])
    if "labels" in row:
        return LabelsPrediction(image, row["labels"], row["probabilities"], row["thresholds"])
    files = [Path(file) for file in row["files"]]
    if row["classes"]:
        mask = next(file for file in files if file.name.endswith("-mask.png"))
        return MaskPrediction(image, _array(mask), row["classes"], row.get("shares", {}))
    return PicturePrediction(image, _array(files[0]))


def _array(path: Path) -> np.ndarray:
    try:
        import numpy as np
        from PIL import Image
    except ImportError as error:
        raise ShadegradError("masks and pictures need NumPy and Pillow: pip install 'shadegrad[arrays]'") from error
    with Image.open(path) as image:
        # A palette's pixels are class numbers.
        return np.array(image if image.mode in ("P", "L") else image.convert("RGB"))
