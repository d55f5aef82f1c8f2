"""Odd rows drawn: scores of all rows with the threshold, and what the oddest ones are odd for."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from plait.report.canvas import BLUE, GREY, SERIES, canvas, finish, readable, save

if TYPE_CHECKING:
    import pandas as pd

    from plait.estimators.odd import Odd

__all__ = ["draw_odd"]

LISTED = 8
LONGEST = 140  # characters of a reason


def draw_odd(found: Sequence[Odd], threshold: float, path: Path, time: pd.Series[Any] | None = None) -> Path:
    """Draw scores by time (by row, where rows have none), alerts marked, over a list of the oddest rows.

    Parameters
    ----------
    found
        All rows (`Detector.explain`).
    threshold
        Rows of a higher score alert.
    time
        The moment of each row.
    """
    figure = canvas(10, 6.2)
    above, below = figure.subplots(2, 1, height_ratios=[3, 2])
    scores = np.array([odd.score for odd in found])
    alerts = np.array([odd.alert for odd in found], bool)
    where = np.arange(len(found)) if time is None else time.to_numpy()
    above.scatter(where[~alerts], scores[~alerts], s=6, color=GREY, alpha=0.5, linewidths=0)
    above.scatter(where[alerts], scores[alerts], s=16, color=SERIES[0], label=f"{alerts.sum():,} alerts")
    above.set_ylim(bottom=0, top=1.3 * max(threshold, float(scores.max(initial=0.0))))  # room for the legend
    above.axhline(threshold, color=BLUE, linewidth=1, label=f"threshold {threshold:.2f}")
    finish(above, "How odd rows are", "row" if time is None else str(time.name), "surprise", "upper left")
    below.set_axis_off()
    below.set_title("The oddest rows, and what makes them odd", loc="left", fontsize=11, fontweight="bold")
    oddest = sorted(found, key=lambda odd: -odd.score)[:LISTED]
    for place, odd in enumerate(oddest):
        text = odd.text if len(odd.text) <= LONGEST else odd.text[: LONGEST - 3] + "..."
        height = 1 - (place + 0.5) / LISTED
        for x, said in ((0.04, f"{odd.row:,}"), (0.09, f"{odd.score:.2f}")):
            below.text(x, height, said, fontsize=7.5, va="center", ha="right")
        below.text(0.11, height, readable(text), fontsize=7.5, va="center")
    return save(figure, path)
