"""Drawings of what evidence adds: points by line, ranking lost without each source, profit by share approved."""

from __future__ import annotations

from collections.abc import Sequence
from os import PathLike
from pathlib import Path

import numpy as np

from plait.contracts import Array
from plait.data.files import made_folder
from plait.desks.credit.lift import CALIBRATION, CAP, Money, PointShares, Without
from plait.report.canvas import BLUE, GREY, SERIES, Axes, Canvas, axes_of, canvas, finish, readable, save

__all__ = ["draw_lift"]


def draw_lift(
    folder: str | PathLike[str], shares: PointShares, without: Sequence[Without] = (), money: Money | None = None
) -> tuple[Path, ...]:
    """Draw ``lift.png``, and ``money.png`` where money was counted.

    Parameters
    ----------
    folder
        Made if it is not there. Each file appears whole or not at all.

    Returns
    -------
    tuple of Path
        The files written.

    Raises
    ------
    DataError
        If the folder cannot be made or written to.
    """
    into = made_folder(folder)
    drawn = [save(_lift(shares, without), into / "lift.png")]
    return (*drawn, save(_money(money), into / "money.png")) if money is not None else tuple(drawn)


def _lift(shares: PointShares, without: Sequence[Without]) -> Canvas:
    """Mean size of each line in points, and the ROC AUC that goes with each source."""
    names = [readable(name) for name in shares.lines]
    figure = canvas(9.6 if without else 5.6, 1.6 + 0.4 * len(names))
    left, *right = figure.subplots(1, 2 if without else 1, squeeze=False)[0]
    told = [GREY if name in (CALIBRATION, CAP) else BLUE for name in shares.lines]  # grey: no evidence has a part in it
    _bars(left, names, np.abs(shares.values).mean(axis=0), told)
    finish(left, "What moves a score", "Mean |points| a row", "")
    if without:
        lost = np.array([each.lost for each in without])
        _bars(right[0], [readable(each.source) for each in without], lost[:, 0], [BLUE] * len(lost))
        spread = np.maximum(0, [lost[:, 0] - lost[:, 1], lost[:, 2] - lost[:, 0]])
        right[0].errorbar(lost[:, 0], np.arange(len(lost)), xerr=spread, color=GREY, linestyle="none", capsize=3)
        right[0].axvline(0, color=GREY, linewidth=0.8)
        finish(right[0], "What the ranking loses without it", "ROC AUC", "")
    return figure


def _bars(axes: Axes, names: Sequence[str], values: Array, colours: Sequence[str]) -> None:
    axes.barh(np.arange(len(names)), values, color=colours, alpha=0.8, height=0.6)
    axes.set_yticks(np.arange(len(names)), names)
    axes.invert_yaxis()


def _money(money: Money) -> Canvas:
    """Profit by share approved, whichever score chooses whom."""
    figure, axes = axes_of(6.4, 4.6)
    axes.axhline(0, color=GREY, linewidth=0.6)
    first, *others = money.profit
    x = 100 * money.approved
    axes.plot(x, money.profit[first][:, 0], color=GREY, linewidth=1.5, linestyle="--", label=first)
    for name, colour in zip(others, [*SERIES[: len(others) - 1], BLUE], strict=True):
        axes.plot(x, money.profit[name][:, 0], color=colour, linewidth=2 if colour == BLUE else 1.2, label=name)
    low, high = money.profit[first][:, 0, None].T + money.gained[:, 1:].T
    axes.fill_between(x, low, high, color=BLUE, alpha=0.15, linewidth=0, label=f"{first} + what the blend gains, 95%")
    finish(
        axes, "Profit at equal approval", "% of applications approved", "Profit, % of the amount applied for", "best"
    )
    return figure
