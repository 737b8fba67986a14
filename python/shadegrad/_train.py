"""Training: settings as keyword arguments, progress in a terminal or a notebook."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import tempfile
import threading
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Union

from shadegrad._command import ShadegradError, command, message
from shadegrad._notebook import Display, in_notebook
from shadegrad._run import Run

PathLike = Union[str, "os.PathLike[str]"]


def toml(value: Any) -> str:
    """A value in TOML."""
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, (int, float)):
        return repr(value)
    if isinstance(value, (str, os.PathLike)):
        # JSON's escapes are valid in TOML, except for the escaped solidus, which json.dumps does not write.
        return json.dumps(os.fspath(value))
    if isinstance(value, Mapping):
        return "{ " + ", ".join(f"{json.dumps(str(key))} = {toml(item)}" for key, item in value.items()) + " }"
    if isinstance(value, (list, tuple)):
        return "[" + ", ".join(toml(item) for item in value) + "]"
    raise TypeError(f"no setting can be {value!r}")


def train(
    task: str,
    data: PathLike | None = None,
    *,
    out: PathLike | None = None,
    progress: bool = True,
    auto: bool | None = None,
    **settings: Any,
) -> Run:
    """Trains a model, and returns its run.

    Args:
        task: ``classify``, ``multi-label``, ``segment`` or ``colorize``.
        data: The data set; without it the task trains on built-in scenes.
        out: The folder of the run, which must be missing or empty; by default the next ``runs/TASK-NNN``.
        progress: Whether progress is shown: in a notebook as curves, elsewhere as lines.
        auto: Whether settings that are not given are chosen from data and device; true by default if ``data`` is given.
            ``False`` keeps the fixed defaults. A resumed run keeps its settings.
        settings: Keys of a config file, such as ``image_size=64``, ``epochs=10``, ``augment="light"``. ``shadegrad train TASK
            --help`` and docs/settings.md list them. ``None`` keeps the default.

    Raises:
        ShadegradError: The data or a setting was refused, or training failed. Nothing is overwritten.
        KeyboardInterrupt: Training was interrupted. Its folder holds a checkpoint, and ``resume=FOLDER`` continues it.
    """
    given = {key: value for key, value in {"data": data, "out": out, **settings}.items() if value is not None}
    resume = given.pop("resume", None)
    with tempfile.TemporaryDirectory() as folder:
        arguments = [command(), "train", task]
        if given:
            config = Path(folder) / "settings.toml"
            config.write_text("".join(f"{key} = {toml(value)}\n" for key, value in given.items()), encoding="utf-8")
            arguments += ["--config", str(config)]
        if auto is None:
            auto = data is not None and resume is None
        if auto:
            arguments += ["--auto"]
        if resume is not None:
            arguments += ["--resume", os.fspath(resume)]
        return _follow(arguments, progress)


def _follow(arguments: list[str], progress: bool) -> Run:
    """Runs a training to its end, and shows its progress."""
    child = subprocess.Popen(
        arguments, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, encoding="utf-8", errors="replace"
    )
    assert child.stdout is not None and child.stderr is not None
    errors: list[str] = []
    reader = threading.Thread(target=lambda: errors.extend(child.stderr or []), daemon=True)
    reader.start()
    display = Display() if progress and in_notebook() else None
    run: Run | None = None
    try:
        for line in child.stdout:
            if line.startswith("run:"):
                run = Run(Path(line.split(maxsplit=1)[1].strip()))
            if display is not None:
                if run is not None and line.startswith("epoch"):
                    display.show(run)
            elif progress:
                sys.stdout.write(line)
                sys.stdout.flush()
        child.wait()
    except KeyboardInterrupt:
        # The training ends after its step and writes a checkpoint.
        if child.poll() is None and os.name == "posix":
            child.send_signal(signal.SIGINT)
        child.wait()
        raise
    reader.join()
    if child.returncode != 0 or run is None:
        raise ShadegradError(message("".join(errors)) or f"exit code {child.returncode}")
    if display is not None:
        display.show(run, last=True)
    return run


def train_classify(data: PathLike | None = None, **settings: Any) -> Run:
    """Trains a classifier: one class per image. See :func:`train`."""
    return train("classify", data, **settings)


def train_multi_label(data: PathLike | None = None, **settings: Any) -> Run:
    """Trains a classifier with several labels per image. See :func:`train`."""
    return train("multi-label", data, **settings)


def train_segment(data: PathLike | None = None, **settings: Any) -> Run:
    """Trains a segmentation model: one class per pixel. See :func:`train`."""
    return train("segment", data, **settings)


def train_colorize(data: PathLike | None = None, **settings: Any) -> Run:
    """Trains a model that colors grey images. See :func:`train`."""
    return train("colorize", data, **settings)
