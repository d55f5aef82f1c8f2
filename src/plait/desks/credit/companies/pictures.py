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
    from plait.desks.credit.grades import MasterScale

__all__ = ["draw_companies", "grade_bars", "score_cloud"]

LEAST = 10  # companies of a grade whose defaults are drawn
ZONES = {"distress": SERIES[0], "grey": GREY, "safe": BLUE}


def draw_companies(
    table: pd.DataFrame, scale: MasterScale, held_out: tuple[Array, Array] | None, folder: str | os.PathLike[str]
) -> tuple[Path, ...]:
    """Draw ``grades.png`` and ``altman.png``.

    Parameters
    ----------
    table
        ``grade``, ``pd``, ``z`` and ``zone`` of ``N`` companies.
    held_out
        Log-odds of each company by a model that was fitted without it, and 0 or 1 for its default, ``N`` each; None
        where defaults are not known.
    """
    into = made_folder(folder)
    if held_out is None:
        bars = grade_bars(table["grade"].to_numpy(), scale.names)
    else:
        grades = np.array(scale.named(scale.assign(1 / (1 + np.exp(-held_out[0])))))
        bars = grade_bars(grades, scale.names, held_out[1])
    return (
        save(bars, into / "grades.png"),
        save(score_cloud(table), into / "altman.png"),
    )


def grade_bars(grade: Array, grades: Sequence[str], bad: Array | None = None) -> Canvas:
    """Companies by grade, and the share of them that defaulted with its 95% interval (Wilson)."""
    figure, axes = axes_of(7.0, 3.6)
    place = np.arange(len(grades))
    counts = np.array([(grade == name).sum() for name in grades])
    axes.bar(place, counts, 0.7, color=GREY if bad is not None else BLUE)
    axes.set_xticks(place, list(grades))
    finish(axes, "Companies by grade", "", "Companies")
    if bad is not None:
        axes.set_title(
            "Companies by grade out of fold, and the share that defaulted", loc="left", fontsize=11, fontweight="bold"
        )
        here = counts >= LEAST
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
    axes.yaxis.set_major_formatter(lambda value, _: f"{value:g}")
    return figure
