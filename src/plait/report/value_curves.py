"""Drawings of what decisions are worth: gain and lift by share selected, and profit."""

from __future__ import annotations

import os
from collections.abc import Callable
from functools import partial
from pathlib import Path

import numpy as np

from plait.data.files import made_folder
from plait.metrics.lift import LiftTable
from plait.metrics.value import ProfitCurve
from plait.report.canvas import BLUE, GREY, Canvas, axes_of, canvas, finish, readable, save

__all__ = ["draw_value"]


def draw_value(
    folder: str | os.PathLike[str], *, lift: LiftTable | None = None, profit: ProfitCurve | None = None
) -> tuple[Path, ...]:
    """Draw `gain.png` and `profit.png`, those of them that are given and defined.

    Parameters
    ----------
    folder
        Where the files go; made if it is not there. Each file appears whole or not at all.

    Returns
    -------
    tuple of Path
        The files written.

    Raises
    ------
    DataError
        If the folder cannot be made or written to.
    """
    wanted: list[tuple[str, Callable[[], Canvas]]] = []
    if lift is not None and not np.isnan(lift.bands[0].gain.value):
        wanted.append(("gain.png", partial(gain_picture, lift)))
    if profit is not None:
        wanted.append(("profit.png", partial(profit_picture, profit)))
    into = made_folder(folder)
    return tuple(save(make(), into / name) for name, make in wanted)


def gain_picture(table: LiftTable) -> Canvas:
    """Cumulative gain with its interval, and lift by band."""
    figure = canvas(9.6, 4.6)
    left, right = figure.subplots(1, 2)
    selected = np.array([0.0, *(band.selected for band in table.bands)])
    gain, low, high = np.array([(0.0, 0.0, 0.0), *(band.gain for band in table.bands)]).T
    left.plot([0, 1], [0, 1], color=GREY, linewidth=0.8, label="at random")
    left.plot([0, table.rate, 1], [0, 1, 1], color=GREY, linewidth=0.8, linestyle=":", label="perfect")
    left.fill_between(selected, low, high, color=BLUE, alpha=0.18, linewidth=0)
    left.plot(selected, gain, color=BLUE, linewidth=2, marker="o", markersize=3.5, label="model")
    finish(left, "Gain", "Share of rows selected", f"Share of {readable(table.label)} found", legend="lower right")
    left.set(xlim=(0, 1), ylim=(0, 1.02))
    numbers = np.arange(1, len(table.bands) + 1)
    right.axhline(1, color=GREY, linewidth=0.8)
    right.bar(numbers, [band.lift for band in table.bands], color=BLUE, alpha=0.8, width=0.8)
    finish(right, "Lift by band", "Band, the most probable first", f"Rate over the mean of {table.rate:.1%}")
    right.set_xticks(numbers)
    return figure


def profit_picture(curve: ProfitCurve) -> Canvas:
    """Mean profit of a row by share selected, with its interval and the highest point."""
    figure, axes = axes_of(6.4, 4.6)
    axes.axhline(0, color=GREY, linewidth=0.6)
    axes.plot(curve.selected, curve.random, color=GREY, linewidth=1, linestyle="--", label="selected at random")
    axes.fill_between(curve.selected, curve.low, curve.high, color=BLUE, alpha=0.18, linewidth=0)
    axes.plot(curve.selected, curve.profit, color=BLUE, linewidth=2, label="model")
    best = curve.best
    point = curve.selected[best], curve.profit[best]
    told = f"highest: {point[1]:.4g} at {point[0]:.1%}, above {curve.thresholds[best]:.3g}"
    axes.plot(*point, marker="o", color=BLUE, label=told, linestyle="none")
    finish(axes, "Profit", "Share of rows selected", "Mean profit of a row", legend="best")
    return figure
