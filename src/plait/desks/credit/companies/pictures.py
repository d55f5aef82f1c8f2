"""Drawings of company ratings: how many companies each grade has, and how many of them defaulted."""

from __future__ import annotations

import os
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from plait.data.files import made_folder
from plait.metrics.classification import wilson
from plait.report.canvas import BLUE, GREY, SERIES, Canvas, axes_of, finish, save

if TYPE_CHECKING:
    import pandas as pd

    from plait.contracts import Array

__all__ = ["draw_companies", "grade_bars", "score_cloud"]

ZONES = {"distress": SERIES[0], "grey": GREY, "safe": BLUE}


def draw_companies(
    table: pd.DataFrame, grades: Sequence[str], bad: Array | None, folder: str | os.PathLike[str]
) -> tuple[Path, ...]:
    """Draw ``grades.png`` and ``altman.png``.

    Parameters
    ----------
    table
        ``grade``, ``pd``, ``z`` and ``zone`` of ``N`` companies.
    grades
        Best to worst.
    bad
        0 or 1, ``N``; None where it is not known.
    """
    into = made_folder(folder)
    return (
        save(grade_bars(table["grade"].to_numpy(), grades, bad), into / "grades.png"),
        save(score_cloud(table), into / "altman.png"),
    )


def grade_bars(grade: Array, grades: Sequence[str], bad: Array | None) -> Canvas:
    """Companies by grade, and the share of them that defaulted with its 95% interval (Wilson)."""
    figure, axes = axes_of(7.0, 3.6)
    place = np.arange(len(grades))
    counts = np.array([(grade == name).sum() for name in grades])
    axes.bar(place, counts, 0.7, color=GREY if bad is not None else BLUE)
    axes.set_xticks(place, list(grades))
    finish(axes, "Companies by grade", "", "Companies")
    if bad is not None:
        axes.set_title("Companies by grade, and the share that defaulted", loc="left", fontsize=11, fontweight="bold")
        here = counts > 0
        share = np.array([bad[grade == name].mean() for name in np.array(grades)[here]])
        low, high = wilson(share, counts[here])
        right = axes.twinx()
        spread = 100 * np.maximum(0, [share - low, high - share])
        right.errorbar(place[here], 100 * share, spread, fmt="o", color=BLUE, markersize=4, elinewidth=1.2)
        right.set_ylabel("Defaulted (%)", color=BLUE)
        right.set_ylim(0, None)
        right.spines[["top", "left"]].set_visible(False)
    return figure


def score_cloud(table: pd.DataFrame) -> Canvas:
    """The PD of the rating against Altman's score, coloured by its zone."""
    figure, axes = axes_of(6.0, 3.8)
    for zone, colour in ZONES.items():
        rows = table["zone"].to_numpy() == zone
        axes.scatter(table["z"][rows], 100 * table["pd"][rows], s=10, alpha=0.5, color=colour, linewidths=0, label=zone)
    finish(axes, "PD and Altman's score", "Altman's score", "PD (%)", "upper right")
    axes.set_yscale("log")
    return figure
