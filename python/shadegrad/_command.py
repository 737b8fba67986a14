"""The command, and its errors as exceptions."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import sysconfig
from collections.abc import Sequence
from importlib import metadata
from pathlib import Path


class ShadegradError(RuntimeError):
    """The command refused its arguments or its data, or failed. The text is its message."""


def version() -> str:
    """The version of the package."""
    try:
        return metadata.version("shadegrad")
    except metadata.PackageNotFoundError:
        return "unknown"


def command() -> str:
    """The path of the command: the variable ``SHADEGRAD``, else the command of this package, else the one on ``PATH``.

    Raises:
        ShadegradError: The command was not found.
    """
    name = "shadegrad.exe" if sys.platform == "win32" else "shadegrad"
    schemes = [sysconfig.get_path("scripts")]
    # `pip install --user` puts the command elsewhere.
    schemes += [sysconfig.get_path("scripts", f"{os.name}_user")] if f"{os.name}_user" in sysconfig.get_scheme_names() else []
    named = os.environ.get("SHADEGRAD")
    candidates = [named] if named else [str(Path(folder) / name) for folder in schemes]
    for path in candidates:
        if os.access(path, os.X_OK):
            return path
    found = None if named else shutil.which(name)
    if found is None:
        raise ShadegradError(f"the command {name} is not at {' or '.join(candidates)}; reinstall the package: pip install --force-reinstall shadegrad")
    return found


def message(stderr: str) -> str:
    """The error message in the command's standard error."""
    at = stderr.rfind("error: ")
    return stderr[at + len("error: ") :].strip() if at >= 0 else stderr.strip()


def output(arguments: Sequence[str]) -> str:
    """Runs the command and returns its standard output.

    Raises:
        ShadegradError: The exit code is not 0.
    """
    done = subprocess.run([command(), *arguments], capture_output=True, text=True, encoding="utf-8", errors="replace", stdin=subprocess.DEVNULL)
    if done.returncode != 0:
        raise ShadegradError(message(done.stderr) or f"exit code {done.returncode}")
    return done.stdout
