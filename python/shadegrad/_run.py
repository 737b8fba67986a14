"""A run's folder: settings, facts, epochs, verdict, pictures."""

from __future__ import annotations

import base64
import csv
import html
import json
import os
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from shadegrad._command import ShadegradError

try:
    import tomllib
except ModuleNotFoundError:  # Python 3.10 and older
    import tomli as tomllib  # type: ignore[no-redef,import-not-found,unused-ignore]


@dataclass(frozen=True)
class Run:
    """The folder of a training. Each access to a property reads its file again, so that a training can be followed while it runs."""

    path: Path

    @property
    def settings(self) -> dict[str, Any]:
        """The settings in ``config.toml``."""
        return tomllib.loads((self.path / "config.toml").read_text(encoding="utf-8"))

    @property
    def facts(self) -> dict[str, Any]:
        """The facts in ``run.json``: task, device, parameters, classes, numbers of images, how the data was read."""
        file = self.path / "run.json"
        return json.loads(file.read_text(encoding="utf-8")) if file.exists() else {}

    @property
    def task(self) -> str:
        """The task's name, such as ``classify``."""
        return str(self.facts.get("task", ""))

    @property
    def classes(self) -> list[str]:
        """Names of the outputs: classes, or color channels."""
        return list(self.facts.get("outputs", []))

    @property
    def metrics(self) -> list[dict[str, float | None]]:
        """A row per epoch, with the columns of ``metrics.csv``. A number that is not finite is ``None``."""
        lines = self.path / "metrics.jsonl"
        if lines.exists():
            return [json.loads(line) for line in lines.read_text(encoding="utf-8").splitlines()]
        with open(self.path / "metrics.csv", newline="", encoding="utf-8") as file:
            return [{name: float(value) for name, value in row.items()} for row in csv.DictReader(file)]

    @property
    def best(self) -> dict[str, float | None]:
        """The row of the best epoch, by the task's first score.

        Raises:
            ShadegradError: The run has no epoch yet.
        """
        rows = self.metrics
        if not rows:
            raise ShadegradError(f"{self.path} has no epoch yet")
        scores = self.facts.get("shown", {}).get("scores") or [{"key": "val_loss", "better": "lower"}]
        key, sign = scores[0]["key"], -1 if scores[0]["better"] == "lower" else 1
        known = [row for row in rows if row.get(key) is not None]
        return max(known or rows, key=lambda row: sign * (row.get(key) or 0.0))

    @property
    def verdict(self) -> dict[str, Any] | None:
        """What the training found: ``headline``, ``findings``, ``next``. ``None`` before the end of the training."""
        return self.facts.get("verdict")

    def picture(self, name: str) -> Path:
        """The path of a picture, such as ``curves``, ``samples`` or ``confusion``.

        Raises:
            FileNotFoundError: The run has no such picture.
        """
        path = self.path / f"{name}.png"
        if not path.exists():
            there = ", ".join(sorted(file.stem for file in self.path.glob("*.png"))) or "none"
            raise FileNotFoundError(f"{path}; pictures of this run: {there}")
        return path

    def _repr_html_(self) -> str:
        """The run in a notebook: verdict, curves, samples."""
        parts = [f"<p><b>{html.escape(str(self.path))}</b></p>"]
        verdict = self.verdict
        if verdict:
            parts.append(f"<p>{html.escape(verdict['headline'])}</p>")
            findings = "".join(f"<li>{html.escape(finding['text'])}</li>" for finding in verdict["findings"])
            parts.append(f"<ul>{findings}</ul>")
        for name in ("curves", "samples"):
            file = self.path / f"{name}.png"
            if file.exists():
                data = base64.b64encode(file.read_bytes()).decode()
                parts.append(f'<img alt="{name}" style="max-width:100%" src="data:image/png;base64,{data}">')
        return "\n".join(parts)


def load_run(path: str | os.PathLike[str]) -> Run:
    """Opens the folder of a run, finished or not.

    Raises:
        ShadegradError: The folder is not that of a run.
    """
    run = Run(Path(path))
    if not (run.path / "config.toml").is_file():
        raise ShadegradError(f"{run.path} is no folder of a run: it has no config.toml")
    return run
