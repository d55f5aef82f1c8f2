"""Drawings of a scorecard: what each variable can be worth, and each variable's bins."""

from __future__ import annotations

import re
from pathlib import Path

import numpy as np

from plait.desks.credit.scorecard.card import Scorecard, Variable
from plait.report.canvas import BLUE, GREY, SERIES, Axes, Canvas, canvas, finish, readable, save

__all__ = ["draw_scorecard", "overview", "variable_picture"]

LABEL = 34  # characters of a label
ROW = 0.34  # inches of a bin


def draw_scorecard(scorecard: Scorecard, folder: Path) -> tuple[Path, ...]:
    """Write ``points.png``, and a picture a variable, into a folder that is there."""
    made = [save(overview(scorecard), folder / "points.png")]
    for i, variable in enumerate(scorecard.variables, 1):
        name = re.sub(r"[^A-Za-z0-9]+", "_", variable.name).strip("_")[:40]
        made.append(save(variable_picture(scorecard, variable), folder / f"bins_{i:02d}_{name}.png"))
    return tuple(made)


def overview(scorecard: Scorecard) -> Canvas:
    """The span of points of each variable around the mean of the training rows, the widest first."""
    spans = []
    for each in scorecard.variables:
        worth = -scorecard.points.factor * each.log_odds[each.bins.count > 0]
        spans.append((float(worth.max() - worth.min()), each.name, worth))
    spans.sort(key=lambda span: (-span[0], span[1]))
    figure = canvas(7.6, 1.1 + ROW * len(spans))
    axes = figure.subplots()
    places = np.arange(len(spans))[::-1]
    axes.axvline(0, color=GREY, linewidth=0.8)
    for place, (_, _, worth) in zip(places, spans, strict=True):
        axes.plot([worth.min(), worth.max()], [place, place], color=BLUE, linewidth=2)
        axes.plot(worth, np.full(len(worth), place), "o", color=BLUE, markersize=4.5)
    axes.set_yticks(places, [_cut(name) for _, name, _ in spans])
    finish(axes, "What each variable can be worth", "points against the mean applicant (a dot a bin)", "")
    axes.set_ylim(-0.7, len(spans) - 0.3)
    return figure


def variable_picture(scorecard: Scorecard, variable: Variable) -> Canvas:
    """Bad rate, weight of evidence and points of each bin of a variable that training rows fell into."""
    bins = variable.bins
    some = np.flatnonzero(bins.count > 0)
    figure = canvas(9.2, 1.35 + ROW * len(some))
    left, middle, right = figure.subplots(1, 3, sharey=True)
    places = np.arange(len(some))[::-1]
    share = bins.count[some] / bins.count.sum()
    rate = bins.bad_rate[some]
    left.barh(places, 100 * share, height=0.7, color="#E3E6E9", label="of all rows")
    left.plot(100 * rate, places, "o", color=SERIES[0], markersize=5, label="bad of the bin")
    left.set_yticks(places, [_cut(bins.labels[i]) for i in some])
    _bars(middle, places, bins.woe[some])
    _bars(right, places, -scorecard.points.factor * variable.log_odds[some])
    finish(left, _cut(variable.name), "%", "", legend="best")
    finish(middle, "", "weight of evidence", "")
    finish(right, "", "points against the mean", "")
    left.set_ylim(-0.6, len(some) - 0.4)
    return figure


def _bars(axes: Axes, places: np.ndarray[tuple[int], np.dtype[np.int64]], values: np.ndarray) -> None:
    axes.barh(places, values, height=0.6, color=[BLUE if value >= 0 else SERIES[0] for value in values])
    axes.axvline(0, color=GREY, linewidth=0.8)


def _cut(label: str) -> str:
    return readable(label if len(label) <= LABEL else f"{label[: LABEL - 1]}…")
