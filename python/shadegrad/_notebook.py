"""Progress in a notebook: a table and curves that change after every epoch."""

from __future__ import annotations

import html
from typing import Any

from shadegrad._run import Run

WIDTH, HEIGHT, MARGIN = 420, 180, 30
COLORS = {"train_loss": "#0072b2", "val_loss": "#d55e00"}


def in_notebook() -> bool:
    """Whether this process is the kernel of a notebook."""
    try:
        from IPython import get_ipython
    except ImportError:
        return False
    shell = get_ipython()
    return shell is not None and hasattr(shell, "kernel")


def curves(rows: list[dict[str, Any]]) -> str:
    """Training and validation loss over the epochs, as SVG."""
    known = [row[name] for row in rows for name in COLORS if row.get(name) is not None]
    if not known:
        return ""
    low, high = min(known), max(known)
    spread = high - low or 1.0
    lines = []
    for name, color in COLORS.items():
        points = [
            (MARGIN + (WIDTH - 2 * MARGIN) * i / max(len(rows) - 1, 1), MARGIN + (HEIGHT - 2 * MARGIN) * (high - row[name]) / spread)
            for i, row in enumerate(rows)
            if row.get(name) is not None
        ]
        path = " ".join(f"{x:.1f},{y:.1f}" for x, y in points)
        lines.append(f'<polyline fill="none" stroke="{color}" stroke-width="2" points="{path}"/>')
        lines += [f'<circle cx="{x:.1f}" cy="{y:.1f}" r="2.5" fill="{color}"/>' for x, y in points]
    style = 'font-size="11" fill="currentColor" font-family="sans-serif"'
    labels = f'<text x="2" y="{MARGIN}" {style}>{high:.3g}</text><text x="2" y="{HEIGHT - MARGIN}" {style}>{low:.3g}</text>'
    names = "".join(
        f'<text x="{MARGIN + 90 * i}" y="{HEIGHT - 8}" font-size="11" fill="{color}" font-family="sans-serif">{name}</text>'
        for i, (name, color) in enumerate(COLORS.items())
    )
    return f'<svg width="{WIDTH}" height="{HEIGHT}" role="img" aria-label="losses over epochs">{"".join(lines)}{labels}{names}</svg>'


def table(row: dict[str, Any]) -> str:
    """The last epoch as a table."""
    shown = {name: value for name, value in row.items() if name not in ("data_wait", "seconds")}
    head = "".join(f"<th>{html.escape(name)}</th>" for name in shown)
    cells = "".join(f"<td>{'–' if value is None else f'{value:.4g}'}</td>" for value in shown.values())
    return f"<table><tr>{head}</tr><tr>{cells}</tr></table>"


class Display:
    """One output of a cell, which each epoch replaces."""

    def __init__(self) -> None:
        from IPython.display import HTML, display

        self._html: Any = HTML
        self._handle: Any = display(HTML("<p>training starts</p>"), display_id=True)

    def show(self, run: Run, last: bool = False) -> None:
        """Shows the epochs of a run so far; at the end its verdict and pictures."""
        rows = run.metrics
        parts = [curves(rows), table(rows[-1])] if rows else []
        if last:
            parts = [run._repr_html_(), *parts[1:]]
        self._handle.update(self._html("\n".join(parts)))
