"""A drawing of which target helps which."""

from __future__ import annotations

import os
from pathlib import Path

import numpy as np

from plait.data.files import made_folder
from plait.estimators.affinity import Affinity
from plait.metrics.shown import number
from plait.report.canvas import axes_of, finish, readable, save

__all__ = ["draw_affinity"]


def draw_affinity(found: Affinity, path: str | os.PathLike[str]) -> Path:
    """Draw a square a pair as a PNG: green where learning the row's target helps the column's, red where it harms.

    Raises
    ------
    DataError
        If the folder cannot be made or written to.
    """
    names = [readable(name) for name in found.targets]
    others = np.where(np.eye(len(names), dtype=bool), np.nan, found.helps)
    most = float(np.nanmax(np.abs(others), initial=0.0)) or 1.0
    figure, axes = axes_of(1.6 + 0.9 * len(names), 1.2 + 0.75 * len(names))
    axes.imshow(others, cmap="PiYG", vmin=-most, vmax=most, aspect="auto")
    for j, row in enumerate(others):
        for i, value in enumerate(row):
            if j != i:
                sure = found.low[j, i] > 0 or found.high[j, i] < 0
                axes.text(i, j, number(value) + (" *" if sure else ""), ha="center", va="center", fontsize=8)
    axes.set_xticks(range(len(names)), names, rotation=30, ha="right")
    axes.set_yticks(range(len(names)), names)
    finish(axes, "What learning one target does for another", "helped", "learned")
    axes.grid(visible=False)
    target = Path(path)
    return save(figure, made_folder(target.parent) / target.name)
